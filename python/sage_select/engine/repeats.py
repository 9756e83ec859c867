"""Which rows of the input repeat others and left: what knows the numbers of all rows, and of those that stay."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

__all__ = ["REASONS", "Repeats"]

#: Why a row left: the values of `exact` and `near`, in the story and the manifest.
REASONS = ("exact copy", "near copy")


@dataclass(frozen=True)
class Repeats:
    """What dedup found out about each row of the input.

    Attributes
    ----------
    ids
        The ids of all rows of the input; None where the row numbers name the rows.
    leaders
        int64 (n,): the row that it repeats, which stays; itself where it stays.
    similarities
        float32 (n,): how similar the two are; NaN where it stays.
    near
        bool (n,): whether it is no exact copy.
    """

    ids: pa.ChunkedArray | None
    leaders: NDArray[np.int64]
    similarities: NDArray[np.float32]
    near: NDArray[np.bool_]

    @classmethod
    def none(cls, n: int, ids: pa.ChunkedArray | None) -> Repeats:
        """Return that of `n` rows which all stay."""
        return cls(ids, np.arange(n), np.full(n, np.nan, np.float32), np.zeros(n, np.bool_))

    @property
    def n(self) -> int:
        """Rows of the input."""
        return len(self.leaders)

    @cached_property
    def stayed(self) -> NDArray[np.bool_]:
        """Which rows stay, bool (n,)."""
        return np.equal(self.leaders, np.arange(self.n))

    @cached_property
    def rows(self) -> NDArray[np.int64]:
        """The rows that stay, ascending: their numbers in the input, by their numbers among those that stay."""
        return np.flatnonzero(self.stayed)

    def number(self, row: int) -> int:
        """Return the number among those that stay of a row of the input, or of the row that it repeats."""
        return int(np.searchsorted(self.rows, self.leaders[row]))

    def and_left(self, leaders: NDArray[np.int64], similarities: NDArray[np.float32], *, near: bool) -> Repeats:
        """Return this with more rows that left.

        Parameters
        ----------
        leaders, similarities
            As above, by the numbers among those that stay so far. Rows that repeated a row which now leaves repeat what
            that one repeats, and are as similar to it.
        near
            Whether these are near copies.
        """
        led, alike = np.arange(self.n), self.similarities.copy()
        led[self.rows] = self.rows[leaders]
        alike[self.rows] = similarities
        moved = led[self.leaders] != self.leaders
        return replace(
            self,
            leaders=led[self.leaders],
            similarities=np.where(moved, alike[self.leaders], self.similarities),
            near=np.where(moved, near, self.near),
        )

    def counts(self) -> dict[str, int]:
        """Return how many rows left, by reason; those of which some did."""
        left = ~self.stayed
        counts = (int((left & ~self.near).sum()), int((left & self.near).sum()))
        return {reason: count for reason, count in zip(REASONS, counts, strict=True) if count}

    def groups(self, most: int) -> tuple[int, list[tuple[str, int]]]:
        """Return how many rows are repeated, and of the most repeated ones the id and how many rows say the same."""
        sizes = np.bincount(self.leaders, minlength=self.n)
        repeated = np.flatnonzero(sizes > 1)
        # Descending by size, the lowest of equal ones first.
        largest = repeated[np.argsort(-sizes[repeated], kind="stable")][:most]
        return len(repeated), [(self.name(row), int(sizes[row])) for row in largest]

    def name(self, row: int) -> str:
        """Return the id of a row of the input."""
        return str(row) if self.ids is None else str(self.ids[int(row)])
