"""`sage-train`: it trains where no command is named, and otherwise does what the command says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sage_select.cli.subcommands import subcommands
from sage_select.cli.train_habits import TrainCommand
from sage_select.errors import UsageError, nearest

__all__ = ["TrainProgram"]


class TrainProgram(TrainCommand):
    """The command that trains, which hands over to another where the first word is the name of one."""

    @property
    def commands(self) -> Mapping[str, Any]:
        """The other commands, also for what completes words in a shell."""
        return subcommands("sage_select.cli.train_commands")

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Parse the words for the command that they are for.

        Raises
        ------
        UsageError
            The first word is the name of no command; training takes options alone.
        """
        first = args[0] if args else "-"
        if first in self.commands:
            return self.commands[first].make_context(f"{info_name} {first}", args[1:], parent, **extra)
        if not first.startswith("-"):
            raise UsageError(
                f"there is no command {first!r}",
                expected=f"{', '.join(self.commands)}, or options alone, to train",
                hint=nearest(first, self.commands) or f"`{info_name} --selection {first}` trains on a selection",
            )
        return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: Any) -> Any:
        """Call the command that the words are for."""
        return super().invoke(ctx) if ctx.command is self else ctx.command.invoke(ctx)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return what may follow the name of the program."""
        return ["[COMMAND]", *super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the other commands, then the options of training."""
        with formatter.section("Commands (without one: train)"):
            formatter.write_dl([(name, one.get_short_help_str(200)) for name, one in self.commands.items()])
        super().format_options(ctx, formatter)
