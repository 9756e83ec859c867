"""Rows made of other rows: what they say, what they are called, and why some of them are left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sage_select import io
from sage_select.augmenters import Augmenter, Draft
from sage_select.augmenters.augmenter import check_texts
from sage_select.data import Dataset
from sage_select.errors import DataError
from sage_select.kernels import keyed_hashes, word_counts
from sage_select.pipeline.run import Run
from sage_select.render import Shape, render_rows, row_digests
from sage_select.render.values import python_values
from sage_select.rewriting import parts_of, violation, with_texts
from sage_select.rewriting.parts import Whose

__all__ = ["NO_WORDS", "UNCHANGED", "Children", "made_of"]

#: Why rows are left out.
NO_WORDS: Final = "nothing to say in other words"
UNCHANGED: Final = "the same as its parent"
_COPY: Final = "a copy of another row"
_SHORT: Final = "less than half as long as its parent"
_LONG: Final = "more than twice as long as its parent"
_UNREADABLE: Final = "no row of its shape"
#: Words from which on the length of a text is compared with that of its parent.
_FEW_WORDS: Final = 4
#: Parents that are Python objects at a time.
_BATCH: Final = 1024


@dataclass
class Children:
    """Rows made of others, those that are left out among them.

    Attributes
    ----------
    table
        The rows (k), with the columns of the others.
    ids
        `string` (k,): the id of the parent, the name of the augmenter and a number.
    parents
        int64 (k,): the row that each was made of.
    texts, contents
        `string` (k,): what they say, and the digests by which copies are told.
    reasons
        For each, why it is left out; empty where it stays.
    """

    table: pa.Table
    ids: pa.Array
    parents: NDArray[np.int64]
    texts: pa.ChunkedArray
    contents: pa.ChunkedArray
    reasons: list[str]

    @property
    def stays(self) -> NDArray[np.bool_]:
        """Which of them stay, bool (k,)."""
        return np.array([not reason for reason in self.reasons], np.bool_)

    def leave_out(self, places: Sequence[int] | NDArray[np.int64], reason: str) -> None:
        """Leave some out, of those that are not yet."""
        for place in places:
            self.reasons[int(place)] = self.reasons[int(place)] or reason

    def leave_out_copies(self, data: Dataset, key: int) -> None:
        """Leave out what says the same as another row: of children that do, all but that of the lowest keyed hash."""
        contents = pa.chunked_array(data.feature("contents"))
        self.leave_out(np.flatnonzero(pc.is_in(self.contents, value_set=contents).to_numpy()), _COPY)
        seen: set[str] = set()
        digests = self.contents.to_pylist()
        for place in np.lexsort((np.arange(len(self.parents)), keyed_hashes(key, self.ids))).tolist():
            if not self.reasons[place] and digests[place] in seen:
                self.reasons[place] = _COPY
            seen.add(digests[place])

    def dataset(self, data: Dataset) -> Dataset:
        """Return the rows as a dataset of their own."""
        if data.rows is None:
            raise RuntimeError("rows are made of rows")
        beside = data.rows.append(self.table, self.parents).only(data.n + np.arange(len(self.parents)))
        own = Dataset(n=len(self.parents), rows=beside, shape=data.shape, ids=pa.chunked_array([self.ids]))
        return own.with_feature("texts", self.texts).with_feature("contents", self.contents)


def made_of(
    data: Dataset,
    counts: NDArray[np.int64],
    rule: Augmenter,
    whose: Whose,
    *,
    key: int,
    blank: frozenset[str],
    id_column: str | None,
    run: Run,
) -> Children:
    """Return rows made of others: as many of each as `counts` says.

    Parameters
    ----------
    data
        The rows.
    counts
        int64 (n,): how many rows are made of each.
    rule
        Who says them in other words.
    whose
        Whose words may change.
    key
        The key of the draws.
    blank
        Columns that say something of the words of a row, such as its score: null in others.
    id_column
        The column that names rows: there the id stands, where it is text, and is null otherwise.
    run
        The run.
    """
    if data.rows is None or data.shape is None or data.ids is None:
        raise RuntimeError("rows are made of rows")
    shape, rows = data.shape, data.rows
    parents = np.repeat(np.arange(data.n), counts)
    ids = _names(data, parents, rule.name)
    reasons = [""] * len(parents)
    drafts: list[Draft] = []
    places: list[int] = []
    for row, first, values in _rows(data, counts):
        parts = parts_of(values, shape, whose, rows.where(row))
        for place in range(first, first + int(counts[row])):
            if any(map(_has_letters, parts.texts)):
                drafts.append(Draft(parts.texts, parts.kept, ids[place].as_py(), key))
                places.append(place)
            else:
                reasons[place] = NO_WORDS
    written = rule.rewrite(drafts, run) if drafts else []
    check_texts(written, drafts, rule)
    made = [tuple(map(_storable, texts)) for texts in written]
    for place, draft, texts in zip(places, drafts, made, strict=True):
        reasons[place] = _fault(draft, texts)
    _leave_out_other_lengths(reasons, places, drafts, made)
    said = dict(zip(places, made, strict=True))
    table = _table(data, parents, counts, said, whose)
    table = _without(table, blank, id_column, ids)
    found = render_rows(table, shape, where=lambda place: rows.where(int(parents[place])))
    wrong = np.union1d(np.array(list(found.refused), np.int64), np.flatnonzero(~found.answered))
    contents = _contents(table, shape, wrong)
    children = Children(table, ids, parents, found.texts, contents, reasons)
    children.leave_out(wrong, _UNREADABLE)
    same = pc.equal(contents, pa.chunked_array(data.feature("contents")).take(pa.array(parents)))
    # In white space alone they may differ, which is no other row.
    children.leave_out(np.flatnonzero(same.to_numpy()), UNCHANGED)
    return children


def _rows(data: Dataset, counts: NDArray[np.int64]) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Yield each row that others are made of, the place of the first of these, and its columns as Arrow gives them."""
    if data.rows is None or data.shape is None:
        raise RuntimeError("rows are made of rows")
    names = list(dict.fromkeys(data.shape.columns))
    numbers, firsts = np.flatnonzero(counts), np.cumsum(counts) - counts
    for start in range(0, len(numbers), _BATCH):
        some = numbers[start : start + _BATCH]
        batch = io.take_rows(data.rows.table.select(names), some)
        columns = [[value for chunk in batch.column(name).chunks for value in python_values(chunk)] for name in names]
        for row, values in zip(some.tolist(), zip(*columns, strict=True), strict=True):
            yield row, int(firsts[row]), dict(zip(names, values, strict=True))


