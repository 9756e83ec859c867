"""`sage-select build --dry-run`: what it prints, what it refuses, and how near it comes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
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


def test_the_plan_and_the_estimate_are_printed(folder: Path, rows: Path, build: Program) -> None:
    explained = build("rows.jsonl", "--explain")
    done = build("rows.jsonl", "--dry-run")
    assert done.code == 0, done.err
    assert done.out.partition("memory ")[0] == explained.out.partition("memory ")[0]
    assert "output  is not there yet\n" in done.out
    assert "rows       50 (JSON lines, read in whole), 5 kept\n" in done.out
    for word in ("memory", "available", "time", "source", "dedup", "embed", "select", "compare", "order", "sink"):
        assert re.search(rf"^{word} ", done.out, re.MULTILINE), word
    assert done.err == explained.err
    assert "no scores given" in done.err
    assert {path.name for path in folder.iterdir()} == {"rows.jsonl"}


def test_json(rows: Path, build: Program) -> None:
    said = build("rows.jsonl", "--dry-run", "--json", "--threads", "1").json
    assert said.keys() == {"ok", "plan", "spec", "explain", "output", "stages", "estimate", "notices"}
    found = said["estimate"]
    assert found.keys() == {"rows", "threads", "seconds", "stages", "peak", "limits", "fits", "would_fit"}
    assert found["rows"] == {
        "in": 50,
        "kept": 5,
        "kept_exact": True,
        "exact": True,
        "origin": "JSON lines, read in whole",
    }
    assert found["fits"] is True
    assert found["would_fit"] == []
    assert found["threads"] == 1
    assert [stage["name"] for stage in found["stages"]] == [
        "source",
        "dedup",
        "embed",
        "select",
        "compare",
        "order",
        "sink",
    ]
    assert found["peak"]["memory_bytes"] == max(stage["memory_bytes"] for stage in found["stages"])


def test_the_demo_data(folder: Path, build: Program) -> None:
    assert build("--dry-run", "--json").json["estimate"]["rows"]["in"] == 900


def test_mistakes(folder: Path, rows: Path, build: Program) -> None:
    (folder / "empty").mkdir()
    (folder / "sage.yaml").write_text(
        "version: 1\nsteps:\n  - source: {path: rows.jsonl}\n  - selct: {}\n  - sink: {}\n"
    )
    cases = [
        (["empty", "--dry-run"], 3, ["empty", "without a saved dataset"]),
        (["--spec", "sage.yaml", "--dry-run"], 2, ["sage.yaml", "selct"]),
        (["rows.jsonl", "--dry-run", "--text-column", "txt"], 2, ["txt"]),
        (["rows.jsonl", "--dry-run", "-o", "absent/out.arrow"], 5, ["absent"]),
        (["rows.jsonl", "--dry-run", "--budget", "51"], 2, ["51", "50"]),
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
    stages = {stage["name"]: stage["memory_bytes"] for stage in json.loads(free.stdout)["estimate"]["stages"]}
    # Bounds of all pairs of 20,000 rows take 0.8 GB: without them the rows fit.
    assert stages["select"] - stages["dedup"] > 800_000_000
    limit = addresses(free.stderr) + 400_000_000
    done = run(folder, "rows.parquet", "--dry-run", "--json", addresses=limit)
    assert done.returncode == 5, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["ok"], answer["error"]["class"]) == (False, "environment")
    said = answer["estimate"]
    assert said["fits"] is False
    own = next(one for one in said["limits"] if one["name"] == "RLIMIT_AS")
    assert own["bytes"] == limit < own["needed"]
    assert "--objective kcenter" in said["would_fit"]
    assert "more address space than there is" in done.stderr
    # What is refused does fail, and what is advised does not.
    assert run(folder, "rows.parquet", addresses=limit).returncode == 5
    assert run(folder, "rows.parquet", "--objective", "kcenter", addresses=limit).returncode == 0


def height(text: str, name: str = "VmHWM") -> int:
    match = re.search(rf"{name}:\s+(\d+) kB", text)
    assert match is not None, text
    return int(match[1]) * 1024


def addresses(text: str) -> int:
    return height(text, "VmPeak")


CASES = [
    "long.jsonl --strategy hybrid --score-mode top --objective kcenter",
    "long.parquet --strategy loss_topk",
    "long.csv --strategy loss_topk",
    "long.arrow --strategy loss_topk",
    "long.parquet --strategy diversity --embeddings v.npy --objective mmr",
    "short.parquet --strategy hybrid --budget 200",
]
LONG = 40_000


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """Return a folder with inputs, and the height of memory of a build of ten rows."""
    folder = tmp_path_factory.mktemp("inputs")
    long = pa.table({"text": [f"row {i} " * 60 for i in range(LONG)]})
    pa.parquet.write_table(long, folder / "long.parquet")
    pa.csv.write_csv(long, folder / "long.csv")
    with pa.ipc.new_file(folder / "long.arrow", long.schema) as writer:
        writer.write_table(long)
    (folder / "long.jsonl").write_text("".join(json.dumps(row) + "\n" for row in long.to_pylist()))
    pa.parquet.write_table(pa.table({"text": [f"row {i}" for i in range(9_000)]}), folder / "short.parquet")
    np.save(folder / "v.npy", np.random.default_rng(0).standard_normal((LONG, 256), np.float32))
    (folder / "ten.jsonl").write_text("".join(json.dumps({"text": f"row {i}"}) + "\n" for i in range(10)))
    return folder, height(run(folder, "ten.jsonl", "--strategy", "random", "-o", "ten.arrow").stderr)


@pytest.mark.parametrize("case", CASES)
def test_memory_is_estimated_within_a_factor_of_two(case: str, inputs: tuple[Path, int]) -> None:
    """Of what a build grows beyond one of ten rows."""
    folder, base = inputs
    said = json.loads(run(folder, *case.split(), "--dry-run", "--json").stdout)["estimate"]["peak"]["memory_bytes"]
    done = run(folder, *case.split(), "-o", f"{CASES.index(case)}.arrow")
    assert done.returncode == 0, done.stderr
    grown, estimated = height(done.stderr) - base, said - base
    assert grown > 40 * MIB
    assert 0.5 < estimated / grown < 2, (estimated / MIB, grown / MIB)
