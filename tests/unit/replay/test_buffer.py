"""Commits of a replay buffer: merging, going back, deleting, and what long runs hold on to."""

from __future__ import annotations

import gc
import os
import tracemalloc
import weakref
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from replay_twin import offer, rows

from sage_select.errors import DataError, UsageError
from sage_select.replay import ReplayBuffer
from sage_select.replay.policies import POLICIES
from sage_select.replay.store.held import HeldFile


def table(ids: str) -> pa.Table:
    return pa.table({"sage_row_id": list(ids), "text": [f"text {one}" for one in ids]})


def places(tmp_path: Path) -> list[Path | None]:
    return [None, tmp_path / "buffer"]


def test_a_row_that_came_again_with_other_columns_goes_back_to_its_old_ones(tmp_path: Path) -> None:
    for path in places(tmp_path):
        buffer = ReplayBuffer.open(path, 2, "fifo")
        buffer.update(table("ab"))
        before = buffer.table()
        buffer.update(table("cd"))
        buffer.update(pa.table({"sage_row_id": ["a", "b"], "text": ["other", "others"]}))
        buffer.rollback(1)
        assert buffer.table().equals(before)
        buffer.rollback(3)
        assert buffer.table()["text"].to_pylist() == ["other", "others"]
        if path is not None:
            assert ReplayBuffer.open(path).table()["text"].to_pylist() == ["other", "others"]


def test_what_was_deleted_in_one_buffer_does_not_come_from_another(tmp_path: Path) -> None:
    for path in places(tmp_path):
        one, other = ReplayBuffer.open(path, 9, "fifo"), ReplayBuffer.open(None, 9, "fifo")
        one.update(table("abc"))
        other.update(table("cde"))
        one.delete(["d"])
        other.delete(["b"])
        one.merge(other)
        assert one.ids().to_pylist() == ["a", "c", "e"]
        log = one.history().to_pylist()
        assert [(row["row_id"], row["reason"]) for row in log if row["event"] == "left"] == [("b", "deleted")]
        assert one.update(table("bd")).forgotten == 2
        assert one.ids().to_pylist() == ["a", "c", "e"]


def test_vectors_come_along_where_buffers_are_merged() -> None:
    one, other = (ReplayBuffer.open(None, 3, "herding") for _ in range(2))
    one.update(table("ab"), embeddings=np.eye(2))
    other.update(table("cd"), embeddings=np.eye(2) * 3)
    one.merge(other)
    assert len(one) == 3
    assert one.update(table("e"), embeddings=np.ones((1, 2))).offered == 1


def test_a_merged_buffer_counts_what_both_have_seen() -> None:
    one, other = (ReplayBuffer.open(None, 5, seed=2) for _ in range(2))
    offer(one, rows(range(40)))
    offer(other, rows(range(30, 100)))
    told = one.merge(other)
    assert told.offered == 5
    counted = one.stats()
    assert counted["seen"] == 110
    assert counted["seen"] == sum(counted[name] for name in ("entered", "passed_by", "repeated", "forgotten"))
    assert counted["size"] == counted["entered"] - counted["left"]
    own = one.stats()
    one.merge(one)
    assert (one.stats()["seen"], one.stats()["size"]) == (220, own["size"])
    assert len(ReplayBuffer.open(None, 5, seed=2)) == 0
    one.merge(ReplayBuffer.open(None, 5, seed=2))
    assert one.stats()["seen"] == 220


def test_deleted_rows_are_counted_wherever_they_would_have_stood() -> None:
    buffer = ReplayBuffer.open(None, 3)
    offer(buffer, rows(range(50)))
    ids = [row.id for row in rows(range(100, 120))]
    receipt = buffer.delete(ids)
    assert (len(receipt.absent), receipt.deleted) == (20, ())
    told = offer(buffer, rows(range(100, 120)))
    assert (told.forgotten, told.passed_by, told.entered) == (20, 0, 0)


def test_rows_that_meet_a_condition_are_deleted(tmp_path: Path) -> None:
    for path in places(tmp_path):
        buffer = ReplayBuffer.open(path, 9)
        buffer.update(pa.table({"sage_row_id": list("abc"), "user": ["u1", "u2", "u1"]}))
        receipt = buffer.delete(where=pa.compute.field("user") == "u1")
        assert (len(receipt.deleted), receipt.ended) == (2, (0, 1))
        assert buffer.ids().to_pylist() == ["b"]
        assert set(buffer.history()["row_id"].to_pylist()) == {"b", *(f"deleted:{one}" for one in receipt.deleted)}
        assert receipt.as_dict()["commit"] == buffer.commit == 2


