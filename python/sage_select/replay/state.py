"""What a replay buffer is at one moment: its rows, its counters, and what its policy and its draws know."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from sage_select.replay.rows import ReplayRows

__all__ = ["EVENTS", "Counters", "Event", "State", "log_of", "renamed"]


@dataclass(frozen=True)
class Counters:
    """What happened to rows, in numbers.

    Attributes
    ----------
    seen
        Rows that were offered, each time they were.
    updates
        Calls that offered some.
    entered, left
        Rows that came into the buffer, and that the policy let go for others.
    passed_by
        Rows that were offered and did not come in.
    repeated
        Rows that were offered and were there.
    forgotten
        Rows that were offered and had been deleted, so that they did not come in.
    deleted
        Rows that were deleted.
    draws, replayed
        Draws that were committed, and the rows of these.
    short
        Rows that should have been replayed and were not there.
    """

    seen: int = 0
    updates: int = 0
    entered: int = 0
    left: int = 0
    passed_by: int = 0
    repeated: int = 0
    forgotten: int = 0
    deleted: int = 0
    draws: int = 0
    replayed: int = 0
    short: int = 0

    def plus(self, **more: int) -> Counters:
        """Return the counters raised by these."""
        own = vars(self)
        return Counters(**{**own, **{name: own[name] + value for name, value in more.items()}})


@dataclass(frozen=True)
class State:
    """A replay buffer at one moment.

    Attributes
    ----------
    commit
        How many commits made it: 0 for a new buffer.
    rows
        Its rows, in the order in which they came.
    schema
        Of the rows' columns, as they lie in segments; None before there were any.
    vector_column
        The column of their vectors, None where they have none.
    counters
        What happened so far.
    policy_state, draw_state
        What the policy and the rule of drawing want to know the next time.
    carry
        What is owed to each ratio, as a fraction.
    forgotten
        Keyed hashes of the ids of rows that were deleted.
    """

    commit: int = 0
    rows: ReplayRows = field(default_factory=ReplayRows.none)
    schema: pa.Schema | None = None
    vector_column: str | None = None
    counters: Counters = Counters()
    policy_state: Mapping[str, Any] = field(default_factory=dict)
    draw_state: Mapping[str, Any] = field(default_factory=dict)
    carry: Mapping[str, str] = field(default_factory=dict)
    forgotten: tuple[int, ...] = ()

    def bare(self) -> State:
        """Return the state of rows that find their vectors nowhere, and so hold on to no earlier state."""
        return self if self.rows.vectors_of is None else replace(self, rows=self.rows.bare())


#: The log: a row for each time that a row came, left, was scored anew or deleted.
EVENTS: Final = pa.schema(
    [
        pa.field("commit", pa.int64(), nullable=False),
        pa.field("event", pa.string(), nullable=False),
        pa.field("row_id", pa.string(), nullable=False),
        pa.field("reason", pa.string()),
        pa.field("replaced_by", pa.string()),
        pa.field("update", pa.int64(), nullable=False),
        pa.field("score", pa.float64()),
        pa.field("scored", pa.int64()),
        pa.field("group", pa.string()),
        pa.field("tokens", pa.int64()),
        pa.field("arrival", pa.int64(), nullable=False),
        pa.field("segment", pa.int64(), nullable=False),
        pa.field("place", pa.int64(), nullable=False),
        pa.field("word", pa.uint64(), nullable=False),
    ]
)


@dataclass(frozen=True)
class Event:
    """What happened to some rows in a commit, as the log will hold it.

    Attributes
    ----------
    name
        `entered`, `left`, `scored`, `deleted`, or `member` for rows that are there.
    rows
        The rows.
    commit, update
        The commit, and how many updates there were by then.
    reasons
        Why each row left, where it did.
    replaced_by
        Ids of the rows that came in their place, fewer where fewer came.
    """

    name: str
    rows: ReplayRows
    commit: int
    update: int
    reasons: Sequence[str] = ()
    replaced_by: Sequence[str] = ()

    def table(self) -> pa.Table:
        """Return it as a part of the log."""
        rows, n = self.rows, self.rows.n

        def texts(values: Sequence[str]) -> pa.Array:
            return pa.array([*values, *[None] * (n - len(values))], pa.string())

        return pa.table(
            {
                "commit": pa.repeat(pa.scalar(self.commit, pa.int64()), n),
                "event": pa.repeat(self.name, n),
                "row_id": rows.ids,
                "reason": texts(self.reasons),
                "replaced_by": texts(self.replaced_by),
                "update": pa.repeat(pa.scalar(self.update, pa.int64()), n),
                "score": pa.array(rows.scores, from_pandas=True),
                "scored": pa.array(rows.scored, mask=rows.scored < 0),
                "group": rows.groups,
                "tokens": pa.array(rows.tokens, mask=rows.tokens < 0),
                "arrival": pa.array(rows.arrivals),
                "segment": pa.array(rows.segments),
                "place": pa.array(rows.places),
                "word": pa.array(rows.words),
            },
            schema=EVENTS,
        )


def log_of(events: Iterable[Event]) -> pa.Table:
    """Return the log that events make."""
    return pa.concat_tables([EVENTS.empty_table(), *(one.table() for one in events)])


def renamed(events: pa.Table, ids: pa.Array, names: pa.Array) -> pa.Table:
    """Return a log in which rows have other names, and nothing is said of them but when they came and left."""
    for column in ("row_id", "replaced_by"):
        place = pc.index_in(events[column], ids)
        events = events.set_column(
            events.schema.get_field_index(column),
            events.schema.field(column),
            pc.if_else(pc.is_valid(place), names.take(place.combine_chunks()), events[column]),
        )
    known = pc.is_in(events["row_id"], names)
    for column in ("group", "score", "scored", "tokens", "word"):
        field = EVENTS.field(column)
        nothing = pa.scalar(None if field.nullable else 0, field.type)
        events = events.set_column(EVENTS.get_field_index(column), field, pc.if_else(known, nothing, events[column]))
    return events
