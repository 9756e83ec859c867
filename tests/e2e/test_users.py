"""The ways of three users: somebody who fine-tunes, somebody in a notebook, somebody clumsy. The screen is read."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from programs import Done, Program

import sage_select
from sage_select import demo
from sage_select.cli import select

ROWS = [{"question": f"What is {i} and {i % 9}?", "answer": f"It is {i + i % 9}, as you see."} for i in range(120)]


@pytest.fixture
def rows(folder: Path) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


@pytest.fixture
def program(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    return Program("sage-select", select.main, capsys, monkeypatch)


@pytest.mark.train
def test_somebody_fine_tunes(folder: Path, rows: Path, build: Program, sage_train: Program) -> None:
    """Selects, trains, finds both done the second time, measures on rows of which some were trained."""
    shutil.copytree(demo.model_path(), folder / "model")
    built = build("rows.jsonl", "--budget", "25%", "-o", "out.arrow")
    assert built.code == 0, built.err
    assert "30 rows: 30 by diversity" in built.err
    assert "verdict" in built.err
    assert "cached" in build("rows.jsonl", "--budget", "25%", "-o", "out.arrow").err
    held_out = [
        *ROWS[:20],
        *({"question": f"Who is number {i}?", "answer": f"Somebody called {i}."} for i in range(12)),
    ]
    (folder / "held.jsonl").write_text("".join(json.dumps(row) + "\n" for row in held_out))
    run = [
        "--selection",
        "out.arrow",
        "--model",
        "model",
        "--max-steps",
        "2",
        "--batch-size",
        "4",
        "--output-dir",
        "run",
    ]
    trained = sage_train(*run, "--gradient-accumulation", "1", "--eval-data", "held.jsonl", "--eval-result", "r.json")
    assert trained.code == 0, trained.err
    picked = pa.ipc.open_file(folder / "out.arrow").read_all()
    common = sum(row["question"] in set(picked["question"].to_pylist()) for row in held_out)
    assert common
    assert f"{common} of {len(held_out)} held-out rows are among the trained rows" in trained.err
    assert f"measured on {len(held_out) - common} held-out rows" in trained.err
    assert "no turn of these rows calls a tool" in trained.err
    assert "30 of 30" in trained.err
    again = sage_train(*run, "--gradient-accumulation", "1")
    assert again.code == 0, again.err
    assert "already trained" in again.err
    ledger = (folder / "run" / "logs" / "consumed.jsonl").read_text()
    consumed = [json.loads(line)["rows"] for line in ledger.splitlines()]
    assert [row for step in consumed for row in step] == picked["sage_row_id"].to_pylist()[:8]


def test_somebody_in_a_notebook(folder: Path, rows: Path) -> None:
    frame = pl.read_ndjson(rows)
    with pytest.warns(sage_select.SageWarning, match="no scores given"):
        chosen = sage_select.select(frame, k=12)
    assert chosen.notices
    assert str(chosen) == "Selection(12 of 120 rows)"
    assert "<table>" in chosen._repr_html_()
    assert chosen.to_polars().equals(pl.DataFrame(chosen))
    assert [frame["question"][row] for row in chosen.table_indices.tolist()] == chosen.to_polars()["question"].to_list()
    vectors = np.random.default_rng(0).normal(size=(len(frame), 8)).astype(np.float32)
    rule = {"k": 5, "strategy": "diversity", "objective": "kcenter"}
    same = {
        tuple(sage_select.select(frame, embeddings=given, **rule).indices.tolist())
        for given in (vectors, vectors.tolist(), pl.Series(vectors.tolist()), pa.array(vectors.tolist()))
    }
    assert len(same) == 1
    chosen.write("picks.parquet")
    assert pl.read_parquet("picks.parquet")["question"].to_list() == chosen.to_polars()["question"].to_list()
    with pytest.raises(sage_select.OutputError, match="not an output of sage-select"):
        chosen.write("rows.jsonl", force=True)
    assert len(rows.read_text().splitlines()) == len(ROWS)


def mistakes() -> dict[str, tuple[list[str], int, list[str]]]:
    """Return what somebody types, the exit code, and what the screen must say."""
    return {
        "the input as output": (["build", "rows.jsonl", "-o", "rows.jsonl", "--force"], 2, ["rows.jsonl", "input"]),
        "a misspelt file": (["build", "row.jsonl"], 2, ["did you mean 'rows.jsonl'"]),
        "a misspelt option": (["build", "rows.jsonl", "--bugdet", "5"], 2, ["--bugdet", "--budget"]),
        "another program's option": (["build", "rows.jsonl", "--limit", "5"], 2, ["--budget"]),
        "a misspelt strategy": (["build", "rows.jsonl", "--strategy", "diversty"], 2, ["diversity"]),
        "a column that is not there": (["build", "rows.jsonl", "--score-column", "los"], 2, ["los", "question"]),
        "more than there is": (["build", "rows.jsonl", "-k", "500"], 2, ["120", "clamp"]),
        "an option that does nothing": (["build", "rows.jsonl", "--outlier-guard", "0.1"], 2, ["kcenter"]),
        "another format": (["build", "rows.jsonl", "-o", "picks.xlsx"], 2, [".arrow", ".parquet"]),
        "a folder that is not there": (["build", "rows.jsonl", "-o", "no/out.arrow"], 5, ["mkdir -p no"]),
        "an output that is there": (["build", "rows.jsonl", "-o", "notes.jsonl"], 4, ["--overwrite-foreign"]),
        "a damaged row": (["build", "torn.jsonl"], 3, ["line 61", "--on-bad-row drop"]),
        "the wrong command": (["select", "rows.jsonl"], 2, ["sage-select build"]),
    }


@pytest.mark.parametrize("mistake", mistakes())
@pytest.mark.parametrize("machine", [False, True])
def test_somebody_clumsy(mistake: str, machine: bool, folder: Path, rows: Path, program: Program) -> None:
    """Every mistake is answered with what to do; no traceback, no name of a class, and every file as it was."""
    (folder / "notes.jsonl").write_text('{"text": "mine"}\n')
    lines = rows.read_text().splitlines(keepends=True)
    (folder / "torn.jsonl").write_text("".join([*lines[:60], '{"question": "torn\n', *lines[60:]]))
    arguments, code, said = mistakes()[mistake]
    before = contents(folder)
    done: Done = program(*arguments, *(["--json"] if machine else []))
    assert done.code == code, done.err
    for words in said:
        assert words in done.err
    assert "Traceback" not in done.err
    assert "pydantic" not in done.err
    assert contents(folder) == before
    if machine:
        answer = json.loads(done.out)
        assert answer["ok"] is False
        assert answer["error"]["exit_code"] == code
        assert answer["error"]["message"]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_shell_pipe(folder: Path, rows: Path) -> None:
    """As the notebook's shell would: rows in at one end, rows out at the other, nothing left in the folder."""
    code = "from sage_select.cli.select import main; main()"
    command = [sys.executable, "-c", code, "build", "-", "-k", "5", "-o", "-", "-q"]
    done = subprocess.run(command, input=rows.read_bytes(), capture_output=True, check=True, env={**os.environ})
    assert pa.ipc.open_stream(done.stdout).read_all().num_rows == 5
    assert [path.name for path in folder.iterdir()] == ["rows.jsonl"]
