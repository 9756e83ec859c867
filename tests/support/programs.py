"""The programs, run in this process."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

__all__ = ["Done", "Program"]


@dataclass(frozen=True)
class Done:
    """What a program left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """Return what it printed with `--json`; it must have been content."""
        assert self.code == 0, self.err
        value: dict[str, Any] = json.loads(self.out)
        return value


@dataclass(frozen=True)
class Program:
    """Runs a program's `main` with the arguments it is called with."""

    name: str
    main: Callable[[], None]
    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch

    def __call__(self, *arguments: object) -> Done:
        """Run it, and leave the signal handler of this process as it was."""
        self.monkeypatch.setattr("sys.argv", [*self.name.split(), *map(str, arguments)])
        before = signal.getsignal(signal.SIGTERM)
        try:
            with pytest.raises(SystemExit) as leaving:
                self.main()
        finally:
            signal.signal(signal.SIGTERM, before)
        captured = self.capsys.readouterr()
        return Done(int(leaving.value.code or 0), captured.out, captured.err)
