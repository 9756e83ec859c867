"""Replay buffers whose writers fail, are killed or get in each other's way: always some commit, whole.

20 random kills as a rule; `make torture` makes 300 (SAGE_KILLS), at other moments with SAGE_TORTURE_SEED.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commits import Failing
from replay_twin import offer, rows

from sage_select.errors import DataError, OutputError, ResourceError, UsageError
from sage_select.replay import ReplayBuffer
from sage_select.replay.store import FolderStore, folder

KILLS = int(os.environ.get("SAGE_KILLS", "20"))
#: Of the file operations of a commit one of so many fails in turn.
EACH = 1 if KILLS > 20 else 4
SEED = int(os.environ.get("SAGE_TORTURE_SEED", "0"))

#: What is done to a buffer, each a commit.
STEPS: list[Callable[[ReplayBuffer], object]] = [
    lambda buffer: offer(buffer, rows(range(6))),
    lambda buffer: offer(buffer, rows(range(6, 12))),
    lambda buffer: buffer.snapshot(),
    lambda buffer: buffer.mix(pa.table({"sage_row_id": ["a", "b", "c", "d", "e"]}), "1/2"),
    lambda buffer: offer(buffer, rows(range(12, 15))),
    lambda buffer: buffer.delete([buffer.ids()[0].as_py(), "row 2", "never there"]),
    lambda buffer: offer(buffer, rows(range(15, 20))),
    lambda buffer: buffer.resize(3),
    lambda buffer: buffer.rollback(buffer.commits()[0]),
    lambda buffer: offer(buffer, rows(range(20, 30))),
]


@pytest.fixture(autouse=True)
def _few_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Join what lies about in more than a few files, so that a short stream does so."""
    monkeypatch.setattr(folder, "_FILES", 3)


def seen(path: Path) -> dict[str, object]:
    """Return all that a buffer shows."""
    buffer = ReplayBuffer.open(path, create=False)
    return {
        "rows": buffer.table().to_pylist(),
        "members": buffer.members().to_pylist(),
        "log": buffer.history().to_pylist(),
        "stats": buffer.stats(),
        "commits": buffer.commits(),
    }


@pytest.fixture
def states(tmp_path: Path) -> list[dict[str, object]]:
    """Return what is shown after each commit where nothing goes wrong."""
    path = tmp_path / "states"
    buffer = ReplayBuffer.open(path, 5, "fifo", draw="passes")
    found = [seen(path)]
    for step in STEPS:
        step(buffer)
        found.append(seen(path))
    assert [state["stats"]["commit"] for state in found] == list(range(len(STEPS) + 1))  # type: ignore[index]
    return found


def with_files(path: Path, files: Failing) -> ReplayBuffer:
    store = FolderStore(path, files)
    return ReplayBuffer(store, *store.load())


@pytest.mark.parametrize("forever", [False, True])
def test_any_file_operation_may_fail(forever: bool, states: list[dict[str, object]], tmp_path: Path) -> None:
    """An error that is told leaves this commit or the one before it, in memory as on the disk; all goes on from it."""
    path = tmp_path / "buffer"
    ReplayBuffer.open(path, 5, "fifo", draw="passes")
    failures = full = 0
    for number, step in enumerate(STEPS):
        for at in range(1 + number % EACH, 200, EACH):
            copy = tmp_path / "copy"
            shutil.copytree(path, copy)
            files = Failing(at, forever=forever)
            buffer = with_files(copy, files)
            try:
                step(buffer)
            except ResourceError as error:
                full += "No space left" in str(error)
            failures += files.failed is not None
            after = seen(copy)
            assert after == states[buffer.commit]
            assert buffer.commit in (number, number + 1)
            assert buffer.table().to_pylist() == after["rows"]
            if buffer.commit == number:
                step(buffer if not forever else ReplayBuffer.open(copy))
            assert seen(copy) == states[number + 1]
            shutil.rmtree(copy)
            if files.failed is None:
                break
        step(ReplayBuffer.open(path))
    assert 30 < full <= failures, "what a commit leaves over is swept by the next, and no error"


