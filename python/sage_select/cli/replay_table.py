"""The options of `sage-select replay` that are declared elsewhere: those of buffers, and those of reading rows.

As of `build`, they are read from a table that `make generate` writes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final, NamedTuple

from sage_select.cli.build_table import flags_of_members, others_declare
from sage_select.cli.flags import Flag, flags_of, lowered

__all__ = ["ReplayTable", "derived_replay", "replay_table", "written_replay"]

_FILE: Final = Path(__file__).with_suffix(".json")
#: The settings of the source by which rows are read and named; which files these are is said by the command.
_READING: Final = {
    "text_column",
    "prompt_column",
    "completion_column",
    "template",
    "id_column",
    "on_bad_row",
    "max_bad",
    "encoding",
    "delimiter",
}


class ReplayTable(NamedTuple):
    """All such options.

    Attributes
    ----------
    made
        What a buffer is made with.
    reading
        How the rows of files are read and named.
    """

    made: list[Flag]
    reading: list[Flag]


def replay_table() -> ReplayTable:
    """Return the table: as it was written, or derived where other packages declare members."""
    if others_declare():
        return derived_replay()
    value = json.loads(_FILE.read_text(encoding="utf-8"))
    return ReplayTable(*([Flag(**flag) for flag in value[name]] for name in ReplayTable._fields))


def written_replay(table: ReplayTable) -> str:
    """Return a table as its file holds it."""
    value = {name: [flag._asdict() for flag in flags] for name, flags in table._asdict().items()}
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def _both(one: Flag, other: Flag) -> Flag:
    """Return the option of two members that call different things alike, such as a policy and an objective."""
    if (one.spelling, one.kind) != (other.spelling, other.kind):
        raise ValueError(f"{one.spelling} and {other.spelling} are typed differently")
    text = f"{one.group}: {lowered(one.help)} {other.group}: {lowered(other.help)}"
    return one._replace(group=f"{one.group}, {lowered(other.group)}", help=text, words=[], metavar=one.metavar)


def derived_replay() -> ReplayTable:
    """Derive the table from the declarations."""
    from sage_select.replay.settings import BufferSettings
    from sage_select.stages import Source

    made = {flag.setting: flag for flag in flags_of("buffer", BufferSettings, "Buffer")}
    for field, choice in BufferSettings.choices().items():
        for flag in flags_of_members("buffer", field, choice):
            made[flag.setting] = _both(made[flag.setting], flag) if flag.setting in made else flag
    return ReplayTable([*made.values()], list(flags_of("source", Source, "Reading rows", only=_READING)))
