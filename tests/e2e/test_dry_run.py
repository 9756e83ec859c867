"""`sage-select build --dry-run`: what it prints, what it refuses, and how near it comes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from programs import Program

MIB = 1 << 20
_MAIN = """
import resource, sys
if limit := int(sys.argv.pop(1)):
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
from sage_select.cli.select import main
try:
    main()
finally:
    print(open("/proc/self/status").read(), file=sys.stderr)
"""


@pytest.fixture
def rows(folder: Path) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps({"text": f"row number {i}"}) + "\n" for i in range(50)))
    return path


def test_the_plan_and_the_forecast_are_printed(folder: Path, rows: Path, build: Program) -> None:
    explained = build("rows.jsonl", "--explain")
    done = build("rows.jsonl", "--dry-run")
    assert done.code == 0, done.err
    assert done.out.startswith(explained.out + "\n")
    assert "rows          50 (JSON lines, read in whole), 5 kept\n" in done.out
    assert "vectors       384 dimensions (hashing encoder)\n" in done.out
    for word in ("memory", "available", "time", "read", "ids", "exact copies", "embed", "select", "evidence", "write"):
        assert re.search(rf"^{word} ", done.out, re.MULTILINE), word
    assert done.err == explained.err
    assert "no scores given" in done.err
    assert {path.name for path in folder.iterdir()} == {"rows.jsonl"}


def test_json(rows: Path, build: Program) -> None:
    said = build("rows.jsonl", "--dry-run", "--json", "--threads", "1").json
    assert said.keys() == {"ok", "plan", "spec", "forecast", "notices"}
    found = said["forecast"]
    assert found["rows"] == {"in": 50, "kept": 5, "exact": True, "origin": "JSON lines, read in whole"}
    assert found["fits"] is True
    assert found["would_fit"] == []
    assert found["threads"] == 1
    assert [stage["name"] for stage in found["stages"]] == [
        "read",
        "ids",
        "exact copies",
        "embed",
        "select",
        "evidence",
        "write",
    ]
    assert found["memory"]["peak"] == max(stage["memory"] for stage in found["stages"])


def test_the_demo_data(folder: Path, build: Program) -> None:
    assert build("--dry-run", "--json").json["forecast"]["rows"]["in"] == 900


def test_mistakes(folder: Path, rows: Path, build: Program) -> None:
    (folder / "empty").mkdir()
    (folder / "sage.yaml").write_text(
        "version: 1\nsteps:\n  - source: {path: rows.jsonl}\n  - selct: {}\n  - sink: {}\n"
    )
    cases = [
        (["rowz.jsonl", "--dry-run"], 2, ["no such file", "rows.jsonl"]),
        (["empty", "--dry-run"], 3, ["empty", "without a saved dataset"]),
        (["--spec", "sage.yaml", "--dry-run"], 2, ["sage.yaml", "selct"]),
        (["rows.jsonl", "--explain", "--dry-run"], 2, ["--explain", "--dry-run"]),
        (["rows.jsonl", "--dry-run", "--text-column", "txt"], 2, ["txt"]),
        (["rows.jsonl", "--dry-run", "-o", "absent/out.arrow"], 5, ["absent"]),
        (["rows.jsonl", "--dry-run", "--budget", "51"], 2, ["51", "50"]),
        (["s3://bucket/rows.jsonl", "--dry-run"], 2, ["fetched"]),
    ]
    for arguments, code, words in cases:
        done = build(*arguments)
        assert done.code == code, (arguments, done.err)
        assert all(word in done.err for word in words), done.err
        assert done.out == ""


def run(folder: Path, *arguments: str, addresses: int = 0) -> subprocess.CompletedProcess[str]:
    """Run a build in a process that may have so many bytes of address space, 0 for any number."""
    command = [sys.executable, "-c", _MAIN, str(addresses), "build", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_what_does_not_fit_leaves_with_5(folder: Path) -> None:
    pa.parquet.write_table(pa.table({"text": [f"row {i}" for i in range(20_000)]}), folder / "rows.parquet")
    free = run(folder, "rows.parquet", "--dry-run", "--json")
    needed = json.loads(free.stdout)["forecast"]["memory"]["addresses"]
    # All pairs of 20,000 rows take 1.6 GB: without them the rows fit.
    limit = needed - 800_000_000
    done = run(folder, "rows.parquet", "--dry-run", "--json", addresses=limit)
    assert done.returncode == 5, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["ok"], answer["error"]["class"]) == (False, "environment")
    said = answer["forecast"]
    assert said["fits"] is False
    assert said["available"]["limit"] == "RLIMIT_AS"
    assert said["available"]["bytes"] == limit
    assert "--objective kcenter" in [one["what"] for one in said["would_fit"]]
    assert "more address space than there is" in done.stderr
    # What is refused does fail, and what is advised does not.
    assert run(folder, "rows.parquet", addresses=limit).returncode == 5
    assert run(folder, "rows.parquet", "--objective", "kcenter", addresses=limit).returncode == 0


def height(text: str) -> int:
    match = re.search(r"VmHWM:\s+(\d+) kB", text)
    assert match is not None, text
    return int(match[1]) * 1024


CASES = [
    "long.jsonl --strategy random",
    "long.jsonl --strategy hybrid --score-mode top --objective kcenter",
    "long.parquet --strategy loss_topk",
    "long.parquet --strategy diversity --embeddings v.npy --objective mmr",
    "short.parquet --strategy hybrid --budget 200",
]


@pytest.mark.parametrize("case", CASES)
def test_memory_is_foretold_within_a_factor_of_two(case: str, folder: Path) -> None:
    """Of what a build grows beyond one of ten rows; mapped files are resident where they were read."""
    long = pa.table({"text": [f"row {i} " * 60 for i in range(60_000)]})
    pa.parquet.write_table(long, folder / "long.parquet")
    (folder / "long.jsonl").write_text("".join(json.dumps(row) + "\n" for row in long.to_pylist()))
    pa.parquet.write_table(pa.table({"text": [f"row {i}" for i in range(9_000)]}), folder / "short.parquet")
    np.save(folder / "v.npy", np.random.default_rng(0).standard_normal((60_000, 256), np.float32))
    (folder / "ten.jsonl").write_text("".join(json.dumps({"text": f"row {i}"}) + "\n" for i in range(10)))
    said = json.loads(run(folder, *case.split(), "--dry-run", "--json").stdout)["forecast"]["memory"]
    empty = run(folder, "ten.jsonl", "--strategy", "random", "-o", "ten.arrow")
    done = run(folder, *case.split())
    assert done.returncode == 0, done.stderr
    base = height(empty.stderr)
    grown, foretold = height(done.stderr) - base, said["peak"] + said["mapped"] - base
    assert grown > 50 * MIB
    assert 0.5 < foretold / grown < 2, (foretold / MIB, grown / MIB)