def test_a_buffer_that_could_not_be_made_can_be_made_again(tmp_path: Path) -> None:
    for at in range(1, 20):
        path, files = tmp_path / f"{at}", Failing(at)
        settings = ReplayBuffer.open(None, 5).settings
        with contextlib.suppress(ResourceError):
            FolderStore.create(path, settings, files)
        assert len(ReplayBuffer.open(path, 5)) == 0
        if files.failed is None:
            return
    raise AssertionError("more operations than there can be")


DRIVER = """
    import os, random, signal, sys, time
    from pathlib import Path

    import pyarrow as pa
    from replay_twin import offer, rows

    from sage_select.replay import ReplayBuffer
    from sage_select.replay.store import folder

    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    folder._FILES = 4
    place, kills, draw = Path(sys.argv[1]), int(sys.argv[2]), random.Random(int(sys.argv[3]))

    def work(most):
        buffer = ReplayBuffer.open(place, 9, "balanced", draw="passes")
        while (done := buffer.stats()["updates"]) < most:
            part = rows(range(4 * done, 4 * done + 9), done)
            if buffer.stats()["draws"] < done:
                buffer.mix(pa.table({"sage_row_id": ["x"]}), "2")
            elif done % 5 == 3 and buffer.stats()["deleted"] + 0 < 1 and done > 2:
                buffer.delete([buffer.ids()[0].as_py()])
            else:
                offer(buffer, part)

    most = int(sys.argv[4])
    for number in range(kills):
        pid = os.fork()
        if pid == 0:
            work(most)
            os._exit(0)
        time.sleep(draw.random() * 0.08)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        buffer = ReplayBuffer.open(place, create=False) if (place / "manifest-0000000000.json").exists() or list(
            place.glob("manifest-*.json")) else None
        if buffer is not None:
            assert buffer.table().num_rows == len(buffer), number
            print(buffer.commit, flush=True)
    work(most)
"""


def test_killed_writers_leave_a_commit_and_going_on_gives_the_same_buffer(tmp_path: Path) -> None:
    most = 10 + 2 * KILLS

    def run(name: str, kills: int) -> list[int]:
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(DRIVER), str(tmp_path / name), str(kills), str(SEED), str(most)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return [int(line) for line in done.stdout.split()]

    commits = run("killed", KILLS)
    assert commits == sorted(commits), "what was committed stays"
    run("whole", 0)
    found, expected = seen(tmp_path / "killed"), seen(tmp_path / "whole")
    assert found == expected
    names = [sorted(one.name for one in (tmp_path / name).iterdir()) for name in ("killed", "whole")]
    assert names[0] == names[1], "nothing that a killed writer left is there"


def test_of_two_writers_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "buffer"
    one, other = ReplayBuffer.open(path, 5), ReplayBuffer.open(path)
    with one._store.writing():
        for change in (
            lambda: offer(other, rows(range(3))),
            lambda: other.mix(pa.table({"sage_row_id": ["a"]}), "1"),
            lambda: other.delete(["a"]),
            other.snapshot,
        ):
            with pytest.raises(OutputError, match="another process is writing"):
                change()
        assert len(ReplayBuffer.open(path)) == 0, "readers take no lock"
    offer(other, rows(range(3)))
    offer(one, rows(range(3, 5)))
    assert len(one) == 5, "who comes later goes on from what the other did"
    other.refresh()
    assert other.ids().equals(one.ids())


def test_threads_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "buffer"
    ReplayBuffer.open(path, 1000)
    faults: list[BaseException] = []

    def write(thread: int) -> None:
        try:
            buffer = ReplayBuffer.open(path)
            for number in range(6):
                while True:
                    with contextlib.suppress(OutputError):
                        offer(buffer, rows([100 * thread + number]))
                        break
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=write, args=(one,)) for one in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    buffer = ReplayBuffer.open(path)
    assert sorted(buffer.ids().to_pylist()) == sorted(f"row {100 * one + two}" for one in range(3) for two in range(6))
    assert buffer.commit == 18


