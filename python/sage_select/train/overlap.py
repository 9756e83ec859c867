"""Held-out rows that are among the trained rows: what is measured on them says nothing of other rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa

from sage_select.contamination import NEAR_SHARE, PHRASE_WORDS, ComparedRows, HeldOutRows, Origins, named_alike
from sage_select.errors import DataError
from sage_select.train.selection import OrderedRows

__all__ = ["Overlap", "OverlappingRow", "find_overlap"]

#: Rows that a notice names.
_NAMED: Final = 3
#: Trained rows that are compared at a time.
_BATCH: Final = 4096
_KINDS: Final = {
    "id": "has the id of",
    "same": "says the same as",
    "augmented": "comes from one row with",
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
        `id`: it has the id of a trained row; `augmented`: one of the two was made of the other, or both of one row;
        `same`: turns and calls are the same but for white space; `near`: most
        of its phrases stand in one trained row.
    trained_row_id
        The first such row.
    share
        The share of its phrases that the trained row has; 1 for rows that are the same, None for `id` and
        `augmented`.
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
                hint="name rows that were not selected with --eval-data (of `sage-train eval`: --data), or measure "
                "nothing with --eval-data none",
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
                "augmented": "as rows that were augmented",
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

    A row is compared by its id (where both sides have `sage_row_id`; a mere number proves nothing), by the rows that
    either was made of (`sage_parent_id`), by its turns and calls, and by its phrases of eight words, system turns and
    tools left out. What is shared by question and answer counts: rows about one document are no copies of each other
    while their answers differ.

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
    held = HeldOutRows(_compared(held_out))
    tell(len(held_out), total)
    by_ids, related = _with_ids_of(held_out, trained), _related(held_out, trained)
    same: dict[int, str] = {}
    near: dict[int, tuple[str, float]] = {}
    for start in range(0, len(trained), _BATCH):
        rows = trained.at(np.arange(start, min(start + _BATCH, len(trained))))
        row_ids, batch = rows.row_ids(), _compared(rows)
        sets = held.phrases_of(batch)
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
        elif place in related:
            overlapping.append(OverlappingRow(number, row_id, "augmented", related[place], None))
        elif place in near:
            overlapping.append(OverlappingRow(number, row_id, "near", *near[place]))
    return Overlap(len(held_out), tuple(overlapping), held.repeated)


def _with_ids_of(held_out: OrderedRows, trained: OrderedRows) -> set[int]:
    """Return the places of the held-out rows that have the id of a trained row."""
    if not all("sage_row_id" in table.rows.table.column_names for table in (held_out, trained)):
        return set()
    held, others = (pa.array(table.row_ids(), pa.string()) for table in (held_out, trained))
    return set(np.flatnonzero(named_alike(held, others) >= 0).tolist())


def _related(held_out: OrderedRows, trained: OrderedRows) -> dict[int, str]:
    """Return the places of the held-out rows that come from one row with a trained row, and the id of that."""
    held, others = held_out.rows.table, trained.rows.table
    made, makes = Origins.has_parents(held), Origins.has_parents(others)
    if not (made or makes):
        return {}
    theirs = Origins.of(others, trained.shape, None, named=made).at(trained.order)
    found = Origins.of(held, held_out.shape, None, named=makes).at(held_out.order).related_to(theirs)
    row_ids = trained.row_ids()
    return {place: row_ids[found[place]] for place in np.flatnonzero(found >= 0).tolist()}


def _compared(rows: OrderedRows) -> ComparedRows:
    return ComparedRows(rows.rows.table, rows.shape, rows.rows.where, rows.order)
