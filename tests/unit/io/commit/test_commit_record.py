"""A commit record that no writer of ours left: it is refused, and nothing is done by it."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from typing import Any

import pytest
from tests.support.commits import NEW, OLD, cut_off, entries, seen, state

from sage_select.errors import DataError, ResourceError
from sage_select.io import open_output, read, write
from sage_select.io.commit import paired
from sage_select.io.commit.names import OutputNames
from sage_select.io.commit.protocol import recover


def _with(change: Callable[[dict[str, Any]], object]) -> Callable[[OutputNames], None]:
    """Return what changes the record that a dying writer has left."""

    def apply(names: OutputNames) -> None:
        record = json.loads(names.record.read_text())
        change(record)
        names.record.write_text(json.dumps(record))

    return apply


def _to(content: bytes) -> Callable[[OutputNames], None]:
    return lambda names: (names.record.write_bytes(content), None)[1]


def _as_pipe(names: OutputNames) -> None:
    names.record.unlink()
    os.mkfifo(names.record)


def _as_link(names: OutputNames) -> None:
    names.record.rename(names.folder / "elsewhere")
    names.record.symlink_to("elsewhere")


def _swapped(names: OutputNames) -> None:
    names.target.unlink()
    names.target.write_text("the user's own, put here after the writer had died")


ODD: dict[str, Callable[[OutputNames], None]] = {
    "empty": _to(b""),
    "cut": _to(b"{"),
    "a list": _to(b"[]"),
    "not UTF-8": _to(b"\xff"),
    "deep": _to(b"[" * 100_000 + b"]" * 100_000),
    "huge": _to(b" " * (2 << 20)),
    "a pipe": _as_pipe,
    "a link": _as_link,
    "a folder": lambda names: (names.record.unlink(), names.record.mkdir(), None)[2],
    "another version": _with(lambda record: record.update(version=1)),
    "no parts": _with(lambda record: record.update(parts=[])),
    "no identity": _with(lambda record: record["parts"][0].pop("identity")),
    "an identity that is none": _with(lambda record: record["parts"][0].update(identity=[True, 1])),
    "another identity": _with(lambda record: record["parts"][0].update(identity=[1, 1])),
    "another that is replaced": _with(lambda record: record["parts"][0].update(replaces=[1, 1])),
    "a temporary that is none": _with(lambda record: record["parts"][0].update(temporary="mine")),
    "a path": _with(lambda record: record["parts"][0].update(temporary="../mine")),
    "another name": _with(lambda record: record["parts"][0].update(name="mine")),
    "a name twice": _with(lambda record: record["parts"].append(record["parts"][0])),
    "the removal of another": _with(lambda record: record.update(remove=[{"name": "mine", "identity": [1, 1]}])),
    "the removal of the output": _with(
        lambda record: record.update(remove=[{"name": "out.arrow", "identity": [1, 1]}])
    ),
    "a removal by name alone": _with(lambda record: record.update(remove=["out.arrow.rows.parquet"])),
    "another report": _with(lambda record: record["remove"][0].update(identity=[1, 1])),
    "a file in between": _swapped,
    "a temporary that is gone": lambda names: [path.unlink() for path in names.temporaries()].clear(),
}


@pytest.mark.parametrize("case", ODD)
def test_an_odd_record_is_refused_by_writers_and_not_obeyed_by_readers(case, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(paired, "_CHECKS", 2)
    path = tmp_path / "out.arrow"
    cut_off(path)
    (tmp_path / "mine").write_text("mine")
    ODD[case](OutputNames(path))
    before = entries(tmp_path)
    with pytest.raises(DataError, match=r"not a commit record(?s:.*)remove it"):
        recover(path)
    with pytest.raises(DataError, match="not a commit record"):
        write(NEW, path, {"which": "new"}, force=True)
    assert entries(tmp_path) == before
    assert (tmp_path / "mine").read_text() == "mine"
    if case == "a file in between":
        assert path.read_text().startswith("the user's own")
    else:
        assert open_output(path)[0].table.equals(OLD)


def test_a_record_of_another_user_is_not_obeyed(tmp_path, monkeypatch) -> None:
    path = tmp_path / "out.arrow"
    cut_off(path)
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    with pytest.raises(DataError, match="another user"):
        recover(path)
    monkeypatch.undo()
    assert state(path) == "new"


def test_a_planted_record_does_nothing_to_an_input(tmp_path) -> None:
    data = tmp_path / "data.jsonl"
    data.write_text('{"text": "mine"}\n')
    planted = OutputNames(data).temporary("0" * 16, "data")
    planted.write_text('{"text": "evil"}\n')
    for parts, remove in (([], ["data.jsonl"]), ([{"temporary": planted.name, "name": "data.jsonl"}], [])):
        OutputNames(data).record.write_text(json.dumps({"version": 1, "parts": parts, "remove": remove}))
        before = seen(tmp_path)
        assert read(data).table["text"].to_pylist() == ["mine"]
        assert read(str(tmp_path / "*.jsonl")).table["text"].to_pylist() == ["mine"]
        assert seen(tmp_path) == before


def test_a_commit_in_a_folder_that_cannot_be_written_is_said(tmp_path, monkeypatch) -> None:
    path = tmp_path / "out.arrow"
    cut_off(path)
    original = os.open

    def refuse(name: Any, flags: int, *rest: int) -> int:
        if flags & os.O_CREAT:
            raise OSError(errno.EROFS, "Read-only file system")
        return original(name, flags, *rest)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(ResourceError, match=r"cannot be completed(?s:.*)Read-only"):
        recover(path)
