"""A campaign of damaged files: each is met by the calls that read it, in a process that may die of it."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mutants import damaged

__all__ = ["SEED", "Target", "Worker", "campaign"]

SEED = os.environ.get("SAGE_TORTURE_SEED", "0")
#: What a call may end with: done, or an error of ours but for an internal one.
_CODES = {0, 2, 3, 4, 5}
#: Calls that meet one mutant.
_CALLS = 3


@dataclass(frozen=True)
class Target:
    """A file to damage, and the calls that meet it.

    Parameters
    ----------
    files
        Name -> content of all files of the folder that the calls run in.
    name
        The one that is damaged.
    calls
        The name of an entry of the worker, and its arguments.
    damage
        How.
    sealed
        Whether a digest covers the file, so that what was damaged must be refused or change nothing that comes out.
    outputs
        Files that calls write, to be compared.
    """

    files: Mapping[str, bytes]
    name: str
    calls: list[list[str]]
    damage: Callable[[bytes, random.Random], bytes] = damaged
    sealed: bool = False
    outputs: list[str] = field(default_factory=list)


class Worker:
    """The process that runs the entries; a new one follows where damage ends it."""

    def __init__(self, folder: Path) -> None:
        self._said = folder / "stderr"
        self._process: subprocess.Popen[str] | None = None

    def __call__(self, folder: Path, call: list[str]) -> dict[str, Any]:
        if self._process is None:
            self._process = self._start()
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps([str(folder), *call]) + "\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        if answer:
            found: dict[str, Any] = json.loads(answer)
            return found
        return {"code": self.stop(), "said": f"the process died: {self._said.read_text()[-2000:]}"}

    def _start(self) -> subprocess.Popen[str]:
        with self._said.open("w") as said:
            return subprocess.Popen(
                [sys.executable, "-X", "faulthandler", str(Path(__file__).with_name("torture_worker.py"))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
            )

    def stop(self) -> int:
        """Let the process end, and return its exit code: damage may lie in wait until then."""
        process, self._process = self._process, None
        if process is None:
            return 0
        with process:
            process.communicate()
        return process.returncode


def campaign(targets: dict[str, Target], worker: Worker, folder: Path, count: int) -> list[str]:
    """Return what went wrong with `count` mutants and how to see each again; nothing where everything held."""
    sound = {
        name: [_outcome(target, target.files, call, worker, folder) for call in target.calls]
        for name, target in targets.items()
    }
    for name, expected in sound.items():
        assert all(code == 0 for code, _, _ in expected), (name, expected)
    wrong = []
    names = sorted(targets)
    for number in range(count):
        name = names[number % len(names)]
        target = targets[name]
        chance = random.Random(f"{SEED} {name} {number}")
        mutant = target.damage(target.files[target.name], chance)
        if mutant == target.files[target.name]:
            continue
        for at in sorted(chance.sample(range(len(target.calls)), min(_CALLS, len(target.calls)))):
            call = target.calls[at]
            code, said, result = _outcome(target, {**target.files, target.name: mutant}, call, worker, folder)
            if code not in _CODES:
                problem = f"exit {code}: {said[-600:]}"
            elif code == 0 and target.sealed and result != sound[name][at][2]:
                problem = "a silent difference"
            else:
                continue
            wrong.append(
                f"{name}, mutant {number} of SAGE_TORTURE_SEED={SEED} (SAGE_TORTURE={count}), {' '.join(call)}: "
                f"{problem}{_saved(folder, name, number)}"
            )
    return wrong


def _outcome(
    target: Target, files: Mapping[str, bytes], call: list[str], worker: Worker, folder: Path
) -> tuple[int, str, object]:
    """Run a call on these files in a fresh folder: exit code, what was said, what came out."""
    place = folder / "run"
    shutil.rmtree(place, ignore_errors=True)
    for name, data in files.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    done = worker(place, call)
    written = {
        name: hashlib.sha256((place / name).read_bytes()).hexdigest()
        for name in target.outputs
        if (place / name).is_file()
    }
    return done["code"], done["said"], [done.get("found"), written]


def _saved(folder: Path, name: str, number: int) -> str:
    """Set the folder of a finding aside, where SAGE_TORTURE_KEEP names one for them; say where."""
    kept = os.environ.get("SAGE_TORTURE_KEEP")
    if not kept:
        return ""
    place = Path(kept) / f"{SEED}-{number}-{name.replace('/', '-').replace(' ', '-')}"
    shutil.copytree(folder / "run", place, dirs_exist_ok=True)
    return f" (its files: {place})"
