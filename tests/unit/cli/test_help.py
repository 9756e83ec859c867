"""The help of `build`: groups by stage, and defaults that are those of the declarations."""

from __future__ import annotations

import re
from typing import Any

import pytest
import typer

from sage_select.augmenters import AUGMENTERS
from sage_select.cli.build_table import build_table
from sage_select.cli.select import program
from sage_select.declare.settings import Settings
from sage_select.orders import ORDERS
from sage_select.pipeline import STAGES, Registry
from sage_select.strategies import STRATEGIES
from sage_select.strategies.objectives import OBJECTIVES

COMMAND: Any = typer.main.get_command(program()).commands["build"]  # type: ignore[attr-defined]
OPTIONS: dict[str, Any] = {parameter.opts[0]: parameter for parameter in COMMAND.params}
FLAGS = build_table().flags


def sections() -> dict[str, str]:
    text = COMMAND.get_help(typer.Context(COMMAND))
    parts = re.split(r"^(\S[^\n]*):\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=False))


def test_every_option_stands_in_a_group() -> None:
    found = sections()
    assert list(found)[:2] == ["Arguments", "Stage source"]
    assert " ".join(found["Other"].split()).endswith("--help Show this message and exit.")
    for parameter in OPTIONS.values():
        if parameter.param_type_name == "option" and parameter.name != "help":
            assert parameter.opts[0] in found[parameter.rich_help_panel]


@pytest.mark.parametrize("registry", [STRATEGIES, OBJECTIVES, ORDERS, AUGMENTERS], ids=lambda registry: registry.kind)
def test_options_stand_under_the_names_of_those_that_use_them(registry: Any) -> None:
    members = {name: member for name, member in registry.items() if name != "auto"}
    for flag in FLAGS:
        users = [name for name, member in members.items() if flag.setting in member.model_fields]
        if users and flag.group.startswith(registry.kind[:4].capitalize()) and len(users) < len(members):
            assert re.findall(r"[a-z_0-9]+", flag.group.partition(" ")[2].replace(" and ", " ")) == users


def test_every_flag_sets_its_setting_and_tells_its_default() -> None:
    owners: list[type[Settings]] = [member for registry in Registry.every for member in registry.values()]
    told = 0
    for flag in FLAGS:
        defaults = {
            repr(owner.model_fields[flag.setting].default)
            for owner in owners
            if flag.setting in owner.model_fields and flag.setting in STAGES[flag.stage].options()
        }
        assert defaults, flag
        default = re.search(r"\[default: ([^\],;]*)", flag.help)
        if default is not None and len(defaults) == 1 and defaults != {"None"} and flag.kind in ("int", "float"):
            told += 1
            assert default[1] == f"{float(defaults.pop()):g}", flag
    assert told >= 7


@pytest.mark.parametrize("name", [*STRATEGIES, *OBJECTIVES])
def test_the_help_says_what_another_order_of_the_rows_changes(name: str) -> None:
    lines = [line for line in (COMMAND.help or "").split("\n") if re.match(rf"  (.*, )?{name}(,|  )", line)]
    assert len(lines) == 1
    assert {**STRATEGIES, **OBJECTIVES}[name].another_order in lines[0]
