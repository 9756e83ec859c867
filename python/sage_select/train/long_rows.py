"""Rows that are longer than they may be, and what became of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from sage_select.display import counted
from sage_select.errors import DataError

if TYPE_CHECKING:
    from sage_select.render.encoded import Encoded
    from sage_select.render.truncate import LongRow
    from sage_select.train.selection import OrderedRows, Row

__all__ = ["LongRows", "why_untrained"]

#: Rows named in a message.
_NAMED: Final = 5


class LongRows:
    """Counts of rows that are too long.

    Parameters
    ----------
    policy
        What becomes of them.
    """

    def __init__(self, policy: LongRow) -> None:
        self._policy = policy
        self._shortened = self._dropped = 0
        self._examples = self._tokens = self._trained = self._final = 0
        self._parts: Counter[str] = Counter()
        self._first: list[str] = []

    def add(self, row: Row, examples: Sequence[Encoded]) -> None:
        """Note what became of the training examples of a row."""
        long = [one for one in examples if one.cut]
        if not long:
            return
        if len(self._first) < _NAMED:
            longest = max(len(one.input_ids) + one.cut for one in long)
            self._first.append(f"row {row.number} (id {row.row_id}): {longest:,} tokens")
        is_trained = any(one.trained for one in examples)
        self._shortened += is_trained
        self._dropped += not is_trained
        self._examples += sum(not one.trained for one in long) if is_trained else 0
        self._tokens += sum(one.cut + (0 if one.trained else len(one.input_ids)) for one in long)
        self._trained += sum(one.trained_cut for one in long)
        self._final += is_trained and any(not one.final_kept for one in long)
        self._parts.update({part for one in long if one.trained for part in one.cut_parts})

    def check(self, rows: OrderedRows, max_length: int) -> None:
        """Refuse the selection where the policy says so.

        Raises
        ------
        DataError
            With all long rows counted, and the first five named.
        """
        count = self._shortened + self._dropped
        if self._policy != "error" or not count:
            return
        more = f"; and {count - _NAMED:,} more" if count > _NAMED else ""
        raise DataError(
            f"{counted(count, 'row')} of {len(rows):,} {'is' if count == 1 else 'are'} too long",
            where=rows.source,
            expected=f"at most {max_length:,} tokens",
            got="; ".join(self._first) + more,
            hint="raise --max-length, or name what is kept of them with --on-long-row (keep_turns, keep_end, ...)",
        )

    def counts(self) -> dict[str, Any]:
        """Return the counts as fields of `RowSummary`."""
        return {
            "on_long_row": self._policy,
            "truncated_rows": self._shortened,
            "long_rows_dropped": self._dropped,
            "long_examples_dropped": self._examples,
            "tokens_cut": self._tokens,
            "trained_tokens_cut": self._trained,
            "cut_parts": dict(self._parts),
            "final_turns_lost": self._final,
        }


def why_untrained(examples: Sequence[Encoded], max_length: int) -> str:
    """Return why a row whose examples train nothing is dropped."""
    cut = sum(one.cut for one in examples)
    if any(one.left_out for one in examples):
        return f"too long ({cut} tokens, of which {max_length} may stay)"
    return f"nothing to train after {cut} tokens were cut" if cut else "nothing to train"
