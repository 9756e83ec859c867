"""`sage-select init`: a spec to begin with."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from sage_select.cli.console import Console
from sage_select.cli.without_pandas import load_pyarrow
from sage_select.errors import OutputError, ResourceError, UsageError

__all__ = ["INIT_HELP", "init"]

INIT_HELP = """Write a commented sage.yaml to begin with: every step and key with its help and default.

\b
It runs as it stands. With INPUT it reads those rows, and says which shape was recognised and what columns there are;
without, it reads the built-in demo data. An argument that ends in .yaml or .yml names the spec to write.

\b
Examples:
  sage-select init                                     # sage.yaml, which `sage-select build` then runs
  sage-select init chats.jsonl
  sage-select init data/*.parquet mine.yaml            # sage-select build --spec mine.yaml
  sage-select init chats.jsonl --schema                # and sage.schema.json beside it, for editors

\b
Exit codes: 0 done, 2 bad arguments, 3 refused data, 4 the spec exists already, 5 environment.
"""

_NAME: Final = "sage.yaml"
_ENDS: Final = (".yaml", ".yml")
#: Columns by which rows are named as a rule.
_IDS: Final = ("id", "row_id", "_id", "uuid", "uid", "example_id", "prompt_id")


def init(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="INPUT|SPEC",
            help="Files, folders or patterns with the rows, and the spec to write. [default: sage.yaml]",
            show_default=False,
        ),
    ] = None,
    schema: Annotated[
        bool,
        typer.Option("--schema", help="Write the JSON schema beside it, and tell editors of it in its first line."),
    ] = False,
    json_output: Annotated[bool, typer.Option("--json", help="Print the result as one JSON object on stdout.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")] = False,
) -> None:
    """Write a spec to begin with."""
    load_pyarrow()
    from sage_select.paths import user_path
    from sage_select.pipeline.spec.commented import commented_spec
    from sage_select.pipeline.spec.schema import json_schema

    console = Console(quiet=quiet, json_output=json_output)
    named = [one for one in arguments or () if one.endswith(_ENDS)]
    inputs = [one for one in arguments or () if not one.endswith(_ENDS)]
    toml = next((one for one in inputs if one.endswith(".toml")), None)
    if len(named) > 1 or toml is not None:
        got = toml or ", ".join(named)
        raise UsageError(
            "one spec is written, in YAML", expected="at most one name that ends in .yaml or .yml", got=got
        )
    spec = user_path(named[0] if named else _NAME)
    _refuse_existing(spec)
    beside = spec.with_suffix(".schema.json")
    text = json.dumps(json_schema(), indent=1, ensure_ascii=True) + "\n"
    if schema and os.path.lexists(beside) and _read(beside) != text:
        raise OutputError("exists already", where=str(beside), hint="remove it, or go without --schema")
    source: dict[str, Any] = {"demo": True}
    remarks: list[str] = []
    examples: dict[str, str] = {}
    if inputs:
        source = {"path": paths[0] if len(paths := _beside(inputs, spec.parent)) == 1 else paths}
        remarks, examples = _looked_at(inputs, console)
    written = commented_spec(source, remarks, examples, beside.name if schema else None)
    if schema and not os.path.lexists(beside):
        _write(beside, text)
    _write(spec, written)
    how = "sage-select build" if spec.name == _NAME and spec.parent == Path() else f"sage-select build --spec {spec}"
    facts = {
        "spec": str(spec),
        **({"schema": str(beside)} if schema else {}),
        "next": f"{how.replace(' build', ' plan', 1)}, and {how}",
    }
    console.summary("written", facts)
    found = {"spec": str(spec), "schema": str(beside) if schema else None, "source": source, "remarks": remarks}
    console.result(found)


def _refuse_existing(spec: Path) -> None:
    """Raise where the spec, or another one that would be run in its folder, is there."""
    from sage_select.pipeline.spec import find_spec

    if os.path.lexists(spec):
        raise OutputError("exists already", where=str(spec), hint="name another: sage-select init mine.yaml")
    other = find_spec(spec.parent) if spec.name in ("sage.yaml", "sage.yml") else None
    if other is not None:
        raise OutputError(
            "there is a spec in this folder already, and a build would not know which to run",
            where=str(other),
            hint="name another: sage-select init mine.yaml",
        )


def _beside(inputs: Sequence[str], folder: Path) -> list[str]:
    """Return the inputs as a spec in this folder names them: by the way from it, where they are named relatively."""
    from sage_select.display import is_url

    def place(text: str) -> str:
        fixed = is_url(text) or text.startswith("~") or Path(text).is_absolute() or text == "-"
        return text if fixed or folder == Path() else os.path.relpath(text, folder)

    return [place(text) for text in inputs]


def _looked_at(inputs: Sequence[str], console: Console) -> tuple[list[str], dict[str, str]]:
    """Return what the first rows of the inputs tell, in sentences, and keys of the source for whoever wants them."""
    from sage_select import io
    from sage_select.columns import PREFIX
    from sage_select.display import displayed, is_url
    from sage_select.render import detect_shape

    if any(is_url(text) or text == "-" for text in inputs):
        return ["Not looked at: what lies behind a URL, or is standard input, is read by a build."], {}
    found = io.estimate(list(inputs))
    table = found.sample.table
    rows = f"{'' if found.exact else 'about '}{found.rows:,} rows"
    columns = [name for name in table.column_names if not name.startswith(PREFIX)]
    try:
        shape = detect_shape(table.schema)
    except UsageError as error:
        text = f"the rows have no shape that is known: {rows}, {error.got}"
        console.notice(f"{text}; name their columns in the spec")
        return [displayed(f"{text}. Name text_column, prompt_column with completion_column, or a template.")], {}
    others = [name for name in columns if name not in shape.columns]
    beside = f"; other columns: {', '.join(others)}" if others else ""
    ids = next((name for name in others if name.lower() in _IDS and _names(table[name])), None)
    remark = displayed(f"Read as {shape.name} ({', '.join(shape.columns)}), {rows}{beside}.")
    return [remark], {} if ids is None else {"id_column": ids}


def _names(column: Any) -> bool:
    """Tell whether a column can name the rows: each has a value of its own."""
    import pyarrow as pa
    import pyarrow.compute as pc

    fits = pa.types.is_integer(column.type) or pa.types.is_string(column.type)
    return bool(fits) and column.null_count == 0 and int(pc.count_distinct(column).as_py()) == len(column)


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def _write(path: Path, text: str) -> None:
    """Write a file that is not there yet."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise OutputError("exists already", where=str(path)) from None
    except OSError as error:
        raise ResourceError("cannot be written", where=str(path), got=error.strerror) from None
