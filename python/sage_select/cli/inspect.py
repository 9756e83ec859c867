"""`sage-select inspect`: what rows are like, and some as a trainer sees them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from sage_select.cli.build_options import RUNNING, with_options
from sage_select.cli.build_table import Table
from sage_select.cli.console import Console
from sage_select.cli.without_pandas import load_pyarrow
from sage_select.display import counted, displayed
from sage_select.errors import UsageError

if TYPE_CHECKING:
    from sage_select.inspection import Inspection, ShownRow

__all__ = ["INSPECT_HELP", "inspect", "inspect_options"]

INSPECT_HELP = """Say what is recognised of rows, count them by kind, and show three as a trainer sees them.

\b
It reads all of INPUT, as a build does, and writes nothing. Lines that begin with > are what a model learns to say; all
else is context. With --model the rows are as its chat template writes them, cut to its context as sage-train cuts them.

\b
Examples:
  sage-select inspect                                  # the demo data
  sage-select inspect chats.jsonl
  sage-select inspect q.csv --prompt-column Query --completion-column Tool --show 5
  sage-select inspect chats.jsonl --model ./model
  zcat rows.gz | sage-select inspect - --json

\b
Exit codes: 0 done, 2 bad arguments or no known shape, 3 refused data, 5 environment.
"""

#: Lines of a part of a row, and characters of a line, that are shown.
_LINES: Final = 12
_LENGTH: Final = 400
_TYPE: Final = 60
_NAMED_COLUMNS: Final = 40


_HOW: Final = "Inspection"
#: The settings of the source that are about more than reading.
_NOT_READING: Final = ("id_column", "on_bad_row", "max_bad")

#: The options that set nothing of the source: name -> annotation and default.
INSPECTING: Final[Mapping[str, tuple[Any, Any]]] = {
    "show": (Annotated[int, typer.Option(help="How many rows to show.", min=0, max=100, rich_help_panel=_HOW)], 3),
    "model": (
        Annotated[
            str | None,
            typer.Option(
                help="A model (path or repository): rows are shown as its chat template writes them.",
                rich_help_panel=_HOW,
            ),
        ],
        None,
    ),
    **{name: RUNNING[name] for name in ("verify", "json_output", "quiet")},
}


def inspect_options(table: Table) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that gives `inspect` its options: those of the source of a build, as they are declared."""
    flags = [flag for flag in table.flags if flag.stage == "source" and flag.setting not in _NOT_READING]
    return with_options(flags, INSPECTING)


def inspect(
    settings: dict[str, dict[str, Any]], *, show: int, model: str | None, verify: bool, json_output: bool, quiet: bool
) -> None:
    """Say what rows are like."""
    load_pyarrow()
    from sage_select import io
    from sage_select.inspection import inspect as found_in
    from sage_select.inspection import shown_rows
    from sage_select.inspection.measure import columns_of
    from sage_select.pipeline.run import Recorder, Run
    from sage_select.stages import Source

    console = Console(quiet=quiet, json_output=json_output)
    given = settings["source"]
    if given["path"] is None:
        console.notice("no input named: using the built-in demo data")
        given["demo"] = True
    source = Source.make(**given)
    renderer = None if model is None else _renderer(model)
    rows = source.read(Run([source], 0, Recorder(console), verify=verify))
    if not isinstance(rows, io.Rows):
        raise RuntimeError("a source that is read has rows")
    columns = columns_of(rows.table, None)
    console.known({"columns": columns})
    try:
        found = found_in(rows, source.shape_options, console)
    except UsageError:
        console.answer("\n".join(_columns(columns)))
        raise
    shown = list(shown_rows(found, show, renderer))
    console.answer("\n".join(map(displayed, [*_facts(found), *(line for row in shown for line in _shown(row))])))
    for text in renderer.notices if renderer is not None else ():
        console.notice(text)
    console.result({**found.as_dict(), "shown": [asdict(row) for row in shown]})


def _renderer(model: str) -> Any:
    """Return what renders rows for a model as `sage-train` does, where nothing else is said."""
    from sage_select.train.base_model import open_renderer
    from sage_select.train.config import TrainConfig

    return open_renderer(TrainConfig(model=model))


