"""How both programs talk: results on stdout, everything else on stderr, one exit code a kind of failure."""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NoReturn, Protocol

import typer

from sage_select.cli.completion import COMPLETING
from sage_select.cli.events import Ended, Event, Events, Failed, Noticed, Staged, events_of
from sage_select.cli.habits import usage_error
from sage_select.cli.streams import ReaderLeft, emit, open_standard_streams, say
from sage_select.display import displayed
from sage_select.errors import ResourceError, SageError, UsageError, is_panic

__all__ = ["Console", "Progress", "early_notice", "run_program"]


class Progress(Protocol):
    """Told of progress."""

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """Show that `done` of `total` (0: not known) is done, with a word on how it goes."""


_PLAIN_INTERVAL_SECONDS = 10.0
_TERMINATED: Final = 143
_HELP: Final = {"-h", "--help"}
_QUIET: Final = {"-q", "--quiet"}
#: What the system may refuse anywhere, to any program.
_SHORTAGES: Final = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EIO,
    errno.EROFS,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
    errno.EAGAIN,
}
#: The parts of every error in JSON.
_NO_ERROR: Final = SageError("").as_dict()


@dataclass
class _Told:
    """What the run in this process has told so far, and whether a machine listens."""

    json_output: bool = False
    quiet: bool = False
    notices: list[str] = field(default_factory=list)
    known: dict[str, Any] = field(default_factory=dict)
    events: Events | None = None

    def tell(self, event: Event) -> None:
        """Tell other programs of an event, where they listen."""
        if self.events is not None:
            self.events.tell(event)

    @property
    def silent(self) -> bool:
        """Whether standard error is for other programs alone."""
        return self.events is not None and self.events.on_standard_error


#: `run_program` begins it anew; an error in JSON says what was told before it.
_told = _Told()


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
        self.quiet = quiet or _told.silent
        self.json_output = json_output
        self.notices = _told.notices

    def begin(self, text: str) -> None:
        """Say at once what is going on, before anything that takes seconds."""
        if not self.quiet:
            say(text)

    def notice(self, text: str) -> None:
        """Say something the user should know; kept for the JSON result."""
        self.notices.append(text)
        _told.tell(Noticed(text))
        if not self.quiet:
            say(f"note: {text}")

    def notice_once(self, text: str) -> None:
        """Say something the user should know, unless it has been said."""
        if text not in self.notices:
            self.notice(text)

    def stage(
        self, name: str, state: Literal["started", "done", "cached"], rows: tuple[int | None, int | None]
    ) -> None:
        """Tell other programs of a stage: its rows before and after it, as far as they are known."""
        _told.tell(Staged(name, state, *rows))

    @contextmanager
    def progress(self, label: str) -> Iterator[Progress]:
        """Show progress on `label`: a bar on a terminal, a plain line every ten seconds otherwise."""
        with self._shown(label) as shown:
            if _told.events is None:
                yield shown
                return
            told, ended = _told.events.progress(label)

            def both(done: int, total: int, note: str = "") -> None:
                shown(done, total, note)
                told(done, total, note)

            try:
                yield both
            finally:
                ended()

    @contextmanager
    def _shown(self, label: str) -> Iterator[Progress]:
        if self.quiet:
            yield lambda _done, _total, _note="": None
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
        say(title, *(f"  {name:<{width}}  {value}" for name, value in facts.items()))

    def answer(self, text: str) -> None:
        """Print text that was asked for on stdout, where no machine listens; its lines are safe to show already."""
        if not self.json_output:
            emit(text + "\n")

    def known(self, value: Mapping[str, Any]) -> None:
        """Keep what the JSON object says whether the run succeeds or fails."""
        _told.known.update(value)

    def result(self, value: Mapping[str, Any]) -> None:
        """Print the machine-readable result on stdout where it was asked for: `ok`, the notices, and `value`."""
        whole = {**_told.known, **value, "ok": True, "notices": self.notices}
        _told.tell(Ended(whole))
        if self.json_output:
            written = value.get("output")
            hint = None if written is None else f"{written} has been written all the same"
            _emit_json(whole, hint)


def early_notice(text: str) -> None:
    """Say something the user should know before the arguments are read."""
    Console(quiet=_told.quiet, json_output=_told.json_output).notice(text)


def _emit_json(value: Mapping[str, Any], hint: str | None = None) -> None:
    # ASCII: names may hold what no encoding spells, or what a terminal obeys.
    emit(json.dumps(value, ensure_ascii=True, allow_nan=False, sort_keys=True) + "\n", hint=hint)


def _on_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


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
        TextColumn("{task.fields[note]}", markup=False),
    )
    with RichProgress(*columns, console=RichConsole(stderr=True), transient=True) as bar:
        task = bar.add_task(displayed(label), total=None, note="")
        yield lambda done, total, note="": bar.update(task, completed=done, total=total or None, note=note)


