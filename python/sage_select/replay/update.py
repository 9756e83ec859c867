"""What an update makes of a buffer: which rows come in, which leave, and what is told of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sage_select.errors import DataError, UsageError, Where
from sage_select.replay.deletion import forgotten_rows
from sage_select.replay.gather import fitted
from sage_select.replay.offered import LOGITS, VECTORS, Offered
from sage_select.replay.policies.policy import Candidates, Membership, check_membership
from sage_select.replay.rows import NOT_KNOWN, ReplayRows
from sage_select.replay.settings import BufferSettings
from sage_select.replay.state import Event, State
from sage_select.replay.store.store import Change

__all__ = ["Updated", "merged", "resized", "updated"]


@dataclass(frozen=True)
class Updated:
    """What became of rows that were offered.

    Attributes
    ----------
    offered
        How many were.
    entered, left
        Rows that came in, and rows that left for them.
    passed_by
        Rows that did not come in.
    repeated
        Rows that were there already.
    forgotten
        Rows that had been deleted, and did not come in.
    commit
        The commit that holds it.
    """

    offered: int = 0
    entered: int = 0
    left: int = 0
    passed_by: int = 0
    repeated: int = 0
    forgotten: int = 0
    commit: int = 0


def updated(
    state: State, settings: BufferSettings, new: Offered, payload: Callable[[], pa.Table], *, evolve: bool
) -> tuple[Change | None, Updated]:
    """Return the commit that offers rows to a buffer; None where there are none.

    Parameters
    ----------
    payload
        Function without arguments to the columns of the rows of the buffer.
    evolve
        Whether columns may come and be missing.
    """
    n = new.rows.n
    if not n:
        return None, Updated(commit=state.commit)
    _refuse_missing(settings, new.rows)
    schema = _schema(state, new, evolve=evolve)
    counters = state.counters
    update = counters.updates + 1
    scored = np.where(np.isnan(new.rows.scores), NOT_KNOWN, update)
    rows = replace(new.rows, arrivals=counters.seen + np.arange(n), scored=scored)
    policy = settings.policy
    admissible = policy.admissible(rows, state.policy_state, settings.seed)
    some = np.arange(n) if admissible is None else admissible
    forgotten = forgotten_rows(state, settings, rows)
    if not len(some) and policy.rescores:
        return _passed_by(state, schema, n, len(forgotten))
    # A policy that goes by the first score may turn a row away by another one while it is there.
    held, twice = _held(state.rows, rows, some if policy.rescores else np.arange(n))
    old, events = state.rows, []
    number = state.commit + 1
    again = held[scored[twice] >= 0] if policy.rescores else held[:0]
    if len(again):
        anew = twice[scored[twice] >= 0]
        old = old.with_scores(again, rows.scores[anew], update)
    if len(forgotten) or len(twice):
        some = some[~np.isin(some, np.concatenate([forgotten, twice]))]
    offered = rows if len(some) == n else rows.take(some)
    candidates = Candidates(
        there=old,
        offered=offered,
        capacity=settings.capacity,
        seed=settings.seed,
        update=update,
        state=state.policy_state,
        payload=lambda: _together(payload(), new.table.take(pa.array(some)), schema),
    )
    kept = policy.keep(candidates)
    check_membership(kept, policy, candidates)
    staying, entering = _parted(kept, old.n)
    leaving = _others(staying, old.n)
    if len(again):
        events.append(Event("scored", old.take(again).bare(), number, update))
    came = replace(offered.take(entering), segments=np.full(len(entering), number), places=np.arange(len(entering)))
    events += _log(old, leaving, came, policy.leaves, kept.reasons, number, update)
    told = Updated(
        offered=n,
        entered=len(entering),
        left=len(leaving),
        passed_by=n - len(entering) - len(twice) - len(forgotten),
        repeated=len(twice),
        forgotten=len(forgotten),
        commit=number,
    )
    after = replace(
        state,
        commit=number,
        rows=old.take(staying).then(came),
        schema=schema,
        vector_column=new.vector_column or state.vector_column,
        counters=counters.plus(
            seen=n,
            updates=1,
            entered=told.entered,
            left=told.left,
            passed_by=told.passed_by,
            repeated=told.repeated,
            forgotten=told.forgotten,
        ),
        policy_state=kept.state,
    )
    entered = fitted(new.table.take(pa.array(some[entering])), schema) if len(entering) else None
    return Change(after, entered, events), told


def _passed_by(state: State, schema: pa.Schema, n: int, forgotten: int) -> tuple[Change, Updated]:
    """Return the commit of so many rows of which none may come in: of a long stream that is most of them."""
    number, passed_by = state.commit + 1, n - forgotten
    counters = state.counters.plus(seen=n, updates=1, passed_by=passed_by, forgotten=forgotten)
    after = replace(state, commit=number, schema=schema, counters=counters)
    told = Updated(offered=n, passed_by=passed_by, forgotten=forgotten, commit=number)
    return Change(after, None), told


def resized(state: State, settings: BufferSettings, payload: Callable[[], pa.Table]) -> tuple[Change, Updated]:
    """Return the commit that gives a buffer another capacity, that of these settings."""
    number, policy = state.commit + 1, settings.policy
    update = state.counters.updates
    candidates = Candidates(
        there=state.rows,
        offered=ReplayRows.none(),
        capacity=settings.capacity,
        seed=settings.seed,
        update=update,
        state=state.policy_state,
        payload=payload,
    )
    kept = policy.keep(candidates)
    check_membership(kept, policy, candidates)
    leaving = _others(kept.rows, state.rows.n)
    events = _log(state.rows, leaving, ReplayRows.none(), "capacity", {}, number, update)
    after = replace(
        state,
        commit=number,
        rows=state.rows.take(kept.rows),
        counters=state.counters.plus(left=len(leaving)),
        policy_state=kept.state,
    )
    told = Updated(left=len(leaving), commit=number)
    return Change(after, None, events), told


def merged(
    state: State,
    settings: BufferSettings,
    other: State,
    other_settings: BufferSettings,
    table: pa.Table,
    payload: Callable[[], pa.Table],
) -> tuple[Change, Updated]:
    """Return the commit that takes in the buffer of another stream, whose rows are those of a table.

    Raises
    ------
    UsageError
        The two were made with other policies or seeds.
    """
    for name in ("policy", "seed", "id_column"):
        own, theirs = settings.settings()[name], other_settings.settings()[name]
        if own != theirs:
            raise UsageError(f"buffers of another {name} cannot be merged", expected=str(own), got=str(theirs))
    policy = settings.policy
    joined = policy.merged_state(state.policy_state, other.policy_state)
    forgotten = tuple(sorted({*state.forgotten, *other.forgotten}))
    deleted = forgotten_rows(replace(state, forgotten=forgotten), settings, state.rows)
    rows = state.rows.take(np.setdiff1d(np.arange(state.rows.n), deleted))
    if policy.mergeable and (stay := policy.admissible(rows, joined, settings.seed)) is not None:
        rows = rows.take(stay)
    before = replace(state, rows=rows, policy_state=joined, forgotten=forgotten)
    offered = Offered(table, replace(other.rows, places=np.arange(other.rows.n)), other.vector_column)
    change, told = updated(before, settings, offered, payload, evolve=True)
    gone = np.flatnonzero(~np.isin(state.rows.words, rows.words))
    number = state.commit + 1
    if change is None:
        change = Change(replace(before, commit=number), None)
        told = replace(told, commit=number)
    reasons = {int(row): "deleted" for row in deleted}
    log = _log(state.rows, gone, ReplayRows.none(), policy.leaves, reasons, number, state.counters.updates)
    # All that the other has seen counts, and not its rows alone.
    more = other.counters.seen - other.rows.n
    counters = change.state.counters.plus(seen=more, passed_by=more, left=len(gone))
    after = replace(change.state, counters=counters)
    # Rows that go come first: of a row that goes and comes again, with another score, the last that is said counts.
    return Change(after, change.entered, [*log, *change.events]), replace(told, left=told.left + len(gone))


def _together(held: pa.Table, offered: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return rows of the buffer and rows that are offered as one table."""
    return pa.concat_tables([fitted(held, schema), fitted(offered, schema)])


