"""Outputs that go to standard output: `-o -`."""

from __future__ import annotations

import shutil
import sys
import tempfile
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from sage_select.cli.console import Console
from sage_select.engine import Outcome, run
from sage_select.errors import UsageError
from sage_select.pipeline import Pipeline
from sage_select.stages import Sink

__all__ = ["run_build"]

_STREAM: Final = "-"


def run_build(plan: Pipeline, console: Console, **options: Any) -> Outcome:
    """Run a plan; where its output is `-`, write the rows to standard output, as an Arrow stream and nothing beside it.

    Raises
    ------
    UsageError
        Where standard output is a terminal, or is to take JSON as well.
    """
    if plan.step(Sink).path != _STREAM:
        return _run(plan, console, **options)
    if console.json_output or sys.stdout.isatty():
        raise UsageError(
            "standard output cannot take the rows" + (" and the JSON of --json" if console.json_output else ""),
            where=_STREAM,
            expected="a pipe or a file" if not console.json_output else "one of them",
            hint="give a name with -o",
        )
    with tempfile.TemporaryDirectory(prefix="sage-select-") as folder:
        sink = Sink.make(path=str(Path(folder) / "out.arrows"), rows=False)
        outcome = _run(plan.replaced(sink), console, **options)
        with outcome.output.open("rb") as rows:
            shutil.copyfileobj(rows, sys.stdout.buffer)
        sys.stdout.buffer.flush()
    # The manifest goes with the folder: nothing of it is left to be named.
    return replace(outcome, output=Path(_STREAM), manifest_path=Path(_STREAM))


def _run(plan: Pipeline, console: Console, **options: Any) -> Outcome:
    # Results alone go to standard output, whatever the stages of other packages print.
    with redirect_stdout(sys.stderr):
        return run(plan, console, **options)
