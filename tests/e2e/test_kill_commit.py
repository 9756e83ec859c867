"""Writers killed with SIGKILL before every single file operation: old or new afterwards, never a mix.

One process forks a child for every operation of a commit. The child replaces an output and kills itself
before its n-th operation, or in the middle of it where it writes. No cleanup runs, no lock is given back.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pyarrow as pa
import pytest

from sage_select.errors import DataError
from sage_select.io import open_output, write
from sage_select.io.commit import paired
from sage_select.io.commit.names import OutputNames
from sage_select.io.commit.protocol import recover

OLD = pa.table({"a": ["old"] * 5})
NEW = pa.table({"a": ["new"] * 9})
REPORT = pa.table({"id": ["1"]})

DRIVER = """
    import os, signal, sys
    from pathlib import Path

    import pyarrow as pa

    from sage_select.io import write
    from sage_select.io.commit.files import Files

    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)


    class Killed(Files):
        def __init__(self, at):
            self.at = at


    def counted(name):
        original = getattr(Files, name)

        def operation(self, *arguments):
            self.at -= 1
            if self.at == 0:
                if name == "write":
                    original(self, arguments[0], arguments[1][: len(arguments[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return original(self, *arguments)

        return operation


    for name in [name for name in vars(Files) if not name.startswith("_")]:
        setattr(Killed, name, counted(name))

    folder, name = Path(sys.argv[1]), sys.argv[2]
    old, new = pa.table({"a": ["old"] * 5}), pa.table({"a": ["new"] * 9})
    report = pa.table({"id": ["1"]})
    for at in range(1, 1000):
        place = folder / f"{at:03}"
        place.mkdir()
        pid = os.fork()
        if pid == 0:
            if sys.argv[3] == "replace":
                write(old, place / name, {"which": "old"}, row_report=report)
            write(new, place / name, {"which": "new"}, force=True, files=Killed(at))
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        print(os.WTERMSIG(status) if os.WIFSIGNALED(status) else -os.WEXITSTATUS(status), flush=True)
        if not os.WIFSIGNALED(status):
            break
"""


def killed_writers(folder: Path, name: str, what: str) -> list[Path]:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(DRIVER), str(folder), name, what],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    ends = [int(line) for line in done.stdout.split()]
    assert ends[-1] == 0, done.stderr
    assert set(ends[:-1]) == {signal.SIGKILL}
    assert len(ends) > 20
    return sorted(folder.iterdir())


def entries(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("name", ["out.arrow", "out"])
def test_a_killed_replacement_leaves_the_old_or_the_new(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paired, "_CHECKS", 1)
    found, halves = [], []
    for folder in killed_writers(tmp_path, name, "replace"):
        path = folder / name
        before = entries(folder)
        try:
            rows, manifest = open_output(path)
            assert manifest is not None
            assert rows.table.equals(NEW if manifest["which"] == "new" else OLD)
        except DataError as error:
            halves.append(error.message)
        assert entries(folder) == before, "a reader completes and removes nothing"
        recover(path)
        rows, manifest = open_output(path)
        assert manifest is not None
        found.append(manifest["which"])
        assert rows.table.equals(NEW if found[-1] == "new" else OLD)
        report = {OutputNames(path).row_report.name} if found[-1] == "old" else set()
        assert entries(folder) == {name, OutputNames(path).manifest.name} | report
    assert found == sorted(found, reverse=True)
    assert set(found) == {"old", "new"}
    assert {message.partition(":")[0] for message in halves} == {"is half replaced"}


def test_a_killed_first_write_leaves_nothing_or_all_and_can_be_repeated(tmp_path: Path) -> None:
    found = []
    for folder in killed_writers(tmp_path, "out.arrow", "create"):
        path = folder / "out.arrow"
        left = entries(folder)
        write(OLD, path, {"which": "old"}, row_report=REPORT, force=True)
        found.append(any("commit" in name or name == "out.arrow" for name in left))
        rows, manifest = open_output(path)
        assert manifest is not None
        assert (rows.table, manifest["which"]) == (OLD, "old")
        names = OutputNames(path)
        assert entries(folder) == {"out.arrow", names.manifest.name, names.row_report.name}
    assert found == sorted(found)
    assert set(found) == {False, True}
