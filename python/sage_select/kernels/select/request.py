"""What a kernel is to pick."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import pyarrow as pa
from numpy.typing import ArrayLike

from sage_select.kernels import arrays
from sage_select.kernels.call import as_int
from sage_select.kernels.select.limits import Limits, NativeLimits

__all__ = ["Request", "native_request"]

#: As the native module takes a request.
NativeRequest: TypeAlias = tuple[int, pa.Array, pa.Array, NativeLimits | None]


@dataclass(frozen=True, eq=False)
class Request:
    """A request for rows, which every kernel that picks takes; a number stands for one of so many rows.

    Row numbers count from 0; a number that names no row, or a row that is named twice, is a `UsageError`.

    Attributes
    ----------
    k
        How many rows to pick: from 0 to n less the rows preselected and excluded; with `limits`, at most so many.
    preselected
        Rows that are selected already: they count for what is picked beside them, and are not picked again.
    excluded
        Rows that are not picked.
    limits
        Limits on the whole selection, the rows preselected included.
    """

    k: int
    preselected: ArrayLike | None = None
    excluded: ArrayLike | None = None
    limits: Limits | None = None


def native_request(request: Request | int) -> NativeRequest:
    """Return a request as the native module takes it.

    Raises
    ------
    UsageError
        A number is negative or no whole number.
    DataError
        What should be row numbers are not.
    """
    if not isinstance(request, Request):
        request = Request(request)
    return (
        as_int(request.k, "k"),
        arrays.row_numbers(request.preselected, "preselected"),
        arrays.row_numbers(request.excluded, "excluded"),
        None if request.limits is None else request.limits.native(),
    )
