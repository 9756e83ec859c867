"""Rows of a query and the name of a tool become calls of it, with tools that do not tell which is right."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from sage_select.errors import DataError, UsageError
from sage_select.evaluate.tools_offered import read_tools, with_tools
from sage_select.render import Conversation, to_example
from sage_select.train import TrainConfig
from sage_select.train.selection import load_selection

TOOLS = {f"tool{i}": f"does {i}" for i in range(9)}
CONFIG = TrainConfig(model="m", prompt_column="Query", completion_column="Tool")


def tools(folder: Path, content: object = TOOLS) -> Path:
    path = folder / "tools.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_each_row_offers_its_tool_among_others(tmp_path: Path) -> None:
    rows = [{"Query": f"q{i}", "Tool": f"tool{i % 9}"} for i in range(90)]
    found = with_tools(load_selection(rows, CONFIG), read_tools(tools(tmp_path)), 4, "tools.json")
    places: Counter[int] = Counter()
    for row, given in zip(found, rows, strict=True):
        example = to_example(row.values, found.shape)
        assert isinstance(example, Conversation)
        assert [one["content"] for one in example.messages] == [given["Query"], ""]
        assert example.messages[1]["tool_calls"][0]["function"] == {"name": given["Tool"], "arguments": {}}
        names = [tool["function"]["name"] for tool in example.tools]
        assert len(set(names)) == 4
        places[names.index(given["Tool"])] += 1
        assert {tool["function"]["description"] for tool in example.tools} <= set(TOOLS.values())
    assert min(places[place] for place in range(4)) > 8
    again = with_tools(load_selection(rows, CONFIG), read_tools(tools(tmp_path)), 4, "tools.json")
    assert again.rows.table.equals(found.rows.table)
    every = with_tools(load_selection(rows[:1], CONFIG), read_tools(tools(tmp_path)), 50, "tools.json")
    assert len(json.loads(every.rows.table["tools"][0].as_py())) == 9


def test_what_is_refused(tmp_path: Path) -> None:
    one = read_tools(tools(tmp_path))
    with pytest.raises(DataError, match="the answer is the name of no tool") as error:
        with_tools(load_selection([{"Query": "q", "Tool": "tol1"}], CONFIG), one, 3, "tools.json")
    assert "did you mean 'tool1'" in str(error.value)
    with pytest.raises(UsageError, match="--tools is for rows of a prompt and the name of a tool"):
        with_tools(load_selection([{"text": "x"}], TrainConfig(model="m")), one, 3, "tools.json")
    for content, said in (
        ("{", "no JSON"),
        ("{}", "no tool"),
        ("[]", "no tool"),
        ([{"name": "a"}] * 2, "twice"),
        ("3", "cannot be read"),
    ):
        with pytest.raises(DataError, match=said):
            read_tools(tools(tmp_path, content))
    with pytest.raises(UsageError, match="no such file of tools"):
        read_tools(tmp_path / "none.json")


def test_metatool_is_read(shared_data: Path) -> None:
    folder = shared_data / "metatool"
    found = read_tools(folder / "tools.json")
    rows = load_selection(folder / "queries.csv", CONFIG)
    assert len(with_tools(rows.at(rows.order[:50]), found, 10, "tools.json")) == 50
