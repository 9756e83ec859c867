"""`sage-select inspect` says what rows are like before anything is done with them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from programs import Program

from sage_select import demo
from sage_select.cli.select import main

ROWS: list[Any] = [
    {
        "messages": [{"role": "user", "content": "first\nline\u001b[2J"}, {"role": "assistant", "content": "yes"}],
        "id": 1,
    },
    {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "  "}], "id": 2},
    "no json",
    {"messages": [{"role": "nobody", "content": "hi"}], "id": 3},
    {
        "messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo"}],
        "tools": [{"name": "now"}],
    },
    {
        "messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo "}],
        "tools": [{"name": "now"}],
    },
    {
        "messages": [
            {"role": "user", "content": "!"},
            {"role": "assistant", "content": "not this", "weight": 0},
            {"role": "user", "content": "?"},
            {"role": "assistant", "tool_calls": [{"function": {"name": "now", "arguments": {"zone": "x"}}}]},
        ]
    },
]


@pytest.fixture
def inspect(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    text = "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in ROWS)
    (folder / "rows.jsonl").write_text(text)
    return Program("sage-select inspect", main, capsys, monkeypatch)


def test_rows_are_counted_by_kind(inspect: Program) -> None:
    found = inspect("rows.jsonl", "--json").json
    assert found["rows"] == 7
    assert found["shape"]["name"] == "messages"
    kinds = found["kinds"]
    assert kinds["cannot_be_used"]["rows"] == 2
    assert sum(kinds["cannot_be_used"]["kinds"].values()) == 2
    assert [one["line"] for one in kinds["cannot_be_used"]["first"]] == [3, 4]
    assert (kinds["nothing_to_train"], kinds["exact_copies"], kinds["without_words"]) == (1, 1, 0)
    assert found["conversations"] == {
        "roles": {"user": 6, "assistant": 6},
        "turns": {"min": 2, "median": 2, "max": 4, "total": 12},
        "with_tools": 2,
        "with_calls": 1,
    }
    columns = {one["name"]: one for one in found["columns"]}
    assert columns["messages"]["read_as"] == "messages"
    assert columns["id"] == {"name": "id", "type": "int64", "nulls": 3, "read_as": None}


def test_it_counts_what_a_build_leaves_out(inspect: Program, build: Program) -> None:
    kinds = inspect("rows.jsonl", "--json").json["kinds"]
    manifest = build("rows.jsonl", "--on-bad-row", "drop", "--max-bad", "50%", "-k", 1, "--json").json["manifest"]
    dropped = manifest["rows"]["dropped"]
    assert dropped["source: nothing to train"] == kinds["nothing_to_train"]
    assert dropped["dedup: exact copy"] == kinds["exact_copies"]
    bad = {f"source: {kind}": count for kind, count in kinds["cannot_be_used"]["kinds"].items()}
    assert bad.items() <= dropped.items()


def test_rows_are_shown_as_a_trainer_sees_them(inspect: Program) -> None:
    done = inspect("rows.jsonl")
    assert done.code == 0, done.err
    assert "\x1b" not in done.out
    lines = done.out.splitlines()
    assert "rows.jsonl: 7 rows, read as messages (messages, tools)" in lines
    assert "  user       first" in lines
    assert "             line\\x1b[2J" in lines
    assert "> assistant  yes" in lines
    assert "  assistant  not this" in lines
    assert '> assistant  calls now {"zone": "x"}' in lines
    assert "2 rows; --on-bad-row drop leaves them out of a build" in done.out
    assert "rows.jsonl, row 2, line 3: not JSON" in done.out
    assert "rows.jsonl, row 6, line 7: " in done.out
    assert "whole" not in inspect("rows.jsonl", "--show", 0).out
    assert "> " not in inspect("rows.jsonl", "--show", 0).out
    assert len(inspect("rows.jsonl", "--show", 100, "--json").json["shown"]) == 4


def test_what_a_model_sees_is_what_it_is_trained_on(inspect: Program) -> None:
    found = inspect("rows.jsonl", "--model", demo.model_path(), "--show", 9, "--json").json["shown"]
    assert all(row["trained_tokens"] > 0 for row in found)
    for row in found:
        assert 0 < row["trained_tokens"] < row["tokens"]
        trained = "".join(piece["text"] for piece in row["pieces"] if piece["trained"])
        context = "".join(piece["text"] for piece in row["pieces"] if not piece["trained"])
        assert "not this" not in trained
        assert "<|user|>" in context
        assert "<|user|>" not in trained
    assert "yes" in "".join(piece["text"] for piece in found[0]["pieces"] if piece["trained"])
    assert "tokens, of which" in inspect("rows.jsonl", "--model", demo.model_path()).out
    assert inspect("rows.jsonl", "--model", "none").code == 2


def test_other_shapes_and_several_files(inspect: Program, folder: Path) -> None:
    (folder / "q.csv").write_text("Query;Tool\nfind it;Search\nfind it;\n")
    done = inspect("q.csv")
    assert done.code == 2
    assert "Query   string" in done.out, "the columns are told all the same"
    assert "no shape that is known" in done.err
    failed = json.loads(inspect("q.csv", "--json").out)
    assert [one["name"] for one in failed["columns"]] == ["Query", "Tool"]
    done = inspect("q.csv", "--prompt-column", "Query", "--completion-column", "Tool")
    assert done.code == 0
    assert "> assistant  Search" in done.out
    with gzip.open(folder / "t.jsonl.gz", "wt") as file:
        file.write(json.dumps({"text": "\u4f60\u597d"}) + "\n")
    assert "> text  \u4f60\u597d" in inspect("t.jsonl.gz").out
    several = inspect("t.jsonl.gz", "t2.jsonl", "--json")
    assert several.code == 2
    (folder / "t2.jsonl").write_text(json.dumps({"text": "b"}) + "\n")
    found = inspect("t.jsonl.gz", "t2.jsonl", "--json").json
    assert {"name": "sage_source", "type": "string", "nulls": 0, "read_as": None} in found["columns"]


@pytest.mark.parametrize(
    ("content", "code"), [(b"", 3), (b"no json\n", 3), (b"\x00\x01", 3), (b'{"messages": [{"role": "x"}]}\n', 3)]
)
def test_what_cannot_be_read_is_told(inspect: Program, folder: Path, content: bytes, code: int) -> None:
    (folder / "bad.jsonl").write_bytes(content)
    done = inspect("bad.jsonl")
    assert done.code == code, done.err
    assert "Traceback" not in done.err
    assert inspect("none.jsonl").code == 2
    assert "read as messages" in inspect("--show", 0).out, "the demo data"


def test_real_rows(inspect: Program, shared_data: Path) -> None:
    found = inspect(shared_data / "chat_formats" / "glaive_sharegpt.json", "--json").json
    assert found["shape"]["name"] == "sharegpt"
    assert found["rows"] == 300
    assert found["kinds"]["exact_copies"] == 35
    words = found["words"]
    assert words["min"] <= words["median"] <= words["max"]
    assert np.isclose(words["total"] / 300, 262.8, atol=1)
