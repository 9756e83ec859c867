"""Held-out rows that are among the trained rows: what is measured on them says nothing of other rows."""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow as pa

from sage_select.errors import DataError
from sage_select.evaluate.phrases import PHRASE_WORDS, PhraseIndex, PhraseSets
from sage_select.render import Conversation, Example, Text, plain_text, plain_texts, to_example
from sage_select.train.selection import OrderedRows

__all__ = ["NEAR_SHARE", "Overlap", "OverlappingRow", "find_overlap"]

#: A held-out row is a near copy of a trained row that has this share of its phrases, and of those of its answers.
NEAR_SHARE: Final = 0.8
#: Rows that a notice names.
_NAMED: Final = 3
#: Trained rows that are compared at a time.
_BATCH: Final = 4096
_KINDS: Final = {
    "id": "has the id of",
    "same": "says the same as",
    "near": "is a near copy of",
}


@dataclass(frozen=True)
class OverlappingRow:
    """A held-out row that is among the trained rows.

    Parameters
    ----------
    row, row_id
        Its number in the held-out file, and its id.
    kind
        `id`: it has the id of a trained row; `same`: turns and calls are the same but for white space; `near`: most
        of its phrases stand in one trained row.
    trained_row_id
        The first such row.
    share
        The share of its phrases that the trained row has; 1 for rows that are the same, None for `id`.
    """

    row: int
    row_id: str
    kind: str
    trained_row_id: str
    share: float | None


@dataclass(frozen=True)
class Overlap:
    """What held-out rows and trained rows have in common.

    Parameters
    ----------
    rows
        Number of held-out rows.
    overlapping
        Those that are among the trained rows, in their order.
    repeated
        Held-out rows that say the same as an earlier held-out row; they are measured like all others.
    """

    rows: int
    overlapping: tuple[OverlappingRow, ...]
    repeated: int

    def apart(self, held_out: OrderedRows) -> OrderedRows:
        """Return the held-out rows that are not among the trained rows.

        Raises
        ------
        DataError
            None is left.
        """
        if not self.overlapping:
            return held_out
        if len(self.overlapping) == self.rows:
            raise DataError(
                "every held-out row is among the trained rows, so that nothing can be measured on them",
                where=held_out.source,
                got="; ".join(self._described()),
                hint="name rows that were not selected with --eval-data, or measure nothing with --eval-data none",
            )
        return held_out.at(np.flatnonzero(~np.isin(held_out.order, [row.row for row in self.overlapping])))

    @property
    def notices(self) -> list[str]:
        """What the user should know, one line each."""
        lines = []
        if self.overlapping:
            counts = Counter(row.kind for row in self.overlapping)
            kinds = {
                "id": "by their id",
                "same": "by what they say",
                "near": f"as near copies ({NEAR_SHARE:.0%} of their phrases of {PHRASE_WORDS} words)",
            }
            found = ", ".join(f"{counts[kind]:,} {words}" for kind, words in kinds.items() if counts[kind])
            lines.append(
                f"{len(self.overlapping):,} of {self.rows:,} held-out rows are among the trained rows and are not "
                f"measured: {found}; {'; '.join(self._described())}"
            )
        if self.repeated:
            lines.append(f"{self.repeated:,} of {self.rows:,} held-out rows repeat an earlier held-out row")
        return lines

    def as_dict(self) -> dict[str, Any]:
        """Return the counts and every overlapping row, for a result file."""
        return {
            "rows": self.rows,
            "repeated": self.repeated,
            "overlapping": [vars(row) for row in self.overlapping],
        }

    def _described(self) -> list[str]:
        described = [
            f"row {row.row} (id {row.row_id}) {_KINDS[row.kind]} the trained row {row.trained_row_id}"
            for row in self.overlapping[:_NAMED]
        ]
        return [*described, "..."] if len(self.overlapping) > _NAMED else described


def find_overlap(
    held_out: OrderedRows, trained: OrderedRows, *, progress: Callable[[int, int], None] | None = None
) -> Overlap:
    """Find the held-out rows that are among the rows to train on.

    A row is compared by its id (where both sides have `sage_row_id`; a mere number proves nothing), by its turns
    and calls, and by its phrases of eight words, system turns and tools left out. What is shared by question and
    answer counts: rows about one document are no copies of each other while their answers differ.

    Parameters
    ----------
    held_out, trained
        Both, in any shapes.
    progress
        Called with (rows done, rows).

    A row that cannot be read is compared with none: whoever measures or trains on it says what is wrong.

    Notes
    -----
    Memory is bounded by the held-out rows; the trained rows pass by. Rows become Python objects only where words or
    phrases say that they may be copies.
    """
    total = len(held_out) + len(trained)
    tell = progress or (lambda _done, _total: None)
    held = _Held(held_out, PhraseSets.of(_texts(held_out)))
    tell(len(held_out), total)
    by_ids = _with_ids_of(held_out, trained)
    same: dict[int, str] = {}
    near: dict[int, tuple[str, float]] = {}
    for start in range(0, len(trained), _BATCH):
        batch = trained.at(np.arange(start, min(start + _BATCH, len(trained))))
        row_ids = batch.row_ids()
        sets = PhraseSets.of(_texts(batch))
        for place, other in held.saying_the_same(batch, sets):
            same.setdefault(place, row_ids[other])
        for place, other, share in held.near_copies(batch, sets):
            near.setdefault(place, (row_ids[other], share))
        tell(len(held_out) + start + len(batch), total)
    overlapping = []
    for place, (number, row_id) in enumerate(zip(held_out.order.tolist(), held_out.row_ids(), strict=True)):
        if place in same:
            overlapping.append(OverlappingRow(number, row_id, "same", same[place], 1.0))
        elif place in by_ids:
            overlapping.append(OverlappingRow(number, row_id, "id", row_id, None))
        elif place in near:
            overlapping.append(OverlappingRow(number, row_id, "near", *near[place]))
    return Overlap(len(held_out), tuple(overlapping), held.repeated)


