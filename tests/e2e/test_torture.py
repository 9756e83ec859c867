"""A seeded campaign of damaged files through every door: no signal, no internal error, no silent difference.

150 mutants as a rule; `make torture` takes 3,000 (SAGE_TORTURE), of other seeds with SAGE_TORTURE_SEED.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from campaign import Target, Worker, campaign
from mutants import damaged_json, forged_manifest

from sage_select import io

MUTANTS = int(os.environ.get("SAGE_TORTURE", "150"))

ROWS = [
    {
        "id": f"row {number}",
        "messages": [
            {"role": "user", "content": f"What is {number}, 東京 é?"},
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [
                    {"type": "function", "function": {"name": "f", "arguments": {f"p{number % 3}": number}}}
                ],
            },
            {"role": "tool", "content": str(number)},
            {"role": "assistant", "content": f"It is {number}."},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        "loss": number / 7,
        "kind": "abc"[number % 3],
    }
    for number in range(30)
]
JSONL = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS).encode()
CSV = b"prompt,completion\n" + b"".join(b'"say %d",it is %d\n' % (number, number) for number in range(30))
IDS = "".join(f"row {number}\n" for number in (3, 5)).encode()
SPEC = """version: 1
seed: 3
steps:
  - source: {path: rows.jsonl, id_column: id}
  - dedup: {mode: exact}
  - score: {column: loss}
  - select: {strategy: loss_topk, budget: 20%, quota: kind=1:4}
  - sink: {path: picks.arrow}
"""
TOML = """version = 1
seed = 3
[[steps]]
source = {path = "rows.jsonl"}
[[steps]]
select = {strategy = "random", budget = 5}
[[steps]]
sink = {path = "picks.arrow"}
"""
OUTPUTS = ("out.arrow", "out.parquet", "out.jsonl", "saved")


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    made = Worker(tmp_path_factory.mktemp("worker"))
    yield made
    assert made.stop() == 0


@pytest.fixture(scope="module")
def originals(worker: Worker, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return every file, sound: inputs in each format, outputs with all their parts, arrays."""
    folder = tmp_path_factory.mktemp("originals")
    (folder / "rows.jsonl").write_bytes(JSONL)
    (folder / "rows.jsonl.gz").write_bytes(gzip.compress(JSONL, mtime=0))
    (folder / "rows.json").write_text(json.dumps(ROWS))
    (folder / "rows.csv").write_bytes(CSV)
    table = io.from_object(ROWS).table
    pq.write_table(table, folder / "foreign.parquet")  # without the metadata of our own
    io.write(table, folder / "foreign.arrow", {})
    io.write(table, folder / "foreign.arrows", {})
    np.save(folder / "scores.npy", np.arange(30.0))
    np.save(folder / "vectors.npy", np.random.default_rng(0).normal(size=(30, 4)))
    (folder / "ids.txt").write_bytes(IDS)
    (folder / "s.yaml").write_text(SPEC)
    (folder / "s.toml").write_text(TOML)
    for name in OUTPUTS:
        done = worker(folder, built(name))
        assert done["code"] == 0, done
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def build(*arguments: str) -> list[str]:
    return ["sage-select", "build", *arguments, "-q"]


def built(name: str) -> list[str]:
    """Return the call that makes an output."""
    return build("rows.jsonl", "--strategy", "random", "-k", "9", "--id-column", "id", "-o", name)


def doors(name: str) -> list[list[str]]:
    """Return the calls that read rows."""
    return [
        build(name, "--strategy", "random", "-k", "3", "--dedup", "none", "-o", "picks.arrow"),
        build(name, "-o", "picks.jsonl"),
        ["sage-select", "build", name, "--dry-run", "-o", "picks.arrow"],
        ["select", name],
    ]


def own_doors(name: str) -> list[list[str]]:
    """Return the calls that read an output of ours."""
    top = ["sage-select", "top", name, "4", "-q", "-o", "picks.arrow"]
    return [*doors(name), top, ["sage-select", "why", name, "row 3"], ["train", name], built(name)]


@pytest.fixture(scope="module")
def targets(originals: dict[str, bytes]) -> dict[str, Target]:
    found = {
        f"input {name}": Target({name: originals[name]}, name, doors(name))
        for name in ("rows.jsonl", "rows.jsonl.gz", "rows.json", "rows.csv")
    }
    for name in ("foreign.parquet", "foreign.arrow", "foreign.arrows"):
        found[f"input {name}"] = Target({name: originals[name]}, name, doors(name))
    rows = {"rows.jsonl": JSONL}
    for name in OUTPUTS:
        outputs = [name, *(f"picks.arrow{end}" for end in ("", ".manifest.json")), "picks.jsonl"]
        own = rows | {part: data for part, data in originals.items() if part.startswith(name)}
        for part in own:
            if part == "rows.jsonl":
                continue
            inside = part == name or part.startswith(f"{name}/")
            calls = own_doors(name) if inside or "manifest" in part else own_doors(name)[4:6]
            damage = damaged_json if part.endswith(".json") else Target.damage
            found[f"own {part}"] = Target(own, part, calls, damage, True, outputs)
            if "manifest" in part:
                found[f"forged {part}"] = Target(own, part, own_doors(name), forged_manifest)
    for name, options in {
        "scores.npy": ["--strategy", "loss_topk", "--scores", "scores.npy"],
        "vectors.npy": ["--strategy", "diversity", "--embeddings", "vectors.npy"],
        "ids.txt": ["--strategy", "random", "--id-column", "id", "--pin", "ids.txt"],
    }.items():
        call = build("rows.jsonl", "-k", "3", "-o", "picks.arrow", *options)
        found[name] = Target({**rows, name: originals[name]}, name, [call, [*call, "--dry-run"]])
    for name in ("s.yaml", "s.toml"):
        call = ["sage-select", "build", "--spec", name]
        found[name] = Target({**rows, name: originals[name]}, name, [[*call, "--explain"], call, [*call, "--dry-run"]])
    return found


def test_damaged_files(targets: dict[str, Target], worker: Worker, tmp_path: Path) -> None:
    wrong = campaign(targets, worker, tmp_path, MUTANTS)
    assert not wrong, "\n".join(wrong)


@pytest.mark.train
def test_damaged_models(tiny_model: Path, worker: Worker, tmp_path: Path) -> None:
    files = {path.name: path.read_bytes() for path in tiny_model.iterdir() if path.is_file()}
    targets = {
        name: Target(
            files,
            name,
            [["weights", "."] if name == "model.safetensors" else ["tokens", "."]],
            damaged_json if name.endswith(".json") else Target.damage,
        )
        for name in sorted(files)
        if name != "generation_config.json"
    }
    wrong = campaign(targets, worker, tmp_path, max(30, MUTANTS // 10))
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("fault", ["exception", "abort", "difference", "exit 1"])
def test_the_campaign_sees_what_it_looks_for(fault: str, worker: Worker, tmp_path: Path) -> None:
    target = Target({"file": b"sound"}, "file", [["planted", "file", "sound", fault]], sealed=True)
    wrong = campaign({"planted": target}, worker, tmp_path, 3)
    assert wrong
    assert all("planted, mutant " in line and f"planted file sound {fault}" in line for line in wrong)
