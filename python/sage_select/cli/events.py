"""What happens, as JSON lines for other programs: `--events FILE`, or `SAGE_EVENTS`.

Each line is one object of the schema that docs/events.schema.json has, which is made from the classes here. Members are
added to it and never change their meaning; `version` in the first line says which schema it is.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, Literal

from sage_select import __version__
from sage_select.cli.streams import say
from sage_select.errors import OutputError, ResourceError
from sage_select.paths import user_path

__all__ = [
    "EVENTS",
    "EVENTS_HELP",
    "SCHEMA_VERSION",
    "Ended",
    "Event",
    "Events",
    "Failed",
    "Noticed",
    "Progressed",
    "Staged",
    "Started",
    "events_of",
]

SCHEMA_VERSION: Final = 1
EVENTS_HELP: Final = (
    "Add what happens to a file or pipe, as JSON lines (docs/events.schema.json); - is standard error, on which "
    "nothing else is said then. [default: SAGE_EVENTS]"
)
#: What stands for standard error.
_STANDARD_ERROR: Final = "-"
#: Seconds between two lines on the progress of one thing.
_INTERVAL: Final = 0.5


@dataclass(frozen=True)
class Event:
    """Something that happens."""

    event: ClassVar[str]


@dataclass(frozen=True)
class Started(Event):
    """The program has begun; always the first line."""

    event: ClassVar[str] = "started"
    version: int
    program: str
    program_version: str
    command: str | None
    pid: int


@dataclass(frozen=True)
class Noticed(Event):
    """Something that the user should know."""

    event: ClassVar[str] = "notice"
    text: str


@dataclass(frozen=True)
class Progressed(Event):
    """How far something is: `done` of `total`, null where that is not known; the last of a label is always told."""

    event: ClassVar[str] = "progress"
    label: str
    done: int
    total: int | None
    note: str


@dataclass(frozen=True)
class Staged(Event):
    """A stage begins (`rows_in`), is done, or was done before by the same plan; parts of a stage are told apart."""

    event: ClassVar[str] = "stage"
    stage: str
    state: Literal["started", "done", "cached"]
    rows_in: int | None
    rows_out: int | None


@dataclass(frozen=True)
class Ended(Event):
    """The run has succeeded, with what `--json` prints; the last line."""

    event: ClassVar[str] = "result"
    result: dict[str, Any]


@dataclass(frozen=True)
class Failed(Event):
    """The run has failed, with what `--json` prints under `error`; the last line."""

    event: ClassVar[str] = "error"
    error: dict[str, Any]


#: All there are, in the order in which they come.
EVENTS: Final[tuple[type[Event], ...]] = (Started, Noticed, Progressed, Staged, Ended, Failed)


class Events:
    """Where events go: a file, a pipe or standard error. Where nobody takes them any more, the run goes on.

    Raises
    ------
    UsageError
        Where no file can be called so.
    OutputError
        Where the file holds something else than events, which are added to what is there.
    ResourceError
        Where it cannot be written.
    """

    def __init__(self, target: str, program: str, arguments: Sequence[str]) -> None:
        self._begin = time.monotonic()
        self.on_standard_error = target == _STANDARD_ERROR
        self._file: int | None = 2 if self.on_standard_error else _opened(target)
        command = next((one for one in arguments if not one.startswith("-")), None)
        known = command if program == "sage-select" else None
        self.tell(Started(SCHEMA_VERSION, program, __version__, known, os.getpid()))

    def tell(self, event: Event) -> None:
        """Write an event, in one piece."""
        if self._file is None:
            return
        seconds = round(time.monotonic() - self._begin, 3)
        value = {"event": event.event, "seconds": seconds, **asdict(event)}
        line = json.dumps(value, ensure_ascii=True, allow_nan=False) + "\n"
        try:
            rest = line.encode()
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError as error:
            self._file = None
            if not self.on_standard_error:
                say(f"note: events are told no more: {error.strerror}")

    def progress(self, label: str) -> tuple[Callable[..., None], Callable[[], None]]:
        """Return what is told of progress, and what is called when that ends."""
        latest: Progressed | None = None
        written: tuple[float, Progressed | None] = (time.monotonic() - _INTERVAL, None)

        def tell() -> None:
            nonlocal written
            if latest is not None and latest != written[1]:
                self.tell(latest)
                written = (time.monotonic(), latest)

        def told(done: int, total: int, note: str = "") -> None:
            nonlocal latest
            latest = Progressed(label, int(done), int(total) or None, note)
            if time.monotonic() - written[0] >= _INTERVAL:
                tell()

        return told, tell


def _opened(target: str) -> int:
    path = user_path(target)
    is_file = not path.exists() or path.is_file()
    try:
        # A pipe is opened once: whoever reads it takes a second time for another writer, and the first for its end.
        mode = os.O_RDWR | os.O_CREAT if is_file else os.O_WRONLY
        file = os.open(path, mode | os.O_APPEND | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise ResourceError("events cannot be written there", where=target, got=error.strerror) from None
    begin = os.pread(file, 10, 0) if is_file else b""
    if begin and begin != b'{"event": ':
        os.close(file)
        raise OutputError(
            "holds something else than events, and they would be added to it", where=target, hint="name another file"
        )
    return file


def events_of(arguments: Sequence[str]) -> Events | None:
    """Return where the arguments of this program, or else its environment, want events; None where they want none.

    Raises
    ------
    UsageError, OutputError, ResourceError
        As `Events`.
    """
    if {"-h", "--help", "--version"} & set(arguments):
        return None
    target = os.environ.get("SAGE_EVENTS") or None
    for place, argument in enumerate(arguments):
        if argument == "--events" and place + 1 < len(arguments):
            target = arguments[place + 1]
        elif argument.startswith("--events="):
            target = argument.partition("=")[2]
    return None if target is None else Events(target, Path(sys.argv[0]).name.partition(".")[0], arguments)
