"""The help of `build`: groups by stage, and defaults that are those of the ops."""

from __future__ import annotations

import re
from typing import Any

import pytest
import typer

from sage_select.cli.select import app
from sage_select.ops import OBJECTIVES, OPS, STRATEGIES, Dedup, Embed, Select, Sink

COMMAND: Any = typer.main.get_command(app).commands["build"]  # type: ignore[attr-defined]
OPTIONS: dict[str, Any] = {parameter.name: parameter for parameter in COMMAND.params}
#: Option -> the op and field that it sets, where they have other names than the option.
FIELDS = {
    "output": (Sink, "path"),
    "dedup": (Dedup, "mode"),
    "dedup_threshold": (Dedup, "threshold"),
    "embeddings": (Embed, "file"),
}


def sections() -> dict[str, str]:
    text = COMMAND.get_help(typer.Context(COMMAND))
    parts = re.split(r"^(\S[^\n]*):\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=False))


def test_every_option_stands_in_a_group() -> None:
    found = sections()
    assert list(found)[:2] == ["Arguments", "Rows"]
    assert " ".join(found["Other"].split()).endswith("--help Show this message and exit.")
    for parameter in OPTIONS.values():
        if parameter.param_type_name == "option" and parameter.name != "help":
            assert parameter.opts[0] in found[parameter.rich_help_panel]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_options_of_one_strategy_stand_under_its_name(strategy: str) -> None:
    others = set().union(*(rule.options for name, rule in STRATEGIES.items() if name != strategy))
    for name in STRATEGIES[strategy].options - others:
        assert strategy in OPTIONS[name].rich_help_panel
    for rule in OBJECTIVES.values():
        assert {OPTIONS[name].rich_help_panel for name in rule.options} <= {OPTIONS["objective"].rich_help_panel}


def test_defaults_are_those_of_the_ops() -> None:
    told = 0
    for name, option in OPTIONS.items():
        default = re.search(r"\[default: ([^\],]*)", option.help or "")
        if default is None:
            continue
        op, field = FIELDS.get(name, (None, name))
        if op is None and name in Select.model_fields:
            op = Select
        if op is None:
            continue
        value = op.model_fields[field].default
        if value is None:  # the default is a rule, told in words
            continue
        told += 1
        expected = f"{value:g}" if isinstance(value, float) else str(value)
        assert default[1].startswith(expected), name
    assert told >= 14
    assert {"source", "select"} <= set(OPS)


@pytest.mark.parametrize("name", [*STRATEGIES, *OBJECTIVES])
def test_the_help_says_what_another_order_of_the_rows_changes(name: str) -> None:
    lines = [line for line in (COMMAND.help or "").split("\n") if re.match(rf"  (.*, )?{name}(,|  )", line)]
    assert len(lines) == 1
    assert {**STRATEGIES, **OBJECTIVES}[name].another_order in lines[0]
