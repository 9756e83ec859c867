"""Checkpoints: only a whole one is ever resumed from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sage_select.train.checkpoints import list_checkpoints, newest_complete, prune, read_seal, seal


def checkpoint(folder: Path, step: int, *, sealed: bool = True) -> Path:
    path = folder / f"checkpoint-{step}"
    path.mkdir(parents=True)
    (path / "adapter_model.safetensors").write_bytes(bytes(range(200)))
    (path / "optimizer.pt").write_bytes(b"state")
    (path / "training_args.bin").write_bytes(b"pickle")
    if sealed:
        seal(path, {"run": "one"})
    return path


def test_newest_is_by_number_not_by_name(tmp_path: Path) -> None:
    for step in (9, 100, 20):
        checkpoint(tmp_path, step)
    (tmp_path / "checkpoint-x").mkdir()
    (tmp_path / "checkpoint-900").write_text("a file")
    assert [one.step for one in list_checkpoints(tmp_path)] == [100, 20, 9]
    assert list_checkpoints(tmp_path / "absent") == []


def test_the_seal_names_the_run_and_drops_the_pickle(tmp_path: Path) -> None:
    path = checkpoint(tmp_path, 1)
    assert read_seal(path) == {"run": "one"}
    seal(path, {"run": "two"})
    assert read_seal(path) == {"run": "two"}
    assert not (path / "training_args.bin").exists()


def cut(path: Path) -> None:
    (path / "adapter_model.safetensors").write_bytes(bytes(range(199)))


def flip(path: Path) -> None:
    (path / "optimizer.pt").write_bytes(b"stats")


def remove(path: Path) -> None:
    (path / "optimizer.pt").unlink()


def unseal(path: Path) -> None:
    (path / "sage.json").unlink()


def garble(path: Path) -> None:
    (path / "sage.json").write_text("[1, 2]")


@pytest.mark.parametrize("damage", [cut, flip, remove, unseal, garble])
def test_a_torn_checkpoint_falls_back_to_the_one_before(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    checkpoint(tmp_path, 1)
    damage(checkpoint(tmp_path, 2))
    found, torn = newest_complete(tmp_path)
    assert found is not None
    assert found.step == 1
    assert [one.step for one in torn] == [2]


def test_no_whole_checkpoint_is_none(tmp_path: Path) -> None:
    checkpoint(tmp_path, 1, sealed=False)
    found, torn = newest_complete(tmp_path)
    assert found is None
    assert len(torn) == 1


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        checkpoint(tmp_path, step)
    prune(tmp_path, 2)
    assert [one.step for one in list_checkpoints(tmp_path)] == [3, 2]
