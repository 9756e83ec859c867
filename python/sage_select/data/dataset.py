"""The rows of a run: which are in, what is known of them, and what became of the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.columns import Reason
from sage_select.data.addition import Addition
from sage_select.data.features import Features, Lengths, Scores, some_rows, vectors_of
from sage_select.data.lineage import Cause, Lineage
from sage_select.data.marked import marked
from sage_select.data.selected import Selected, without_the_others
from sage_select.errors import UsageError
from sage_select.io import Beside, Rows
from sage_select.kernels import Matrix
from sage_select.render import Shape, plain_texts

__all__ = ["COUNTED_ROWS", "Dataset"]

#: Rows whose texts are copied at a time to count their words.
COUNTED_ROWS: Final = 4096


@dataclass(frozen=True)
class Dataset:
    """The rows that are in a run; each stage returns a new dataset.

    Rows stand as in the input, those that came later behind them, and are numbered by their place among those that are
    in. Rows that came later have numbers from `input_n` on where rows of the input have theirs.

    Attributes
    ----------
    n
        How many rows are in.
    rows
        The rows; None where there are only arrays.
    read
        All rows of the input, for the row report.
    shape
        How a row is read.
    ids
        The ids of the rows; None where there are only arrays: then the row numbers name the rows.
    features
        Name -> values aligned with the rows: `scores`, `vectors`, `lengths`, `contents` (digests, the same for rows
        that say the same), `texts` (the words of rows), `answered` (true for rows with anything to train), `empty_text`
        (true for rows without words).
    index
        int64 (n,): the numbers of the rows in the input, ascending; None where all are in.
    input_n
        Rows of the input.
    additions
        The rows that came later, each block as it came.
    fate
        What became of each row ever seen, told when it is first asked for; None where all are in.
    selected
        The last selection, where there was one.
    reasons
        What the feature `reason` of a row, a number, means.
    files
        The files that are read beside the rows.
    facts
        What stages tell of their work, for the manifest.
    """

    n: int
    rows: Rows | None = None
    read: Rows | None = None
    shape: Shape | None = None
    ids: pa.ChunkedArray | None = None
    features: Features = field(default_factory=Features)
    index: NDArray[np.int64] | None = None
    input_n: int = -1
    additions: tuple[Addition, ...] = ()
    fate: Callable[[], Lineage] | None = None
    selected: Selected | None = None
    reasons: tuple[str, ...] = (Reason.ALL,)
    files: Beside = field(default_factory=Beside)
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.input_n < 0:
            object.__setattr__(self, "input_n", self.n)

    def feature(self, name: str) -> Any:
        """Return the values of a feature, or None where it is not known."""
        return self.features.get(name)

    @property
    def scores(self) -> Scores | None:
        """One number a row, where they are known."""
        scores: Scores | None = self.feature("scores")
        return scores

    @property
    def matrix(self) -> Matrix | None:
        """One vector a row, where they are known."""
        matrix: Matrix | None = self.feature("vectors")
        return matrix

    @cached_property
    def texts(self) -> pa.ChunkedArray:
        """The words of each row, without tools and system turns."""
        texts: pa.ChunkedArray | None = self.feature("texts")
        if texts is not None:
            return texts
        if self.rows is None or self.shape is None:
            raise RuntimeError("a dataset without rows has no texts")
        return plain_texts(self.rows.table, self.shape, where=self.rows.where)

    @cached_property
    def lengths(self) -> Lengths:
        """The length of each row: what a stage found out, or else its words."""
        measured: Lengths | None = self.feature("lengths")
        return measured or Lengths(kernels.word_counts(self.texts))

    @property
    def has_lengths(self) -> bool:
        """Whether lengths are known, or can be counted."""
        return self.feature("lengths") is not None or self.rows is not None

    def lengths_of(self, rows: NDArray[np.int64], *, threads: int | None = None) -> Lengths:
        """Return the lengths of some rows, in any order; words are counted in these alone, some rows at a time."""
        measured: Lengths | None = self.feature("lengths")
        if measured is not None:
            return measured.take(rows)
        wanted, places = np.unique(rows, return_inverse=True)
        counts = [
            kernels.word_counts(some_rows(self.texts, wanted[first : first + COUNTED_ROWS]), threads=threads)
            for first in range(0, len(wanted), COUNTED_ROWS)
        ]
        return Lengths(np.concatenate([np.empty(0, np.int64), *counts])[places])

    def hashes(self, key: int) -> NDArray[np.uint64]:
        """Return one hash a row, a pure function of the key and the row's id."""
        if self.ids is not None:
            return kernels.keyed_hashes(key, self.ids)
        hashes = kernels.keyed_hashes(key, self.input_n)
        return hashes if self.index is None else hashes[self.index]

    def label(self, row: int) -> str:
        """Return what messages call a row."""
        if self.rows is None or self.ids is None:
            return f"row {self.input_rows(np.array([row]))[0]}"
        return f"{self.rows.where(row)} (id {self.ids[row].as_py()!r})"

    @property
    def seen_n(self) -> int:
        """Rows ever seen: those of the input, and those that came later, whether they are in or not."""
        return self.input_n + sum(one.n for one in self.additions)

    @property
    def is_added(self) -> NDArray[np.bool_]:
        """Which rows came later, bool (n,)."""
        return np.zeros(self.n, np.bool_) if self.index is None else self.index >= self.input_n

    @cached_property
    def lineage(self) -> Lineage:
        """What became of each row ever seen."""
        return Lineage.of(self.input_n, self.ids) if self.fate is None else self.fate()

    def input_rows(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the numbers in the input of these rows."""
        return rows if self.index is None else self.index[rows]

    def positions(self, input_rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return where those of these rows of the input that are in stand, in their order."""
        if self.index is None:
            return input_rows[input_rows < self.n]
        places = np.searchsorted(self.index, input_rows)
        places[places == self.n] = 0
        return places[self.index[places] == input_rows] if self.n else places[:0]

    def of_input(self, values: Any) -> Any:
        """Return those of values, one for each row of the input, that are of the rows that are in.

        Raises
        ------
        UsageError
            If rows came later: nobody has given theirs.
        """
        self._refuse_values()
        return values if self.index is None else some_rows(values, self.index)

    def vectors_of_input(self, vectors: Any) -> Any:
        """Return those of vectors, a numpy or Arrow array of one for each row of the input, as `of_input` does."""
        self._refuse_values()
        return vectors if self.index is None else vectors_of(vectors, self.index)

    def _refuse_values(self) -> None:
        if self.additions:
            raise UsageError(
                "values are given for the rows of the input, and rows came later, which have none",
                expected=f"{self.additions[0].stage} behind what uses these values",
                hint="move the step behind it",
            )

    def position(self, row: int, name: str) -> int:
        """Return where a row of the input stands, or its representative where it is a duplicate.

        Raises
        ------
        UsageError
            If there is no such row, or it left; `name` is what the user calls it.
        """
        if not 0 <= row < self.input_n:
            raise UsageError(f"{name} names no row", expected=f"a row number below {self.input_n:,}", got=str(row))
        position = row if self.index is None else self.lineage.position(row)
        if position is None:
            raise UsageError(f"{name} names a row that left ({self.lineage.cause(row)})", got=str(row))
        return position

    def with_feature(self, name: str, values: Any) -> Dataset:
        """Return the dataset with a feature; one of that name is replaced."""
        return replace(self, features=self.features.having(**{name: values}))

    def with_facts(self, **facts: Any) -> Dataset:
        """Return the dataset with more facts for the manifest."""
        return replace(self, facts={**self.facts, **facts})

    def drop(self, rows: NDArray[np.int64] | NDArray[np.bool_], cause: Cause) -> Dataset:
        """Return the dataset without these rows; the row report says why they left, the manifest how many.

        Parameters
        ----------
        rows
            Their numbers among those that are in, each once, in any order; or a truth value for each row that is in.
        cause
            The stage and its reason.

        Raises
        ------
        ValueError
            If a row is not there or stands twice, or the truth values are not one a row.
        TypeError
            If they are neither whole numbers nor truth values, or the cause is none.
        """
        if not isinstance(cause, Cause):
            raise TypeError(f"drop() takes a Cause(run.label(self), 'why they leave'), got {cause!r}")
        return self.drop_for([(rows, cause)])

    def drop_for(self, leaving: Sequence[tuple[NDArray[np.int64] | NDArray[np.bool_], Cause]]) -> Dataset:
        """Return the dataset without rows that leave for several causes, none for two, as `drop` does; taken once."""
        found = [(marked(rows, self.n, cause.stage), cause) for rows, cause in leaving]
        found = [(leaves, cause) for leaves, cause in found if leaves.any()]
        if not found:
            return self
        lineage, stays = self.lineage, np.ones(self.n, np.bool_)
        for leaves, cause in found:
            lineage = lineage.drop(self.input_rows(np.flatnonzero(leaves)), cause)
            stays &= ~leaves
        return self._take(np.flatnonzero(stays), lambda: lineage)

    def drop_duplicates(
        self, representatives: NDArray[np.int64], similarities: NDArray[np.float32], cause: Cause
    ) -> Dataset:
        """Return the dataset without the rows that have another as representative, and not themselves."""
        lineage = self.lineage.drop_duplicates(representatives, similarities, cause)
        return self._take(np.flatnonzero(representatives == np.arange(self.n)), lambda: lineage)

    def drop_held_out(
        self,
        rows: NDArray[np.int64],
        repeated: NDArray[np.int64],
        similarities: NDArray[np.float32],
        told: pa.Table,
        cause: Cause,
    ) -> Dataset:
        """Return the dataset without rows that repeat held-out rows; all but `rows` is as of `Lineage.drop_held_out`.

        Parameters
        ----------
        rows
            Their numbers among those that are in, each once.
        repeated, similarities, told, cause
            The held-out row of each, how similar the two are, what is told of held-out rows, and why they leave.
        """
        leaves = marked(rows, self.n, cause.stage)
        if not leaves.any():
            return self
        lineage = self.lineage.drop_held_out(self.input_rows(rows), repeated, similarities, told, cause)
        return self._take(np.flatnonzero(~leaves), lambda: lineage)

    def among(self, read: Rows, causes: Mapping[int, Cause]) -> Dataset:
        """Return the dataset as that of all rows read: its own, and others between them that left before any stage.

        Parameters
        ----------
        read
            All rows.
        causes
            The numbers of the other rows in the input, ascending, and why each left.
        """
        n = read.table.num_rows
        others = np.fromiter(causes, np.int64, len(causes))
        own = np.delete(np.arange(n), others)
        lineage = self.lineage.among(n, causes, lambda row: str(read.where(row)))
        index = own if self.index is None else own[self.index]
        return replace(self, read=read, input_n=n, index=index, fate=lambda: lineage)

    def append(self, addition: Addition, features: Mapping[str, Any]) -> Dataset:
        """Return the dataset with rows that were made of rows that are in, or are from elsewhere, behind them.

        What is not known of new rows is not known: only `features` are there for all rows afterwards, and those that
        follow from the parent: the rank is its rank, the gain unknown (NaN), the reason that of the addition. Rows from
        elsewhere have the ranks behind all others, in their order.

        Parameters
        ----------
        addition
            The rows; their parents are numbers among those that are in.
        features
            Name -> values of the new rows, where the others have such a feature.

        Raises
        ------
        ValueError
            If there are only arrays, or an id is there already.
        """
        if self.rows is None or self.ids is None:
            raise ValueError("rows come to rows, and there are only arrays")
        n, k, parents = self.n, addition.n, addition.parents
        ids = pa.chunked_array([*self.ids.chunks, addition.ids.cast(self.ids.type)], self.ids.type)
        lineage = self.lineage.append(np.full(k, -1) if parents is None else self.input_rows(parents), addition.ids)
        reasons, gain = self.feature("reason"), self.feature("gain")
        # Ranks before they are those of the parents as well, which is what tells the picks of a smaller budget.
        ranks = self.ranks
        behind = np.arange(n, n + k) if parents is None else ranks[parents]
        own = {
            "rank": np.concatenate([ranks, behind]),
            "reason": np.concatenate(
                [np.zeros(n, np.int64) if reasons is None else reasons, np.full(k, len(self.reasons))]
            ),
        }
        if gain is not None:
            own["gain"] = np.concatenate([gain, np.full(k, np.nan, np.float32)])
        return replace(
            self,
            n=n + k,
            rows=self.rows.append(addition.table, parents, addition.source),
            ids=ids,
            features=self.features.append(features).having(**own),
            index=np.concatenate([self.input_rows(np.arange(n)), self.seen_n + np.arange(k)]),
            additions=(*self.additions, addition),
            fate=lambda: lineage,
            reasons=(*self.reasons, addition.reason),
        )

    @property
    def ranks(self) -> NDArray[np.int64]:
        """int64 (n,): the place of each row in the order of the picks, or of the rows where there was no selection.

        A row made of another has its rank.
        """
        rank = self.feature("rank")
        return np.arange(self.n) if rank is None else np.unique(rank, return_inverse=True)[1].astype(np.int64)

    def picked_from(self, pool: Dataset) -> NDArray[np.int64]:
        """Return where the rows stand in the dataset that they were selected from, in pick order."""
        return pool.positions(self.input_rows(np.argsort(self.ranks)))

    def select(self, selected: Selected) -> Dataset:
        """Return the dataset of what was selected from it: `rank`, `gain` and `reason` are features of the picks.

        Nothing else is taken before it is asked for, and nothing is counted: a selection of arrays takes no longer than
        its rule.
        """
        order = np.argsort(selected.rows, kind="stable")
        rows = selected.rows[order]
        reasons = np.repeat(np.arange(len(selected.reasons)), [count for _, count in selected.reasons])
        picked = {
            "rank": order,
            "gain": selected.gains[order],
            "reason": reasons[order],
        }
        return replace(
            self,
            n=len(rows),
            rows=None if self.rows is None else self.rows.only(rows),
            ids=None if self.ids is None else self.ids.take(pa.array(rows)),
            features=self.features.later(rows).having(**picked),
            index=self.input_rows(rows),
            fate=lambda: without_the_others(self, selected),
            selected=selected,
            reasons=tuple(reason for reason, _ in selected.reasons),
            facts={**self.facts, **selected.facts},
        )

    def _take(self, rows: NDArray[np.int64], fate: Callable[[], Lineage]) -> Dataset:
        if len(rows) == self.n:
            return replace(self, fate=fate)
        return replace(
            self,
            n=len(rows),
            rows=None if self.rows is None else self.rows.only(rows),
            ids=None if self.ids is None else self.ids.take(pa.array(rows)),
            features=self.features.take(rows),
            index=self.input_rows(rows),
            fate=fate,
        )
