"""What stages find out about rows: columns aligned with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sage_select.io.guards.mapped import MAPPED_BYTES, mapped
from sage_select.kernels import Matrix
from sage_select.kernels.arrays import some_rows as some_of_column
from sage_select.kernels.vectors import some_vectors

__all__ = ["Features", "Lengths", "Scores", "some_rows", "vectors_of"]

#: How much of a matrix is copied at a time.
_BLOCK_BYTES: Final = 4 << 20


@dataclass(frozen=True)
class Scores:
    """One number a row.

    Attributes
    ----------
    values
        float32 (n,), as given or computed.
    higher_is_harder
        Which end is hard.
    """

    values: NDArray[np.float32]
    higher_is_harder: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", read_only(self.values))

    @property
    def difficulty(self) -> NDArray[np.float32]:
        """The values turned so that a higher number is a harder row."""
        return self.values if self.higher_is_harder else read_only(-self.values)

    def take(self, rows: NDArray[np.int64]) -> Scores:
        """Return those of some rows."""
        return replace(self, values=self.values[rows])


@dataclass(frozen=True)
class Lengths:
    """How long rows are.

    Attributes
    ----------
    values
        int64, one a row.
    unit
        What they count, as users read it: words, or tokens of some tokenizer.
    """

    values: NDArray[np.int64]
    unit: str = "words"

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", read_only(self.values))

    def take(self, rows: NDArray[np.int64]) -> Lengths:
        """Return those of some rows."""
        return replace(self, values=self.values[rows])


def read_only(values: Any) -> Any:
    """Return a view of an array that cannot be written to, so that no rule changes what others are shown."""
    if not isinstance(values, np.ndarray) or not values.flags.writeable:
        return values
    view = values.view()
    view.flags.writeable = False
    return view


class Features(Mapping[str, Any]):
    """What is known of rows, by name; some of it taken from more rows only when it is first asked for."""

    def __init__(self, values: Mapping[str, Any] | None = None, later: Mapping[str, Callable[[], Any]] | None = None):
        self._values = dict(values or {})
        self._later = dict(later or {})

    def __getitem__(self, name: str) -> Any:
        if name in self._later:
            self._values[name] = self._later.pop(name)()
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values.keys() | self._later.keys())

    def __len__(self) -> int:
        return len(self._values.keys() | self._later.keys())

    def having(self, **values: Any) -> Features:
        """Return these features and others; those of the same name are replaced."""
        later = {name: make for name, make in self._later.items() if name not in values}
        return Features({**self._values, **values}, later)

    def take(self, rows: NDArray[np.int64]) -> Features:
        """Return the features of some rows."""
        return Features({name: some_rows(self[name], rows) for name in self})

    def append(self, others: Mapping[str, Any]) -> Features:
        """Return these features with those of rows behind them; one that is not known of these is known of none."""
        return Features({name: _joined(self[name], values) for name, values in others.items() if name in self})

    def later(self, rows: NDArray[np.int64]) -> Features:
        """Return the features of some rows, each taken when it is first asked for."""
        return Features(later={name: partial(self._some, name, rows) for name in self})

    def _some(self, name: str, rows: NDArray[np.int64]) -> Any:
        return some_rows(self[name], rows)


def some_rows(feature: Any, rows: NDArray[np.int64]) -> Any:
    """Return a feature of some rows: of an array, an Arrow column, a matrix, or anything with a `take`."""
    if isinstance(feature, np.ndarray):
        return feature[rows]
    if isinstance(feature, pa.ChunkedArray):
        return some_of_column(feature, rows)
    if isinstance(feature, pa.Array):
        return feature.take(pa.array(rows))
    if isinstance(feature, Matrix):
        return _rows_of(feature, rows)
    return feature.take(rows)


def _joined(feature: Any, more: Any) -> Any:
    """Return a feature with the values of rows behind."""
    if isinstance(feature, np.ndarray):
        return np.concatenate([feature, more])
    if isinstance(feature, pa.ChunkedArray | pa.Array):
        chunks = [chunk for one in (feature, more) for chunk in (one.chunks if hasattr(one, "chunks") else [one])]
        return pa.chunked_array([chunk.cast(feature.type) for chunk in chunks], feature.type)
    return replace(feature, values=np.concatenate([feature.values, more.values]))


def vectors_of(vectors: Any, rows: NDArray[np.int64]) -> Any:
    """Return some of vectors, a numpy or Arrow array; many float32 ones lie in a mapped file."""
    found = some_vectors(vectors, rows)
    # Slices of float32 would be copied into memory, where a single array may be used as it lies.
    if isinstance(vectors, np.ndarray) and vectors.dtype == np.float32 and isinstance(found, pa.ChunkedArray):
        mapped = _in_file(lambda some: vectors[some], rows, vectors.shape[1])
        return found if mapped is None else mapped
    return found


def _rows_of(matrix: Matrix, rows: NDArray[np.int64]) -> Matrix:
    """Return a matrix of some rows; a large one lies in a mapped file, as the vectors given are still held as well."""
    array = _in_file(matrix.take, rows, matrix.d)
    return matrix.only(rows) if array is None else Matrix.from_array(array, metric=matrix.metric, name=matrix.name)


def _in_file(
    take: Callable[[NDArray[np.int64]], NDArray[np.float32]], rows: NDArray[np.int64], width: int
) -> NDArray[np.float32] | None:
    """Return some rows of float32 in a mapped file; None where they are not large, or there is no room for it."""
    if 4 * width * len(rows) < MAPPED_BYTES:
        return None
    step = max(1, _BLOCK_BYTES // (4 * width))
    values = mapped(take(rows[first : first + step]) for first in range(0, len(rows), step))
    return None if values is None else np.frombuffer(values, np.float32).reshape(-1, width)
