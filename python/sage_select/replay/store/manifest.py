"""The manifest of a commit: all that the buffer is, but for the rows that files hold."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sage_select.errors import DataError, ResourceError, SageError
from sage_select.io.commit.regular import read_regular
from sage_select.io.commit.sealed import is_as_written, sealed_text
from sage_select.io.tables.strict_json import StrictJsonError, decode
from sage_select.replay.rows import ReplayRows
from sage_select.replay.settings import BufferSettings
from sage_select.replay.state import Counters, State

__all__ = ["FORMAT_VERSION", "Manifest", "Part", "read_manifest"]

FORMAT_VERSION: Final = 1
_MOST_BYTES: Final = 1 << 30

_Count = Annotated[int, Field(ge=0)]


class _Checked(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)


class Part(_Checked):
    """A file of the buffer."""

    file: Annotated[str, Field(pattern=r"^(rows|events|members)-\d{10}\.(arrow|parquet)$")]
    digest: str
    rows: _Count


class _Document(_Checked):
    kind: Literal["replay buffer"]
    commit: _Count
    oldest: _Count
    settings: dict[str, Any]
    counters: dict[str, _Count]
    policy_state: dict[str, Any]
    draw_state: dict[str, Any]
    carry: dict[str, str]
    forgotten: list[str]
    schema_: Annotated[str | None, Field(alias="schema")]
    vector_column: str | None
    snapshots: list[_Count]
    segments: dict[str, Part]
    members: Part | None
    events: list[Part]
    open_from: _Count


@dataclass(frozen=True)
class Manifest:
    """The manifest of a commit.

    Attributes
    ----------
    settings
        What the buffer was made with.
    head
        The state, but for its rows.
    oldest
        The oldest commit that may be gone back to: a deletion ends all before it.
    snapshots
        Commits that are held until they are released.
    segments
        Files of rows, by the commit that brought them.
    events, open_from, members
        The log, and all rows of the buffer at the end of its first `open_from` files.
    """

    settings: BufferSettings
    head: State
    oldest: int
    snapshots: tuple[int, ...]
    segments: Mapping[int, Part]
    events: tuple[Part, ...]
    open_from: int
    members: Part | None

    @classmethod
    def new(cls, settings: BufferSettings) -> Self:
        """Return the manifest of a buffer without rows."""
        return cls(settings, State(), 0, (), {}, (), 0, None)

    @classmethod
    def of(
        cls,
        settings: BufferSettings,
        state: State,
        *,
        oldest: int,
        snapshots: Sequence[int],
        segments: Mapping[int, Part],
        events: Sequence[Part],
        open_from: int,
        members: Part | None,
    ) -> Self:
        """Return the manifest of a state."""
        head = replace(state, rows=ReplayRows.none())
        return cls(settings, head, oldest, tuple(snapshots), segments, tuple(events), open_from, members)

    @property
    def commit(self) -> int:
        """The number of the commit."""
        return self.head.commit

    @property
    def open_events(self) -> tuple[Part, ...]:
        """The files of the log after which `members` does not tell."""
        return self.events[self.open_from :]

    def parts(self) -> Iterator[Part]:
        """Yield all files that it names."""
        yield from self.segments.values()
        yield from self.events
        if self.members is not None:
            yield self.members

    def state(self, rows: ReplayRows) -> State:
        """Return the state with these rows."""
        return replace(self.head, rows=rows)

    def text(self) -> str:
        """Return its text, with a digest of itself."""
        head = self.head
        schema = None if head.schema is None else base64.b64encode(head.schema.serialize()).decode()
        content = {
            "kind": "replay buffer",
            "commit": head.commit,
            "oldest": self.oldest,
            "settings": self.settings.settings(),
            "counters": asdict(head.counters),
            "policy_state": dict(head.policy_state),
            "draw_state": dict(head.draw_state),
            "carry": dict(head.carry),
            "forgotten": [f"{one:016x}" for one in head.forgotten],
            "schema": schema,
            "vector_column": head.vector_column,
            "snapshots": list(self.snapshots),
            "segments": {str(number): part.model_dump() for number, part in sorted(self.segments.items())},
            "members": None if self.members is None else self.members.model_dump(),
            "events": [part.model_dump() for part in self.events],
            "open_from": self.open_from,
        }
        return sealed_text(content, FORMAT_VERSION)


def read_manifest(place: Path, *, verify: bool = True) -> Manifest:
    """Return the manifest that a file holds.

    Raises
    ------
    DataError
        It is damaged, of a newer version, or none.
    FileNotFoundError
        It is not there.
    ResourceError
        It cannot be read.
    """
    try:
        data, _ = read_regular(place, _MOST_BYTES)
        found = decode(data.decode())
    except FileNotFoundError:
        raise
    except (StrictJsonError, UnicodeDecodeError) as error:
        raise DataError("is damaged: a manifest is a JSON object", where=str(place), got=str(error)[:120]) from None
    except OSError as error:
        raise ResourceError("cannot be read", where=str(place), got=error.strerror or str(error)) from None
    version = found.pop("format_version", None) if isinstance(found, dict) else None
    if version != FORMAT_VERSION or isinstance(version, bool | float):
        newer = isinstance(version, int) and version > FORMAT_VERSION
        raise DataError(
            "is the manifest of a newer version" if newer else "is no manifest of a replay buffer",
            where=str(place),
            expected=f"format_version {FORMAT_VERSION}",
            got=str(version)[:80],
            hint="install a newer sage-select" if newer else None,
        )
    if verify and not is_as_written(data, FORMAT_VERSION):
        raise DataError(
            "has been changed or damaged since it was written",
            where=str(place),
            hint="the commits before it may be whole: open one with commit=",
        )
    found.pop("digest", None)
    return _of(found, place)


def _of(found: Mapping[str, Any], place: Path) -> Manifest:
    try:
        document = _Document.model_validate(found)
        schema = None
        if document.schema_ is not None:
            schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(document.schema_)))
        head = State(
            commit=document.commit,
            schema=schema,
            vector_column=document.vector_column,
            counters=Counters(**document.counters),
            policy_state=document.policy_state,
            draw_state=document.draw_state,
            carry=document.carry,
            forgotten=tuple(int(one, 16) for one in document.forgotten),
        )
        return Manifest(
            settings=BufferSettings.make(**document.settings),
            head=head,
            oldest=document.oldest,
            snapshots=tuple(document.snapshots),
            segments={int(number): part for number, part in document.segments.items()},
            events=tuple(document.events),
            open_from=document.open_from,
            members=document.members,
        )
    except (ValidationError, TypeError, ValueError, pa.ArrowException, SageError) as error:
        raise DataError("is no manifest of a replay buffer", where=str(place), got=str(error)[:200]) from None
