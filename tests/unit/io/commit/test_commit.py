"""Every file operation of a commit is made to fail in turn: old or new afterwards, never a mix, nothing left."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from tests.support.commits import NAMES, NEW, OLD, REPORT, Failing, entries, state

from sage_select.errors import ResourceError
from sage_select.io import write
from sage_select.io.commit.files import Files
from sage_select.io.commit.names import OutputNames
from sage_select.io.commit.protocol import exclusive, recover


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
