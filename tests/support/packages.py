"""Packages of others, laid where Python finds them, and the program run beside them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import sage_select

__all__ = ["Told", "lay_package", "run_programs", "write_rows"]

HEAD = """
from typing import Annotated, Literal
import numpy as np
from sage_select import UsageError
from sage_select.augmenters import Augmenter, augmenter
from sage_select.data import Cause, Dataset, Scores
from sage_select.encode import Embeddings
from sage_select.encoders import Encoder, encoder
from sage_select.kernels import Greedy
from sage_select.orders import Arrangement, OrderRule, order, sorted_by
from sage_select.pipeline import Option, Run, Stage, stage
from sage_select.scorers import Scorer, scorer
from sage_select.strategies import Picks, Pool, SelectionRequest, Strategy, strategy, take_admissible
from sage_select.strategies.objectives import Objective, objective
"""

#: Runs `sage-select` once for each list of arguments, and prints what each left behind as JSON.
DRIVER = """
import contextlib, io, json, sys
from sage_select.cli import select as program
told = []
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["sage-select", *arguments]
    program.program.cache_clear()
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            program.main()
        except SystemExit as leaving:
            code = int(leaving.code or 0)
    told.append([code, out.buffer.getvalue().decode("utf-8", "replace"), err.getvalue()])
print(json.dumps(told))
"""


class Told(NamedTuple):
    """What a program left behind."""

    code: int
    out: str
    err: str


def lay_package(site: Path, name: str, code: str, entries: dict[str, dict[str, str]], version: str = "1.0") -> None:
    """Write a module and the metadata by which it is found, as an installation does.

    Parameters
    ----------
    site
        The folder, which `run_programs` puts on the path.
    name
        Of the module, and of its distribution.
    code
        The module, after imports of all that it may need.
    entries
        Group (without `sage_select.`) -> member -> class.
    """
    info = site / f"{name}-{version}.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (site / f"{name}.py").write_text(HEAD + code)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: {version}\n")
    lines = [
        f"[sage_select.{group}]\n" + "".join(f"{member} = {name}:{of}\n" for member, of in members.items())
        for group, members in entries.items()
    ]
    (info / "entry_points.txt").write_text("\n".join(lines))


def run_programs(site: Path, folder: Path, commands: Sequence[Sequence[str]]) -> list[Told]:
    """Run `sage-select` with each of these arguments, in one process that finds the packages of `site`."""
    own = Path(sage_select.__file__).parent.parent
    environment: dict[str, Any] = {**os.environ, "PYTHONPATH": f"{site}{os.pathsep}{own}"}
    command = [sys.executable, "-c", DRIVER, json.dumps([list(one) for one in commands])]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return [Told(*one) for one in json.loads(done.stdout)]


def write_rows(path: Path) -> None:
    """Write 40 rows with ids, texts and losses as JSON lines."""
    lines = [{"id": f"r{row}", "text": f"row {row} {'much ' * (row % 5)}", "loss": row % 11} for row in range(40)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
