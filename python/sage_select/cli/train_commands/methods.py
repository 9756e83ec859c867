"""`sage-train methods`: what can be compared."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from sage_select.cli.console import Console
from sage_select.cli.streams import emit
from sage_select.cli.subcommands import Subcommand
from sage_select.display import displayed

__all__ = ["COMMAND"]

_HELP: Final = """List the methods that `sage-train compare` knows, or show one as the file that it is.

A method is a file in YAML or TOML, named after it: the stages of `sage-select build` between source and sink, settings
of `sage-train`, and what it is compared with. Write one and name it with --method-file.

\b
Examples:
  sage-train methods
  sage-train methods B3 > mine.yaml                    # to begin a method of one's own with
  sage-train methods mine --method-file mine.yaml      # is it right?

\b
Exit codes: 0 done, 2 bad arguments.
"""


def methods(
    name: Annotated[str | None, typer.Argument(metavar="METHOD", help="The one to show.", show_default=False)] = None,
    method_file: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="A method of one's own.", show_default=False)
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print it as one JSON object on stdout.")] = False,
) -> None:
    """List methods, or show one."""
    from sage_select.declare.others import notices
    from sage_select.methods import CONTROLS, known_methods, left_out_methods, named_methods

    console = Console(json_output=json_output)
    for text in notices(iter(left_out_methods())):
        console.notice(text)
    known = known_methods(method_file or ())
    if name is not None:
        (one,) = named_methods([name], known)
        if json_output:
            console.result({"methods": {one.name: one.as_dict()}})
        else:
            emit(_yaml(one.as_dict()))
        return
    if json_output:
        console.result({"methods": {one.name: one.as_dict() for one in known.values()}})
        return
    width = max(map(len, known))
    lines = [
        f"{displayed(one.name):<{width}}  {displayed(one.summary)}"
        + ("" if one.control == "none" else f"; beside {CONTROLS[one.control]}")
        for one in known.values()
    ]
    emit("\n".join(lines) + "\n")


def _yaml(value: dict[str, Any]) -> str:
    from io import StringIO

    from ruamel.yaml import YAML

    stream = StringIO()
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.dump(value, stream)
    return stream.getvalue()


COMMAND: Final = Subcommand(methods, _HELP, "List the methods that can be compared.")