def test_a_reader_beside_a_writer_always_sees_a_commit(tmp_path: Path) -> None:
    path = tmp_path / "buffer"
    writer = ReplayBuffer.open(path, 8, "fifo")
    ends, faults, reads = threading.Event(), [], []

    def read() -> None:
        held = ReplayBuffer.open(path)
        try:
            while not ends.is_set():
                for buffer in (ReplayBuffer.open(path), held):
                    seen = buffer.stats()["seen"]
                    ids = [f"row {one}" for one in range(max(0, seen - 8), seen)]
                    assert buffer.table()["sage_row_id"].to_pylist() == ids
                    log = buffer.history()
                    assert log.num_rows == 0 or max(log["commit"].to_pylist()) <= buffer.commit
                    assert buffer.commits()
                    reads.append(buffer.commit)
                if len(reads) % 10 == 0:
                    held.refresh()
        except BaseException as error:
            faults.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(60):
        offer(writer, rows(range(3 * number, 3 * number + 3)))
    ends.set()
    reader.join()
    assert not faults, faults
    assert len(set(reads)) > 3


def test_an_open_buffer_is_read_after_its_files_are_gone(tmp_path: Path) -> None:
    path = tmp_path / "buffer"
    writer = ReplayBuffer.open(path, 8, "fifo")
    offer(writer, rows(range(8)))
    held = ReplayBuffer.open(path)
    for number in range(20):
        offer(writer, rows(range(8 * number, 8 * number + 8)))
    assert not (path / "rows-0000000001.arrow").exists()
    assert held.table()["sage_row_id"].to_pylist() == [f"row {one}" for one in range(8)]
    assert held.draw(2, step=1).num_rows == 2
    with pytest.raises(UsageError, match="no such commit"):
        ReplayBuffer.open(path, commit=1)


@pytest.mark.skipif(os.geteuid() == 0 and not Path("/proc/mounts").exists(), reason="root writes everywhere")
def test_a_folder_that_cannot_be_written_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "buffer"
    offer(ReplayBuffer.open(path, 5), rows(range(4)))
    path.chmod(0o555)
    try:
        buffer = ReplayBuffer.open(path)
        assert buffer.draw(2).num_rows == 2
        if os.access(path, os.W_OK):
            pytest.skip("this user writes everywhere")
        with pytest.raises(ResourceError, match="cannot be written"):
            offer(buffer, rows([9]))
        with pytest.raises(ResourceError):
            ReplayBuffer.open(path / "new")
        assert len(buffer) == 4
    finally:
        path.chmod(0o755)


def test_any_flipped_byte_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "buffer"
    buffer = ReplayBuffer.open(path, 6)
    for number in range(5):
        offer(buffer, rows(range(4 * number, 4 * number + 4)))
    draw = random.Random(SEED)
    manifest = path / f"manifest-{buffer.commit:010d}.json"
    named = set(re.findall(r'"file": "([^"]+)"', manifest.read_text())) | {manifest.name}
    for name in sorted(named):
        place, whole = path / name, (path / name).read_bytes()
        for at in sorted(draw.sample(range(len(whole)), min(6, len(whole)))):
            place.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << draw.randrange(8))]) + whole[at + 1 :])
            with pytest.raises(DataError):
                seen(path)
        place.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(DataError):
            seen(path)
        place.unlink()
        if name == manifest.name:
            assert ReplayBuffer.open(path).commit == 4, "what it would say is gone with it"
        else:
            with pytest.raises(DataError, match="missing"):
                seen(path)
        place.write_bytes(whole)
    assert seen(path)["stats"]["commit"] == 5  # type: ignore[index]


