"""The programs, run in this process from a folder of their own."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sage_select.cli import select


@dataclass(frozen=True)
class Done:
    """What a program left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.out)
        return value


Build = Callable[..., Done]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder that is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def build(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Build:
    """Return a function that runs `sage-select build` with its arguments."""

    def run(*arguments: object) -> Done:
        monkeypatch.setattr("sys.argv", ["sage-select", "build", *map(str, arguments)])
        with pytest.raises(SystemExit) as leaving:
            select.main()
        captured = capsys.readouterr()
        return Done(int(leaving.value.code or 0), captured.out, captured.err)

    return run
