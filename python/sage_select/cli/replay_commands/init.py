"""`sage-select replay init`: a new buffer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sage_select.cli.build_options import with_options
from sage_select.cli.console import Console
from sage_select.cli.groups import GroupedCommand
from sage_select.cli.replay_options import CODES, BufferFolder, Json, Quiet
from sage_select.cli.replay_table import replay_table
from sage_select.cli.subcommands import Subcommand
from sage_select.cli.without_pandas import load_pyarrow

__all__ = ["COMMAND", "init"]

_HELP: Final = f"""Make a replay buffer in a folder that is not there, or is empty.

What it is made with holds for good, but for its capacity (sage-select replay resize). Where the buffer is there
already, made with the same, nothing is done.

\b
Examples:
  sage-select replay init buffer
  sage-select replay init buffer --capacity 512 --policy balanced --draw by_group
  sage-select replay init buffer --policy loss_topk --outlier-guard 4 --score-half-life 10

\b
{CODES}
"""


def init(settings: Mapping[str, Mapping[str, Any]], *, buffer: Path, json_output: bool, quiet: bool) -> None:
    """Make a buffer."""
    load_pyarrow()
    from sage_select.paths import user_path
    from sage_select.replay import ReplayBuffer

    console = Console(quiet=quiet, json_output=json_output)
    made = ReplayBuffer.open(user_path(buffer), **settings["buffer"])
    own = made.settings.settings()
    console.summary("replay buffer", {"folder": buffer, **{name: str(value) for name, value in own.items()}})
    console.result({"buffer": str(buffer), "settings": own, "commit": made.commit})


COMMAND: Final = Subcommand(
    with_options(
        replay_table().made,
        {"buffer": (BufferFolder, ...), "json_output": (Json, False), "quiet": (Quiet, False)},
    )(init),
    _HELP,
    "Make a buffer.",
    GroupedCommand,
    place=1,
)
