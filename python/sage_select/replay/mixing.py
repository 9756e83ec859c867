"""New rows and replayed ones beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sage_select.columns import Origin
from sage_select.errors import DataError, UsageError, Where
from sage_select.replay.offered import Offered
from sage_select.replay.ratio import Ratio
from sage_select.replay.state import State

__all__ = ["Mixture", "mixed"]

_ORIGIN: Final = "sage_origin"


class Drawing(Protocol):
    """Draws of rows to replay."""

    def __call__(
        self, eligible: NDArray[np.int64], count: int, /, *, more: int = 0, remember: bool = True
    ) -> NDArray[np.int64]:
        """Return so many of some rows, by the draw after so many more; whether the rule remembers that it has been."""


@dataclass(frozen=True)
class Mixture:
    """What is replayed beside new rows.

    Attributes
    ----------
    rows
        int64: the numbers of the rows of the buffer, in the order in which they were drawn.
    due, short
        How many rows were owed, and how many of them are not there.
    draws
        Draws that were made.
    carry
        What is owed to each ratio from now on.
    """

    rows: NDArray[np.int64]
    due: int
    short: int
    draws: int
    carry: Mapping[str, str]

    def joined(self, new: pa.Table, replayed: pa.Table | None, *, interleave: bool) -> pa.Table:
        """Return new and replayed rows as one table, with the columns of both even where none is replayed.

        Parameters
        ----------
        replayed
            The rows; None where the buffer has never held any.

        Raises
        ------
        DataError
            A column has two types.
        """
        new = _with_origin(new, Origin.SELECTED, every=False)
        if replayed is None:
            return new.replace_schema_metadata(None)
        replayed = _with_origin(replayed, Origin.REPLAY, every=True)
        for field in replayed.schema:
            own = new.schema.field(field.name).type if field.name in new.column_names else field.type
            if own != field.type and not (pa.types.is_null(own) or pa.types.is_null(field.type)):
                raise DataError(
                    "new and replayed rows have other types",
                    where=Where(column=field.name),
                    expected=str(field.type),
                    got=str(own),
                )
        table = pa.concat_tables(
            [new.replace_schema_metadata(None), replayed.replace_schema_metadata(None)], promote_options="default"
        )
        if not interleave:
            return table
        n, m = new.num_rows, replayed.num_rows
        # Each at the middle of its share of the whole; of two at one place the new one is first.
        at = np.concatenate([(2 * np.arange(n) + 1) * m, (2 * np.arange(m) + 1) * n])
        return table.take(pa.array(np.argsort(at, kind="stable")))


def mixed(
    state: State,
    new: Offered,
    ratio: Ratio,
    eligible: NDArray[np.int64],
    draw: Drawing,
    *,
    on_shortfall: str,
    compat: str | None,
) -> Mixture:
    """Return what is replayed beside new rows.

    Raises
    ------
    UsageError
        Tokens are not known, or rows are missing and that is an error.
    """
    for name, value, known in (
        ("on_shortfall", on_shortfall, ("report", "repeat", "error")),
        ("compat", compat, (None, "sage")),
    ):
        if value not in known:
            raise UsageError(f"unknown {name}", expected=", ".join(map(str, known)), got=repr(value))
    carry = dict(state.carry)
    owed = Fraction(carry.get(ratio.key, 0))
    if not new.rows.n:
        return Mixture(np.empty(0, np.int64), 0, 0, 0, carry)
    if compat == "sage":
        if ratio.basis != "of_new":
            raise UsageError("SAGE's ratio is one of the new rows", expected="basis of_new", got=ratio.basis)
        due = max(1, int(new.rows.n * float(ratio.value)))
        count = min(due, len(eligible))  # SAGE replays what is there
        return Mixture(draw(eligible, count), count, 0, 1, carry)
    if ratio.basis == "tokens_of_total":
        return _by_tokens(state, new, ratio, eligible, draw, owed, carry, on_shortfall)
    due, owed = ratio.due(new.rows.n, owed)
    carry[ratio.key] = str(owed)
    rows, draws = _rows(eligible, due, draw, repeat=on_shortfall == "repeat")
    _refuse_short(due - len(rows), due, on_shortfall)
    return Mixture(rows, due, due - len(rows), draws, carry)


def _rows(eligible: NDArray[np.int64], due: int, draw: Drawing, *, repeat: bool) -> tuple[NDArray[np.int64], int]:
    """Return as many rows as are due, or as there are; and how many draws it took."""
    if not due:
        return np.empty(0, np.int64), 0
    found = [draw(eligible, min(due, len(eligible)))]
    while repeat and len(eligible) and (missing := due - sum(map(len, found))):
        found.append(draw(eligible, min(missing, len(eligible)), more=len(found)))
    return np.concatenate(found), len(found)


def _by_tokens(
    state: State,
    new: Offered,
    ratio: Ratio,
    eligible: NDArray[np.int64],
    draw: Drawing,
    owed: Fraction,
    carry: dict[str, Any],
    on_shortfall: str,
) -> Mixture:
    """Return rows until their tokens are what is owed: what the last brings beyond that is owed back."""
    for rows, whose in ((new.rows.tokens, "new rows"), (state.rows.tokens[eligible], "rows of the buffer")):
        if (rows < 0).any():
            raise UsageError(
                f"the tokens of {whose} are not known", hint="give lengths, to mix and to update, or another basis"
            )
    owed += ratio.of_new * int(new.rows.tokens.sum())
    found: list[int] = []
    draws = 0
    while owed > 0 and len(eligible) and (not draws or on_shortfall == "repeat"):
        order = draw(eligible, len(eligible), more=draws, remember=False)
        if not state.rows.tokens[order].sum():
            break
        # The first rows whose tokens are enough; of the draw no more than these have been.
        enough = np.cumsum(state.rows.tokens[order]) >= -(-owed.numerator // owed.denominator)
        count = int(enough.argmax()) + 1 if enough[-1] else len(order)
        draw(eligible, count, more=draws)
        draws += 1
        found += order[:count].tolist()
        owed -= int(state.rows.tokens[order[:count]].sum())
    short = 1 if owed > 0 else 0
    _refuse_short(short, 1, on_shortfall)
    # Rows that are not there are not owed for ever: they are told.
    carry[ratio.key] = str(min(owed, Fraction(0)))
    return Mixture(np.array(found, np.int64), len(found) + short, short, draws, carry)


def _refuse_short(short: int, due: int, on_shortfall: str) -> None:
    if short > 0 and on_shortfall == "error":
        raise UsageError(
            f"{due:,} rows to replay, and {due - short:,} there", hint="a larger buffer, or a smaller ratio"
        )


def _with_origin(table: pa.Table, origin: str, *, every: bool) -> pa.Table:
    """Return the table with the origin of its rows; what is said of single rows stays unless it is `every` row's."""
    column = pa.array([origin] * table.num_rows, pa.string())
    if _ORIGIN not in table.column_names:
        return table.append_column(_ORIGIN, column)
    return table.set_column(table.column_names.index(_ORIGIN), _ORIGIN, column) if every else table
