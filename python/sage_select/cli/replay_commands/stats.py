"""`sage-select replay stats`: what a buffer is, in numbers."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from sage_select.cli.console import Console
from sage_select.cli.replay_options import CODES, BufferFolder, Json, Verify
from sage_select.cli.subcommands import Subcommand
from sage_select.cli.without_pandas import load_pyarrow

__all__ = ["COMMAND", "stats"]

_HELP: Final = f"""Say what a buffer is, in numbers: what was offered, what it retains, how it was made.

\b
Examples:
  sage-select replay stats buffer
  sage-select replay stats buffer --commit 3 --json

\b
{CODES}
"""


def stats(
    buffer: BufferFolder,
    commit: Annotated[int | None, typer.Option(help="An earlier commit. [default: the last]")] = None,
    verify: Verify = True,
    json_output: Json = False,
) -> None:
    """Print the numbers."""
    load_pyarrow()
    from sage_select.cli.replay_rows import opened

    console = Console(json_output=json_output)
    found = opened(buffer, verify=verify, commit=commit)
    facts = found.stats()
    said = {**facts, "settings": found.settings.settings(), "columns": found.schema.names}
    width = max(map(len, said))
    console.answer("\n".join(f"{name.replace('_', ' '):<{width}}  {_shown(value)}" for name, value in said.items()))
    console.result({"buffer": str(buffer), **said})


def _shown(value: Any) -> str:
    """Return a value in words."""
    from sage_select.display import displayed

    if isinstance(value, dict):
        return ", ".join(f"{displayed(str(name))} {_shown(one)}" for name, one in value.items())
    if isinstance(value, list):
        return ", ".join(displayed(str(one)) for one in value)
    return f"{value:,}" if type(value) is int else f"{value:.4g}" if isinstance(value, float) else displayed(str(value))


COMMAND: Final = Subcommand(stats, _HELP, "Say what a buffer is.", place=5)
