"""Rows of files for replay buffers, named as a build names them, and rows of buffers as outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from sage_select import io
from sage_select.cli.console import Console
from sage_select.cli.standard_output import written
from sage_select.columns import PARENT, PREFIX, Origin
from sage_select.display import counted
from sage_select.engine import Outcome
from sage_select.errors import UsageError, nearest
from sage_select.io.commit.names import OutputNames
from sage_select.io.output.target import check_target, preflight_output
from sage_select.io.source.opened import Input
from sage_select.paths import output_path, streamed_end, user_path
from sage_select.pipeline.run import Recorder, Run
from sage_select.render import Shape, detect_shape
from sage_select.replay import ReplayBuffer
from sage_select.stages import Source
from sage_select.stages.inputs.ids import row_ids
from sage_select.values.location import InputSetting

__all__ = [
    "buffer_input",
    "column_of",
    "condition",
    "ids_in",
    "new_rows_of",
    "not_replayed",
    "opened",
    "write_rows",
    "written_target",
]

_ID: Final = "sage_row_id"
_ORIGIN: Final = "sage_origin"
#: Files of ids, one a line; all others hold rows.
_ID_LISTS: Final = (".txt", ".ids")


def opened(folder: Path, *, verify: bool = True, commit: int | None = None) -> ReplayBuffer:
    """Return the buffer of a folder, which must be there."""
    return ReplayBuffer.open(user_path(folder), create=False, verify=verify, commit=commit)


def buffer_input(folder: Path) -> InputSetting:
    """Return what an output must not take the place of."""
    return InputSetting("the buffer", "buffer", str(folder))


def new_rows_of(
    files: Sequence[str], reading: Mapping[str, Any], buffer: ReplayBuffer, console: Console, *, verify: bool
) -> tuple[pa.Table, pa.Table]:
    """Return the rows of files as a buffer takes them, and all their columns.

    Rows are read, checked and named as by a build: by their `sage_row_id` or the column that is named, else by what
    they say. What an earlier selection told of them (`sage_` columns) is not stored, but for whose children they are.

    Raises
    ------
    UsageError, DataError
        As a build says.
    """
    source = Source.make(path=list(files), **reading)
    run = Run((source,), 0, Recorder(console), verify=verify)
    rows = source.read(run)
    if not isinstance(rows, io.Rows):
        raise RuntimeError("files hold rows")
    column, known = buffer.settings.id_column, buffer.schema.names
    named = source.id_column or column
    if _is_recognised(rows, source) or named not in rows.table.column_names:
        data = source.dataset(rows, run)
        for cause, count in data.lineage.counts().items():
            console.notice(f"{counted(count, 'row')} left out: {cause.reason}")
        if data.rows is None:
            raise RuntimeError("files hold rows")
        rows, ids = data.rows, data.ids
    elif len(rows.bad):
        raise rows.bad.error(rows.table.num_rows, rows.source, None)
    else:
        # Rows of any kind, such as those of a classifier, where they have names.
        ids, _ = row_ids(rows, Shape("rows", {}, ()), named)
    table = rows.table
    stored = table.select([name for name in table.column_names if not name.startswith(PREFIX)])
    parents = io.parent_ids(table)
    if PARENT in known or (known == [column] and parents.null_count < len(parents)):
        stored = stored.append_column(PARENT, parents)
    return (stored.append_column(_ID, ids) if column == _ID else stored), table


def _is_recognised(rows: io.Rows, source: Source) -> bool:
    try:
        detect_shape(rows.table.schema, source.shape_options)
    except UsageError:
        return False
    return True


def column_of(table: pa.Table, name: str | None) -> pa.Array | None:
    """Return a column, None where none is named.

    Raises
    ------
    UsageError
        There is no such column.
    """
    if name is None:
        return None
    if name not in table.column_names:
        raise UsageError(
            f"there is no column {name!r}",
            expected=", ".join(table.column_names)[:200],
            hint=nearest(name, table.column_names),
        )
    return table[name].combine_chunks()


def not_replayed(table: pa.Table, scores: pa.Array | None) -> pa.Array:
    """Return which rows are offered, boolean (n,): rows that an output has from a buffer need a new score for that."""
    n = table.num_rows
    if _ORIGIN not in table.column_names or not pa.types.is_string(table.schema.field(_ORIGIN).type):
        return pa.repeat(pa.scalar(True), n)
    scored = pa.repeat(pa.scalar(False), n) if scores is None else pc.is_valid(scores)
    others = pc.fill_null(pc.not_equal(table[_ORIGIN].combine_chunks(), Origin.REPLAY), True)
    return pc.or_(others, scored)


def ids_in(file: Path, buffer: ReplayBuffer, console: Console, *, verify: bool) -> pa.Array:
    """Return the ids that a file lists, one a line (.txt, .ids), or those of the rows that it holds."""
    if file.name.lower().endswith(_ID_LISTS):
        found = io.read_id_list(Input(user_path(file), str(file), hold=False))
        return pa.array(found.ids, pa.string())
    stored, _ = new_rows_of([str(file)], {}, buffer, console, verify=verify)
    return stored[buffer.settings.id_column].combine_chunks().cast(pa.string())


def written_target(
    output: str, inputs: Sequence[InputSetting], *, force: bool, overwrite_foreign: bool, anew: bool = False
) -> None:
    """Refuse an output before anything is done for it; where it is made `anew`, one that is there as well."""
    if streamed_end(output) is not None:
        return
    target = output_path(output)
    form = preflight_output(target, inputs, force=force, overwrite_foreign=overwrite_foreign)
    if anew:
        check_target(OutputNames(target), form, force=force, overwrite_foreign=overwrite_foreign)


def write_rows(
    table: pa.Table,
    output: str,
    console: Console,
    manifest: Mapping[str, Any],
    *,
    force: bool,
    overwrite_foreign: bool,
    fingerprint: str | None = None,
) -> Outcome:
    """Write rows of a buffer with a manifest, all of it or nothing.

    Parameters
    ----------
    table
        The rows.
    output
        Where, as the user named it.
    console
        Who talks meanwhile.
    manifest
        What is said of the rows.
    force, overwrite_foreign
        What may be replaced, as of a build.
    fingerprint
        What names them; an output that has it is not written again. None for rows that are never the same.
    """
    shape = _shape_of(table)
    said = {**manifest, **({} if shape is None else {"shape": shape}), "fingerprint": fingerprint}

    def write(path: str) -> Outcome:
        target = output_path(path)
        cached = fingerprint is not None and io.existing(target, fingerprint)
        if not cached:
            io.write(table, target, said, force=force, overwrite_foreign=overwrite_foreign)
        return Outcome(target, OutputNames(target).manifest, io.read_manifest(target) or {}, cached)

    return written(output, console, write)


def _shape_of(table: pa.Table) -> dict[str, Any] | None:
    """Return how rows are read, where that is known from their columns."""
    try:
        return detect_shape(table.schema).to_dict()
    except UsageError:
        return None


def condition(text: str, table: pa.Table) -> pc.Expression:
    """Return the condition that a column has a value, from `column=value`.

    Raises
    ------
    UsageError
        It is none, there is no such column, or the value is none of its type.
    """
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise UsageError("no condition", expected="column=value, such as user=u17", got=text[:80])
    kind = table.schema.field(name).type if name in table.column_names else None
    if kind is None:
        raise UsageError(f"there is no column {name!r}", got=text[:80], hint=nearest(name, table.column_names))
    try:
        return pc.field(name) == pa.scalar(value).cast(kind)
    except (pa.ArrowException, NotImplementedError):
        raise UsageError(f"the column {name!r} has no such values", expected=str(kind), got=value[:80]) from None
