"""Programs that follow runs: refused where they are missing, started by transformers' own callbacks otherwise."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sage_select.errors import ResourceError, UsageError
from sage_select.train import TrainConfig, train
from sage_select.train.reporters import REPORTERS, Reporter, callbacks_of, require_reporters


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("wandb", ("wandb",)),
        (["wandb,mlflow", "wandb"], ("wandb", "mlflow")),
        ("tensorboard", ()),
        ("none", ()),
        ((), ()),
    ],
)
def test_names_are_taken_as_others_write_them(given: Any, found: tuple[str, ...]) -> None:
    assert TrainConfig(model="m", report_to=given).report_to == found


@pytest.mark.parametrize("given", ["all", "wandbb", "mlflow,x"])
def test_other_names_are_refused(given: str) -> None:
    with pytest.raises(UsageError, match="expected wandb, mlflow, trackio"):
        TrainConfig(model="m", report_to=given)


def test_what_is_missing_is_refused_before_anything_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(Reporter, "is_installed", property(lambda self: self.name == "mlflow"))
    require_reporters(["mlflow"])
    with pytest.raises(ResourceError, match=r"not installed: wandb, trackio(.|\n)*pip install wandb trackio"):
        require_reporters(["wandb", "mlflow", "trackio"])
    with pytest.raises(ResourceError, match="pip install wandb"):
        train(tmp_path / "none.arrow", TrainConfig(model="m", report_to="wandb"))


def test_a_folder_of_its_name_is_no_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is what runs leave in the current folder."""
    (tmp_path / "no-such-program").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert not Reporter("no-such-program", "", ("no-such-program",), "").is_installed


@pytest.mark.train
@pytest.mark.parametrize("name", REPORTERS)
def test_a_failure_to_start_is_told(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers.integrations import integration_utils

    class Broken:
        def setup(self, *_: Any) -> None:
            raise OSError("no key\n")

    assert name in integration_utils.INTEGRATION_TO_CALLBACK
    monkeypatch.setitem(integration_utils.INTEGRATION_TO_CALLBACK, name, Broken)
    (callback,) = callbacks_of([name])
    with pytest.raises(ResourceError, match=rf"{name} could not be started(.|\n)*OSError: no key(.|\n)*leave out"):
        callback.setup(SimpleNamespace())
    assert callbacks_of([]) == []