def _names(data: Dataset, parents: NDArray[np.int64], rule: str) -> pa.Array:
    """Return an id for each row to be: that of its parent, the augmenter and a number, the first that is free."""
    if data.ids is None:
        raise RuntimeError("rows are made of rows")
    known = data.lineage.ids
    numbers = np.arange(len(parents)) - np.searchsorted(parents, parents, "left") + 1
    of_parents = data.ids.take(pa.array(parents)).to_pylist()
    while True:
        names = [f"{parent}+{rule}{number}" for parent, number in zip(of_parents, numbers.tolist(), strict=True)]
        ids = pa.array(names, pa.string())
        taken = (
            set(known.filter(pc.is_in(known, value_set=ids.cast(known.type))).to_pylist())
            if known is not None
            else set()
        )
        if not taken:
            return ids
        # All of a parent's count on, so that they stay apart.
        beyond = np.isin(parents, parents[[name in taken for name in names]])
        numbers = numbers + beyond


def _has_letters(text: str) -> bool:
    return any(map(str.isalpha, text))


def _fault(draft: Draft, texts: tuple[str, ...]) -> str:
    """Return why a row is left out for what it says; empty where it stays."""
    if texts == draft.texts:
        return UNCHANGED
    for before, after in zip(draft.texts, texts, strict=True):
        found = violation(before, after, draft.kept)
        if found is not None:
            return found
    return ""


def _leave_out_other_lengths(
    reasons: list[str], places: Sequence[int], drafts: Sequence[Draft], made: Sequence[tuple[str, ...]]
) -> None:
    """Leave out rows of which a text is much shorter or longer than that of the parent."""
    owners = [place for place, draft in zip(places, drafts, strict=True) for _ in draft.texts]
    before, after = (
        word_counts(pa.array([text for one in texts for text in one], pa.string()))
        for texts in ([draft.texts for draft in drafts], made)
    )
    # A word or two more of a handful of words are no other length.
    short = (before >= _FEW_WORDS) & (after < before / 2)
    long = after > np.maximum(2 * before, _FEW_WORDS)
    for text in np.flatnonzero(short | long).tolist():
        reasons[owners[text]] = reasons[owners[text]] or (_SHORT if short[text] else _LONG)


def _table(
    data: Dataset,
    parents: NDArray[np.int64],
    counts: NDArray[np.int64],
    said: dict[int, tuple[str, ...]],
    whose: Whose,
) -> pa.Table:
    """Return the rows to be: those of their parents, with other texts where there are such."""
    if data.rows is None or data.shape is None:
        raise RuntimeError("rows are made of rows")
    table, shape = io.take_rows(data.rows.table, parents), data.shape
    columns: dict[str, list[Any]] = {name: [] for name in dict.fromkeys(shape.columns)}
    for row, first, values in _rows(data, counts):
        for place in range(first, first + int(counts[row])):
            texts = said.get(place)
            own = values if texts is None else with_texts(values, shape, whose, texts)
            for name, column in columns.items():
                column.append(own[name])
    for name, column in columns.items():
        field = table.schema.field(name)
        table = table.set_column(table.schema.get_field_index(name), field, pa.array(column, field.type))
    return table


def _storable(text: str) -> str:
    """Return a text without halves of characters, which no column holds."""
    return text.encode(errors="replace").decode()


def _without(table: pa.Table, blank: frozenset[str], id_column: str | None, ids: pa.Array) -> pa.Table:
    """Return the rows without what is said in columns of the words of their parents, and with ids of their own."""
    for name in sorted(blank.union([id_column] if id_column else [])):
        place = table.schema.get_field_index(name)
        if place < 0:
            continue
        field = table.schema.field(place).with_nullable(True)
        own = name == id_column and pa.types.is_string(field.type)
        table = table.set_column(place, field, ids if own else pa.nulls(table.num_rows, field.type))
    return table


def _contents(table: pa.Table, shape: Shape, wrong: NDArray[np.int64]) -> pa.ChunkedArray:
    """Return the digests by which copies are told; of rows that are none they are empty."""
    try:
        return row_digests(table, shape.columns, exact=False, alike=True)[1]
    except DataError:
        good = np.delete(np.arange(table.num_rows), wrong)
        digests = np.full(table.num_rows, "", object)
        digests[good] = row_digests(io.take_rows(table, good), shape.columns, exact=False, alike=True)[1].to_pylist()
        return pa.chunked_array([pa.array(digests.tolist(), pa.string())])
