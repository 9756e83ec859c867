"""Outputs that go to standard output: `-o -` for an Arrow stream, `-o -.jsonl` for another format."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Final

from sage_select.cli.console import Console
from sage_select.cli.streams import emit_file
from sage_select.engine import Outcome
from sage_select.errors import ResourceError, UsageError
from sage_select.io.formats.encode import OutputFormat, output_format
from sage_select.paths import streamed_end

__all__ = ["written"]

#: The format of standard output where nothing is said.
_STREAMED: Final = OutputFormat.ARROW_STREAM


def written(path: str, console: Console, write: Callable[[str], Outcome]) -> Outcome:
    """Have an output written; where it is standard output, write its rows there, and nothing beside them.

    Parameters
    ----------
    path
        The output as the user named it.
    console
        Who talks meanwhile.
    write
        Writes an output under the path that it is given.

    Raises
    ------
    UsageError
        Where standard output is a terminal, or is to take JSON as well, or the format is a folder.
    ResourceError
        Where standard output is closed or full.
    ReaderLeft
        Where its reader has gone.
    """
    # Results alone go to standard output, whatever the stages of other packages print.
    end = streamed_end(path)
    if end is None:
        with redirect_stdout(sys.stderr):
            return write(path)
    form = output_format(path) if end else _STREAMED
    if form is OutputFormat.HF_FOLDER:
        raise UsageError("standard output takes no folder", where=path, expected="-, or -.jsonl and the like")
    if sys.stdout is None:  # closed before the program began
        raise ResourceError("standard output is closed")
    if console.json_output or sys.stdout.isatty():
        raise UsageError(
            "standard output cannot take the rows" + (" and the JSON of --json" if console.json_output else ""),
            where=path,
            expected="a pipe or a file" if not console.json_output else "one of them",
            hint="give a name with -o",
        )
    with tempfile.TemporaryDirectory(prefix="sage-select-") as folder:
        with redirect_stdout(sys.stderr):
            outcome = write(str(Path(folder) / f"out{form.value}"))
        emit_file(outcome.output)
    # The manifest goes with the folder: nothing of it is left to be named.
    return replace(outcome, output=Path(path), manifest_path=Path(path))