def _refuse_missing(settings: BufferSettings, rows: ReplayRows) -> None:
    """Refuse rows that lack what the policy goes by.

    Raises
    ------
    UsageError
        As said.
    """
    policy = settings.policy
    missing = {
        "scores": np.isnan(rows.scores).any(),
        "vectors": rows.vectors_of is None,
        "groups": rows.groups.null_count > 0,
    }
    spelled = {"scores": "scores", "vectors": "embeddings", "groups": "groups"}
    for need in sorted(policy.needs()):
        if missing[need]:
            raise UsageError(
                f"policy {policy.name!r} needs {spelled[need]}", hint=f"give {spelled[need]} with each update"
            )


def _schema(state: State, new: Offered, *, evolve: bool) -> pa.Schema:
    """Return the schema of the buffer once these rows are in it.

    Raises
    ------
    DataError
        A column is another than before, or vectors have another width.
    """
    own, came = state.schema, new.table.schema
    if own is not None and own.equals(came, check_metadata=True) and new.vector_column is state.vector_column is None:
        return own
    came = pa.schema([field.with_nullable(True) for field in came])
    if own is None:
        return came
    if state.vector_column != new.vector_column:
        raise DataError(
            "vectors come otherwise than before",
            expected=_vectors(state.vector_column),
            got=_vectors(new.vector_column),
        )
    _refuse_other_width(state.rows, new.rows)
    fields = {field.name: field for field in own}
    for field in came:
        known = fields.get(field.name)
        if known is None:
            if not evolve and field.name != LOGITS:
                raise DataError(
                    "a column that earlier rows have not",
                    where=Where(column=field.name),
                    hint="leave it out, or say that columns may change (evolve)",
                )
            fields[field.name] = field
        elif known.type != field.type and pa.types.is_null(known.type):
            fields[field.name] = field
        elif known.type != field.type and field.name == VECTORS:
            raise _other_width(known.type.list_size, field.type.list_size)
        elif known.type != field.type and not pa.types.is_null(field.type):
            raise DataError(
                "a column of another type than before",
                where=Where(column=field.name),
                expected=str(known.type),
                got=str(field.type),
                hint="cast it to the type that it had",
            )
    missing = [name for name in fields if name not in came.names and name != LOGITS]
    if missing and not evolve:
        raise DataError(
            "a column of earlier rows is missing",
            where=Where(column=missing[0]),
            hint="add it, or say that columns may change (evolve)",
        )
    return pa.schema(list(fields.values()))