def test_snapshots_are_held_and_released(tmp_path: Path) -> None:
    for path in places(tmp_path):
        buffer = ReplayBuffer.open(path, 4, "fifo")
        offer(buffer, rows(range(4)))
        before = buffer.table()
        number = buffer.snapshot()
        for one in range(20):
            offer(buffer, rows(range(4 * one, 4 * one + 4)))
        assert buffer.commits()[0] == number
        assert len(buffer.commits()) == 9
        buffer.rollback(number)
        assert buffer.table().equals(before)
        buffer.release(number)
        offer(buffer, rows([99]))
        assert number not in buffer.commits()


@pytest.mark.parametrize("where", ["memory", "folder"])
def test_long_runs_hold_on_to_nothing_but_the_buffer(where: str, tmp_path: Path) -> None:
    """What was offered once and left is not referred to by what comes after it."""
    buffer = ReplayBuffer.open(None if where == "memory" else tmp_path / "buffer", 8, "fifo")
    states: list[weakref.ref[object]] = []

    def run(updates: int) -> int:
        for _ in range(updates):
            number = buffer.stats()["seen"]
            ids = [str(one) for one in range(number, number + 4)]
            buffer.update(
                pa.table({"sage_row_id": ids, "text": ["x" * 20_000] * 4}), embeddings=np.ones((4, 500), np.float32)
            )
            states.append(weakref.ref(buffer._state))
        gc.collect()
        return tracemalloc.get_traced_memory()[0] + pa.total_allocated_bytes()

    tracemalloc.start()
    try:
        before = run(25)
        after = run(50)
    finally:
        tracemalloc.stop()
    assert sum(one() is not None for one in states) < 12
    assert after - before < 500_000, "50 updates bring 4 MB of text"


def test_files_that_are_no_longer_needed_are_closed(tmp_path: Path) -> None:
    descriptors = Path("/proc/self/fd")
    if not descriptors.is_dir():
        pytest.skip("no /proc")
    buffer = ReplayBuffer.open(tmp_path / "buffer", 8, "fifo")
    before = len(list(descriptors.iterdir()))
    for one in range(30):
        offer(buffer, rows(range(4 * one, 4 * one + 4)))
        ReplayBuffer.open(tmp_path / "buffer").table()
    gc.collect()
    assert len(list(descriptors.iterdir())) - before <= 3
    assert len(list((tmp_path / "buffer").iterdir())) < 70


def test_a_held_file_is_read_from_forked_processes_at_once(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 4000)
    file = HeldFile(path)
    path.unlink()
    children = []
    for _ in range(2):
        child = os.fork()
        if child == 0:
            whole = all(file.read() == bytes(range(256)) * 4000 for _ in range(20))
            os._exit(0 if whole else 1)
        children.append(child)
    assert all(os.waitpid(child, 0)[1] == 0 for child in children)
    assert len(file.read()) == 1_024_000


def test_opening_a_buffer_reads_no_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    buffer = ReplayBuffer.open(tmp_path / "buffer", 8, "fifo")
    for one in range(5):
        offer(buffer, rows(range(4 * one, 4 * one + 4)))
    reads: list[int] = []
    monkeypatch.setattr(HeldFile, "read", lambda self: reads.append(1))
    buffer = ReplayBuffer.open(tmp_path / "buffer")
    assert (len(buffer), len(buffer.ids()), buffer.members().num_rows) == (8, 8, 8)
    offer(buffer, rows([77]))
    assert reads == []


def test_the_log_is_that_of_the_commit_that_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "buffer"
    buffer = ReplayBuffer.open(path, 4, "fifo")
    for one in range(3):
        offer(buffer, rows([one]))
    older = ReplayBuffer.open(path, commit=2)
    assert older.history()["commit"].to_pylist() == [1, 2]
    assert ReplayBuffer.open(path).history()["commit"].to_pylist() == [1, 2, 3]