def test_a_damaged_commit_leaves_those_before_it(tmp_path: Path) -> None:
    path = tmp_path / "buffer"
    buffer = ReplayBuffer.open(path, 4, "fifo")
    for number in range(4):
        offer(buffer, rows(range(4 * number, 4 * number + 4)))
    expected = ReplayBuffer.open(path, commit=3).table()
    (path / "rows-0000000004.arrow").write_bytes(b"nothing")
    damaged = ReplayBuffer.open(path)
    with pytest.raises(DataError, match="damaged"):
        damaged.table()
    damaged.rollback(3)
    assert ReplayBuffer.open(path).table().equals(expected)
    manifest = path / "manifest-0000000005.json"
    manifest.write_text(manifest.read_text().replace('"seen": 12', '"seen": 13'))
    with pytest.raises(DataError, match="changed or damaged"):
        ReplayBuffer.open(path)
    assert ReplayBuffer.open(path, commit=3).table().equals(expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace('"format_version": 1', '"format_version": 2'), "a newer version"),
        (lambda text: text.replace('"format_version": 1', '"format_version": "1"'), "no manifest"),
        (lambda text: "{}", "no manifest"),
        (lambda text: "[]", "no manifest"),
        (lambda text: "{", "damaged"),
        (lambda text: text.replace('"commit": 1', '"commit": 7'), "changed or damaged"),
    ],
)
def test_other_manifests_are_refused(change: Callable[[str], str], message: str, tmp_path: Path) -> None:
    path = tmp_path / "buffer"
    offer(ReplayBuffer.open(path, 4), rows(range(3)))
    manifest = path / "manifest-0000000001.json"
    manifest.write_text(change(manifest.read_text()))
    with pytest.raises(DataError, match=message):
        ReplayBuffer.open(path)
    if message != "a newer version":
        with pytest.raises(DataError):
            ReplayBuffer.open(path, verify=False, commit=1 if "7" in manifest.read_text() else None)


def test_a_manifest_under_another_number_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "buffer"
    offer(ReplayBuffer.open(path, 4), rows(range(3)))
    shutil.copy(path / "manifest-0000000001.json", path / "manifest-0000000009.json")
    with pytest.raises(DataError, match="another commit"):
        ReplayBuffer.open(path)


def test_foreign_files_stay_and_are_refused_where_a_buffer_is_made(tmp_path: Path) -> None:
    path = tmp_path / "buffer"
    path.mkdir()
    foreign = {"notes.txt": "mine", ".hidden": "too", "rows-1.arrow": "no", "manifest-0000000001.json.bak": "no"}
    for name, text in foreign.items():
        (path / name).write_text(text)
        with pytest.raises(OutputError, match="something is there"):
            ReplayBuffer.open(path, 3)
        (path / name).unlink()
    buffer = ReplayBuffer.open(path, 3)
    for name, text in foreign.items():
        (path / name).write_text(text)
    for number in range(12):
        offer(buffer, rows(range(number, number + 3)))
    buffer.delete(["row 1"])
    assert {name: (path / name).read_text() for name in foreign} == foreign
    file = tmp_path / "file"
    file.write_text("mine")
    with pytest.raises(OutputError):
        ReplayBuffer.open(file)
    with pytest.raises(ResourceError, match="is not there"):
        ReplayBuffer.open(tmp_path / "no" / "buffer")
    with pytest.raises(UsageError, match="no replay buffer"):
        ReplayBuffer.open(tmp_path / "none", create=False)
    assert not (tmp_path / "none").exists()


def contents(path: Path) -> bytes:
    """Return all that lies in a folder: the bytes of files, and what those that are packed hold."""
    found = []
    for one in sorted(path.iterdir()):
        found.append(one.name.encode() + one.read_bytes())
        if one.suffix == ".parquet":
            found.append(json.dumps(pq.read_table(one).to_pylist()).encode())
            found.append(str(pq.ParquetFile(one).metadata.to_dict()).encode())
        elif one.suffix == ".arrow":
            found.append(json.dumps(pa.ipc.open_file(one).read_all().to_pylist()).encode())
    return b"\n".join(found)


