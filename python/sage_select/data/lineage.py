"""What became of each row ever seen: which left the run, at which stage and why, and how the others are numbered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

__all__ = [
    "EXACT_COPY",
    "HELD_OUT_CAUSES",
    "HELD_OUT_COLUMNS",
    "HELD_OUT_ID",
    "HELD_OUT_KIN",
    "HELD_OUT_NEAR",
    "HELD_OUT_NGRAMS",
    "HELD_OUT_SAME",
    "NEAR_COPY",
    "NOTHING_TO_TRAIN",
    "Cause",
    "HeldOut",
    "Lineage",
]


class Cause(NamedTuple):
    """Why rows left: the stage that dropped them and its reason, in the words of the row report and the manifest."""

    stage: str
    reason: str

    def __str__(self) -> str:
        return f"{self.stage}: {self.reason}"

    @classmethod
    def parse(cls, text: str) -> Cause:
        """Return the cause that the manifest writes so.

        Examples
        --------
        >>> Cause.parse("select 2: not selected")
        Cause(stage='select 2', reason='not selected')
        """
        stage, _, reason = text.partition(": ")
        return cls(stage, reason)


NOTHING_TO_TRAIN: Final = Cause("source", "nothing to train")
EXACT_COPY: Final = Cause("dedup", "exact copy")
NEAR_COPY: Final = Cause("dedup", "near copy")
HELD_OUT_SAME: Final = Cause("holdout", "same as a held-out row")
HELD_OUT_ID: Final = Cause("holdout", "id of a held-out row")
HELD_OUT_KIN: Final = Cause("holdout", "made of a held-out row, or it of this")
HELD_OUT_NGRAMS: Final = Cause("holdout", "n-grams of a held-out row")
HELD_OUT_NEAR: Final = Cause("holdout", "near a held-out row")
#: Why rows leave because of held-out rows, what is surest first.
HELD_OUT_CAUSES: Final = (HELD_OUT_SAME, HELD_OUT_ID, HELD_OUT_KIN, HELD_OUT_NGRAMS, HELD_OUT_NEAR)
#: What is told of a held-out row: its file, its number in that (from 0), its line (from 1, of text), how it begins.
HELD_OUT_COLUMNS: Final = {"file": pa.string(), "row": pa.int64(), "line": pa.int64(), "first_words": pa.string()}


class HeldOut(NamedTuple):
    """The held-out rows that rows of the input repeat.

    Attributes
    ----------
    of
        int64 (n,): for each row of the input the place in `rows` of the held-out row that it repeats; -1 for none.
    rows
        The held-out rows that are meant, with `HELD_OUT_COLUMNS`.
    """

    of: NDArray[np.int64]
    rows: pa.Table

    @classmethod
    def none(cls, n: int) -> HeldOut:
        """Return that of `n` rows which repeat none."""
        return cls(np.full(n, -1, np.int64), pa.schema(HELD_OUT_COLUMNS.items()).empty_table())

    def having(self, rows: NDArray[np.int64], repeated: NDArray[np.int64], told: pa.Table) -> HeldOut:
        """Return this where some rows repeat others: `repeated` are the places in `told`, of which those are held."""
        meant, places = np.unique(repeated, return_inverse=True)
        of = self.of.copy()
        of[rows] = self.rows.num_rows + places
        return HeldOut(of, pa.concat_tables([self.rows, told.take(pa.array(meant))]))

    def among(self, n: int, own: NDArray[np.int64]) -> HeldOut:
        """Return this as that of `n` rows, of which its own are these."""
        of = np.full(n, -1, np.int64)
        of[own] = self.of
        return HeldOut(of, self.rows)


@dataclass(frozen=True)
class Lineage:
    """What became of each of the n rows ever seen: those of the input, and behind them those that stages added.

    Attributes
    ----------
    ids
        The ids of all rows; None where the row numbers name the rows.
    representatives
        int64 (n,): the row that it is a duplicate of; itself where it is none.
    similarities
        float32 (n,): how similar the two are, or the row and the held-out row that it repeats (1 where they say the
        same, the share of n-grams, or a cosine similarity); NaN where there is none.
    dropped
        int16 (n,): which of `causes` the row left for; -1 where it stays.
    causes
        Why rows left, in the order in which they did.
    held_out
        The held-out rows that rows which left repeat; None where none did for that.
    parents
        int64 (n,): the row that it was made of; -1 for rows that were made of none. None where none came later.
    """

    ids: pa.ChunkedArray | None
    representatives: NDArray[np.int64]
    similarities: NDArray[np.float32]
    dropped: NDArray[np.int16]
    causes: tuple[Cause, ...] = ()
    held_out: HeldOut | None = None
    parents: NDArray[np.int64] | None = None

    @classmethod
    def of(cls, n: int, ids: pa.ChunkedArray | None) -> Lineage:
        """Return that of `n` rows which all stay."""
        return cls(ids, np.arange(n), np.full(n, np.nan, np.float32), np.full(n, -1, np.int16))

    @property
    def n(self) -> int:
        """Rows ever seen."""
        return len(self.dropped)

    @cached_property
    def stays(self) -> NDArray[np.bool_]:
        """Which rows stay, bool (n,)."""
        return self.dropped < 0

    @cached_property
    def rows(self) -> NDArray[np.int64]:
        """The rows that stay, ascending: their numbers in the input, by their numbers among those that stay."""
        return np.flatnonzero(self.stays)

    @property
    def is_duplicate(self) -> NDArray[np.bool_]:
        """Which rows left as duplicates of another, bool (n,)."""
        return np.not_equal(self.representatives, np.arange(self.n))

    def position(self, row: int) -> int | None:
        """Return the place among those that stay of a row of the input, or of its representative; None if it left."""
        row = int(self.representatives[row])
        return int(np.searchsorted(self.rows, row)) if self.stays[row] else None

    def cause(self, row: int) -> Cause | None:
        """Return why a row of the input left, or None where it stays."""
        return None if self.stays[row] else self.causes[self.dropped[row]]

    def drop(self, rows: NDArray[np.int64], cause: Cause) -> Lineage:
        """Return this without some of the rows, given by their numbers in the input; none has left before."""
        causes, code = self._with(cause)
        dropped = self.dropped.copy()
        dropped[rows] = code
        return replace(self, dropped=dropped, causes=causes)

    def drop_held_out(
        self,
        rows: NDArray[np.int64],
        repeated: NDArray[np.int64],
        similarities: NDArray[np.float32],
        told: pa.Table,
        cause: Cause,
    ) -> Lineage:
        """Return this without rows, given by their numbers in the input, that repeat held-out rows.

        Parameters
        ----------
        rows, cause
            As of `drop`.
        repeated
            int64: for each of them the place in `told` of the held-out row that it repeats.
        similarities
            float32: how similar the two are; NaN where that is no question.
        told
            What is told of held-out rows, with `HELD_OUT_COLUMNS`.
        """
        alike = self.similarities.copy()
        alike[rows] = similarities
        held_out = (self.held_out or HeldOut.none(self.n)).having(rows, repeated, told)
        return replace(self.drop(rows, cause), similarities=alike, held_out=held_out)

    def drop_duplicates(
        self, representatives: NDArray[np.int64], similarities: NDArray[np.float32], cause: Cause
    ) -> Lineage:
        """Return this without the rows that are duplicates of others.

        Parameters
        ----------
        representatives, similarities
            As above, by the numbers among those that stay so far. Duplicates of a row that now leaves become duplicates
            of its representative, as similar to that as it is, and leave for the same cause.
        cause
            Why they leave.
        """
        causes, code = self._with(cause)
        stands_for, alike = np.arange(self.n), self.similarities.copy()
        stands_for[self.rows] = self.rows[representatives]
        alike[self.rows] = similarities
        moved = stands_for[self.representatives] != self.representatives
        return replace(
            self,
            representatives=stands_for[self.representatives],
            similarities=np.where(moved, alike[self.representatives], self.similarities),
            dropped=np.where(moved, np.int16(code), self.dropped),
            causes=causes,
        )

    def append(self, parents: NDArray[np.int64], ids: pa.Array) -> Lineage:
        """Return this with rows behind all others; `parents` are those that they were made of as counted here, or -1.

        Raises
        ------
        ValueError
            If rows have no ids, or one of these is there already.
        """
        if self.ids is None:
            raise ValueError("rows that come to others have ids, and these have none")
        k, n = len(parents), self.n + len(parents)
        ids = ids.cast(self.ids.type)
        names = pa.chunked_array([*self.ids.chunks, ids], self.ids.type)
        if pc.any(pc.is_in(self.ids, value_set=ids)).as_py() or len(pc.unique(ids)) != k:
            raise ValueError("a row has the id of another")
        before = np.full(self.n, -1, np.int64) if self.parents is None else self.parents
        return replace(
            self,
            ids=names,
            representatives=np.concatenate([self.representatives, np.arange(self.n, n)]),
            similarities=np.concatenate([self.similarities, np.full(k, np.nan, np.float32)]),
            dropped=np.concatenate([self.dropped, np.full(k, -1, np.int16)]),
            held_out=None if self.held_out is None else self.held_out.among(n, np.arange(self.n)),
            parents=np.concatenate([before, parents]),
        )

    def among(self, n: int, causes: Mapping[int, Cause], name: Callable[[int], str]) -> Lineage:
        """Return this as that of `n` rows: its own, and others between them which left before.

        Parameters
        ----------
        n
            Rows of the input.
        causes
            The numbers of the other rows in the input, ascending, and why each left.
        name
            The number of such a row -> what stands for its id.
        """
        others = np.fromiter(causes, np.int64, len(causes))
        own = np.delete(np.arange(n), others)
        known = tuple(dict.fromkeys(causes.values()))
        representatives, similarities = np.arange(n), np.full(n, np.nan, np.float32)
        representatives[own], similarities[own] = own[self.representatives], self.similarities
        dropped = np.full(n, -1, np.int16)
        dropped[own] = np.where(self.dropped < 0, -1, self.dropped + len(known))
        dropped[others] = [known.index(cause) for cause in causes.values()]
        ids = self.ids
        if ids is not None:
            places = np.empty(n, np.int64)
            places[own], places[others] = np.arange(len(own)), len(own) + np.arange(len(others))
            names = pa.chunked_array([*ids.chunks, pa.array([name(row) for row in causes], pa.string())], pa.string())
            ids = names.take(pa.array(places))
        held_out = None if self.held_out is None else self.held_out.among(n, own)
        return Lineage(ids, representatives, similarities, dropped, (*known, *self.causes), held_out)

    def counts(self) -> dict[Cause, int]:
        """Return how many rows left for each cause, without those for which none did."""
        counts = np.bincount(self.dropped[~self.stays], minlength=len(self.causes))
        return {cause: int(count) for cause, count in zip(self.causes, counts, strict=True) if count}

    def groups(self, most: int) -> tuple[int, list[tuple[str, int]]]:
        """Return how many rows have duplicates, and of those with most the id and how many rows say the same."""
        sizes = np.bincount(self.representatives, minlength=self.n)
        repeated = np.flatnonzero(sizes > 1)
        # Descending by size, the lowest of equal ones first.
        largest = repeated[np.argsort(-sizes[repeated], kind="stable")][:most]
        return len(repeated), [(self.name(row), int(sizes[row])) for row in largest]

    def name(self, row: int) -> str:
        """Return the id of a row of the input."""
        return str(row) if self.ids is None else str(self.ids[int(row)])

    def _with(self, cause: Cause) -> tuple[tuple[Cause, ...], int]:
        causes = self.causes if cause in self.causes else (*self.causes, cause)
        return causes, causes.index(cause)
