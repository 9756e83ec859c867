"""Settings that name files, or models: checked when made, and known as such to whoever resolves or shows them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator
from pydantic.fields import FieldInfo

from sage_select.display import is_url
from sage_select.paths import STREAM, path_problem

__all__ = [
    "AdapterPath",
    "BufferPath",
    "FilePath",
    "InputSetting",
    "LocalRowsPath",
    "ManyRowsPath",
    "ModelName",
    "OptionalRowsPath",
    "OutputPath",
    "Reads",
    "Writes",
    "location_of",
]


@dataclass(frozen=True)
class Reads:
    """Marks a field that names what a run reads.

    Parameters
    ----------
    kind
        `rows` (a file, pattern, folder or URL), `file`, `model` (a folder or the name of a repository), `adapter` (its
        folder, or that of the run that trained it), or `buffer` (the folder of a replay buffer).
    """

    kind: Literal["rows", "file", "model", "adapter", "buffer"]


@dataclass(frozen=True)
class Writes:
    """Marks a field that names what a run writes."""

    kind: Literal["output"] = "output"


@dataclass(frozen=True)
class InputSetting:
    """A setting that names something to read: `source.path`, of kind `rows`, with its value."""

    name: str
    kind: Literal["rows", "file", "model", "adapter", "buffer"]
    value: str


def _as_text(value: Any) -> Any:
    """Return a path as text, as programs hand it over; a spec and a command line have text alone."""
    return str(value) if isinstance(value, PurePath) else value


def _rows(text: str | None) -> str | None:
    if text is not None and not is_url(text):
        return _nameable(text)
    if text is not None and "\0" in text:
        raise ValueError("is no URL: a URL has no zero byte")
    return text


def _many_rows(value: str | list[str] | None) -> str | list[str] | None:
    if not isinstance(value, list):
        return _rows(value)
    if not value:
        raise ValueError("names no input")
    for text in value:
        _rows(text)
    return value if len(value) > 1 else value[0]


def _as_texts(value: Any) -> Any:
    """Return paths as text, one or several."""
    return [_as_text(one) for one in value] if isinstance(value, list | tuple) else _as_text(value)


def _local_rows(value: str | list[str]) -> str | list[str]:
    if not isinstance(value, list):
        if value == STREAM:
            raise ValueError("is standard input; only the input may be that, all else lies in files")
        _local(value)
        return value
    if not value:
        raise ValueError("names no file")
    for place, text in enumerate(value):
        _local_rows(text)
        if text in value[:place]:
            raise ValueError(f"names {text} twice")
    return value if len(value) > 1 else value[0]


def _optional_rows(value: str | list[str] | None) -> str | list[str] | None:
    return None if value is None else _local_rows(value)


def _local(text: str | None) -> str | None:
    if text is not None and is_url(text):
        raise ValueError("is a URL; only the input may be one, all else lies on this machine")
    return None if text is None else _nameable(text)


def _output(text: str) -> str:
    if is_url(text):
        raise ValueError("is a URL; an output is written to this machine")
    return _nameable(text)


def _nameable(text: str) -> str:
    problem = path_problem(text)
    if problem is not None:
        raise ValueError(f"is no name of a file: {problem}")
    return text


#: A file, folder, pattern or URL with rows, or several.
ManyRowsPath = Annotated[str | list[str] | None, AfterValidator(_many_rows), Reads("rows")]
#: A file, folder or pattern with rows on this machine, or several.
LocalRowsPath = Annotated[str | list[str], BeforeValidator(_as_texts), AfterValidator(_local_rows), Reads("rows")]
#: The same, or nothing.
OptionalRowsPath = Annotated[
    str | list[str] | None, BeforeValidator(_as_texts), AfterValidator(_optional_rows), Reads("rows")
]
#: A file of this machine to read.
FilePath = Annotated[str | None, BeforeValidator(_as_text), AfterValidator(_local), Reads("file")]
#: A folder with a model, or the name of a repository.
ModelName = Annotated[str | None, BeforeValidator(_as_text), AfterValidator(_local), Reads("model")]
#: The folder of an adapter, or of a run of sage-train that trained one.
AdapterPath = Annotated[str | None, BeforeValidator(_as_text), AfterValidator(_local), Reads("adapter")]
#: The folder of a replay buffer.
BufferPath = Annotated[str, BeforeValidator(_as_text), AfterValidator(_local), Reads("buffer")]
#: A file or folder of this machine to write.
OutputPath = Annotated[str, BeforeValidator(_as_text), AfterValidator(_output), Writes()]

_MARKS: Final = (Reads, Writes)


def location_of(field: FieldInfo) -> Reads | Writes | None:
    """Return the mark of a field of an op, or None where it names no file."""
    return next((mark for mark in field.metadata if isinstance(mark, _MARKS)), None)
