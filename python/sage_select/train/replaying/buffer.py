"""The replay buffer of a run: looked at before it, without a lock or a change; checked whether it can be written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sage_select.errors import DataError, UsageError, Where
from sage_select.io.tables.digest import digest_bytes
from sage_select.io.tables.nested import is_json_text
from sage_select.paths import user_path
from sage_select.render import Shape
from sage_select.render.shape import KNOWN

if TYPE_CHECKING:
    from sage_select.replay import ReplayBuffer
    from sage_select.train.config import TrainConfig

__all__ = ["ID_COLUMN", "Buffer", "check_writable", "open_buffer", "refuse_in_one_another", "refuse_unfit"]

#: The column by which rows of selections are known.
ID_COLUMN: Final = "sage_row_id"
_TRIES: Final = 5


@dataclass(frozen=True)
class Buffer:
    """A replay buffer at a commit.

    Attributes
    ----------
    opened
        The buffer.
    digest
        That of the manifest of the commit, which names all of its files by theirs.
    table
        Its rows, in the order in which they came.
    ids, groups
        Their ids, and the group of each, null where it has none.
    """

    opened: ReplayBuffer
    digest: str
    table: pa.Table
    ids: pa.Array
    groups: pa.Array

    @property
    def commit(self) -> int:
        """The number of the commit."""
        return self.opened.commit

    def drawn(self, count: int, some: NDArray[np.int64], step: int) -> NDArray[np.int64]:
        """Return so many of some rows, by numbers within `some`, as the buffer's own rule draws them at a step."""
        others = np.setdiff1d(np.arange(len(self.ids)), some, assume_unique=True)
        found = self.opened.draw(count, exclude=self.ids.take(pa.array(others)), step=step)
        place = {row_id: place for place, row_id in enumerate(self.ids.take(pa.array(some)).to_pylist())}
        return np.array([place[row_id] for row_id in found[ID_COLUMN].cast(pa.string()).to_pylist()], np.int64)


def open_buffer(folder: Path, commit: int | None = None) -> Buffer | None:
    """Return the buffer of a folder, without a lock or a change; None where there is none.

    Parameters
    ----------
    commit
        The commit to look at, the last one where nothing is said.

    Raises
    ------
    UsageError
        It knows rows by another column than selections do.
    DataError
        It is damaged, or of a newer version, or something else lies there.
    """
    from sage_select.replay import ReplayBuffer
    from sage_select.replay.store.names import commits_in, manifest_name

    path = user_path(folder)
    if path.is_file():
        raise UsageError(
            "is a file, and a replay buffer is a folder", where=str(path), hint="name another with --replay"
        )
    if not commits_in(path):
        if path.is_dir() and any(one for one in path.iterdir() if not one.name.startswith(".")):
            raise UsageError(
                "is no replay buffer, and something is there", where=str(path), hint="name another with --replay"
            )
        return None
    for left in reversed(range(_TRIES)):
        opened = ReplayBuffer.open(path, create=False, commit=commit)
        try:
            digest = digest_bytes((path / manifest_name(opened.commit)).read_bytes())
        except FileNotFoundError:  # a writer has gone on meanwhile, and no longer keeps this commit
            if not left:
                raise DataError("its manifest is missing", where=str(path)) from None
            continue
        break
    if opened.settings.id_column != ID_COLUMN:
        raise UsageError(
            "the replay buffer knows rows by another column than selections do",
            where=str(path),
            expected=ID_COLUMN,
            got=opened.settings.id_column,
            hint="name a buffer of its own with --replay; it is made if absent",
        )
    return Buffer(opened, digest, opened.table(), opened.ids(), opened.members()["group"].combine_chunks())


def check_writable(folder: Path) -> bool:
    """Make sure that a buffer can be written, and make it where there is none; return whether it was made.

    Raises
    ------
    OutputError
        Another process is writing it.
    ResourceError
        It cannot be made or written.
    """
    from sage_select.replay import ReplayBuffer

    there = open_buffer(folder) is not None
    # An update with no rows takes the lock, and changes nothing.
    ReplayBuffer.open(folder).update(pa.table({ID_COLUMN: pa.array([], pa.string())}))
    return not there


def refuse_in_one_another(buffer: Path, run: Path) -> None:
    """Raise UsageError where a buffer lies in the folder of a run, or a run in that of a buffer."""
    place, folder = user_path(buffer).resolve(), run.resolve()
    if place == folder or folder in place.parents or place in folder.parents:
        raise UsageError(
            "a replay buffer and a run cannot share a folder",
            where=str(place),
            got=str(folder),
            hint="name another with --replay, such as one beside the run",
        )


def refuse_unfit(buffer: Buffer | None, table: pa.Table, shape: Shape, config: TrainConfig) -> None:
    """Refuse a selection whose rows a buffer could not take when the run is finished.

    Parameters
    ----------
    table, shape
        The rows as they would be offered, and how they are read.
    config
        The settings of the run.

    Raises
    ------
    UsageError
        The policy of the buffer needs what nobody gives it.
    DataError
        A column has another type than in the buffer, or is not there.
    """
    if buffer is None:
        return
    where, policy = str(config.replay), buffer.opened.settings.policy
    given = {"scores", *(["groups"] if config.replay_task is not None else [])}
    if missing := sorted(policy.needs() - given):
        raise UsageError(
            f"the replay buffer goes by {' and '.join(missing)} (policy {policy.name}), which the rows do not have",
            where=where,
            hint="say which group they are of with --replay-task"
            if missing == ["groups"]
            else "take a buffer with another policy, or leave it as it is with --no-replay-update",
        )
    held = buffer.table.schema
    for name in _required(shape) if len(buffer.ids) else ():
        if name not in held.names:
            raise DataError(
                "the rows of the replay buffer are of another shape, so that those of the selection cannot join them",
                where=Where(file=where, column=name),
                expected=", ".join(shape.columns),
                got=", ".join(held.names)[:200],
                hint="name another buffer with --replay, or leave it as it is with --no-replay-update",
            )
    for field in table.schema:
        known = held.field(field.name) if field.name in held.names else field
        if pa.types.is_null(known.type) or pa.types.is_null(field.type):
            continue
        if known.type != field.type or is_json_text(known) != is_json_text(field):
            raise DataError(
                "a column has another type in the replay buffer, so that the rows of the selection cannot join it",
                where=Where(file=where, column=field.name),
                expected=_kind(known),
                got=_kind(field),
                hint="leave the column out of the selection, name another buffer with --replay, or leave it as it is "
                "with --no-replay-update",
            )


def _required(shape: Shape) -> tuple[str, ...]:
    """Return the columns without which a row has not this shape."""
    form = next((one for one in KNOWN if one.name == shape.name and set(one.required) <= set(shape.columns)), None)
    return shape.columns if form is None else form.required


def _kind(field: pa.Field) -> str:
    return "JSON text" if is_json_text(field) else str(field.type)