def test_other_programs_read_the_log(tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    buffer = ReplayBuffer.open(tmp_path / "buffer", 4, "fifo")
    for one in range(3):
        offer(buffer, rows(range(3 * one, 3 * one + 3)))
    found = duckdb.sql(f"select count(*) from '{tmp_path}/buffer/events-*.parquet' where event = 'left'").fetchall()
    assert found == [(buffer.stats()["left"],)]


def test_going_back_does_not_bring_back_what_a_merged_buffer_had_deleted(tmp_path: Path) -> None:
    for path in places(tmp_path):
        one, other = ReplayBuffer.open(path, 9, "fifo"), ReplayBuffer.open(None, 9, "fifo")
        one.update(table("abc"))
        other.delete(["b"])
        one.merge(other)
        one.rollback(1)
        assert one.ids().to_pylist() == ["a", "c"]


SAID = pa.struct([("tokens", pa.binary(16)), ("log_probs", pa.large_list(pa.float16()))])


def said(*names: str | None) -> pa.Array:
    half = np.float16
    values = [
        None if name is None else {"tokens": name.encode() * 16, "log_probs": [half(-1.5), half(-7)]} for name in names
    ]
    return pa.array(values, SAID)


def names_of(values: pa.Array | None) -> list[str | None]:
    assert values is not None
    return [None if one is None else one["tokens"].decode()[0] for one in values.to_pylist()]


def test_what_a_model_said_of_rows_lies_beside_them_and_goes_where_they_go(tmp_path: Path) -> None:
    for path in places(tmp_path):
        buffer = ReplayBuffer.open(path, 4, "fifo")
        buffer.update(table("ab"))
        assert buffer.logits() is None
        # Rows with some and rows with none may follow each other, though columns are what they were.
        buffer.update(table("cd"), logits=said("c", None))
        buffer.update(table("e"))
        buffer.update(table("cf"), logits=said("x", "f"))
        shown = buffer if path is None else ReplayBuffer.open(path)
        assert (shown.ids().to_pylist(), names_of(shown.logits())) == (list("cdef"), ["c", None, None, "f"])
        assert names_of(shown.logits(np.array([3, 0, 3]))) == ["f", "c", "f"]
        known = ["sage_row_id", "text"]
        new = pa.table({"sage_row_id": ["n"], "text": ["new"]})
        assert shown.schema.names == shown.table().column_names == shown.draw(2, step=0).column_names == known
        assert shown.mix(new, 1).column_names == [*known, "sage_origin"]
        other = ReplayBuffer.open(None, 6, "fifo")
        other.update(table("z"))
        other.merge(shown)
        assert names_of(other.logits()) == [None, "c", None, None, "f"]
        buffer.update(table("ghij"), logits=said(*"ghij"))
        buffer.rollback(4)
        assert names_of(buffer.logits()) == ["c", None, None, "f"]
        buffer.delete(["f"])
        assert (buffer.ids().to_pylist(), names_of(buffer.logits())) == (list("cde"), ["c", None, None])
        if path is not None:
            assert all(b"f" * 16 not in one.read_bytes() for one in path.iterdir())
            assert any(b"c" * 16 in one.read_bytes() for one in path.iterdir())


@pytest.mark.parametrize("policy", list(POLICIES))
def test_the_rows_that_would_come_in_are_those_that_come_in(policy: str) -> None:
    buffer = ReplayBuffer.open(None, 5, policy, seed=3)
    draws = np.random.default_rng(4)
    for _ in range(6):
        ids = [f"row {one}" for one in draws.choice(40, 7, replace=False)]
        some = pa.table({"sage_row_id": ids, "text": ids})
        about = {
            "scores": draws.uniform(0.1, 1, 7),
            "embeddings": draws.normal(size=(7, 3)),
            "groups": draws.choice(["x", "y"], 7),
        }
        before = (buffer.commit, buffer.table(), buffer.stats())
        would = buffer.entering(some, **about).to_pylist()
        assert (buffer.commit, buffer.table(), buffer.stats()) == before
        told = buffer.update(some, **about)
        log = buffer.history().to_pylist()
        assert would == [one["row_id"] for one in log if (one["commit"], one["event"]) == (buffer.commit, "entered")]
        assert len(would) == told.entered


def test_a_column_of_the_name_of_logits_is_refused() -> None:
    buffer = ReplayBuffer.open(None, 4)
    with pytest.raises(DataError, match="column 'sage_replay_logits': has a column of our own name"):
        buffer.update(table("a").append_column("sage_replay_logits", pa.array([1])))
    for wrong in (said("a", "b"), ["a"]):
        with pytest.raises(UsageError, match="logits are an Arrow array of one value a row"):
            buffer.update(table("a"), logits=wrong)
    buffer.update(table("a"), logits=said("a"))
    with pytest.raises(DataError, match="of another type than before"):
        buffer.update(table("b"), logits=pa.array([1]))
    assert buffer.ids().to_pylist() == ["a"]
