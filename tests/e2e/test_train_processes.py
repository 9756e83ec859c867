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
    # In one write: what two processes print in several gets mixed.
    sys.stdout.write(f"RESULT {train(rows, TrainConfig.of(settings)).adapter_digest}\\n")
    sys.stdout.flush()
"""
TORCHRUN = {
    "WORLD_SIZE": "3",
    "RANK": "1",
    "LOCAL_RANK": "1",
    "MASTER_ADDR": "127.0.0.1",
    "MASTER_PORT": "29500",
}


ROWS = [
    {"prompt": f"find {n}", "completion": "hotel city " * (1, 4, 24, 2, 9)[n % 5], "sage_row_id": f"r{n}"}
    for n in range(7)
]


def in_two(runs: list[dict[str, Any]], script: Path) -> subprocess.CompletedProcess[str]:
    script.write_text(SCRIPT)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [*launcher, str(script), json.dumps([runs, ROWS])]
    return subprocess.run(command, capture_output=True, text=True, env=environment)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def made(model: Any, tokens_of: Path, folder: Path) -> str:
    """Write a model with the tokenizer of another."""
    from transformers import AutoTokenizer

    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(tokens_of).save_pretrained(folder)
    return str(folder)


@pytest.fixture
def others(shared_model: Path, tmp_path: Path) -> dict[str, dict[str, Any]]:
    """Return settings of runs with a loss of another kind: of teachers, and of mixtures that balance their experts."""
    pytest.importorskip("trl")
    import torch
    from transformers import AutoConfig, LlamaForCausalLM, MixtralConfig, MixtralForCausalLM

    from sage_select.train.distilling.write import teacher_logits

    torch.manual_seed(1)
    config = AutoConfig.from_pretrained(shared_model)
    config.hidden_size, config.head_dim = 48, 6
    teacher = made(LlamaForCausalLM(config), shared_model, tmp_path / "teacher")
    experts = MixtralConfig(
        vocab_size=config.vocab_size,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        num_local_experts=4,
        max_position_embeddings=256,
        output_router_logits=True,
        # Large enough that the balance of another pass would show.
        router_aux_loss_coef=0.5,
        initializer_range=0.2,
    )
    mixture = made(MixtralForCausalLM(experts), shared_model, tmp_path / "mixture")
    stored = tmp_path / "teacher.arrow"
    teacher_logits(ROWS, stored, TrainConfig(model=teacher), k=16, student=str(shared_model))
    taught = {"method": "distillation", "distillation_alpha": 0.7}
    return {
        "beside a teacher": {**taught, "teacher": teacher},
        "from stored logits": {**taught, "teacher_logits": str(stored)},
        "experts": {"model": mixture},
        # One process of the two has no pass of a step, and nothing to add to its loss.
        "experts in one pass": {"model": mixture, "batch_size": 4, "gradient_accumulation": 1},
    }


@pytest.mark.train
def test_two_processes_train_what_one_does(
    shared_model: Path, others: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
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
    paced = {"curriculum": "self_paced", "rounds": 2, "batch_size": 3, "gradient_accumulation": 1}
    replayed = {"replay_ratio": "1/2", "replay_logits": 6}
    dark = {"replay_ratio": "1/2", "method": "dark_replay"}
    cases = {"plain": {}, "paced": paced, "replayed": replayed, "dark": dark, **others}
    # Two buffers that are alike, since the rows of a run are offered to its own.
    old = [{**row, "sage_row_id": f"old-{row['sage_row_id']}"} for row in ROWS]
    first = {"max_steps": 1, "output_dir": str(tmp_path / "first"), "replay": str(tmp_path / "one" / "buffer")}
    (tmp_path / "one").mkdir()
    train(old, TrainConfig.of({**settings, "replay_logits": 6, **first}))
    shutil.copytree(tmp_path / "one", tmp_path / "two")

    def told(place: str, name: str) -> dict[str, Any]:
        about = {**settings, **cases[name], "output_dir": str(tmp_path / place / name)}
        return {**about, "replay": str(tmp_path / place / "buffer")} if name in ("replayed", "dark") else about

    alone = [train(ROWS, TrainConfig.of(told("one", name))) for name in cases]
    shared = [told("two", name) for name in cases]
    both = in_two(shared, tmp_path / "script.py")
    assert both.returncode == 0, both.stderr[-3000:]
    for run, (name, about) in zip(alone, cases.items(), strict=True):
        assert both.stdout.count(f"RESULT {run.adapter_digest}") == 2, name
        one, two = (lines(tmp_path / place / name / "logs" / "consumed.jsonl") for place in ("one", "two"))
        assert [step["rows"] for step in one] == [step["rows"] for step in two], about
        for first, second in zip(one, two, strict=True):
            assert second["losses"] == pytest.approx(first["losses"], rel=1e-5)
    assert len({run.adapter_digest for run in alone}) == len(alone)
    buffers = [ReplayBuffer.open(tmp_path / place / "buffer", create=False) for place in ("one", "two")]
    assert [one.commit for one in buffers] == [3, 3]
    assert buffers[0].ids().equals(buffers[1].ids())
    said = [one.logits() for one in buffers]
    assert all(one is not None and len(one) == 11 and not one.null_count for one in said)
    assert said[0].equals(said[1])  # type: ignore[union-attr]
    measured_alone, measured = (lines(tmp_path / place / "paced" / "logs" / "rounds.jsonl") for place in ("one", "two"))
    assert [line["rows"] for line in measured] == [line["rows"] for line in measured_alone]
    assert measured[0]["losses"] == pytest.approx(measured_alone[0]["losses"], rel=1e-5)
    schedules = [(tmp_path / place / "paced" / "schedule.arrow").read_bytes() for place in ("one", "two")]
    assert schedules[0] == schedules[1]
    # A run of two processes is no run of one: its random numbers are others.
    with pytest.raises(Exception, match="processes: 2 before"):
        train(ROWS, TrainConfig(**shared[0]))


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
