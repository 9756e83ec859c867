"""What became of the rows of a selection on their way to tokens."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from sage_select.display import counted
from sage_select.errors import DataError

__all__ = ["DroppedRow", "RowSummary", "bad_rows_error", "counts_by_reason"]

#: Rows named in a message.
_NAMED: Final = 5
#: Share of all tokens from which a cut is an alarm.
_ALARMING: Final = 0.05
#: What is done with rows that are too long -> what becomes of those that stay.
_POLICIES: Final = {
    "keep_turns": "without whole turns, the oldest ones, or the end of a text",
    "keep_end": "cut at the beginning",
    "keep_start": "cut at the end",
    "drop": "without the examples that are longer",
}


@dataclass(frozen=True)
class DroppedRow:
    """A row that is not trained, and why."""

    row: int
    row_id: str
    reason: str

    def __str__(self) -> str:
        return f"row {self.row} (id {self.row_id}): {self.reason}"


@dataclass(frozen=True)
class RowSummary:
    """Counts of rows, training examples and tokens.

    Parameters
    ----------
    rows_in, rows_trained
        Rows read, and rows left to train on; the rest is in `dropped`.
    examples
        Training examples that the trained rows make: one a row, or more where the chat template rewrites turns.
    truncated_rows, tokens_cut
        Trained rows with an example longer than `max_length`, and the tokens that rows lost by their length, those of
        dropped rows included.
    tokens, trained_tokens
        Tokens of one pass over the trained rows, and those among them that carry loss.
    max_length
        The most tokens of an example.
    cut_parts
        What was cut that holds for a whole conversation (`system turn`, `tools`) -> rows.
    lost_words
        What the chat template leaves out: kind -> counts and the first place.
    on_long_row
        What was done with rows that are too long.
    long_rows_dropped, long_examples_dropped
        Rows among the dropped ones that are too long, and examples of trained rows that are not trained for that.
    trained_tokens_cut
        Those of `tokens_cut` that were to be trained.
    final_turns_lost
        Trained rows that lost the end of what was to be trained, as a rule the end of their final turn.
    """

    rows_in: int
    rows_trained: int
    dropped: tuple[DroppedRow, ...]
    truncated_rows: int
    tokens_cut: int
    tokens: int
    trained_tokens: int
    examples: int = 0
    max_length: int = 0
    cut_parts: Mapping[str, int] = field(default_factory=dict)
    lost_words: Mapping[str, Any] = field(default_factory=dict)
    on_long_row: str = "keep_turns"
    long_rows_dropped: int = 0
    long_examples_dropped: int = 0
    trained_tokens_cut: int = 0
    final_turns_lost: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {**self.__dict__, "dropped": [asdict(one) for one in self.dropped]}

    @property
    def lines(self) -> list[str]:
        """What the user should know before anything is trained, one line each."""
        lines = []
        if self.dropped:
            lines.append(
                f"not trained: {counted(len(self.dropped), 'row')} of {self.rows_in:,}: "
                f"{counts_by_reason(self.dropped)}"
            )
        if self.truncated_rows or self.long_rows_dropped:
            lines.append(self._too_long())
        return lines

    def _too_long(self) -> str:
        count = self.truncated_rows + self.long_rows_dropped
        share = self.tokens_cut / (self.tokens + self.tokens_cut)
        trained = self.trained_tokens_cut / max(1, self.trained_tokens + self.trained_tokens_cut)
        became = [
            f"{self._rows(self.truncated_rows)} {_POLICIES[self.on_long_row]}" if self.truncated_rows else "",
            f"{counted(self.long_examples_dropped, 'example')} of these dropped" if self.long_examples_dropped else "",
            f"{self._rows(self.long_rows_dropped)} dropped" if self.long_rows_dropped else "",
        ]
        parts = [f"the {part} of {counted(count, 'row')}" for part, count in self.cut_parts.items()]
        return (
            f"{'CUT: ' if max(share, trained) >= _ALARMING else ''}{count:,} of {counted(self.rows_in, 'row')} "
            f"{'is' if count == 1 else 'are'} longer than --max-length {self.max_length:,}: "
            f"{', '.join(filter(None, became))}; {_percent(share)} of all tokens ({self.tokens_cut:,}) and "
            f"{_percent(trained)} of those to train ({self.trained_tokens_cut:,}) are cut"
            + (f"; cut with them: {', '.join(parts)}" if parts else "")
            + (
                f"; {counted(self.final_turns_lost, 'row')} lost the end of the final answer"
                if self.final_turns_lost
                else ""
            )
            + ("; --on-long-row keep_end keeps the last tokens of the dropped ones" if self._could_keep else "")
        )

    def _rows(self, count: int) -> str:
        return f"{counted(count, 'row')} ({_percent(count / self.rows_in)})"

    @property
    def _could_keep(self) -> bool:
        return self.on_long_row == "keep_turns" and bool(self.long_rows_dropped or self.long_examples_dropped)


def counts_by_reason(rows: Sequence[DroppedRow]) -> str:
    """Return how many rows there are for each reason, with the first rows of all, in one line.

    Examples
    --------
    >>> counts_by_reason([DroppedRow(2, "b", "message 1 is empty"), DroppedRow(4, "d", "message 3 is empty")])
    '2 x message 1 is empty (rows 2, 4)'
    """
    kinds: dict[str, list[DroppedRow]] = {}
    for one in rows:
        kinds.setdefault(re.sub(r"\d+", "#", one.reason), []).append(one)
    parts = []
    for members in kinds.values():
        numbers = ", ".join(str(one.row) for one in members[:_NAMED])
        more = ", ..." if len(members) > _NAMED else ""
        parts.append(f"{len(members):,} x {members[0].reason} (row{'' if len(members) == 1 else 's'} {numbers}{more})")
    return "; ".join(parts)


def bad_rows_error(source: str, rows_in: int, bad: Sequence[DroppedRow], most: float | None) -> DataError:
    """Return the error for rows that cannot be read or written, all of them counted and the first five named.

    Parameters
    ----------
    source
        The selection.
    rows_in, bad
        Rows read, and those that are bad.
    most
        The share of bad rows that may be dropped, where they are; None where none may.
    """
    allowed = "" if most is None else f", more than the {_percent(most)} that may be dropped"
    return DataError(
        f"{counted(len(bad), 'row')} of {rows_in:,} cannot be trained{allowed}: {_kinds(bad)}",
        where=source,
        got="; ".join(map(str, bad[:_NAMED])) + (f"; and {len(bad) - _NAMED:,} more" if len(bad) > _NAMED else ""),
        hint="mend the rows, or leave them out with --on-bad-row drop"
        if most is None
        else "mend the rows, or allow more with --max-bad",
    )


def _kinds(bad: Sequence[DroppedRow]) -> str:
    counts = Counter(re.sub(r"\d+", "#", one.reason) for one in bad)
    return "; ".join(f"{count:,} x {kind}" for kind, count in counts.most_common())


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.2g} %"
