"""How both programs talk: results on stdout, everything else on stderr, one exit code a kind of failure."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

import typer

from sage_select.errors import ResourceError, SageError

__all__ = ["Console", "Progress", "run_program"]

#: Called with (done, total); total is 0 where it is not known.
Progress = Callable[[int, int], None]

_PLAIN_INTERVAL_SECONDS = 10.0


def printable(text: str) -> str:
    """Escape control characters, so that text from a data file cannot steer the terminal."""
    return "".join(char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in text)


class Console:
    """What a program says while it runs.

    Parameters
    ----------
    quiet
        Say nothing but errors.
    json_output
        Print one JSON object on stdout at the end, instead of the summary on stderr.
    """

    def __init__(self, *, quiet: bool = False, json_output: bool = False) -> None:
        self.quiet = quiet
        self.json_output = json_output
        self.notices: list[str] = []

    def notice(self, text: str) -> None:
        """Say something the user should know; kept for the JSON result."""
        self.notices.append(text)
        if not self.quiet:
            say(f"note: {text}")

    @contextmanager
    def progress(self, label: str) -> Iterator[Progress]:
        """Show progress on `label`: a bar on a terminal, a plain line every ten seconds otherwise."""
        if self.quiet:
            yield lambda _done, _total: None
        elif _on_terminal():
            with _bar(label) as advance:
                yield advance
        else:
            yield _PlainLines(label)

    def summary(self, title: str, facts: Mapping[str, object]) -> None:
        """Print a small aligned table of facts on stderr."""
        if self.quiet or self.json_output:
            return
        width = max((len(name) for name in facts), default=0)
        say(title)
        for name, value in facts.items():
            say(f"  {name:<{width}}  {value}")

    def result(self, value: Mapping[str, Any]) -> None:
        """Print the machine-readable result on stdout where it was asked for."""
        if self.json_output:
            payload = {**value, "notices": self.notices}
            sys.stdout.write(json.dumps(payload, ensure_ascii=False, sort_keys=True) + "\n")


def say(text: str) -> None:
    """Print one line of talk on stderr."""
    sys.stderr.write(printable(text) + "\n")
    sys.stderr.flush()


def _on_terminal() -> bool:
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


@contextmanager
def _bar(label: str) -> Iterator[Progress]:
    # rich takes 60 ms to import and honours NO_COLOR itself.
    from rich.console import Console as RichConsole
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as RichProgress

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with RichProgress(*columns, console=RichConsole(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total or None)


class _PlainLines:
    """Progress for logs: nothing for short work, one line every ten seconds for long work."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._start = self._last = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._last >= _PLAIN_INTERVAL_SECONDS:
            self._last = now
            of_total = f" of {total:,} ({done / total:.0%})" if total else ""
            say(f"{self._label}: {done:,}{of_total} after {now - self._start:.0f} s")


def _on_sigterm(_signal: int, _frame: object) -> NoReturn:
    raise SystemExit(143)


def run_program(program: Callable[[], object]) -> NoReturn:
    """Run a program and leave with the exit code of what happened.

    0 done, 1 a bug of ours, 2 bad arguments, 3 refused data, 4 output exists, 5 environment,
    130 interrupted, 143 terminated.

    Parameters
    ----------
    program
        What to run: a typer app called with `standalone_mode=False`, so that its errors come here too.
    """
    signal.signal(signal.SIGTERM, _on_sigterm)
    # Threads of OpenMP (torch, FAISS) otherwise spin while they wait: beside other work, training then takes ten
    # times as long. Read once, when the first of them is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        code = program()
        sys.stdout.flush()
    except SageError as error:
        _fail(str(error), error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        _fail("interrupted", 130)
    except BrokenPipeError:
        # The reader went away (`| head`): nothing to say, and nowhere to say it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
    except MemoryError:
        shortage = ResourceError("out of memory", hint="use a smaller input, or a machine with more memory")
        _fail(str(shortage), shortage.exit_code)
    except Exception as error:
        # typer's own errors (a wrong option) print themselves; their class is private to it.
        if show := getattr(error, "show", None):
            show()
            raise SystemExit(getattr(error, "exit_code", 2)) from None
        if os.environ.get("SAGE_DEBUG"):
            raise
        hint = "SAGE_DEBUG=1 shows where; please report it"
        _fail(f"internal error, a bug of ours: {type(error).__name__}: {error}\n  hint: {hint}", 1)
    raise SystemExit(code if isinstance(code, int) else 0)


def _fail(text: str, code: int) -> NoReturn:
    say(f"error: {text}")
    raise SystemExit(code)
