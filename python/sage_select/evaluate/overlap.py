"""Held-out rows that are among the trained rows: what is measured on them says nothing of other rows."""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from sage_select.errors import DataError
from sage_select.evaluate.phrases import PHRASE_WORDS, Hashes, PhraseIndex, Phrases, share_of
from sage_select.render import Conversation, Example, Text, plain_text, to_example
from sage_select.train.selection import OrderedRows, Row

__all__ = ["NEAR_SHARE", "Overlap", "OverlappingRow", "find_overlap"]

#: A held-out row is a near copy of a trained row that has this share of its phrases, and of those of its answers.
NEAR_SHARE: Final = 0.8
#: Rows that a notice names.
_NAMED: Final = 3
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
        order = held_out.order[~np.isin(held_out.order, [row.row for row in self.overlapping])]
        return replace(held_out, order=order)

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

    Raises
    ------
    DataError
        If a row does not hold what its shape promises.

    Notes
    -----
    Memory is bounded by the phrases of the held-out rows; the trained rows pass by.
    """
    phrases = Phrases()
    rows: list[Row] = []
    said: list[str] = []
    texts: list[Hashes] = []
    answers: list[Hashes] = []
    total = len(held_out) + len(trained)
    tell = progress or (lambda _done, _total: None)
    for row in held_out:
        example = to_example(row.values, held_out.shape, row.where)
        rows.append(row)
        said.append(_said(example))
        texts.append(phrases.of(plain_text(example)))
        answers.append(phrases.of(_answers(example)))
        tell(len(rows), total)
    first_of: dict[str, int] = {}
    for place, text in enumerate(said):
        first_of.setdefault(text, place)
    by_id: dict[str, int] = {}
    if all("sage_row_id" in table.rows.table.column_names for table in (held_out, trained)):
        by_id = {row.row_id: place for place, row in enumerate(rows) if not row.row_id.isdecimal()}
    index = PhraseIndex(texts, NEAR_SHARE)
    same: dict[str, str] = {}
    others: dict[int, tuple[str, str, float | None]] = {}
    for done, row in enumerate(trained, start=len(rows) + 1):
        example = to_example(row.values, trained.shape, row.where)
        text = _said(example)
        if text in first_of:
            same.setdefault(text, row.row_id)
        if row.row_id in by_id:
            others[by_id[row.row_id]] = ("id", row.row_id, None)
        near = index.within(phrases.of(plain_text(example)))
        own = phrases.of(_answers(example)) if near else None
        for place, share in near.items():
            if own is None or not len(answers[place]) or share_of(answers[place], own) >= NEAR_SHARE:
                others.setdefault(place, ("near", row.row_id, share))
        tell(done, total)
    overlapping = []
    for place, row in enumerate(rows):
        found = ("same", same[said[place]], 1.0) if said[place] in same else others.get(place)
        if found is not None:
            overlapping.append(OverlappingRow(row.number, row.row_id, *found))
    return Overlap(len(rows), tuple(overlapping), len(rows) - len(first_of))


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
