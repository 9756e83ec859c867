"""`sage-select plan`: what a build would do, whatever of its inputs is there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from programs import Program

from sage_select.cli import select as program

ROWS = 50


@pytest.fixture
def plan(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    """Return `sage-select plan`."""
    return Program("sage-select plan", program.main, capsys, monkeypatch)


@pytest.fixture
def rows(folder: Path) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps({"text": f"row number {i}", "loss": i / 7}) + "\n" for i in range(ROWS)))
    return path


def test_every_stage_has_its_features_rows_memory_and_time(rows: Path, plan: Program, build: Program) -> None:
    said = plan("rows.jsonl", "--strategy", "hybrid", "--dedup", "near", "--json").json
    stages = {one["name"]: one for one in said["stages"]}
    assert list(stages) == ["source", "dedup", "embed", "dedup 2", "score", "select", "compare", "order", "sink"]
    assert stages["source"]["adds"] == {"contents": "string"}
    assert stages["embed"]["adds"] == {"vectors": "float32[384]"}
    assert stages["select"]["needs"] == {"scores": "float32", "vectors": "float32[384]"}
    assert stages["select"]["adds"] == {"gain": "float32", "rank": "int64", "reason": "string"}
    assert [one["rows_out"] for one in stages.values()] == [ROWS] * 5 + [5] * 4
    assert {one["cache"] for one in stages.values()} == {"computed"}
    assert all(one["memory_bytes"] > 0 for one in stages.values())
    assert said["output"] == "is not there yet"
    assert said["explain"][0].split() == ["source", "rows.jsonl"]
    built = build("rows.jsonl", "--strategy", "hybrid", "--dedup", "near", "--json").json
    assert (said["plan"], said["spec"]) == (built["manifest"]["plan"], built["manifest"]["spec"])


def test_three_spellings_say_the_same(rows: Path, plan: Program, build: Program) -> None:
    said = [
        done.out.partition("\n\nrows ")[0] + done.err
        for done in (plan("rows.jsonl"), build("rows.jsonl", "--explain"), build("rows.jsonl", "--dry-run"))
    ]
    assert said[0] == said[1] == said[2]
    assert re.search(
        r"^select +vectors +gain float32, .*  5 +\S+ [MG]iB +seconds$", plan("rows.jsonl").out, re.MULTILINE
    )
    assert {path.name for path in rows.parent.iterdir()} == {"rows.jsonl"}


def test_a_spec_stands_in_the_place_of_the_input(rows: Path, plan: Program, folder: Path) -> None:
    (folder / "mine.yaml").write_text(
        "version: 1\nsteps:\n- source: {path: rows.jsonl}\n- select: {strategy: random, budget: 7}\n- sink: {}\n"
    )
    named = plan("mine.yaml", "--json").json
    assert named["stages"][-1]["rows_out"] == 7
    assert plan("--spec", "mine.yaml", "--json").json["plan"] == named["plan"]
    assert plan("mine.yaml", "-k", "9", "--json").json["stages"][-1]["rows_out"] == 9
    (folder / "mine.yaml").rename(folder / "sage.yaml")
    assert plan("--json").json["plan"] == named["plan"]
    (folder / "sage.yaml").write_text("version: 1\nsteps:\n- sauce: {}\n")
    wrong = plan()
    assert (wrong.code, wrong.out) == (2, "")
    assert "sage.yaml:3:3" in wrong.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["rowz.jsonl"], "rowz.jsonl: no such file (did you mean 'rows.jsonl'?)"),
        (["n*.jsonl"], "n*.jsonl: no file matches the pattern"),
        (["s3://bucket/rows.jsonl"], "s3://bucket/rows.jsonl is fetched by a build alone"),
        (["-"], "standard input is read by a build alone"),
        (["rows.jsonl", "--scores", "scores.npy", "--strategy", "loss_topk"], "scores.npy: no such file"),
        (["rows.jsonl", "--holdout", "later.jsonl"], "later.jsonl: no such file"),
        (
            ["rows.jsonl", "--score-model", "./later", "--strategy", "loss_topk"],
            "./later: there is no such model folder",
        ),
    ],
)
def test_what_is_not_there_yet_is_planned_all_the_same(
    arguments: list[str], says: str, rows: Path, plan: Program
) -> None:
    done = plan(*arguments)
    assert done.code == 0, done.err
    assert re.search(rf"{re.escape(says)}( \(.*\))?: rows, memory and time are not known\n", done.err), done.err
    assert re.search(r"^stage +needs +adds( +cache)?$", done.out, re.MULTILINE)
    said = plan(*arguments, "--json").json
    assert said["estimate"] is None
    assert {one["rows_out"] for one in said["stages"]} == {None}
    assert any(one["name"] == "select" for one in said["stages"])


def test_it_tells_what_lies_where_it_would_write(rows: Path, plan: Program, build: Program, folder: Path) -> None:
    assert build("rows.jsonl").code == 0
    assert "is there, made by this plan: a build that finds its inputs unchanged does nothing" in plan("rows.jsonl").out
    assert "is there, made by another plan: --force replaces it" in plan("rows.jsonl", "-k", "3").out
    (folder / "mine.arrow").write_text("mine")
    foreign = plan("rows.jsonl", "-o", "mine.arrow")
    assert foreign.code == 4
    assert "mine.arrow" in foreign.err


@pytest.mark.train
def test_it_tells_what_the_cache_holds(rows: Path, plan: Program, build: Program, tiny_model: Path) -> None:
    scored = ("rows.jsonl", "--strategy", "loss_topk", "--score-model", str(tiny_model))

    def state(*more: str) -> tuple[str, int]:
        (score,) = [one for one in plan(*scored, *more, "--json").json["stages"] if one["name"] == "score"]
        return score["cache"], score["held_blocks"]

    assert state() == ("not held", 0)
    assert build(*scored).code == 0
    assert state() == ("held", 1)
    assert state("--no-cache") == ("not held", 0)
    assert state("--cache-dir", "elsewhere") == ("not held", 0)
    assert re.search(r"^score +scores float32 +1 block held ", plan(*scored, "-k", "3").out, re.MULTILINE)
