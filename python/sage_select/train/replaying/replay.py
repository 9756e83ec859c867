"""What a run replays: decided before its first step, or read from what the run wrote when it began."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sage_select import io
from sage_select.display import counted
from sage_select.errors import DataError, UsageError
from sage_select.render import Shape, ShapeOptions, detect_shape, row_digests
from sage_select.seeds import stage_key
from sage_select.train.data import TrainingRows
from sage_select.train.distilling.row_logits import TYPE
from sage_select.train.fingerprint import REPLAY
from sage_select.train.replaying.buffer import ID_COLUMN, Buffer, open_buffer, refuse_unfit
from sage_select.train.replaying.interleave import Draws, Interleaved, interleaved
from sage_select.train.replaying.offer import offered_rows
from sage_select.train.replaying.recorded import Recorded, read_replayed, write_replayed
from sage_select.train.replaying.told import amount, named, tell
from sage_select.train.row_summary import DroppedRow, counts_by_reason
from sage_select.train.run_folder import RunFolder
from sage_select.train.schedule import Schedule
from sage_select.train.selection import OrderedRows

if TYPE_CHECKING:
    from sage_select.replay.ratio import Ratio
    from sage_select.train.config import TrainConfig

__all__ = ["REPLAYED", "Replay", "known_rows", "may_be_replayed", "replay_of"]

#: The origin, in a schedule, of a row that is replayed.
REPLAYED: Final = "replayed"
#: More rows than these are no run.
_MOST: Final = 2**31 - 1
#: Tokenises rows, of which there may be none with anything to train.
Tokenise = Callable[[OrderedRows], TrainingRows]


@dataclass(frozen=True)
class Replay:
    """What a run replays, and what it trains with that.

    Attributes
    ----------
    rows
        New rows and, behind them, those replayed, tokenised: what the places of the schedule count.
    schedule
        The examples that each step consumes.
    trained, new
        The rows of the selection that are trained, and the examples that these make.
    replayed
        The rows replayed, each once; None where there are none.
    facts
        What is told of it, as plain values: the buffer's `commit` and `digest`, `ratio` and `basis`; of the rows that
        it `holds`, how many are `of_the_selection` and `unusable`; how many `rows` are replayed, how often in all
        (`times`) and each at `most`, and what is `missing` of what the ratio says; `new_times`; and the tokens of both
        (`tokens`, `new_tokens`).
    identity
        The parts of a run that it makes, as `fingerprint.identity` takes them.
    logits
        Of the rows replayed `row_id` and `logits`, as `methods.Material` has them; None where no row is replayed.
    """

    rows: TrainingRows
    schedule: Schedule
    trained: OrderedRows
    new: TrainingRows
    replayed: OrderedRows | None
    facts: dict[str, Any]
    identity: dict[str, str]
    logits: pa.Table | None
    _recorded: Recorded = field(repr=False)

    def write(self, path: Path) -> None:
        """Write `replayed.arrow`."""
        write_replayed(path, self._recorded)


def known_rows(rows: OrderedRows) -> OrderedRows:
    """Return rows that have ids in any case: their own, or the digest of what they say, as a build names them.

    Raises
    ------
    DataError
        An id stands twice.
    """
    table = rows.rows.table
    if ID_COLUMN not in table.column_names:
        exact, _ = row_digests(table, rows.shape.columns, exact=True, alike=False, where=rows.rows.where)
        seen: dict[str, int] = {}
        ids = []
        for digest in exact.to_pylist():
            copies = seen[digest] = seen.get(digest, -1) + 1
            ids.append(f"{digest}-{copies}" if copies else digest)
        with_ids = table.append_column(ID_COLUMN, pa.array(ids, pa.string()))
        return replace(rows, rows=replace(rows.rows, table=with_ids))
    first: dict[str, int] = {}
    for number, row_id in zip(rows.order.tolist(), rows.row_ids(), strict=True):
        if row_id in first:
            raise DataError(
                f"the id {row_id!r} stands twice, so that a replay buffer cannot tell the rows apart",
                where=rows.rows.where(number, ID_COLUMN),
                got=f"the same as {rows.rows.where(first[row_id])}",
                hint="leave the copies out: `sage-select build --dedup exact`",
            )
        first[row_id] = number
    return rows


def replay_of(
    config: TrainConfig,
    selection: OrderedRows,
    trained: OrderedRows,
    new: TrainingRows,
    tokenise: Tokenise,
    *,
    recorded: Path | None,
    agreed: Callable[[Any], Any],
    notice: Callable[[str], None],
) -> Replay:
    """Decide what a run replays, or read what was decided when it began.

    Parameters
    ----------
    config
        The settings, with a buffer.
    selection, trained, new
        All rows of the selection, none of which is replayed; those to train on; and these tokenised.
    tokenise
        Tokenises rows of the buffer, by the rules of the selection.
    recorded
        `replayed.arrow` of a run that is there; followed where it is of the same rows and settings.
    agreed
        Gives all processes the value of the first.
    notice
        Told what the user should know.

    Raises
    ------
    UsageError, DataError
        The buffer is damaged, of other columns, or another shape; rows are missing, and that is an error.

    Notes
    -----
    Cost: all rows of the buffer that are not of the selection are tokenised once, so that none is drawn that has
    nothing to train.
    """
    from sage_select.replay.ratio import Ratio

    ratio = Ratio.of(config.replay_ratio, config.replay_basis)
    if _most_replayed(new, ratio, config) > _MOST:
        raise UsageError(
            "the run would replay too many rows", expected=f"at most {_MOST:,}", hint="lower --replay-ratio"
        )
    key = _key(new, ratio, config)
    found = None if recorded is None else read_replayed(recorded)
    if found is None or found.about["key"] != key:
        found = _decided(config, ratio, key, selection, trained, new, tokenise, agreed, notice)
    elif found.about["facts"]["rows"]:
        notice(f"{counted(found.table.num_rows, 'row')} to replay: those that the run drew when it began")
    return _followed(found, ratio, config, trained, new, tokenise)


def may_be_replayed(config: TrainConfig, selection: OrderedRows) -> OrderedRows | None:
    """Return the rows that a run trains, or might, beside those of its selection; None where there are none.

    Of a run that is there and goes on, or is finished, these are the rows that it drew; else all rows of the buffer.
    """
    if config.replay is None:
        return None
    recorded = None if config.force else RunFolder(config.output_dir).replayed()
    if recorded is not None:
        table, source = read_replayed(recorded).table, "the rows to replay"
    else:
        buffer = open_buffer(config.replay)
        table = pa.table({}) if buffer is None else buffer.table
        source = named(config.replay)
    return _ordered(table, selection.shape.options, source) if table.num_rows else None


def _key(new: TrainingRows, ratio: Ratio, config: TrainConfig) -> str:
    """Return what names all that decides which rows are drawn, but for the buffer."""
    per_step = config.batch_size * config.gradient_accumulation
    parts = [new.order_digest, new.digest, ratio.key, config.replay_shortfall, config.seed, config.epochs]
    text = json.dumps([*parts, config.max_steps, per_step])
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _decided(
    config: TrainConfig,
    ratio: Ratio,
    key: str,
    selection: OrderedRows,
    trained: OrderedRows,
    new: TrainingRows,
    tokenise: Tokenise,
    agreed: Callable[[Any], Any],
    notice: Callable[[str], None],
) -> Recorded:
    """Draw from the buffer as it is now."""
    folder = config.replay or Path()
    first = open_buffer(folder)
    commit = agreed(None if first is None else first.commit)
    buffer = first if first is not None and first.commit == commit else None
    if buffer is None and commit is not None:  # of several processes the others go by what the first has seen
        buffer = open_buffer(folder, commit)
    if config.replay_update:
        held = None if buffer is None else buffer.table.schema
        # Which types they have there, without a value.
        refuse_unfit(buffer, offered_rows(trained.at(np.empty(0, np.int64)), held), trained.shape, config)
    holds = 0 if buffer is None else len(buffer.ids)
    facts: dict[str, Any] = {"ratio": str(ratio.value), "basis": ratio.basis, "holds": holds}
    pool = _Pool()
    if buffer is not None and holds and ratio.of_new:
        pool = _Pool.of(buffer, selection, tokenise, named(folder))
    draws = Draws(
        len(pool.usable),
        _drawing(buffer, pool.usable, config.seed),
        expected=None if ratio.basis == "tokens_of_total" else _most_replayed(new, ratio, config),
        repeat=config.replay_shortfall == "repeat",
    )
    laid = interleaved(new, pool.rows, draws, ratio, config)
    if laid.missing and config.replay_shortfall == "error":
        raise UsageError(
            "there are fewer rows to replay than --replay-ratio says",
            where=str(folder),
            expected=f"{laid.missing + len(laid.drawn):,} times" if ratio.basis != "tokens_of_total" else None,
            got=f"{counted(len(pool.usable), 'row')} in the buffer to replay, {amount(laid.missing, ratio)} missing",
            hint="lower --replay-ratio, or let rows be replayed again with --replay-shortfall repeat",
        )
    distinct = list(dict.fromkeys(laid.drawn.tolist()))
    within = {row: number for number, row in enumerate(distinct)}
    times = np.bincount(laid.drawn) if len(laid.drawn) else np.zeros(1, np.int64)
    facts |= {
        "of_the_selection": pool.own,
        "unusable": len(pool.dropped),
        "rows": len(distinct),
        "times": len(laid.drawn),
        "most": int(times.max()),
        "missing": laid.missing,
        **_consumed(laid, new, pool.rows),
    }
    table, groups, logits = pa.table({ID_COLUMN: pa.array([], pa.string())}), pa.array([], pa.string()), None
    if buffer is not None:
        replayed = pool.usable[distinct] if distinct else pool.usable[:0]
        table = buffer.table.take(pa.array(replayed))
        groups = buffer.groups.take(pa.array(replayed))
        logits = buffer.opened.logits(replayed) if config.method.replays and len(replayed) else None
    tell(notice, config, ratio, facts, counts_by_reason(pool.dropped), there=buffer is not None)
    about = {
        "key": key,
        "steps": laid.steps,
        "facts": facts,
        "commit": None if buffer is None else buffer.commit,
        "digest": None if buffer is None else buffer.digest,
    }
    return Recorded(table, [within[row] for row in laid.drawn.tolist()], about, groups, logits)


@dataclass(frozen=True)
class _Pool:
    """The rows of a buffer that may be replayed.

    Attributes
    ----------
    rows
        Those that have something to train, tokenised; None where there are none.
    usable
        int64: their numbers in the buffer.
    own
        How many others are of the selection.
    dropped
        Those that cannot be trained, and why.
    """

    rows: TrainingRows | None = None
    usable: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    own: int = 0
    dropped: tuple[DroppedRow, ...] = ()

    @classmethod
    def of(cls, buffer: Buffer, selection: OrderedRows, tokenise: Tokenise, source: str) -> _Pool:
        """Return the rows of a buffer that are not of the selection, tokenised."""
        ids, selected = buffer.ids.to_pylist(), {*selection.row_ids()}
        others = np.array([number for number, row_id in enumerate(ids) if row_id not in selected], np.int64)
        own = len(ids) - len(others)
        if not len(others):
            return cls(own=own)
        rows = tokenise(_ordered(buffer.table, selection.shape.options, source).at(others))
        place = {row_id: row for row, row_id in enumerate(ids)}
        usable = np.array([place[row_id] for row_id in dict.fromkeys(rows.row_ids)], np.int64)
        return cls(rows if len(usable) else None, usable, own, rows.summary.dropped)


def _drawing(buffer: Buffer | None, usable: NDArray[np.int64], seed: int) -> Callable[[int, int], NDArray[np.int64]]:
    """Return what draws from the usable rows: another draw for each run, seed and pass over the buffer."""

    def draw(number: int, count: int) -> NDArray[np.int64]:
        if buffer is None:
            return usable[:0]
        return buffer.drawn(count, usable, stage_key(seed, f"replay/{buffer.commit}/{number}"))

    return draw


def _most_replayed(new: TrainingRows, ratio: Ratio, config: TrainConfig) -> int:
    """Return how many rows are replayed at most; with tokens about so many."""
    rows = len(set(new.row_ids)) * math.ceil(config.epochs)
    if config.max_steps:
        rows = config.max_steps * config.batch_size * config.gradient_accumulation
    return int(ratio.of_new * rows)


def _followed(
    found: Recorded, ratio: Ratio, config: TrainConfig, trained: OrderedRows, new: TrainingRows, tokenise: Tokenise
) -> Replay:
    """Return the run that replays what is recorded."""
    ordered, replayed, logits = None, None, None
    new = new.of_tasks(pa.array([config.replay_task] * len(new.row_ids), pa.string()))
    if found.table.num_rows:
        ordered = _ordered(found.table, trained.shape.options, "the rows to replay")
        replayed = tokenise(ordered)
        if replayed.summary.dropped:
            raise DataError(
                "rows that are to be replayed have nothing to train any more",
                got=counts_by_reason(replayed.summary.dropped),
                hint="start the run again with --force",
            )
        ids = pa.array(ordered.row_ids(), pa.string())
        groups = found.groups.take(pc.index_in(pa.array(replayed.row_ids, pa.string()), value_set=ids))
        replayed = replayed.of_tasks(groups)
        held = pa.nulls(len(ids), TYPE) if found.logits is None else found.logits
        logits = pa.table({"row_id": ids, "logits": held})
    laid = interleaved(new, replayed, Draws.recorded(found.drawn), ratio, config, steps=found.about["steps"])
    rows = new if replayed is None else _joined(new, replayed)
    schedule = Schedule.taking(rows, laid.starts, laid.places, laid.phases)
    commit = found.about["commit"]
    name = "no buffer" if commit is None else f"commit {commit}, {found.about['digest']}"
    drawn = "" if replayed is None else f", {len(found.drawn)} times {replayed.digest}"
    return Replay(
        rows=rows,
        schedule=replace(schedule, examples=len(new.row_ids)),
        trained=trained,
        new=new,
        replayed=ordered,
        facts={"commit": commit, "digest": found.about["digest"], **found.about["facts"]},
        identity={REPLAY: f"{name}{drawn}", "replay_ratio": f"{ratio.value} {ratio.basis}"},
        logits=logits,
        _recorded=found,
    )


def _joined(new: TrainingRows, replayed: TrainingRows) -> TrainingRows:
    """Return new rows and replayed ones behind them; the summary stays that of the new ones."""
    n = len(replayed.row_ids)
    facts = replayed.facts.set_column(0, "origin", pa.array([REPLAYED] * n, pa.string()))
    facts = facts.set_column(2, "phase", pa.nulls(n, pa.int32()))
    return replace(
        new,
        table=pa.concat_tables([new.table, replayed.table]),
        row_ids=[*new.row_ids, *replayed.row_ids],
        facts=pa.concat_tables([new.facts.select(facts.column_names), facts]),
        digest=hashlib.blake2b(f"{new.digest} {replayed.digest}".encode(), digest_size=16).hexdigest(),
    )


def _consumed(laid: Interleaved, new: TrainingRows, pool: TrainingRows | None) -> dict[str, int]:
    """Return how often new examples are consumed, and the tokens of new and replayed ones in all steps."""
    lengths = new.lengths if pool is None else np.concatenate([new.lengths, pool.lengths])
    is_new = laid.places < len(new.row_ids)
    taken = lengths[laid.places]
    return {
        "new_times": int(is_new.sum()),
        "new_tokens": int(taken[is_new].sum()),
        "tokens": int(taken[~is_new].sum()),
    }


def _ordered(table: pa.Table, options: ShapeOptions, source: str) -> OrderedRows:
    """Return rows of a buffer, in their own order and of their own shape."""
    rows = replace(io.from_object(table), source=source)
    return OrderedRows(rows, np.arange(table.num_rows, dtype=np.int64), _shape(table.schema, options, source), None, ())


def _shape(schema: pa.Schema, options: ShapeOptions, source: str) -> Shape:
    """Return how rows of a buffer are read: as the user says of the selection, else by their columns."""
    said: UsageError | None = None
    for one in dict.fromkeys((options, ShapeOptions())):
        try:
            return detect_shape(schema, one)
        except UsageError as error:
            said = said or error
    raise DataError(
        "the rows of the replay buffer have no shape that is known",
        where=source,
        expected=None if said is None else said.expected,
        got=", ".join(schema.names)[:200],
        hint="name another buffer with --replay",
    )
