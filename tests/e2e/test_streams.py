"""Several inputs, standard input and standard output, as a shell uses them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from programs import Program

_PROGRAM = "from sage_select.cli.select import main; main()"


@pytest.fixture
def rows(folder: Path) -> str:
    text = "".join(json.dumps({"text": f"row number {number}"}) + "\n" for number in range(30))
    (folder / "a.jsonl").write_text(text)
    return text


def run(folder: Path, *arguments: str, given: str | None = None) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-c", _PROGRAM, *arguments]
    return subprocess.run(command, cwd=folder, input=None if given is None else given.encode(), capture_output=True)


def test_rows_pass_through(folder: Path, rows: str) -> None:
    done = run(folder, "build", "-", "-k", "4", "--strategy", "random", "-o", "-", given=rows)
    assert done.returncode == 0, done.stderr
    table = pa.ipc.open_stream(done.stdout).read_all()
    assert table.num_rows == 4
    assert set(table["text"].to_pylist()) <= {f"row number {number}" for number in range(30)}
    assert b"<stdin>" in done.stderr
    assert [entry.name for entry in folder.iterdir()] == ["a.jsonl"]


def test_standard_output_takes_one_thing(rows: str, build: Program) -> None:
    done = build("a.jsonl", "-k", "4", "-o", "-", "--json")
    assert done.code == 2
    assert "standard output cannot take the rows" in json.loads(done.out)["error"]["message"]


def test_several_inputs_are_a_pool_to_balance(folder: Path, rows: str, build: Program) -> None:
    (folder / "b.csv").write_text("text\n" + "".join(f"csv row {number}\n" for number in range(20)))
    manifest = build("a.jsonl", "b.csv", "-k", "6", "--balance", "sage_source", "-o", "o.jsonl", "--json").json
    assert manifest["manifest"]["rows"]["in"] == 50
    made = [json.loads(line)["sage_source"] for line in (folder / "o.jsonl").read_text().splitlines()]
    assert sorted(made) == ["a.jsonl"] * 3 + ["b.csv"] * 3
    (folder / "s.yaml").write_text(
        "version: 1\nsteps:\n  - source: {path: [a.jsonl, b.csv]}\n"
        "  - select: {strategy: random, budget: 5}\n  - sink: {path: y.arrow}\n"
    )
    assert build("--spec", "s.yaml", "--json").json["manifest"]["rows"]["in"] == 50
    assert build("a.jsonl", "b.csv", "--dry-run").code == 0
    assert build("a.jsonl", "b.csv", "-k", "5", "-o", "b.csv", "--force").code == 2
