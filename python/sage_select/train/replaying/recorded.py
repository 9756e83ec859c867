"""`replayed.arrow`: the rows that a run replays, held by the run, so that it goes on whatever becomes of the buffer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from sage_select.errors import DataError
from sage_select.replay.offered import LOGITS

__all__ = ["DRAWS", "Recorded", "read_replayed", "write_replayed"]

#: The column that says by which draws of the run, from 0, a row was drawn.
DRAWS: Final = "sage_replay_draws"
#: The column of the groups under which the buffer holds them, and all that are the run's own.
_GROUP: Final = "sage_replay_group"
_OWN: Final = (DRAWS, _GROUP, LOGITS)
_KEY: Final = b"sage.replay"


@dataclass(frozen=True)
class Recorded:
    """What a run replays.

    Attributes
    ----------
    table
        The rows, with all the columns that they have in the buffer, in the order in which they are first drawn.
    drawn
        Rows of the table, as they are drawn, each as often as it is.
    about
        What else is known of it: `key`, of what it follows; `steps` of the run; `facts`, and the buffer's `commit` and
        `digest`.
    groups
        The group under which the buffer holds each row of the table, null where it has none.
    logits
        What the buffer holds that a model said of each, null where that is nothing; None where no row has any, or the
        run does not go by it.
    """

    table: pa.Table
    drawn: Sequence[int]
    about: Mapping[str, Any]
    groups: pa.Array
    logits: pa.Array | None = None


def write_replayed(path: Path, recorded: Recorded) -> None:
    """Write what a run replays as an Arrow file, the same bytes for the same run."""
    draws: list[list[int]] = [[] for _ in range(recorded.table.num_rows)]
    for place, row in enumerate(recorded.drawn):
        draws[row].append(place)
    table = recorded.table.append_column(DRAWS, pa.array(draws, pa.list_(pa.int64())))
    if recorded.groups.null_count < len(recorded.groups):
        table = table.append_column(_GROUP, recorded.groups)
    if recorded.logits is not None:
        table = table.append_column(LOGITS, recorded.logits)
    about = json.dumps(recorded.about, sort_keys=True, ensure_ascii=False).encode()
    table = table.replace_schema_metadata({_KEY: about}).combine_chunks()
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def read_replayed(path: Path) -> Recorded:
    """Return what a run replays.

    Raises
    ------
    DataError
        The file is damaged, or none of a run.
    """
    try:
        with pa.OSFile(str(path), "rb") as source:
            table = pa.ipc.open_file(source).read_all()
        table.validate(full=True)
        about = json.loads((table.schema.metadata or {})[_KEY])
        draws = table[DRAWS].to_pylist()
        places = {place: row for row, own in enumerate(draws) for place in own}
        drawn = [places[place] for place in range(sum(map(len, draws)))]
        if not {"key", "steps", "facts", "commit", "digest"} <= about.keys() or not all(draws):
            raise ValueError("it does not say of which run it is")
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise DataError(
            "is no record of replayed rows, or damaged",
            where=str(path),
            got=str(error).split("\n", 1)[0][:200],
            hint="start the run again with --force",
        ) from None
    groups, logits = (table[name].combine_chunks() if name in table.column_names else None for name in (_GROUP, LOGITS))
    rows = table.drop_columns([name for name in _OWN if name in table.column_names]).replace_schema_metadata(None)
    return Recorded(rows, drawn, about, pa.nulls(rows.num_rows, pa.string()) if groups is None else groups, logits)
