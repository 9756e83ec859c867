"""A commit that was cut off: the next writer completes it, and readers touch nothing."""

from __future__ import annotations

import threading

import pytest
from tests.support.commits import NAMES, NEW, OLD, REPORT, Dying, cut_off, entries, seen, state

from sage_select.errors import DataError, OutputError, ResourceError
from sage_select.io import open_output, open_with_report, read, write
from sage_select.io.commit import paired
from sage_select.io.commit.lock import locked
from sage_select.io.commit.names import OutputNames
from sage_select.io.commit.protocol import exclusive, recover


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
