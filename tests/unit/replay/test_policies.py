"""Which rows stay, by each policy: ties, scores, guards, and golden hashes."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sage_select import kernels
from sage_select.errors import DataError, ResourceError, UsageError
from sage_select.replay import ReplayBuffer
from sage_select.replay.policies import POLICIES
from sage_select.replay.policies.fifo import Fifo
from sage_select.replay.policies.policy import Membership

FEW = st.sampled_from([-1.0, -0.0, 0.0, 5e-324, 1.0, 1e308])


def table(ids: list[Any]) -> pa.Table:
    return pa.table({"sage_row_id": pa.array([str(one) for one in ids], pa.string())})


def held(buffer: ReplayBuffer) -> list[str]:
    return buffer.ids().to_pylist()


@settings(deadline=None, max_examples=60)
@given(scores=st.lists(FEW, max_size=12), capacity=st.integers(1, 6), batch=st.integers(1, 12))
def test_the_highest_scores_stay_and_of_equal_ones_the_smaller_id(
    scores: list[float], capacity: int, batch: int
) -> None:
    buffer = ReplayBuffer.open(None, capacity, "loss_topk")
    ids = [f"{(7 * one) % 12:02}" for one in range(len(scores))]
    for start in range(0, len(scores), batch):
        buffer.update(table(ids[start : start + batch]), scores=scores[start : start + batch])
    # -0 and 0 are one.
    expected = sorted(zip(scores, ids, strict=True), key=lambda row: (-row[0] + 0.0, row[1]))[:capacity]
    assert set(held(buffer)) == {one for _, one in expected}


def test_a_row_that_is_scored_anew_stays_or_goes_by_its_new_score() -> None:
    buffer = ReplayBuffer.open(None, 3, "loss_topk")
    buffer.update(table("abc"), scores=[1.0, 2.0, 3.0])
    told = buffer.update(table("cd"), scores=[0.5, 1.5])
    assert (told.repeated, told.entered, told.left) == (1, 1, 1)
    assert held(buffer) == ["a", "b", "d"]
    log = buffer.history()
    last = log.filter(pa.compute.equal(log["commit"], 2)).select(["event", "row_id", "reason", "replaced_by", "score"])
    assert last.to_pylist() == [
        {"event": "scored", "row_id": "c", "reason": None, "replaced_by": None, "score": 0.5},
        {"event": "left", "row_id": "c", "reason": "lower score", "replaced_by": "d", "score": 0.5},
        {"event": "entered", "row_id": "d", "reason": None, "replaced_by": None, "score": 1.5},
    ]


def test_scores_age(tmp_path: Path) -> None:
    for path in (None, tmp_path / "buffer"):
        buffer = ReplayBuffer.open(path, 2, "loss_topk", score_half_life=2.0)
        buffer.update(table("ab"), scores=[8.0, 6.0])
        buffer.update(table("c"), scores=[1.0])
        assert held(buffer) == ["a", "b"]
        buffer.update(table("b"), scores=[6.0])
        if path is not None:
            buffer = ReplayBuffer.open(path)
        buffer.update(table("d"), scores=[3.0])  # a counts 8 / 2 ** (3 / 2) = 2.83 by now, b 4.24
        assert held(buffer) == ["b", "d"]
        assert buffer.stats()["oldest_score"] == 1


@pytest.mark.parametrize("half_life", [1e-300, 1e300])
def test_half_lives_beyond_measure(half_life: float) -> None:
    buffer = ReplayBuffer.open(None, 2, "loss_topk", score_half_life=half_life)
    for start in range(5):
        buffer.update(table([start, start + 100]), scores=[1.0, 2.0])
    assert held(buffer) == (["4", "104"] if half_life < 1 else ["100", "101"])


def test_outliers_do_not_come_in_once_there_are_scores_to_judge_by() -> None:
    buffer = ReplayBuffer.open(None, 4, "loss_topk", outlier_guard=5.0)
    buffer.update(table(["first"]), scores=[900.0])
    assert held(buffer) == ["first"], "19 scores say nothing"
    buffer.update(table(range(30)), scores=np.linspace(1, 2, 30))
    buffer.update(table(["wrong", "right"]), scores=[1000.0, 2.5])
    assert "wrong" not in held(buffer)
    assert {"right", "first"} <= set(held(buffer))


def test_equal_scores_make_no_row_an_outlier() -> None:
    buffer = ReplayBuffer.open(None, 50, "loss_topk", outlier_guard=3.0)
    buffer.update(table(range(30)), scores=[0.0] * 30)
    buffer.update(table(["higher"]), scores=[0.1])
    assert "higher" in held(buffer), "more than half of the scores are equal: nothing is known of their spread"


def test_a_weight_that_changes_does_not_put_a_row_out_nor_is_it_called_passed_by() -> None:
    buffer = ReplayBuffer.open(None, 3, "weighted")
    buffer.update(table(range(30)), scores=[1.0] * 30)
    before = held(buffer)
    told = buffer.update(table(before), scores=[1e-9] * 3)
    assert (told.repeated, told.passed_by) == (3, 0)
    assert held(buffer) == before
    assert set(buffer.members()["score"].to_pylist()) == {1.0}


@pytest.mark.parametrize("weight", [0.0, -0.0, -1.0])
def test_a_weight_is_above_0_even_where_there_is_room(weight: float) -> None:
    buffer = ReplayBuffer.open(None, 9, "weighted")
    with pytest.raises(DataError, match="row 1: a weight is not above 0"):
        buffer.update(table("ab"), scores=[1.0, weight])
    assert len(buffer) == buffer.commit == 0


@pytest.mark.parametrize(
    ("policy", "needs"),
    [
        ("weighted", "scores"),
        ("loss_topk", "scores"),
        ("balanced", "groups"),
        ("herding", "embeddings"),
        ("coreset", "scores"),
    ],
)
def test_what_a_policy_needs_comes_with_the_first_row(policy: str, needs: str) -> None:
    buffer = ReplayBuffer.open(None, 9, policy)
    with pytest.raises(UsageError, match=f"needs {needs}"):
        buffer.update(table("ab"))
    assert buffer.stats()["seen"] == 0


def test_equal_hashes_are_told_apart_by_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of words that are equal, though ids are not: two rows, each held once, and the smaller id stays."""
    monkeypatch.setattr(kernels, "keyed_hashes", lambda key, ids, **_: np.zeros(len(ids), np.uint64))
    for policy in ("reservoir", "balanced"):
        buffer = ReplayBuffer.open(None, 2, policy)
        for some in ("cb", "d", "a"):
            buffer.update(table(list(some)), groups=["one"] * len(some))
        assert sorted(held(buffer)) == ["a", "b"]


