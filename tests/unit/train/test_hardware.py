"""What a machine can do, and what is refused on it."""

from __future__ import annotations

import importlib.machinery
from importlib.util import find_spec

import pytest

from sage_select.errors import ResourceError, UsageError
from sage_select.train import TrainConfig, hardware, train
from sage_select.train.settings.model import Precision


@pytest.mark.parametrize(
    ("asked", "has_gpu", "gpu_has_bf16", "expected"),
    [
        (None, False, False, "fp32"),
        (None, True, True, "bf16"),
        (None, True, False, "fp16"),
        ("fp32", True, True, "fp32"),
        ("bf16", False, False, "bf16"),
        ("fp16", True, True, "fp16"),
    ],
)
def test_precision_follows_the_machine(
    asked: Precision | None, has_gpu: bool, gpu_has_bf16: bool, expected: str
) -> None:
    config = TrainConfig(model="m", precision=asked)
    assert hardware.resolve_precision(config, has_gpu=has_gpu, gpu_has_bf16=gpu_has_bf16) == expected


def test_fp16_on_a_cpu_is_refused() -> None:
    with pytest.raises(UsageError, match="fp16 needs a GPU"):
        hardware.resolve_precision(TrainConfig(model="m", precision="fp16"), has_gpu=False, gpu_has_bf16=False)


def test_bf16_on_a_gpu_without_it_is_refused() -> None:
    with pytest.raises(UsageError, match="no bf16"):
        hardware.resolve_precision(TrainConfig(model="m", precision="bf16"), has_gpu=True, gpu_has_bf16=False)


def test_a_missing_package_is_named_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_peft(name: str) -> importlib.machinery.ModuleSpec | None:
        return None if name == "peft" else find_spec(name)

    monkeypatch.setattr(hardware, "find_spec", without_peft)
    with pytest.raises(ResourceError, match=r"peft(.|\n)*pip install 'sage-select\[train\]'"):
        train("out.arrow", TrainConfig(model="m"))
