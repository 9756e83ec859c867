"""Several processes share the forward passes of each step: the same rows in the same steps, and the same adapter."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sage_select import ReplayBuffer
from sage_select.errors import UsageError
from sage_select.train import TrainConfig, train
from sage_select.train.processes import ALONE, Processes, launched

SCRIPT = """
import json, sys
from sage_select.train import TrainConfig, train
runs, rows = json.loads(sys.argv[1])
for settings in runs:
    print("RESULT", train(rows, TrainConfig(**settings)).adapter_digest, flush=True)
"""
TORCHRUN = {
    "WORLD_SIZE": "3",
    "RANK": "1",
    "LOCAL_RANK": "1",
    "MASTER_ADDR": "127.0.0.1",
    "MASTER_PORT": "29500",
}


def in_two(runs: list[dict[str, Any]], rows: list[dict[str, Any]], script: Path) -> subprocess.CompletedProcess[str]:
    script.write_text(SCRIPT)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [*launcher, str(script), json.dumps([runs, rows])]
    return subprocess.run(command, capture_output=True, text=True, env=environment)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.train
def test_two_processes_train_what_one_does(shared_model: Path, tmp_path: Path) -> None:
    rows = [
        {"prompt": f"find {n}", "completion": "hotel city " * (1, 4, 24, 2, 9)[n % 5], "sage_row_id": f"r{n}"}
        for n in range(7)
    ]
    settings: dict[str, Any] = {
        "model": str(shared_model),
        "lora_r": 2,
        "lora_dropout": 0.0,
        "batch_size": 2,
        "gradient_accumulation": 2,  # the last step has two forward passes, of which one is of one row
        "max_steps": 4,
        "save_steps": 2,
    }
    # Rows are measured in three forward passes, so that one process has one more than the other.
    paced = {**settings, "curriculum": "self_paced", "rounds": 2, "batch_size": 3, "gradient_accumulation": 1}
    # Two buffers that are alike, since the rows of a run are offered to its own.
    ReplayBuffer.open(tmp_path / "buffer").update([{**row, "sage_row_id": f"old-{row['sage_row_id']}"} for row in rows])
    shutil.copytree(tmp_path / "buffer", tmp_path / "buffer-two")
    plain = {**settings, "replay": str(tmp_path / "buffer"), "replay_ratio": "1/2"}
    runs = {"plain": plain, "paced": paced}
    alone = {name: train(rows, TrainConfig(**one, output_dir=tmp_path / name)) for name, one in runs.items()}
    shared = {**plain, "replay": str(tmp_path / "buffer-two"), "output_dir": str(tmp_path / "plain-two")}
    both = in_two([shared, {**paced, "output_dir": str(tmp_path / "paced-two")}], rows, tmp_path / "script.py")
    assert both.returncode == 0, both.stderr[-3000:]
    for name, result in alone.items():
        assert both.stdout.count(f"RESULT {result.adapter_digest}") == 2, name
    one, two = (lines(tmp_path / name / "logs" / "consumed.jsonl") for name in ("plain", "plain-two"))
    assert [step["rows"] for step in one] == [step["rows"] for step in two]
    assert two[0]["losses"] == pytest.approx(one[0]["losses"], rel=1e-5)
    assert any(row.startswith("old-") for step in two for row in step["rows"])
    buffers = [ReplayBuffer.open(tmp_path / name, create=False) for name in ("buffer", "buffer-two")]
    assert buffers[0].commit == buffers[1].commit == 2
    assert buffers[0].ids().equals(buffers[1].ids())
    one_paced, two_paced = (lines(tmp_path / name / "logs" / "rounds.jsonl") for name in ("paced", "paced-two"))
    assert [line["rows"] for line in two_paced] == [line["rows"] for line in one_paced]
    assert two_paced[0]["losses"] == pytest.approx(one_paced[0]["losses"], rel=1e-5)
    schedules = [(tmp_path / name / "schedule.arrow").read_bytes() for name in ("paced", "paced-two")]
    assert schedules[0] == schedules[1]
    # A run of two processes is no run of one: its random numbers are others.
    with pytest.raises(Exception, match="processes: 2 before"):
        train(rows, TrainConfig(**shared))


def test_passes_are_shared_out_without_rest() -> None:
    passes = list(range(7))
    shares = [Processes(3, rank).share(passes) for rank in range(3)]
    assert sorted(one for share in shares for one in share) == passes
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert Processes(2, 1).share([5]) == []
    assert ALONE.share(passes) == passes


def test_what_torchrun_says_is_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*TORCHRUN, "ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED"):
        monkeypatch.delenv(name, raising=False)
    assert launched() == ALONE
    for name, value in TORCHRUN.items():
        monkeypatch.setenv(name, value)
    assert launched() == Processes(3, 1)
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(UsageError, match="a model is held whole by each process"):
        launched()
    monkeypatch.delenv("ACCELERATE_USE_FSDP")
    monkeypatch.delenv("MASTER_PORT")
    with pytest.raises(UsageError, match="no MASTER_PORT"):
        launched()
