"""The rows of a selection on their way into a replay buffer, once they were trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sage_select.columns import COLUMNS, PARENT
from sage_select.errors import DataError
from sage_select.io.tables.merge import merged
from sage_select.io.tables.nested import JSON_TEXT
from sage_select.paths import user_path
from sage_select.train.replaying.buffer import ID_COLUMN
from sage_select.train.selection import OrderedRows

if TYPE_CHECKING:
    from sage_select.train.config import TrainConfig
    from sage_select.train.data import TrainingRows

__all__ = ["Ask", "last_losses", "offer", "offered_rows"]

#: What a selection says of a row that holds beyond that selection.
_KEPT: Final = (ID_COLUMN, PARENT, "sage_origin", "sage_weight")
_OF_BUFFERS: Final = "sage_replay_"
#: What a model says of rows of these ids, a value each.
Ask = Callable[[Sequence[str]], pa.Array]


def offered_rows(rows: OrderedRows, held: pa.Schema | None) -> pa.Table:
    """Return rows as they are offered to a buffer: with all columns but those that are about their selection alone.

    Columns that a buffer names, such as those of `replayed.arrow`, are of another run.

    Objects are held as JSON text where the buffer does not hold them otherwise, since those of the next data set may
    have other keys.

    Parameters
    ----------
    held
        The columns of the buffer, if it has any.
    """
    table = rows.rows.table.take(pa.array(rows.order))
    others = [name for name in table.column_names if name in COLUMNS or name.startswith(_OF_BUFFERS)]
    table = table.drop_columns([name for name in others if name not in _KEPT])
    columns, fields = [], []
    for field in table.schema:
        wanted = field
        if field.name == ID_COLUMN:
            wanted = pa.field(ID_COLUMN, pa.string())
        elif held is not None and field.name in held.names:
            wanted = held.field(field.name)
        elif _has_objects(field.type):
            wanted = pa.field(field.name, pa.string(), metadata=JSON_TEXT)
        column, made = _as(table[field.name], field, wanted)
        columns.append(column)
        fields.append(made)
    return pa.table(columns, schema=pa.schema(fields))


def last_losses(path: Path) -> Mapping[str, float]:
    """Return the loss of each row in its last pass, by the `ledger.arrow` of a run: a mean over its trained tokens.

    Raises
    ------
    DataError
        The file is damaged, or not there.
    """
    try:
        with pa.OSFile(str(path), "rb") as source:
            table = pa.ipc.open_file(source).read_all()
        ids = table["row_id"].combine_chunks().dictionary_encode()
        passes, losses, tokens = (table[name].to_numpy() for name in ("pass", "loss", "tokens"))
    except (OSError, pa.ArrowException, KeyError) as error:
        raise DataError(
            "the losses of the run cannot be read", where=str(path), got=str(error).split("\n", 1)[0][:200]
        ) from None
    of = ids.indices.to_numpy()
    last = np.zeros(len(ids.dictionary), np.int64)
    np.maximum.at(last, of, passes)
    kept = passes == last[of]
    sums = np.bincount(of[kept], (losses * tokens)[kept], len(last)) / np.bincount(of[kept], tokens[kept], len(last))
    return dict(zip(ids.dictionary.to_pylist(), sums.tolist(), strict=True))


def offer(
    config: TrainConfig,
    rows: OrderedRows,
    tokenised: TrainingRows,
    losses: Mapping[str, float],
    after: int | None,
    ask: Ask | None = None,
) -> dict[str, Any]:
    """Offer the rows that a run has trained to its buffer; return what became of them, as plain values.

    Parameters
    ----------
    rows, tokenised
        The rows of the selection, and their tokens.
    losses
        Those in the last pass, by id: rows without one were not trained, and are not offered.
    after
        The commit at which an earlier attempt began, if there was one: where that was made the rows are there.
    ask
        What is stored beside the rows that come in, if anything is.

    Raises
    ------
    UsageError, DataError, OutputError, ResourceError
        As `ReplayBuffer.open` and `update`.
    """
    from sage_select.replay import ReplayBuffer

    folder = user_path(config.replay) if config.replay is not None else Path()
    buffer = ReplayBuffer.open(folder)
    table = offered_rows(rows, buffer.table().schema)
    ids = table[ID_COLUMN].to_pylist()
    trained = np.flatnonzero([row_id in losses for row_id in ids])
    table, ids = table.take(pa.array(trained)), [ids[row] for row in trained.tolist()]
    if after is not None and _came(buffer.history(), after, ids):
        return {"offered": len(ids), "commit": buffer.commit, "made_before": True}
    tokens: dict[str, int] = {}
    for row_id, length in zip(tokenised.row_ids, tokenised.lengths.tolist(), strict=True):
        tokens[row_id] = tokens.get(row_id, 0) + length
    known: dict[str, Any] = {
        "scores": np.array([losses[row_id] for row_id in ids], np.float64),
        "groups": None if config.replay_task is None else pa.array([config.replay_task] * len(ids), pa.string()),
        "lengths": np.array([tokens[row_id] for row_id in ids], np.int64),
        "evolve": True,
    }
    entering = pa.array([], pa.string()) if ask is None else buffer.entering(table, **known)
    if ask is None or not len(entering):
        return asdict(buffer.update(table, **known))
    # Of all rows that are offered few may come in, of a long selection; the others are not asked about.
    said = ask(entering.to_pylist())
    told = buffer.update(table, **known, logits=said.take(pc.index_in(table[ID_COLUMN].combine_chunks(), entering)))
    # Another process may have changed the buffer while the model was asked.
    stored = said.filter(pc.is_in(entering, value_set=buffer.ids()))
    return {**asdict(told), "logits": {"rows": len(stored), "bytes": stored.nbytes}}


def _came(history: pa.Table, after: int, ids: list[str]) -> bool:
    """Say whether any of these rows came, or was scored anew, after a commit."""
    events = history.filter(pc.and_(pc.greater(history["commit"], after), pc.is_in(history["event"], _CAME)))
    return bool(pc.any(pc.is_in(events["row_id"], pa.array(ids, pa.string()))).as_py())


_CAME: Final = pa.array(["entered", "scored"], pa.string())


def _has_objects(kind: pa.DataType) -> bool:
    return pa.types.is_struct(kind) or any(_has_objects(kind.field(at).type) for at in range(kind.num_fields))


def _as(column: pa.ChunkedArray, own: pa.Field, wanted: pa.Field) -> tuple[pa.ChunkedArray, pa.Field]:
    """Return a column as the buffer holds it, where that loses nothing; else, but for a wider type, as it is."""
    if own.equals(wanted, check_metadata=True):
        return column, own
    if own.name == ID_COLUMN:
        return column.cast(wanted.type), wanted
    parts = [("buffer", pa.schema([wanted]).empty_table()), ("selection", pa.table([column], schema=pa.schema([own])))]
    try:
        found, _ = merged(parts)
    except DataError:
        return column, own
    return found[own.name], found.schema.field(own.name)