def _refuse_other_width(old: ReplayRows, new: ReplayRows) -> None:
    """Refuse vectors of another width than those of the buffer."""
    if old.n and new.n and old.vectors_of and new.vectors_of:
        first = np.zeros(1, np.int64)
        expected, got = (rows.shape[1] for rows in (old.vectors_of(first), new.vectors_of(first)))
        if expected != got:
            raise _other_width(expected, got)


def _other_width(expected: int, got: int) -> DataError:
    return DataError("vectors of another width than before", expected=str(expected), got=str(got))


def _vectors(column: str | None) -> str:
    if column is None:
        return "no vectors"
    return "vectors apart from the rows" if column == VECTORS else f"vectors in the column {column}"


def _held(old: ReplayRows, rows: ReplayRows, some: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows of the buffer that are offered again, and which of the offered they are."""
    found = pc.index_in(pa.array(old.words), value_set=pa.array(rows.words[some]))
    if found.null_count == old.n:
        return some[:0], some[:0]
    # 64 bits may be those of two ids.
    held = np.flatnonzero(found.is_valid().to_numpy(zero_copy_only=False))
    place = pc.index_in(old.ids.take(pa.array(held)), value_set=rows.ids.take(pa.array(some)))
    there = place.is_valid().to_numpy(zero_copy_only=False)
    return held[there], some[place.drop_null().to_numpy()]


def _parted(kept: Membership, held: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows of the buffer that stay, and which of the offered come in."""
    cut = int(np.searchsorted(kept.rows, held))
    return kept.rows[:cut], kept.rows[cut:] - held


def _others(rows: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Return which of n rows are none of these."""
    others = np.ones(n, np.bool_)
    others[rows] = False
    return np.flatnonzero(others)


def _log(
    old: ReplayRows,
    leaving: NDArray[np.int64],
    came: ReplayRows,
    reason: str,
    reasons: Mapping[int, str],
    number: int,
    update: int,
) -> list[Event]:
    """Return what is told of rows that leave and rows that come."""
    log = []
    if len(leaving):
        instead = came.ids.slice(0, len(leaving)).to_pylist()
        why = [reasons.get(row, reason) for row in leaving.tolist()]
        log.append(Event("left", old.take(leaving).bare(), number, update, why, instead))
    if came.n:
        log.append(Event("entered", came.bare(), number, update))
    return log