class _PlainLines:
    """Progress for logs: nothing for short work, one line every ten seconds for long work."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._start = self._last = time.monotonic()
        #: What was done when progress was first told, and when: work that goes on begins in its middle.
        self._first: tuple[int, float] | None = None

    def __call__(self, done: int, total: int, note: str = "") -> None:
        now = time.monotonic()
        if self._first is None:
            self._first = done, now
        if now - self._last >= _PLAIN_INTERVAL_SECONDS:
            self._last = now
            of_total = f" of {total:,} ({done / total:.0%})" if total else ""
            left = self._left(done, total, now)
            say(f"{self._label}: {done:,}{of_total} after {now - self._start:.0f} s{left}{note and ', ' + note}")

    def _left(self, done: int, total: int, now: float) -> str:
        """Say how long the rest takes at the speed so far; nothing where that is not known."""
        first, since = self._first or (done, now)
        if done >= total or done <= first or now <= since:
            return ""
        return f", about {_duration((total - done) * (now - since) / (done - first))} left"


def _duration(seconds: float) -> str:
    """Return a time in words, no nearer than it is known.

    Examples
    --------
    >>> [_duration(one) for one in (12.3, 200, 9000, 200000)]
    ['12 s', '3 min', '2.5 h', '2.3 days']
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.1f} days"


def _on_sigterm(_signal: int, _frame: object) -> NoReturn:
    raise SystemExit(_TERMINATED)


def run_program(program: Callable[[], object], habits: Mapping[str, str] | None = None) -> NoReturn:
    """Run a program and leave with the exit code of what happened.

    0 done, 1 a bug of ours, 2 bad arguments, 3 refused data, 4 output exists, 5 environment,
    130 interrupted, 143 terminated. With `--json` among the arguments an error is a JSON object on stdout as well.

    Parameters
    ----------
    program
        What to run: a typer app called with `standalone_mode=False`, so that its errors come here too.
    habits
        Options of other programs, as for `habits.unknown_option`.
    """
    open_standard_streams()
    signal.signal(signal.SIGTERM, _on_sigterm)
    # Threads of OpenMP (torch, FAISS) otherwise spin while they wait: beside other work, training then takes ten
    # times as long. Read once, when the first of them is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # Those of numpy's BLAS spin from the moment that numpy is there, for 2^26 cycles by default.
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")
    # Arrow's own allocator takes memory ahead and gives little of it back: of 24 MB of rows it came to hold 40 more.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    arguments = sys.argv[1:]
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    _told.json_output, _told.quiet = "--json" in options, bool(_QUIET & set(options))
    _told.notices, _told.known, _told.events = [], {}, None
    try:
        _check_arguments(arguments)
        _told.events = None if COMPLETING in os.environ else events_of(options)
        code = program()
        emit("")  # what the parser printed, such as its help
    except ReaderLeft:
        raise SystemExit(0) from None
    except SystemExit as leaving:
        if leaving.code == _TERMINATED:
            _tell_error({"class": "terminated", "exit_code": _TERMINATED, "message": "terminated"})
        if leaving.code == 1:  # the parser's answer to a broken pipe, its own where it prints its help
            if _HELP & set(options):
                raise SystemExit(0) from None
            _fail(ResourceError("a connection was cut off"))
        raise
    except (KeyboardInterrupt, typer.Abort):
        _leave("error: interrupted", error={"class": "interrupted", "exit_code": 130, "message": "interrupted"})
    except BaseException as error:
        if not isinstance(error, Exception) and not is_panic(error):
            raise
        _fail(_as_ours(error, habits or {}))
    raise SystemExit(code if isinstance(code, int) else 0)


def _check_arguments(arguments: Sequence[str]) -> None:
    """Refuse bytes that are no text: names stand in manifests and reports, which are UTF-8."""
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError:
            raise UsageError(
                "an argument has bytes that are not UTF-8", got=argument, hint="rename the file, or link to it"
            ) from None


def _as_ours(error: BaseException, habits: Mapping[str, str]) -> SageError | BaseException:
    """Return what a program raised as an error of the closed set, where it is one by another name."""
    if isinstance(error, SageError):
        return error
    if isinstance(error, MemoryError):
        return ResourceError("out of memory", hint="use a smaller input, or a machine with more memory")
    if isinstance(error, OSError) and error.errno in _SHORTAGES:
        return ResourceError(
            "the system has no more to give",
            where=None if error.filename is None else str(error.filename),
            got=error.strerror,
        )
    if hasattr(error, "format_message"):
        if type(error).__name__ == "NoArgsIsHelpError":
            emit(str(error.format_message()) + "\n")
            raise SystemExit(2)
        return usage_error(error, habits)
    return error


def _fail(error: SageError | BaseException) -> NoReturn:
    # What another package raised stands behind the error that names it.
    if os.environ.get("SAGE_DEBUG") and (not isinstance(error, SageError) or error.__cause__ is not None):
        raise error
    if not isinstance(error, SageError) and "sage_select.declare.registry" in sys.modules:
        from sage_select.declare.faults import fault_of_others

        error = fault_of_others(error) or error
    if isinstance(error, SageError):
        _leave(*f"error: {error}".split("\n"), error=error.as_dict())
    message, hint = f"{type(error).__name__}: {error}", "SAGE_DEBUG=1 shows where; please report it"
    told = SageError(f"internal error, a bug of ours: {message}", hint=hint)
    _leave(*f"error: {told}".split("\n"), error=told.as_dict())


def _leave(*lines: str, error: Mapping[str, Any]) -> NoReturn:
    if not _told.silent:
        say(*lines)
    _tell_error(error)
    raise SystemExit(error["exit_code"])


def _tell_error(error: Mapping[str, Any]) -> None:
    """Tell the programs that listen of an error."""
    whole = {**_NO_ERROR, **error}
    _told.tell(Failed(whole))
    if _told.json_output:
        with suppress(ReaderLeft, ResourceError):  # it stands on stderr as well, and the exit code tells its kind
            _emit_json({**_told.known, "ok": False, "error": whole, "notices": _told.notices})
