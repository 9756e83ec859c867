"""SAGE's continual learner: what a batch holds, what stays, and where it differs from SAGE's on purpose."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from sage_select.agent import CoresetSelector, OnlineContinualLearner
from sage_select.errors import UsageError


def batch(day: int, n: int = 8) -> list[dict[str, object]]:
    return [
        {"sample_id": f"d{day}-{one}", "text": f"row {one} of day {day}", "loss": day + one / 10.0} for one in range(n)
    ]


def learner(strategy: str = "loss_topk", **options: object) -> OnlineContinualLearner:
    return OnlineContinualLearner(16, selector=CoresetSelector(strategy), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("strategy", CoresetSelector.STRATEGIES)
@pytest.mark.parametrize("order", ["draw_first", "insert_first"])
def test_a_batch_is_the_new_rows_and_a_quarter_of_as_many_that_were_seen_before(strategy: str, order: str) -> None:
    one = learner(strategy, order=order)
    seen: set[str] = set()
    for day in range(6):
        trained = one.update_buffer(batch(day))
        ids, origins = trained["sample_id"].to_pylist(), trained["sage_origin"].to_pylist()
        assert ids[:8] == [row["sample_id"] for row in batch(day)]
        assert origins == ["selected"] * 8 + ["replay"] * (len(ids) - 8)
        assert len(ids) == (8 if day == 0 else 10)
        assert set(ids[8:]) <= seen
        seen |= set(ids[:8])
        assert one.buffer_len == min(16, 8 * (day + 1))
    assert one.buffer_summary().strategy == f"buffer:{strategy}"


def test_the_highest_losses_stay_and_losses_can_be_renewed() -> None:
    one = learner()
    for day in range(4):
        one.update_buffer(batch(day))
    assert set(one.buffer["sample_id"].to_pylist()) == {f"d{day}-{row}" for day in (2, 3) for row in range(8)}
    one.update_metrics({"d2-0": 50.0, "d3-7": -1.0, "unknown": 3.0})
    one.update_buffer(batch(3, 9)[8:], metrics={"d3-8": 10.0})
    kept = one.buffer["sample_id"].to_pylist()
    assert "d2-0" in kept
    assert "d3-8" in kept
    assert "d3-7" not in kept


def test_nothing_new_is_nothing_to_train() -> None:
    # SAGE returns its whole buffer as a batch.
    one = learner()
    one.update_buffer(batch(0))
    assert one.update_buffer([]).num_rows == 0
    assert one.update_buffer(pa.table({"sample_id": pa.array([], pa.string())})).num_rows == 0


def test_what_a_ratio_owes_is_carried_unless_it_is_to_be_as_sage_has_it() -> None:
    counts = {}
    for exact in (True, False):
        one = learner(exact=exact)
        one.update_buffer(batch(0, 8))
        counts[exact] = [one.update_buffer(batch(5, 8)[row : row + 1]).num_rows - 1 for row in range(8)]
    assert counts[True] == [0, 0, 0, 1, 0, 0, 0, 1]
    assert counts[False] == [1] * 8


def test_rows_that_are_not_there_to_replay_are_counted() -> None:
    one = learner("random")
    assert one.short == 0
    one.update_buffer(batch(0, 8))
    assert one.short == 2
    one.update_buffer(batch(1, 8))
    assert one.short == 2


def test_a_buffer_in_a_folder_outlives_the_learner(tmp_path: Path) -> None:
    kept = []
    for day in range(3):
        one = learner("random", path=tmp_path / "buffer")
        one.update_buffer(batch(day))
        kept.append(one.buffer_len)
    assert kept == [8, 16, 16]
    with pytest.raises(UsageError, match="lies in a folder"):
        one.clear()


def test_in_memory_it_can_be_cleared() -> None:
    one = learner("random")
    one.update_buffer(batch(0))
    one.clear()
    assert one.buffer_len == 0
    assert one.sample_replay(8).num_rows == 0


def test_draws_apart_from_batches_leave_out_what_they_are_told() -> None:
    one = learner("random")
    one.update_buffer(batch(0))
    drawn = one.sample_replay(16, exclude=[f"d0-{row}" for row in range(5)])
    assert set(drawn["sample_id"].to_pylist()) <= {"d0-5", "d0-6", "d0-7"}


def test_rows_without_ids_are_refused() -> None:
    with pytest.raises(UsageError, match="no ids"):
        learner("random").update_buffer([{"text": "x"}])
    with pytest.raises(UsageError, match="unknown order"):
        learner(order="both")