def secret(numbers: list[int]) -> dict[str, object]:
    table = pa.table(
        {
            "sage_row_id": [f"person-{one}" for one in numbers],
            "text": [f"secret-{one}" for one in numbers],
            "kind": pa.array([f"kind-{one}" for one in numbers]).dictionary_encode(),
            "nested": [[{"role": f"nested-{one}"}] for one in numbers],
        }
    )
    return {
        "rows": table,
        "groups": [f"group-{one}" for one in numbers],
        "scores": [1.0 + one / 7 for one in numbers],
        "embeddings": np.array([[one + 0.123, 1.0] for one in numbers], np.float32),
    }


def traces(path: Path, number: int) -> list[str]:
    """Return what is left of a row."""
    found = contents(path)
    words = [f"{word}-{number}" for word in ("person", "secret", "kind", "nested", "group")]
    left = [word for word in words if re.search(rf"{word}(?!\d)".encode(), found)]
    score, vector = 1.0 + number / 7, np.float32(number + 0.123)
    if repr(score).encode() in found or repr(float(vector)).encode() in found or vector.tobytes() in found:
        left.append("numbers")
    return left


@pytest.mark.parametrize("policy", ["reservoir", "fifo", "balanced", "loss_topk", "herding", "coreset"])
def test_nothing_is_left_of_a_deleted_row(policy: str, tmp_path: Path) -> None:
    path = tmp_path / "buffer"
    options = {"outlier_guard": 1000.0} if policy == "loss_topk" else {}
    buffer = ReplayBuffer.open(path, 6, policy, 1, **options)
    for start in range(1, 25, 4):
        buffer.update(secret(list(range(start, start + 4))).pop("rows"), **_rest(start))
        if start == 9:
            buffer.snapshot()
    inside = buffer.ids()[0].as_py()
    outside = next(
        one for one in (f"person-{number}" for number in range(1, 25)) if one not in buffer.ids().to_pylist()
    )
    numbers = [int(one.removeprefix("person-")) for one in (inside, outside)]
    assert set(traces(path, numbers[0])) >= {"person", "secret", "kind", "nested"} or traces(path, numbers[0])
    receipt = buffer.delete([inside, outside])
    assert (len(receipt.deleted), len(receipt.absent)) == (1, 1)
    assert receipt.removed
    assert buffer.commits() == [buffer.commit]
    for number in numbers:
        assert traces(path, number) == []
    log = buffer.history()
    assert log.filter(pa.compute.equal(log["event"], "deleted"))["row_id"].to_pylist() == [
        f"deleted:{receipt.deleted[0]}"
    ]
    for start in (1, 5, 9, 13, 17, 21):
        buffer.update(secret(list(range(start, start + 4))).pop("rows"), **_rest(start))
    assert not {inside, outside} & set(buffer.ids().to_pylist())
    assert buffer.stats()["forgotten"] == 2
    for number in numbers:
        assert traces(path, number) == []


def _rest(start: int) -> dict[str, object]:
    return {name: value for name, value in secret(list(range(start, start + 4))).items() if name != "rows"}


def test_a_deletion_that_is_cut_off_is_ended_by_the_next_writer(tmp_path: Path) -> None:
    path = tmp_path / "buffer"
    buffer = ReplayBuffer.open(path, 6, "balanced", 1)
    for start in range(1, 13, 4):
        buffer.update(secret(list(range(start, start + 4))).pop("rows"), **_rest(start))
    gone = buffer.ids()[0].as_py()
    number = int(gone.removeprefix("person-"))
    made = 0
    for at in range(1, 100):
        copy = tmp_path / "copy"
        shutil.copytree(path, copy)
        files = Failing(at, forever=True)
        cut = with_files(copy, files)
        with contextlib.suppress(ResourceError):
            cut.delete([gone])
        after = ReplayBuffer.open(copy)
        if gone not in after.ids().to_pylist():
            made += 1
            after.snapshot()
            assert traces(copy, number) == []
            assert after.commits()[0] == cut.commit
        else:
            assert after.commit == 3
            assert after.table().equals(buffer.table())
            after.delete([gone])
            assert traces(copy, number) == []
        shutil.rmtree(copy)
        if files.failed is None:
            break
    assert made > 3, at
