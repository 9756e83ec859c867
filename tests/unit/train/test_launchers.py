"""What launchers of several processes leave in the environment: hidden, heeded where it is torchrun's, else refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from sage_select.errors import UsageError
from sage_select.train import TrainConfig, train
from sage_select.train.launchers import started_processes

OPEN_MPI = {
    "OMPI_COMM_WORLD_SIZE": "1",
    "OMPI_COMM_WORLD_RANK": "0",
    "OMPI_COMM_WORLD_LOCAL_RANK": "0",
    "OMPI_COMM_WORLD_LOCAL_SIZE": "1",
    "OMPI_MCA_pml": "ob1",
}
PMI = {"PMI_SIZE": "1", "PMI_RANK": "0", "PMI_FD": "7"}
SLURM = {"SLURM_NTASKS": "4", "SLURM_PROCID": "0", "SLURM_JOB_ID": "17", "PMI_SIZE": "4"}
TORCHRUN = {"WORLD_SIZE": "1", "RANK": "0", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1"}


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({}, None),
        (OPEN_MPI, None),
        (PMI, None),
        (TORCHRUN, None),
        ({"LOCAL_RANK": "0"}, None),
        ({"MV2_COMM_WORLD_SIZE": "1", "MV2_COMM_WORLD_RANK": "0"}, None),
        (SLURM, "PMI_SIZE"),
        ({"OMPI_COMM_WORLD_SIZE": "4"}, "OMPI_COMM_WORLD_SIZE"),
        ({"PMI_SIZE": "many", "PMI_RANK": "first"}, "PMI_SIZE"),
        ({"PMI_SIZE": ""}, None),
        ({"ACCELERATE_MIXED_PRECISION": "bf16"}, "ACCELERATE_MIXED_PRECISION"),
        ({"ACCELERATE_USE_FSDP": "true", "ACCELERATE_LOG_LEVEL": "info"}, "ACCELERATE_USE_FSDP"),
    ],
)
def test_one_process_sees_nothing_of_launchers(
    variables: dict[str, str], told: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)
    with started_processes() as (processes, notices):
        assert processes.count == 1
        left = {name for name in variables if name in os.environ}
        # What says nothing of a launch of several processes stays.
        assert left <= {"OMPI_MCA_pml", "PMI_FD", "SLURM_NTASKS", "SLURM_PROCID", "SLURM_JOB_ID", "MASTER_ADDR"} | {
            "ACCELERATE_LOG_LEVEL"
        }
        os.environ["LOCAL_RANK"] = "3"
    assert dict(os.environ) == before
    assert notices == ([] if told is None else [f"ignored in the environment: {told} (a run is one process)"])


@pytest.mark.parametrize(
    "variables",
    [
        {**OPEN_MPI, "OMPI_COMM_WORLD_SIZE": "2"},
        {**PMI, "PMI_SIZE": "2"},
        {"MV2_COMM_WORLD_SIZE": "2", "MV2_COMM_WORLD_RANK": "1"},
        {**TORCHRUN, "WORLD_SIZE": "2"},
        {"WORLD_SIZE": "2"},
    ],
)
def test_one_of_several_processes_is_refused(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    size = next(name for name in variables if name.endswith("SIZE"))
    says = "no (RANK|MASTER_PORT)" if size == "WORLD_SIZE" else f"{size}=2"
    with pytest.raises(UsageError, match=rf"one of 2 processes(.|\n)*{says}(.|\n)*unset {size}"):
        train("out.arrow", TrainConfig(model="m"))
    assert all(os.environ[name] == value for name, value in variables.items())


@pytest.mark.train
@pytest.mark.parametrize("variables", [OPEN_MPI, SLURM, {"LOCAL_RANK": "0"}, {"ACCELERATE_MIXED_PRECISION": "bf16"}])
def test_a_run_in_the_shell_of_a_launcher_is_the_same_run(
    variables: dict[str, str], tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from accelerate.state import AcceleratorState

    rows: list[dict[str, Any]] = [{"prompt": f"find {n}", "completion": f"hotel {n * 7}"} for n in range(4)]

    def digest(name: str) -> str:
        config = TrainConfig(model=str(tiny_model), output_dir=tmp_path / name, max_steps=2, lora_r=2)
        return train(rows, config).adapter_digest

    plain = digest("plain")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    # As in a process of its own: what accelerate read of its environment is kept for all runs.
    AcceleratorState._reset_state(True)
    assert digest("launched") == plain
