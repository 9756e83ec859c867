"""The error tree: every way a run can fail, with its exit code.

A message says where, what was expected, what came and what to do. The set is closed: anything else that
escapes is a bug of ours and leaves with exit code 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from sage_select.display import displayed

__all__ = [
    "DataError",
    "OutputError",
    "Problem",
    "ResourceError",
    "SageError",
    "SageWarning",
    "UsageError",
    "Where",
    "is_panic",
    "nearest",
]


#: Characters of a line of an error.
_LONGEST_LINE = 2000


@dataclass(frozen=True)
class Where:
    """A place in the user's input.

    Rows count from 0, lines of text files from 1. Absent parts are left out of the message.
    """

    file: str | None = None
    row: int | None = None
    line: int | None = None
    column: str | None = None

    def __str__(self) -> str:
        parts = [
            self.file,
            None if self.row is None else f"row {self.row}",
            None if self.line is None else f"line {self.line}",
            None if self.column is None else f"column {self.column!r}",
        ]
        return ", ".join(part for part in parts if part is not None)


@dataclass(frozen=True)
class Problem:
    """One of several things that are wrong in a text file, as editors and compilers write it: `file:line:column: ...`.

    Attributes
    ----------
    message
        What is wrong, in full.
    file, line, column
        Where: lines and the characters of a line count from 1. What is not known is left out.
    key
        The key whose value it is, with those above it: `steps.1.select.budget`.
    expected, got, hint
        The parts of the message, where it has them, for machines.
    """

    message: str
    file: str | None = None
    line: int | None = None
    column: int | None = None
    key: str | None = None
    expected: str | None = None
    got: str | None = None
    hint: str | None = None

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        return ": ".join(part for part in (place, self.key, self.message) if part)

    def as_dict(self) -> dict[str, Any]:
        """Return the parts as JSON values, safe to show."""
        return {name: displayed(value) if isinstance(value, str) else value for name, value in asdict(self).items()}


class SageError(Exception):
    """Root of all errors that a user can meet.

    Parameters
    ----------
    message
        What is wrong, one sentence without a full stop.
    where
        The file, row, line and column, as far as known.
    expected, got
        What would have been right and what came instead.
    hint
        What to do about it.
    problems
        Where there is more than one: each in a line, below the message, with its place in a file where it has one.

    Notes
    -----
    `str()` of an error can be printed: each part stands on a line of its own, without control characters and without
    the credentials of URLs, whatever the user's input holds. The attributes are as they were given.
    """

    exit_code: ClassVar[int] = 1
    #: What machines know the kind of failure by.
    kind: ClassVar[str] = "internal"

    def __init__(
        self,
        message: str,
        *,
        where: Where | str | None = None,
        expected: str | None = None,
        got: str | None = None,
        hint: str | None = None,
        problems: Iterable[str | Problem] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.where = Where(file=where) if isinstance(where, str) else where
        self.expected = expected
        self.got = got
        self.hint = hint
        self.problems = tuple(problems)

    def __str__(self) -> str:
        place = str(self.where) if self.where is not None else ""
        lines = [f"{place}: {self.message}" if place else self.message]
        lines += [f"  {problem}" for problem in self.problems]
        for label, value in (("expected", self.expected), ("got", self.got), ("hint", self.hint)):
            if value is not None:
                lines.append(f"  {label}: {value}")
        return "\n".join(_fitting(displayed(line)) for line in lines)

    def as_dict(self) -> dict[str, Any]:
        """Return the parts of the error as JSON values, safe to show as `str()` is.

        Of problems with a place, `places` holds the parts as well.
        """

        def shown(value: str | None) -> str | None:
            return None if value is None else displayed(value)

        where = None
        if self.where is not None:
            where = {**asdict(self.where), "file": shown(self.where.file), "column": shown(self.where.column)}
        places = [problem.as_dict() for problem in self.problems if isinstance(problem, Problem)]
        return {
            "class": self.kind,
            "exit_code": self.exit_code,
            "message": displayed(self.message),
            "where": where,
            "expected": shown(self.expected),
            "got": shown(self.got),
            "hint": shown(self.hint),
            "problems": [displayed(problem) for problem in self.problems],
            **({"places": places} if places else {}),
        }


class SageWarning(UserWarning):
    """Something a user should know, and no error: what `select` has to say of its input and defaults."""


def _fitting(line: str) -> str:
    """Return a line no longer than a screen: a value of a megabyte is no help, and hides what is said about it."""
    over = len(line) - _LONGEST_LINE
    return f"{line[:_LONGEST_LINE]}... ({over:,} more characters)" if over > 0 else line


class UsageError(SageError):
    """Bad arguments, a bad spec, or an input that is not there. Exit code 2."""

    exit_code = 2
    kind = "usage"


class DataError(SageError):
    """The input was found and read, and its content is refused. Exit code 3."""

    exit_code = 3
    kind = "data"


class OutputError(SageError):
    """The output exists with other content, or another run holds it. Exit code 4."""

    exit_code = 4
    kind = "output"


class ResourceError(SageError):
    """The environment falls short: disk, memory, permission, folder, extra, engine. Exit code 5."""

    exit_code = 5
    kind = "environment"


#: Of names for which another is looked up: the time for it grows with their square.
_LONGEST_NAME = 200


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return a hint that names the known word closest to `name`, or None where none is close.

    Examples
    --------
    >>> nearest("diversty", ["random", "diversity"])
    "did you mean 'diversity'?"
    """
    import difflib  # deferred: `--help` never needs it

    if len(name) > _LONGEST_NAME:
        return None
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else None


def is_panic(raised: BaseException) -> bool:
    """Say whether an exception is a panic of a Rust library: no `Exception`, and of a class of its own by one name."""
    return type(raised).__name__ == "PanicException"