def test_a_policy_that_fails_leaves_the_buffer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for path in (None, tmp_path / "buffer"):
        buffer = ReplayBuffer.open(path, 3, "fifo")
        buffer.update(table("abc"))
        before = (buffer.table(), buffer.members(), buffer.history(), buffer.stats())
        for keep, error in (
            (lambda self, candidates: 1 / 0, ZeroDivisionError),
            (lambda self, candidates: Membership(np.arange(4)), ResourceError),
            (lambda self, candidates: Membership(np.array([1, 0])), ResourceError),
            (lambda self, candidates: Membership(np.array([0.5])), ResourceError),
            (lambda self, candidates: None, ResourceError),
        ):
            with monkeypatch.context() as patch:
                patch.setattr(Fifo, "keep", keep)
                for change in (partial(buffer.update, table("de")), partial(buffer.resize, 2)):
                    with pytest.raises(error):
                        change()
            assert (buffer.table(), buffer.members(), buffer.history(), buffer.stats()) == before
            assert buffer.capacity == 3
        buffer.update(table("d"))
        assert held(buffer) == ["b", "c", "d"]


def test_a_smaller_buffer_lets_go_and_a_larger_one_stays_a_sample() -> None:
    buffer, small = ReplayBuffer.open(None, 20, seed=3), ReplayBuffer.open(None, 5, seed=3)
    for one in (buffer, small):
        one.update(table(range(200)))
    buffer.resize(5)
    assert set(held(buffer)) == set(held(small))
    assert buffer.history()["reason"].to_pylist()[-1] == "capacity"
    buffer.resize(100)
    buffer.update(table(range(200, 400)))
    every = ReplayBuffer.open(None, len(buffer), seed=3)
    every.update(table(range(400)))
    assert set(held(buffer)) == set(held(every)), "rows below the threshold alone: the smallest hashes of all"
    assert len(buffer) < 20