def _facts(found: Inspection) -> Iterator[str]:
    """Yield what rows are like, line by line."""
    facts = found.as_dict()
    columns = f"({', '.join(found.shape.columns)})"
    yield f"{found.rows.source}: {counted(found.read, 'row')}, read as {found.shape.name} {columns}"
    yield ""
    yield from _columns(facts["columns"])
    yield ""
    lines = {"words": _spread(facts["words"]) + f", {facts['words']['total']:,} in all"}
    if talk := facts["conversations"]:
        lines["turns"] = _spread(talk["turns"])
        lines["roles"] = ", ".join(f"{role} {count:,}" for role, count in talk["roles"].items())
        lines["tools"] = f"{counted(talk['with_tools'], 'row')} with tools, {talk['with_calls']:,} with calls"
    lines |= _kinds(found, facts["kinds"])
    width = max(map(len, lines))
    yield from (f"{name:<{width}}  {text}" for name, text in lines.items())
    bad = facts["kinds"]["cannot_be_used"]
    for kind, count in bad["kinds"].items():
        yield f"  {count:,} times: {kind}"
    for error in found.bad.first():
        yield f"  {error.where}: {error.message}"


def _kinds(found: Inspection, kinds: Mapping[str, Any]) -> dict[str, str]:
    """Return how many rows there are of each kind: what a build would leave out, and what it would keep."""
    blank, copies = kinds["nothing_to_train"], kinds["exact_copies"]
    return {
        "can be trained": counted(found.rows.table.num_rows - blank, "row"),
        "nothing to train": counted(blank, "row") + (" whose answer is missing or blank" if blank else ""),
        "exact copies": counted(copies, "row")
        + (" of those that can be trained, each of an earlier one" if copies else ""),
        "without words": counted(kinds["without_words"], "row"),
        "cannot be used": counted(len(found.bad), "row")
        + ("; --on-bad-row drop leaves them out of a build" if len(found.bad) else ""),
    }


def _columns(columns: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield a table of the columns."""
    columns = list(columns)
    rows = [("column", "type", "nulls", "read as")]
    for one in columns[:_NAMED_COLUMNS]:
        kind = one["type"] if len(one["type"]) <= _TYPE else one["type"][: _TYPE - 3] + "..."
        rows.append((displayed(one["name"]), displayed(kind), f"{one['nulls']:,}", displayed(one["read_as"] or "")))
    widths = [max(len(row[place]) for row in rows) for place in range(4)]
    for name, kind, nulls, part in rows:
        yield f"{name:<{widths[0]}}  {kind:<{widths[1]}}  {nulls:>{widths[2]}}  {part}".rstrip()
    if len(columns) > _NAMED_COLUMNS:
        yield f"and {len(columns) - _NAMED_COLUMNS:,} more columns"


def _spread(values: Mapping[str, float]) -> str:
    return f"{values['min']:,} to {values['max']:,} a row, the median {values['median']:,.4g}"


def _shown(row: ShownRow) -> Iterator[str]:
    """Yield a row as a trainer sees it."""
    place = f"row {row.row:,}" if row.row is not None else "a row"
    place += "" if row.line is None else f", line {row.line:,}"
    facts = [counted(row.words, "word")]
    if row.tokens is not None:
        facts.append(f"{row.tokens:,} tokens, of which {row.trained_tokens:,} are trained")
        if row.cut:
            facts.append(f"{row.cut:,} are cut" if row.tokens else f"too long: all {row.cut:,} are left out")
    yield ""
    yield f"{row.file or ''}, {place}: {', '.join(facts)}".removeprefix(", ")
    if row.refused is not None:
        yield f"  refused by the chat template: {row.refused}"
    width = max((len(piece.label) for piece in row.pieces), default=0)
    for piece in row.pieces:
        if not piece.trained and not piece.label and not piece.text.strip():
            continue  # line breaks between turns
        lines = piece.text.split("\n")
        for number, line in enumerate(lines[:_LINES]):
            text = line if len(line) <= _LENGTH else f"{line[:_LENGTH]}... ({len(line) - _LENGTH:,} more characters)"
            label = piece.label if number == 0 else ""
            yield f"{'>' if piece.trained else ' '} {label:<{width}}  {text}".rstrip()
        if len(lines) > _LINES:
            yield f"  {'':<{width}}  ... ({len(lines) - _LINES:,} more lines)"
