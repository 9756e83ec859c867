"""Every file operation of a commit is made to fail in turn: old or new afterwards, never a mix, nothing left."""

from __future__ import annotations

import errno
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sage_select.errors import DataError, OutputError, ResourceError
from sage_select.io import open_output, open_with_report, read, write
from sage_select.io.commit import paired
from sage_select.io.commit.files import Files
from sage_select.io.commit.lock import locked
from sage_select.io.commit.names import OutputNames
from sage_select.io.commit.protocol import exclusive, recover

OLD = pa.table({"a": ["old"] * 5})
NEW = pa.table({"a": ["new"] * 9})
REPORT = pa.table({"id": ["1"]})
OPERATIONS = [name for name in vars(Files) if not name.startswith("_")]
NAMES = ["out.arrow", "out.parquet", "out.jsonl.gz", "out"]


class Failing(Files):
    """Real file operations of which the n-th fails; with `forever`, so do all after it."""

    def __init__(self, fail_at: int, *, forever: bool = False, short: bool = False) -> None:
        self.count = 0
        self.fail_at = fail_at
        self.forever = forever
        self.short = short
        self.failed: str | None = None

    def about_to(self, operation: str) -> None:
        self.count += 1
        if self.count == self.fail_at or (self.forever and self.count > self.fail_at):
            self.failed = self.failed or operation
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _counted(name: str) -> Callable[..., Any]:
    original = getattr(Files, name)

    def operation(self: Failing, *arguments: Any) -> Any:
        if name == "write" and self.short:
            file, data = arguments
            arguments = (file, data[: max(1, len(data) // 2)])
        try:
            self.about_to(name)
        except OSError:
            if name == "write":  # half of it may have gone out
                original(self, arguments[0], arguments[1][: len(arguments[1]) // 2])
            raise
        return original(self, *arguments)

    return operation


for _name in OPERATIONS:
    setattr(Failing, _name, _counted(_name))


def entries(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def state(path: Path) -> str:
    """Tell what is there once the next writer has come, checked through and through."""
    recover(path)
    rows, manifest = open_output(path)
    assert manifest is not None
    which = manifest["which"]
    assert rows.table.equals({"old": OLD, "new": NEW}[which])
    assert OutputNames(path).row_report.exists() == (which == "old")
    assert manifest["output"]["rows"] == rows.table.num_rows
    return str(which)


@pytest.mark.parametrize("forever", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_any_failing_operation_leaves_old_or_new(name, forever, tmp_path) -> None:
    path = tmp_path / name
    finals = {name, f"{name}.manifest.json", f"{name}.rows.parquet"}
    failed, said, outcomes = set(), set(), []
    for fail_at in range(1, 1000):
        write(OLD, path, {"which": "old"}, row_report=REPORT, force=True)
        files = Failing(fail_at, forever=forever)
        try:
            write(NEW, path, {"which": "new"}, force=True, files=files)
        except ResourceError as error:
            said.add(error.got)
            failed.add(files.failed)
            if not OutputNames(path).record.exists():
                assert entries(tmp_path) <= finals or forever  # a dead disk cannot be swept now ...
            outcomes.append(state(path))
            assert entries(tmp_path) <= finals  # ... but by whoever comes next
            continue
        if files.failed is None:
            break
        outcomes.append(state(path))  # only sweeping failed
    else:
        pytest.fail("the commit never succeeded")
    assert said == {os.strerror(errno.ENOSPC)}
    assert state(path) == "new"
    assert outcomes == sorted(outcomes, reverse=True), "once the new is there, it stays"
    assert {"old", "new"} == set(outcomes)
    expected = {"create", "write", "sync", "sync_folder", "rename", "remove"}
    assert failed >= expected - {"remove"} | ({"make_folder"} if name == "out" else set())


@pytest.mark.parametrize("name", NAMES)
def test_a_first_output_that_fails_leaves_nothing(name, tmp_path) -> None:
    path = tmp_path / name
    for fail_at in range(1, 1000):
        files = Failing(fail_at)
        try:
            write(NEW, path, {"which": "new"}, files=files)
        except ResourceError:
            recover(path)
            if not path.exists():
                assert entries(tmp_path) == set()
                continue
            assert state(path) == "new"
            write(NEW, path, {"which": "new"}, force=True)
            for part in entries(tmp_path):
                remove(tmp_path / part)
            continue
        break
    assert state(path) == "new"


def remove(path: Path) -> None:
    if path.is_dir():
        for child in path.iterdir():
            child.unlink()
        path.rmdir()
    else:
        path.unlink()


def test_short_writes_are_continued(tmp_path) -> None:
    write(NEW, tmp_path / "out.arrow", {"which": "new"}, files=Failing(0, short=True))
    assert state(tmp_path / "out.arrow") == "new"


def test_bytes_that_rot_on_their_way_are_seen(tmp_path) -> None:
    class Rotten(Files):
        def write(self, file: Any, data: Any) -> int:
            return super().write(file, bytes(data).replace(b"new", b"nwe"))

    for name in NAMES[:3]:
        with pytest.raises(ResourceError, match="other bytes than were written"):
            write(NEW, tmp_path / name, {"which": "new", "x": "new"}, files=Rotten())
    assert entries(tmp_path) == set()


def test_an_interrupt_leaves_nothing(tmp_path) -> None:
    class Interrupted(Files):
        def sync(self, file: Any) -> None:
            raise KeyboardInterrupt

    write(OLD, tmp_path / "out.arrow", {"which": "old"}, row_report=REPORT)
    before = entries(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        write(NEW, tmp_path / "out.arrow", {"which": "new"}, force=True, files=Interrupted())
    assert entries(tmp_path) == before
    assert state(tmp_path / "out.arrow") == "old"


class Dying(Files):
    """Stops at the first rename after the record is in place, as a killed process does."""

    def __init__(self) -> None:
        self.recorded = False

    def rename(self, old: Path, new: Path) -> None:
        if self.recorded:
            raise OSError(errno.EIO, "Input/output error")
        self.recorded = new.name.endswith(".commit")
        super().rename(old, new)


def cut_off(path: Path) -> None:
    write(OLD, path, {"which": "old"}, row_report=REPORT)
    with pytest.raises(ResourceError):
        write(NEW, path, {"which": "new"}, force=True, files=Dying())
    assert OutputNames(path).record.exists()


def seen(folder: Path) -> dict[str, object]:
    """Return what lies in a folder, through and through."""
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


@pytest.mark.parametrize("name", NAMES)
def test_writers_complete_what_was_recorded(name, tmp_path) -> None:
    cut_off(tmp_path / name)
    recover(tmp_path / name)
    assert entries(tmp_path) == {name, f"{name}.manifest.json"}
    assert state(tmp_path / name) == "new"
    other = tmp_path / "other"
    other.mkdir()
    cut_off(other / name)
    with pytest.raises(OutputError, match="exists already"):
        write(OLD, other / name, {"which": "old"})
    write(OLD, other / name, {"which": "old"}, row_report=REPORT, force=True)
    assert state(other / name) == "old"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("use", [read, open_output, open_with_report])
def test_readers_of_a_commit_that_was_cut_off_touch_nothing(use, name, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(paired, "_CHECKS", 2)
    cut_off(tmp_path / name)
    before = seen(tmp_path)
    use(tmp_path / name)  # nothing has its new name yet: the old output is complete
    names = OutputNames(tmp_path / name)
    new = next(path for path in names.temporaries() if path.name.endswith(".data"))
    assert seen(tmp_path) == before
    if name == "out":
        names.target.rename(new.with_suffix(".old"))
        with pytest.raises(DataError, match="half replaced"):
            use(names.target)
    new.rename(names.target)
    before = seen(tmp_path)
    with pytest.raises(DataError, match=r"half replaced(?s:.*)repeat that run"):
        use(names.target)
    with pytest.raises(DataError, match="half replaced"):
        read(str(tmp_path / f"{name[:-1]}*"))
    assert seen(tmp_path) == before
    assert state(names.target) == "new"


@pytest.mark.parametrize("name", NAMES)
def test_a_first_commit_that_was_cut_off_is_no_plain_table(name, tmp_path, monkeypatch) -> None:
    """Its rows have their name and its manifest has not: they are not taken for rows of somebody else."""
    monkeypatch.setattr(paired, "_CHECKS", 2)
    with pytest.raises(ResourceError):
        write(NEW, tmp_path / name, {"which": "new"}, files=Dying())
    names = OutputNames(tmp_path / name)
    with pytest.raises(DataError, match="half replaced"):
        read(names.target)
    next(path for path in names.temporaries() if path.name.endswith(".data")).rename(names.target)
    for use in (read, open_output):
        with pytest.raises(DataError, match="half replaced"):
            use(names.target)
    assert state(names.target) == "new"


def test_a_writer_waits_for_a_live_one_in_its_last_step(tmp_path) -> None:
    path = tmp_path / "out.arrow"
    cut_off(path)
    done = threading.Event()

    def next_writer() -> None:
        recover(path)
        done.set()

    with locked(OutputNames(path).lock, busy=OutputError("busy")):
        thread = threading.Thread(target=next_writer)
        thread.start()
        assert not done.wait(0.2)
    thread.join()
    assert state(path) == "new"


def test_the_temporaries_of_a_live_writer_are_left_alone(tmp_path) -> None:
    names = OutputNames(tmp_path / "out.arrow")
    live = names.temporary("0" * 16, "data")
    with exclusive(names):
        live.write_text("")
        recover(names.target)
        assert live.exists()
    recover(names.target)
    assert not live.exists()


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


def test_a_lock_that_was_removed_under_its_holder_is_not_shared(tmp_path) -> None:
    names = OutputNames(tmp_path / "out.arrow")
    inside, most = [], []

    def work() -> None:
        for _ in range(50):
            with exclusive(names, wait=True):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 200
    assert max(most) == 1
    assert entries(tmp_path) == set()


def test_temporaries_are_not_followed_through_links(tmp_path) -> None:
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "link").symlink_to("mine")
    with pytest.raises(FileExistsError):
        Files().create(tmp_path / "link")
    names = OutputNames(tmp_path / "out.arrow")
    names.lock.symlink_to("mine")
    with pytest.raises(ResourceError):
        write(NEW, names.target, {})
    assert (tmp_path / "mine").read_text() == "mine"
