"""Help in groups: the options of a command stand under the stage that they are for, and cost little to show."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperGroup

__all__ = ["GroupedCommand", "Program"]


class GroupedCommand(TyperCommand):
    """A command whose help shows each option under its group, in the order in which groups first come.

    The group is the `rich_help_panel` of the option, which typer itself heeds only where rich writes the help.
    """

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments and the options, a section for each group."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is None:
                continue
            other = "Arguments" if parameter.param_type_name == "argument" else "Other"
            groups.setdefault(getattr(parameter, "rich_help_panel", None) or other, []).append(record)
        for name, records in groups.items():
            with formatter.section(name):
                formatter.write_dl(records)


class Program(TyperGroup):
    """A program of several commands whose help is light.

    Before it looks at its command, typer reads the program's own `--help`, which has no default, by a model of
    pydantic: loading that takes longer than all the rest of the help.
    """

    def get_help_option(self, ctx: Any) -> Any:
        """Return the option `--help`, which is off where it is not given."""
        option = super().get_help_option(ctx)
        if option is not None and option.default is None:
            option.default = False
        return option
