"""Rows as a replay buffer knows them: a few numbers each, beside the payload."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.errors import DataError, Where
from sage_select.seeds import stage_key

__all__ = ["NOT_KNOWN", "ReplayRows", "words_of"]

#: A function from row numbers to vectors, float32 (m, d).
Vectors = Callable[[NDArray[np.int64]], NDArray[np.float32]]
#: Where a whole number is not known.
NOT_KNOWN: Final = -1
#: The key under which ids become words; all draws are keyed anew.
_WORDS: Final = stage_key(0, "replay words")


def words_of(ids: pa.Array | pa.ChunkedArray) -> NDArray[np.uint64]:
    """Return 64 bits of each id, by which rows are known where the ids themselves are not at hand."""
    return kernels.keyed_hashes(_WORDS, ids)


@dataclass(frozen=True)
class ReplayRows:
    """Some rows, those of a buffer or those that are offered to one.

    Attributes
    ----------
    words
        uint64 (n,): 64 bits of each id.
    arrivals
        int64 (n,): how many rows had been offered before each.
    scores
        float64 (n,): the latest score, NaN where there is none.
    scored
        int64 (n,): the update by which the score came, -1 where there is none.
    groups
        string (n,): the group of each row, null where it has none.
    tokens
        int64 (n,): its tokens, -1 where they are not known.
    segments, places
        int64 (n,): where the payload lies: the commit that brought it in, and the row of its segment; segments are -1
        for rows that are offered.
    ids
        string (n,): the id of each row.
    vectors_of
        Function from row numbers to their vectors, float32 (m, d); None where there are none.
    """

    words: NDArray[np.uint64]
    arrivals: NDArray[np.int64]
    scores: NDArray[np.float64]
    scored: NDArray[np.int64]
    groups: pa.Array
    tokens: NDArray[np.int64]
    segments: NDArray[np.int64]
    places: NDArray[np.int64]
    ids: pa.Array
    vectors_of: Vectors | None = None

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.words)

    @cached_property
    def vectors(self) -> NDArray[np.float32] | None:
        """The vectors, float32 (n, d), or None."""
        return None if self.vectors_of is None else self.vectors_of(np.arange(self.n))

    @cached_property
    def group_codes(self) -> tuple[NDArray[np.int64], list[str]]:
        """The number of the group of each row, int64 (n,), and the groups in alphabetical order.

        Raises
        ------
        DataError
            A row has no group.
        """
        if self.groups.null_count:
            row = int(np.flatnonzero(self.groups.is_null().to_numpy(zero_copy_only=False))[0])
            raise DataError(
                "a row has no group",
                where=Where(row=row),
                got=f"none for {self.ids[row].as_py()!r}",
                hint="give groups, or the column of them, or a policy that needs none",
            )
        names = sorted(self.groups.unique().to_pylist())
        code = {name: place for place, name in enumerate(names)}
        coded = self.groups.dictionary_encode()
        of = np.array([code[name] for name in coded.dictionary.to_pylist()], np.int64)
        return (of[coded.indices.to_numpy()] if self.n else np.empty(0, np.int64)), names

    def keyed(self, key: int) -> NDArray[np.uint64]:
        """Return a draw of each row, uint64 (n,): a function of the key and the id."""
        return kernels.keyed_words(key, self.words)

    @cached_property
    def lies_in(self) -> list[int]:
        """The segments in which rows lie, rising."""
        return sorted(pc.unique(pa.array(self.segments)).to_pylist())

    def bare(self) -> ReplayRows:
        """Return the same without vectors, and so without what those are found in."""
        return self if self.vectors_of is None else replace(self, vectors_of=None)

    def take(self, rows: NDArray[np.int64]) -> ReplayRows:
        """Return some of the rows, in this order."""
        vectors_of = self.vectors_of
        arrays = {name: getattr(self, name)[rows] for name in _NUMBERS}
        return ReplayRows(
            **arrays,
            groups=_taken(self.groups, rows),
            ids=self.ids.take(pa.array(rows)),
            vectors_of=None if vectors_of is None else lambda some: vectors_of(rows[some]),
        )

    def then(self, later: ReplayRows) -> ReplayRows:
        """Return these rows and others after them; there are vectors where both have some, or one has no rows."""
        arrays = {name: np.concatenate([getattr(self, name), getattr(later, name)]) for name in _NUMBERS}
        first, vectors = self.n, None
        if (self.vectors_of or not self.n) and (later.vectors_of or not later.n):
            vectors = _joined(self.vectors_of, later.vectors_of, first)
        return ReplayRows(
            **arrays,
            groups=pa.concat_arrays([self.groups, later.groups]),
            ids=pa.concat_arrays([self.ids, later.ids]),
            vectors_of=vectors,
        )

    def with_scores(self, rows: NDArray[np.int64], scores: NDArray[np.float64], update: int) -> ReplayRows:
        """Return the rows, some of them with other scores."""
        all_scores, scored = self.scores.copy(), self.scored.copy()
        all_scores[rows], scored[rows] = scores, update
        return replace(self, scores=all_scores, scored=scored)

    @classmethod
    def none(cls) -> ReplayRows:
        """Return no rows."""
        whole = np.empty(0, np.int64)
        return cls(
            words=np.empty(0, np.uint64),
            arrivals=whole,
            scores=np.empty(0),
            scored=whole,
            groups=pa.array([], pa.string()),
            tokens=whole,
            segments=whole,
            places=whole,
            ids=pa.array([], pa.string()),
        )


#: What is a number of each row.
_NUMBERS: Final = tuple(name for name in ReplayRows.__annotations__ if name not in ("groups", "ids", "vectors_of"))


def _taken(groups: pa.Array, rows: NDArray[np.int64]) -> pa.Array:
    if groups.null_count == len(groups):
        return pa.nulls(len(rows), groups.type)
    return groups.take(pa.array(rows))


def _joined(one: Vectors | None, other: Vectors | None, first: int) -> Vectors:
    """Return the function of rows of which the first so many are those of `one`."""

    def found(some: NDArray[np.int64]) -> NDArray[np.float32]:
        before = some < first
        if one is not None and before.all():
            return one(some)
        if other is not None and not before.any():
            return other(some - first)
        if one is None or other is None:
            raise IndexError("rows that are not there")
        parts = np.concatenate([one(some[before]), other(some[~before] - first)])
        back = np.empty(len(some), np.int64)
        back[np.concatenate([np.flatnonzero(before), np.flatnonzero(~before)])] = np.arange(len(some))
        return parts[back]

    return found