def test_rows_whose_neighbours_were_deleted_stay_a_sample() -> None:
    buffer = ReplayBuffer.open(None, 10, seed=3)
    buffer.update(table(range(100)))
    gone = held(buffer)[:4]
    buffer.delete(gone)
    buffer.update(table(range(100, 300)))
    every = ReplayBuffer.open(None, len(buffer), seed=3)
    every.update(table([one for one in range(300) if str(one) not in gone]))
    assert set(held(buffer)) == set(held(every))


def test_herding_follows_the_mean_of_all_rows() -> None:
    draw = np.random.default_rng(0)
    vectors = draw.normal(size=(300, 4)).astype(np.float32)
    herded, fifo = (ReplayBuffer.open(None, 30, one) for one in ("herding", "fifo"))
    for buffer in (herded, fifo):
        for start in range(0, 300, 50):
            buffer.update(table(range(start, start + 50)), embeddings=vectors[start : start + 50])

    def off(buffer: ReplayBuffer) -> float:
        own = vectors[[int(one) for one in held(buffer)]]
        return float(np.linalg.norm(own.mean(axis=0) - vectors.mean(axis=0)))

    assert off(herded) < off(fifo) / 2


def stream(policy: str) -> ReplayBuffer:
    options: dict[str, Any] = {"outlier_guard": 3.0, "score_half_life": 4.0} if policy == "loss_topk" else {}
    buffer = ReplayBuffer.open(None, 40, policy, 11, **options)
    for start in range(0, 400, 50):
        some = range(start, start + 50)
        buffer.update(
            table([f"é{one}" for one in some]),
            scores=[(one * 37 % 101) / 8 + 0.125 for one in some],
            groups=["abcdefg"[one * one % 7] for one in some],
            embeddings=np.array([[(one * k) % 13 - 6 for k in (1, 3, 5, 7)] for one in some], np.float32),
        )
    return buffer


GOLDEN = {
    "balanced": "0cf341cb836e8bdcc320b74106bfb973a4cd08d6ec480ae0936c5fb551c30ad5",
    "coreset": "ae9fcb53dd779eb7600d34d653c0ea66ba8f9a0bf26f691130a0897ceec95c78",
    "fifo": "8572c844c9c940db58276754dbcb4ec1eef9b8825c1ff17ea27a5ca5f0097e71",
    "herding": "7a934377aa980ded73512d1f2d6402b698266913b66712c22794df5a3942f68d",
    "loss_topk": "805d9094bb0102970994b7dbbcd721a7fbdc0a68c276046b2883c2aea0245a92",
    "reservoir": "2a1fcd5e66a013fd2d0ae0bb65f1b5c805755a3a8e3c8373de0e3a3824c627ee",
    "weighted": "53a0ff3fa77eaf73ab5a7c9fdf9cd9d1fcd3c34ed85add5016c79c918f13251f",
}


@pytest.mark.parametrize("policy", sorted(POLICIES))
def test_golden_buffers(policy: str) -> None:
    found = "\n".join(held(stream(policy)))
    assert hashlib.sha256(found.encode()).hexdigest() == GOLDEN[policy]
