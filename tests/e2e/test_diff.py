"""`sage-select diff` says what differs, and from which stage on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from programs import Program

from sage_select.cli.select import main


@pytest.fixture
def diff(folder: Path, build: Program, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    rows = [
        {"text": f"row {row} says {row * row}\x1b[2J", "id": f"row-{row}", "lang": "ab"[row % 2], "loss": row % 7}
        for row in range(60)
    ]
    rows[9]["text"] = rows[8]["text"]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for name, options in (
        ("a", ["--budget", 12]),
        ("b", ["--budget", 6]),
        ("c", ["--budget", 12, "--seed", 1]),
        ("d", ["--budget", 12, "--lower-is-harder", "--no-rows"]),
    ):
        done = build("rows.jsonl", "--id-column", "id", "--score-column", "loss", "-o", f"{name}.arrow", *options)
        assert done.code == 0, done.err
    return Program("sage-select diff", main, capsys, monkeypatch)


def first(found: dict[str, Any]) -> tuple[str, str, str]:
    cause = found["causes"][0]
    return cause["stage"], cause["component"], cause["name"]


def test_two_selections(diff: Program) -> None:
    found = diff("a.arrow", "b.arrow", "--by", "lang", "--json").json
    assert found["compared"] == "selections"
    rows = found["rows"]
    assert (rows["a"], rows["b"], rows["input_both"]) == (12, 6, 60)
    assert rows["by_chance"] == pytest.approx(12 * 6 / 59), "a copy is no row to choose"
    assert len(found["only_a"]) == rows["only_a"] == 12 - rows["both"]
    assert first(found) == ("select", "settings", "budget")
    assert {one["value"] for one in found["groups"]["lang"]} == {"a", "b"}
    done = diff("a.arrow", "b.arrow", "--by", "lang")
    assert done.code == 0
    assert "another one, from select.budget on" in done.out
    assert "select.budget  12" in done.out
    assert "changes no row" in done.out
    assert "\x1b" not in done.out
    assert f"only in A: {rows['only_a']} rows; in B they are" in done.out
    assert "select: not selected" in done.out


@pytest.mark.parametrize(
    ("one", "two", "cause"),
    [
        ("a", "c", ("", "seed", "seed")),
        ("a", "d", ("score", "settings", "higher_is_harder")),
    ],
)
def test_the_first_cause(diff: Program, one: str, two: str, cause: tuple[str, str, str]) -> None:
    found = diff(f"{one}.arrow", f"{two}.arrow", "--json").json
    assert first(found) == cause
    assert found["fingerprints"][0] != found["fingerprints"][1]


def test_the_same_selection(diff: Program, build: Program, folder: Path) -> None:
    options = ["--id-column", "id", "--score-column", "loss", "--budget", 12]
    assert build("rows.jsonl", *options, "-o", "again.parquet", "--no-rows").code == 0
    found = diff("a.arrow", "again.parquet", "--json").json
    assert found["causes"] == []
    assert found["rows"]["jaccard"] == 1
    assert found["order"] == {"picks": 1, "training": 1}
    assert found["fingerprints"][0] == found["fingerprints"][1]
    out = diff("a.arrow", "again.parquet").out
    assert "would be found as the first" in out
    assert "only in" not in out.replace("only in A, 0 only in B", "")
    # The content of the input is a cause of its own.
    text = (folder / "rows.jsonl").read_text()
    (folder / "rows.jsonl").write_text(text + json.dumps({"text": "new", "id": "new", "loss": 99}) + "\n")
    assert build("rows.jsonl", *options, "-o", "more.arrow").code == 0
    found = diff("a.arrow", "more.arrow", "--json").json
    assert first(found) == ("source", "input", "source")
    assert [one["name"] for one in found["inputs"] if not one["same"]] == ["source"]
    assert "from the content of source on" in diff("a.arrow", "more.arrow").out


def test_selections_of_other_data(diff: Program, build: Program, folder: Path) -> None:
    (folder / "other.jsonl").write_text("".join(json.dumps({"text": f"other {row}"}) + "\n" for row in range(20)))
    assert build("other.jsonl", "-k", 3, "-o", "o.arrow").code == 0
    found = diff("a.arrow", "o.arrow", "--json").json
    assert found["rows"]["jaccard"] is None
    assert found["order"] == {"picks": None, "training": None}
    assert "selections from other data" in diff("a.arrow", "o.arrow").out


def test_specs(diff: Program, folder: Path) -> None:
    (folder / "one.yaml").write_text(
        "version: 1\nsteps:\n  - source: {path: rows.jsonl}\n  - select: {strategy: random}\n"
    )
    (folder / "two.toml").write_text(
        'version = 1\nseed = 1\n[[steps]]\nsource = {path = "rows.jsonl"}\n[[steps]]\ndedup = {mode = "none"}\n'
        '[[steps]]\nselect = {strategy = "random", budget = "10%"}\n'
    )
    found = diff("one.yaml", "two.toml", "--json").json
    assert found["compared"] == "specs"
    assert [(one["stage"], one["key"]) for one in found["spec"]["changes"]] == [("", "seed"), ("dedup", "mode")]
    assert "rows" not in found
    assert "dedup.mode  exact  none" in diff("one.yaml", "two.toml").out
    assert "the same pipeline" in diff("one.yaml", "one.yaml").out
    mixed = diff("a.arrow", "one.yaml")
    assert mixed.code == 0
    assert "select.strategy" in mixed.out
    assert diff("a.arrow", "one.yaml", "--by", "lang").code == 2


def test_what_cannot_be_compared(diff: Program, folder: Path) -> None:
    assert diff("a.arrow", "none.arrow").code == 2
    done = diff("a.arrow", "rows.jsonl")
    assert done.code == 2
    assert "rows.jsonl: is no selection" in done.err
    (folder / "bad.yaml").write_text("version: 2\nsteps: []\n")
    done = diff("bad.yaml", "a.arrow")
    assert done.code == 2
    assert "bad.yaml:1:10: version: expected 1, got 2" in done.err
    done = diff("a.arrow", "b.arrow", "--by", "long")
    assert done.code == 2
    assert "did you mean 'lang'" in done.err
    content = bytearray((folder / "b.arrow").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "b.arrow").write_bytes(content)
    assert diff("a.arrow", "b.arrow").code == 3
    (folder / "a.arrow.manifest.json").write_text("{}")
    assert diff("a.arrow", "c.arrow").code == 3
