"""`sage-select replay`: replay buffers, a command for each thing that can be done with one."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, Final

import typer

from sage_select.cli.groups import Program
from sage_select.cli.subcommands import subcommands

__all__ = ["REPLAY_HELP", "ReplayProgram", "replay_app"]

REPLAY_HELP: Final = """Keep a bounded memory of rows seen before, and replay some of them beside new ones.

\b
A buffer is a folder of immutable Arrow and Parquet files. A change is a commit, which is there as a whole or not at
all; one process writes at a time, and readers take no lock.

\b
Examples:
  sage-select replay init buffer --capacity 2048
  sage-select replay update buffer week1.jsonl
  sage-select build week2.jsonl --replay buffer --replay-ratio 1/4 -o mixed.arrow
  sage-select replay update buffer week2.jsonl
  sage-select replay stats buffer
"""


class ReplayProgram(Program):
    """The commands of replay buffers, none of which is loaded before it is asked for."""

    @property
    def commands(self) -> MutableMapping[str, Any]:
        """The commands, by name."""
        return dict(subcommands("sage_select.cli.replay_commands"))

    @commands.setter
    def commands(self, _given: object) -> None:
        """Pass over those that the parser was given: there are none."""


def replay_app() -> typer.Typer:
    """Return the program below `sage-select`."""
    return typer.Typer(
        cls=ReplayProgram,
        help=REPLAY_HELP,
        short_help="Keep rows seen before in a replay buffer, and replay some.",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
