"""The options of `sage-select replay` are those of the declarations."""

from __future__ import annotations

import re
from typing import Any

import pytest
import typer

from sage_select.cli.replay_table import replay_table
from sage_select.cli.select import program
from sage_select.cli.subcommands import subcommands
from sage_select.declare.option import option_of, spellings
from sage_select.replay.draws import DRAWS
from sage_select.replay.policies import POLICIES
from sage_select.replay.ratio import BASES
from sage_select.replay.settings import BufferSettings
from sage_select.stages import Source

COMMANDS: dict[str, Any] = dict(subcommands("sage_select.cli.replay_commands"))


def options(name: str) -> dict[str, Any]:
    return {option: one for one in COMMANDS[name].params for option in one.opts}


def test_every_setting_of_a_buffer_is_an_option_of_init() -> None:
    flags = {flag.setting: flag for flag in replay_table().made}
    typed = {
        name for name, info in BufferSettings.options().items() if spellings(name, option_of(info), info.annotation)
    }
    assert flags.keys() == typed
    assert {flag.spelling for flag in flags.values()} <= options("init").keys()
    assert flags["policy"].words == list(POLICIES)
    assert flags["draw"].words == list(DRAWS)


@pytest.mark.parametrize("registry", [POLICIES, DRAWS], ids=lambda registry: registry.kind)
def test_options_of_members_stand_under_their_names(registry: Any) -> None:
    flags = {flag.setting: flag for flag in replay_table().made}
    for name, member in registry.items():
        for setting in member.model_fields:
            assert re.search(rf"\b{name}\b", flags[setting].group), setting


def test_one_option_of_two_members_says_what_it_is_in_each() -> None:
    guard = next(flag for flag in replay_table().made if flag.setting == "outlier_guard")
    assert guard.group == "Policy loss_topk, objective kcenter"
    assert guard.help.startswith("Policy loss_topk: ")
    assert " Objective kcenter: " in guard.help


def test_rows_are_read_with_the_options_of_build() -> None:
    reading = {flag.setting for flag in replay_table().reading}
    # Which files these are is an argument, and the demo data is no reason for a buffer.
    assert reading == Source.model_fields.keys() - {"path", "demo"}
    for name in ("update", "mix"):
        assert {flag.spelling for flag in replay_table().reading} <= options(name).keys()


def test_the_words_of_mix_are_those_of_ratios() -> None:
    assert options("mix")["--basis"].metavar == f"[{'|'.join(BASES)}]"


def test_the_commands_come_in_the_order_of_their_use_and_have_help() -> None:
    assert list(COMMANDS)[:3] == ["init", "update", "draw"]
    group: Any = typer.main.get_command(program()).commands["replay"]  # type: ignore[attr-defined]
    assert list(group.commands) == list(COMMANDS)
    for name, command in COMMANDS.items():
        shown = command.get_help(typer.Context(command))
        assert "Examples:" in shown
        assert "Exit codes:" in shown
        assert f"sage-select replay {name}" in shown
