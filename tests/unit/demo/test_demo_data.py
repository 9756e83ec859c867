"""The shipped rows are what the generator makes, and what the package says they are."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from sage_select import demo

Row = dict[str, Any]
TYPES = {"string": str, "integer": int}


def calls(row: Row) -> list[tuple[str, dict[str, Any]]]:
    return [
        (call["function"]["name"], json.loads(call["function"]["arguments"]))
        for message in row["messages"]
        for call in message.get("tool_calls", [])
    ]


def opening(row: Row) -> str:
    return re.sub(r"\W|thanks", "", row["messages"][0]["content"].lower())


@pytest.fixture(scope="session")
def flaws() -> dict[str, Any]:
    return json.loads(demo.flaws_path().read_text(encoding="utf-8"))


def test_the_generator_makes_the_shipped_files(generator: Path, tmp_path: Path) -> None:
    command = [sys.executable, str(generator / "make_data.py"), "--output-dir", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)
    shipped = demo.rows_path().parent
    made = sorted(path.name for path in tmp_path.iterdir())
    assert made == sorted(path.name for path in shipped.iterdir())
    for name in made:
        fresh, old = (tmp_path / name).read_bytes(), (shipped / name).read_bytes()
        if name.endswith(".gz"):
            assert gzip.decompress(fresh) == gzip.decompress(old), name
        # zlib-ng, which some builds of Python use, packs the same text into other bytes.
        if not name.endswith(".gz") or "zlib-ng" not in zlib.ZLIB_RUNTIME_VERSION:
            assert fresh == old, name


def test_another_seed_makes_other_rows(generator: Path) -> None:
    from demo_text.rows import make_rows

    one, other, again = (make_rows(seed, train=40, heldout=8) for seed in (1, 2, 1))
    assert one == again
    assert one.train != other.train
    assert one.heldout != other.heldout


def test_counts_and_shares(train_rows: list[Row], heldout_rows: list[Row], flaws: dict[str, Any]) -> None:
    assert len(train_rows) == 900
    assert len(heldout_rows) == 240
    assert 0.10 <= len(flaws["duplicates"]) / len(train_rows) <= 0.14
    assert 0.06 <= len(flaws["mislabelled"]) / len(train_rows) <= 0.10
    for rows in (train_rows, heldout_rows):
        shares = Counter(row["task"] for row in rows)
        assert set(shares) == {"tool_selection", "planning", "timing"}
        assert min(shares.values()) >= 0.2 * len(rows)
        assert all(list(row) == ["id", "task", "messages", "tools"] for row in rows)
    ids = [row["id"] for row in train_rows + heldout_rows]
    assert len(set(ids)) == len(ids)


def test_duplicates_repeat_a_row_exactly_or_nearly(train_rows: list[Row], flaws: dict[str, Any]) -> None:
    by_id = {row["id"]: row for row in train_rows}
    exact = 0
    for copy_id, original_id in flaws["duplicates"].items():
        copied, original = by_id[copy_id], by_id[original_id]
        assert copied["messages"][1:] == original["messages"][1:]
        assert copied["tools"] == original["tools"]
        assert opening(copied) == opening(original)
        exact += copied["messages"] == original["messages"]
    assert 0.3 <= exact / len(flaws["duplicates"]) <= 0.7


def test_all_other_rows_differ(train_rows: list[Row], heldout_rows: list[Row], flaws: dict[str, Any]) -> None:
    firsts = [opening(row) for row in train_rows + heldout_rows if row["id"] not in flaws["duplicates"]]
    assert len(set(firsts)) == len(firsts)


def test_heldout_rows_are_unseen(train_rows: list[Row], heldout_rows: list[Row]) -> None:
    assert not {opening(row) for row in heldout_rows} & {opening(row) for row in train_rows}


def test_calls_are_of_offered_tools_with_valid_arguments(train_rows: list[Row], heldout_rows: list[Row]) -> None:
    for row in train_rows + heldout_rows:
        offered = {tool["function"]["name"]: tool["function"]["parameters"] for tool in row["tools"]}
        assert 3 <= len(offered) <= 5
        assert len(offered) == len(row["tools"])
        made = calls(row)
        assert made, row["id"]
        for name, arguments in made:
            schema = offered[name]
            assert set(schema["required"]) <= set(arguments) <= set(schema["properties"]), row["id"]
            for key, value in arguments.items():
                assert type(value) is TYPES[schema["properties"][key]["type"]], row["id"]


def test_tasks_have_their_shape(train_rows: list[Row], heldout_rows: list[Row]) -> None:
    waits = 0
    for row in train_rows + heldout_rows:
        roles = [message["role"] for message in row["messages"]]
        assert roles[:2] == ["user", "assistant"]
        called = [name for name, _ in calls(row)]
        if row["task"] == "planning":
            assert 2 <= len(called) <= 3
            assert "tool_calls" in row["messages"][1]
        else:
            assert len(called) == 1
        if row["task"] == "timing":
            waits += "tool_calls" not in row["messages"][1]
        else:
            assert "tool_calls" in row["messages"][1]
    timing = sum(row["task"] == "timing" for row in train_rows + heldout_rows)
    assert 0.5 <= waits / timing <= 0.9


def test_every_tool_is_called_in_both_sets(train_rows: list[Row], heldout_rows: list[Row]) -> None:
    used = [{name for row in rows for name, _ in calls(row)} for rows in (train_rows, heldout_rows)]
    assert used[0] == used[1]
    assert len(used[0]) >= 20


def test_mislabelled_rows_call_a_tool_that_their_request_does_not_name(
    train_rows: list[Row], flaws: dict[str, Any]
) -> None:
    """A call that fits takes its arguments from the dialogue; one that does not brings its own."""

    def grounded(row: Row) -> bool:
        said = " ".join(m["content"] or "" for m in row["messages"] if m["role"] != "assistant").lower()
        return all(str(value).lower() in said for _, arguments in calls(row) for value in arguments.values())

    wrong = set(flaws["mislabelled"])
    assert all(grounded(row) for row in train_rows if row["id"] not in wrong)
    assert sum(not grounded(row) for row in train_rows if row["id"] in wrong) >= 0.9 * len(wrong)