def _with_ids_of(held_out: OrderedRows, trained: OrderedRows) -> set[int]:
    """Return the places of the held-out rows that have the id of a trained row."""
    if not all("sage_row_id" in table.rows.table.column_names for table in (held_out, trained)):
        return set()
    held, others = (pl.LazyFrame({"id": table.row_ids()}, {"id": pl.String}) for table in (held_out, trained))
    named = held.with_row_index("place").filter(~pl.col("id").str.contains(r"^\p{Nd}+$"))
    return set(named.join(others, on="id", how="semi").collect()["place"].to_list())


class _Held:
    """The held-out rows, to find those of them that trained rows repeat.

    Parameters
    ----------
    rows
        The held-out rows.
    sets
        Their phrases.
    """

    def __init__(self, rows: OrderedRows, sets: PhraseSets) -> None:
        self._rows = rows
        self._sets = sets
        self._index = PhraseIndex(sets, NEAR_SHARE)
        self._answers: dict[int, str] = {}
        #: Hash of words -> the rows of these words; and what these rows say, once it is known.
        self._by_bag: dict[int, list[int]] = {}
        for place, bag in enumerate(sets.bags.tolist()):
            self._by_bag.setdefault(bag, []).append(place)
        self._saying: dict[int, dict[str, list[int]]] = {}

    @property
    def repeated(self) -> int:
        """How many of the rows say the same as an earlier one."""
        alike = [bag for bag, places in self._by_bag.items() if len(places) > 1]
        self._learn(alike)
        return sum(len(places) - 1 for bag in alike for places in self._saying[bag].values())

    def saying_the_same(self, batch: OrderedRows, sets: PhraseSets) -> Iterator[tuple[int, int]]:
        """Yield each held-out row, and the row of the batch, in order, that says the same."""
        bags = sets.bags.tolist()
        alike = [other for other, bag in enumerate(bags) if bag in self._by_bag]
        self._learn(dict.fromkeys(bags[other] for other in alike))
        for other, example in _examples(batch, alike):
            for place in self._saying[bags[other]].get(_said(example), ()):
                yield place, other

    def near_copies(self, batch: OrderedRows, sets: PhraseSets) -> Iterator[tuple[int, int, float]]:
        """Yield each held-out row, the row of the batch, in order, that is a near copy of it, and the share."""
        found = list(self._index.within(sets))
        unknown = {one.text for one in found} - self._answers.keys()
        self._answers.update((place, _answers(example)) for place, example in _examples(self._rows, sorted(unknown)))
        places = {place: number for number, place in enumerate(sorted({one.text for one in found}))}
        others = {other: number for number, other in enumerate(sorted({one.other for one in found}))}
        expected = _sets(self._answers, places)
        given = _sets({other: _answers(example) for other, example in _examples(batch, list(others))}, others)
        for place, other, share in found:
            own = places[place]
            if not expected.lengths[own] or expected.share_in(own, given, others[other]) >= NEAR_SHARE:
                yield place, other, share

    def _learn(self, bags: Iterable[int]) -> None:
        """Find out what the rows of these words say."""
        places = [place for bag in bags if bag not in self._saying for place in self._by_bag[bag]]
        for place, example in _examples(self._rows, places):
            rows = self._saying.setdefault(int(self._sets.bags[place]), {})
            rows.setdefault(_said(example), []).append(place)


def _texts(rows: OrderedRows) -> pa.ChunkedArray | pa.Array:
    """Return the words of each row; of one that cannot be read, none."""
    try:
        return plain_texts(rows.rows.table, rows.shape, rows=rows.order)
    except DataError:
        texts = {place: plain_text(example) for place, example in _examples(rows, range(len(rows)))}
        return _storable(texts, range(len(rows)))


def _sets(texts: Mapping[int, str], places: Iterable[int]) -> PhraseSets:
    return PhraseSets.of(_storable(texts, places))


def _storable(texts: Mapping[int, str], places: Iterable[int]) -> pa.Array:
    """Return the texts of these places, empty where there is none, and without half characters: no text holds them."""
    return pa.array([texts.get(place, "").encode(errors="replace").decode() for place in places], pa.string())


def _examples(rows: OrderedRows, places: Sequence[int]) -> Iterator[tuple[int, Example]]:
    """Yield what the rows at these places of the order hold, but for those that cannot be read."""
    for place, row in zip(places, rows.at(np.array(places, np.int64)), strict=True):
        try:
            yield place, to_example(row.values, rows.shape, row.where)
        except DataError:
            continue


def _said(example: Example) -> str:
    """Return a text that is equal for rows whose turns and calls are, whatever their shape."""
    if isinstance(example, Text):
        return _spaced(example.text)
    turns = [
        [turn["role"], _spaced(turn["content"]), [call["function"] for call in turn.get("tool_calls", ())]]
        for turn in example.messages
    ]
    return json.dumps(turns, sort_keys=True, default=str)


def _spaced(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def _answers(example: Example) -> str:
    """Return what the assistant says; of a text, nothing apart from the text."""
    if isinstance(example, Text):
        return ""
    return plain_text(Conversation([turn for turn in example.messages if turn["role"] == "assistant"]))
