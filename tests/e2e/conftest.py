"""The programs, run in this process from a folder of their own."""

from __future__ import annotations

from pathlib import Path

import pytest
from programs import Program

from sage_select.cli import select, train


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder that is the current one, beside a home of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.fixture
def build(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    """Return `sage-select build`."""
    return Program("sage-select build", select.main, capsys, monkeypatch)


@pytest.fixture
def sage_train(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    """Return `sage-train`."""
    return Program("sage-train", train.main, capsys, monkeypatch)
