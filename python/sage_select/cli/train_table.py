"""The options of `sage-train` that are settings, and what other trainers call them, as the settings declare both.

`--help` must not load the declarations: it reads a table of them, which is written by `make generate` and held
current by a test.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Final, NamedTuple

from sage_select.cli.build_table import flags_of_members, others_declare
from sage_select.cli.flags import Flag, flags_of

__all__ = [
    "EVALUATORS_GROUP",
    "Alias",
    "TrainTable",
    "derived_train",
    "eval_flags",
    "flags_among",
    "train_table",
    "written_train",
]


_FILE: Final = Path(__file__).with_suffix(".json")
#: By what the options of evaluators are told apart from others of `sage-train eval`.
EVALUATORS_GROUP: Final = "evaluators"
#: Settings of training that count in an evaluation as well: the classes that declare them, less some.
_EVALUATED: Final = ("ModelSettings", "RowSettings")
_NOT_EVALUATED: Final = ("torch_compile", "on_lost_words", "on_bad_row", "max_bad", "max_dropped", "max_truncated")


class Alias(NamedTuple):
    """What another trainer calls a setting: which one, whether the name is TRL's, and the value that it says alone."""

    setting: str
    trl: bool
    value: str | None = None


class TrainTable(NamedTuple):
    """All options.

    Attributes
    ----------
    flags
        The options, in the order of the help.
    aliases
        What others type -> the setting.
    evaluation
        The options of `sage-train eval` that training has not: its own, and those of evaluators.
    """

    flags: list[Flag]
    aliases: dict[str, Alias]
    evaluation: list[Flag]


def train_table() -> TrainTable:
    """Return the table: as it was written, or derived where other packages declare members."""
    if others_declare():
        return derived_train()
    value = json.loads(_FILE.read_text(encoding="utf-8"))
    return TrainTable(
        [Flag(**flag) for flag in value["flags"]],
        {key: Alias(*one) for key, one in value["aliases"].items()},
        [Flag(**flag) for flag in value["evaluation"]],
    )


def flags_among(groups: Collection[str], names: Collection[str] = (), *, without: Collection[str] = ()) -> list[Flag]:
    """Return the options of some classes of settings, without some of them, and others by name."""
    return [
        flag
        for flag in train_table().flags
        if (flag.stage in groups and flag.setting not in without) or flag.setting in names
    ]


def eval_flags() -> list[Flag]:
    """Return the options of `sage-train eval`, its own first."""
    own = train_table().evaluation
    options = [flag for flag in own if flag.stage != EVALUATORS_GROUP]
    asking = [flag for flag in own if flag.stage == EVALUATORS_GROUP]
    return [*options, *flags_among(_EVALUATED, without=_NOT_EVALUATED), *asking]


def written_train(table: TrainTable) -> str:
    """Return a table as its file holds it."""
    value = {
        "flags": [flag._asdict() for flag in table.flags],
        "aliases": table.aliases,
        "evaluation": [flag._asdict() for flag in table.evaluation],
    }
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def derived_train() -> TrainTable:
    """Derive the table from the declarations."""
    from sage_select.cli.train_settings import groups
    from sage_select.declare import Choice
    from sage_select.declare.option import option_of
    from sage_select.evaluate.evaluator import AUTO, EVALUATORS
    from sage_select.evaluate.settings import EvalSettings
    from sage_select.train.settings.declared import Setting

    flags: list[Flag] = []
    for group in groups():
        flags += flags_of(group.__name__, group, group.summary())
        for name, choice in group.choices().items():
            flags += flags_of_members(group.__name__, name, choice)
    aliases: dict[str, Alias] = {}
    for group in groups():
        for name, info in group.options().items():
            option = option_of(info)
            if isinstance(option, Setting):
                for theirs in (*option.trl, *option.others, *option.words):
                    typed = theirs if theirs.startswith("-") else "--" + theirs.replace("_", "-")
                    aliases[typed] = Alias(name, theirs in option.trl, option.words.get(theirs))
    evaluation = [
        *flags_of("EvalSettings", EvalSettings, EvalSettings.summary()),
        *flags_of_members(EVALUATORS_GROUP, "evaluators", Choice(EVALUATORS, AUTO)),
    ]
    return TrainTable(flags, aliases, evaluation)
