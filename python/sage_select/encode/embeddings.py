"""What an encoder returns."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["Embeddings", "is_reserved"]


@dataclass(frozen=True)
class Embeddings:
    """One vector a row.

    Parameters
    ----------
    array
        float32 (n, d), unit rows; becomes read-only, so that the kernels can use it where it lies.
    name
        What made them.
    empty_rows
        Rows without any word; they all have the unit vector of the first axis.
    cut_rows
        Rows longer than the encoder reads; the rest of them has no part in the vector.
    revision
        The commit or digest that pins a model; None for the hashing encoder, which the program's version pins.
    notices
        What the user should know.
    """

    array: NDArray[np.float32]
    name: str
    empty_rows: int = 0
    cut_rows: int = 0
    revision: str | None = None
    notices: list[str] = field(default_factory=list)

    @property
    def empty_text(self) -> NDArray[np.int64]:
        """The rows that have that vector for want of words."""
        return np.flatnonzero(is_reserved(self.array)) if self.empty_rows else np.empty(0, np.int64)

    def __post_init__(self) -> None:
        self.array.flags.writeable = False


def is_reserved(array: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which vectors of length 1 are that of rows without any word, bool (n,)."""
    reserved: NDArray[np.bool_] = array[:, 0] == 1
    return reserved
