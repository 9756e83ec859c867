"""Replay buffers over streams of updates, deletions, resizes, merges and rollbacks: equal to a twin in plain Python.

In memory and in a folder, which is opened anew now and then: the same rows, columns, numbers and log.
"""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from replay_twin import Twin, offer, rows, same

from sage_select.replay import ReplayBuffer
from sage_select.replay.store import folder, memory

numbers = st.lists(st.integers(0, 24), max_size=8, unique=True)
operations = st.lists(
    st.one_of(
        st.tuples(st.just("update"), numbers),
        st.tuples(st.just("update"), numbers),
        st.tuples(st.just("delete"), st.lists(st.integers(0, 30), max_size=3)),
        st.tuples(st.just("resize"), st.integers(1, 9)),
        st.tuples(st.just("merge"), st.tuples(numbers, numbers, st.lists(st.integers(0, 24), max_size=1))),
        st.tuples(st.just("rollback"), st.integers(0, 99)),
        st.tuples(st.just("snapshot"), st.none()),
        st.tuples(st.just("mix"), numbers),
        st.tuples(st.just("reopen"), st.none()),
    ),
    max_size=10,
)
policies = st.sampled_from(["reservoir", "weighted", "fifo", "balanced", "loss_topk"])


def run(made: list[ReplayBuffer], twin: Twin, what: list[tuple[str, Any]], reopen: Any) -> None:
    """Do the same to all buffers and to the twin, and compare after each step."""
    known = {0: copy.deepcopy(twin)}
    for step, (name, value) in enumerate(what):
        before = twin
        if name == "reopen":
            made = reopen(made)
        elif name == "snapshot":
            assert len({buffer.snapshot() for buffer in made}) == 1
        elif name == "mix":
            new = pa.table({"sage_row_id": pa.array([row.id for row in rows(value)], pa.string())})
            mixed = [buffer.mix(new, "1/3") for buffer in made]
            assert all(one.equals(mixed[0]) for one in mixed)
        elif name == "update":
            found = [offer(buffer, rows(value, step)) for buffer in made]
            assert all(one == found[0] for one in found)
            twin.offer(rows(value, step))
        elif name == "delete":
            ids = [row.id for row in rows(value)]
            receipts = [buffer.delete(ids) for buffer in made]
            assert all((one.deleted, one.absent) == (receipts[0].deleted, receipts[0].absent) for one in receipts)
            assert all(one.ended == receipts[0].ended for one in receipts)
            twin.delete(ids)
        elif name == "resize":
            for buffer in made:
                buffer.resize(value)
            twin.resize(value)
        elif name == "merge":
            other = ReplayBuffer.open(None, twin.capacity, twin.policy, twin.seed)
            its = Twin(twin.policy, twin.capacity, twin.seed)
            for some in value[:2]:
                offer(other, rows(some, step))
                its.offer(rows(some, step))
            gone = [row.id for row in rows(value[2])]
            other.delete(gone)
            its.delete(gone)
            for buffer in made:
                buffer.merge(other)
            twin.merge(its)
        else:
            commits = made[0].commits()
            assert [buffer.commits() for buffer in made] == [commits] * len(made)
            commit = commits[value % len(commits)]
            for buffer in made:
                buffer.rollback(commit)
            twin = before.back(known[commit])
        known[made[0].commit] = copy.deepcopy(twin)
        assert len({buffer.commit for buffer in made}) == 1
        for buffer in made:
            same(buffer, twin)
            assert buffer.stats() == made[0].stats()
            assert buffer.history().equals(made[0].history())
        counted = made[0].stats()
        parts = ("entered", "passed_by", "repeated", "forgotten")
        assert counted["seen"] == sum(counted[one] for one in parts)


@settings(deadline=None, max_examples=120)
@given(what=operations, policy=policies, capacity=st.integers(1, 6), seed=st.integers(0, 3))
def test_in_memory(what: list[tuple[str, Any]], policy: str, capacity: int, seed: int) -> None:
    made = [ReplayBuffer.open(None, capacity, policy, seed)]
    run(made, Twin(policy, capacity, seed), what, lambda same: same)


#: A row that goes with one score and comes again with another, in one commit.
AGAIN = [("merge", ([], [0, 3], [])), ("merge", ([], [0, 1, 3], [])), ("reopen", None)]


@pytest.mark.parametrize("files", [3, 64])
@settings(deadline=None, max_examples=25)
@example(what=AGAIN, policy="weighted", capacity=1, seed=0)
@given(what=operations, policy=policies, capacity=st.integers(1, 6), seed=st.integers(0, 3))
def test_in_a_folder(files: int, what: list[tuple[str, Any]], policy: str, capacity: int, seed: int) -> None:
    with tempfile.TemporaryDirectory() as place, pytest.MonkeyPatch.context() as patch:
        patch.setattr(folder, "_FILES", files)  # files that lie about are joined after so many commits
        patch.setattr(memory, "_SEGMENTS", files)
        path = Path(place) / "buffer"
        made = [ReplayBuffer.open(at, capacity, policy, seed) for at in (None, path)]
        run(made, Twin(policy, capacity, seed), what, lambda both: [both[0], ReplayBuffer.open(path)])


@pytest.mark.parametrize("policy", ["reservoir", "fifo", "balanced"])
def test_rows_that_are_joined_again_and_again(policy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments come to be too many at another commit than logs do, and whole halves of them hold no row any more."""
    monkeypatch.setattr(folder, "_FILES", 6)
    monkeypatch.setattr(memory, "_SEGMENTS", 6)
    made = [ReplayBuffer.open(at, 20, policy, 1) for at in (None, tmp_path / "buffer")]
    twin = Twin(policy, 20, 1)
    known = {}
    for step in range(40):
        some = rows(range(100 * step, 100 * step + (25 if step % 13 == 12 else 2)), step)
        twin.offer(some)
        for buffer in made:
            offer(buffer, some)
            same(buffer, twin)
        known[made[0].commit] = copy.deepcopy(twin)
        same(ReplayBuffer.open(tmp_path / "buffer"), twin)
    for commit in made[1].commits():
        same(ReplayBuffer.open(tmp_path / "buffer", commit=commit), known[commit])
    oldest = made[0].commits()[0]
    for buffer in made:
        buffer.rollback(oldest)
        same(buffer, known[oldest])
    same(ReplayBuffer.open(tmp_path / "buffer"), known[oldest])
    assert made[0].history().equals(made[1].history())
    assert len(list((tmp_path / "buffer").iterdir())) < 60
