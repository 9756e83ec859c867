"""A stream of Arrow that grows batch by batch on the disk: killed at any moment, it goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

import pyarrow as pa

from sage_select.errors import OutputError, ResourceError
from sage_select.io.commit.lock import locked
from sage_select.train.checkpoints import sync

__all__ = ["GrowingStream", "held"]

#: What ends a stream: an empty message.
_END: Final = b"\xff\xff\xff\xff\x00\x00\x00\x00"


@contextmanager
def held(target: Path) -> Iterator[None]:
    """Hold the place of an output alone.

    Raises
    ------
    OutputError
        If another process writes it.
    ResourceError
        If its folder cannot be written.
    """
    busy = OutputError("another process is writing this output", where=str(target), hint="wait for it")
    with ExitStack() as stack:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locked(target.with_name(f".{target.name}.lock"), busy=busy))
        except OSError as error:
            raise ResourceError(f"the output cannot be written: {error.strerror}", where=str(target)) from None
        yield


class GrowingStream:
    """A stream under a name of its own beside the output, which takes the output's name when it is whole.

    Each batch is on the disk before the file beside it says so, which says as well how long the stream is then: what
    lies behind that was written by a process that was killed, and is cut off.

    Parameters
    ----------
    target
        The output.
    schema
        That of the stream; its bytes, metadata among them, say what the stream is of.
    """

    def __init__(self, target: Path, schema: pa.Schema) -> None:
        self._target = target
        self._part = target.with_name(f".{target.name}.part")
        self._state = target.with_name(f".{target.name}.part.json")
        self._head: bytes = schema.serialize().to_pybytes()
        self.rows = 0
        self._bytes = 0

    def open(self) -> bool:
        """Go on from what is there, or begin; return whether there is something of another stream, which is removed."""
        state = self._read()
        of_another = self._part.exists() and state is None
        if state is None:
            self._state.unlink(missing_ok=True)
            self._part.write_bytes(self._head)
            self._bytes = len(self._head)
            self._note()
        else:
            self._bytes, self.rows = state
            with self._part.open("r+b") as file:
                file.truncate(self._bytes)
        return of_another

    def append(self, batch: pa.RecordBatch) -> None:
        """Write a batch; it is there for good when this returns."""
        data = batch.serialize()
        with self._part.open("r+b") as file:
            file.seek(self._bytes)
            file.write(data)
        self._bytes += data.size
        self.rows += batch.num_rows
        self._note()

    def table(self) -> pa.Table:
        """Return the rows that are there for good."""
        with self._part.open("rb") as file:
            data = file.read(self._bytes)
        return pa.ipc.open_stream(data + _END).read_all()

    def finish(self) -> None:
        """End the stream and give it the name of the output."""
        with self._part.open("r+b") as file:
            file.seek(self._bytes)
            file.write(_END)
        sync(self._part)
        self._part.replace(self._target)
        self._state.unlink(missing_ok=True)
        sync(self._target.parent)

    def discard(self) -> None:
        """Remove what is left of a stream that was finished, or is not wanted."""
        for path in (self._state, self._part):
            path.unlink(missing_ok=True)

    def _note(self) -> None:
        """Say how long the stream is, once it is that long on the disk."""
        sync(self._part)
        temporary = self._state.with_name(f"{self._state.name}.new")
        temporary.write_text(json.dumps({"bytes": self._bytes, "rows": self.rows}))
        sync(temporary)
        temporary.replace(self._state)

    def _read(self) -> tuple[int, int] | None:
        """Return the bytes and rows of this very stream that are there for good, None where there are none."""
        with suppress(OSError, ValueError, KeyError, TypeError):
            state = json.loads(self._state.read_text())
            length, rows = int(state["bytes"]), int(state["rows"])
            with self._part.open("rb") as file:
                head = file.read(len(self._head))
            if head == self._head and len(self._head) <= length <= self._part.stat().st_size and rows >= 0:
                return length, rows
        return None
