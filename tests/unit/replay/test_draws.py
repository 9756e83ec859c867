"""Draws: of a step and a rank, without rows that are left out, and where they go on."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from replay_twin import chi_square_bound, offer, rows

from sage_select.errors import SageError, SageWarning, UsageError
from sage_select.replay import ReplayBuffer
from sage_select.replay.draws import DRAWS

RULES = sorted(DRAWS)


def filled(draw: str, n: int = 20, capacity: int = 20) -> ReplayBuffer:
    buffer = ReplayBuffer.open(None, capacity, "fifo", 4, draw=draw)
    offer(buffer, rows(range(n)))
    return buffer


def ids(table: pa.Table) -> list[str]:
    return table["sage_row_id"].to_pylist()


@pytest.mark.parametrize("draw", RULES)
@settings(deadline=None, max_examples=15)
@given(step=st.integers(0, 2**40), world=st.integers(1, 5), count=st.integers(0, 4))
def test_ranks_draw_apart_what_one_process_would(draw: str, step: int, world: int, count: int) -> None:
    buffer, other = filled(draw), filled(draw)
    other.draw(3)
    parts = [ids(buffer.draw(count, step=step, rank=rank, world=world)) for rank in range(world)]
    whole = ids(other.draw(count * world, step=step))
    assert [one for part in parts for one in part] == whole
    assert len(set(whole)) == count * world


@pytest.mark.parametrize("draw", RULES)
def test_ranks_share_what_there_is(draw: str) -> None:
    buffer = filled(draw, 5)
    with pytest.warns(SageWarning, match="2 rows to draw, and 1 there"):
        assert buffer.draw(2, step=0, rank=2, world=4).num_rows == 1
    with pytest.warns(SageWarning, match="and 0 there"):
        assert buffer.draw(2, step=0, rank=3, world=4).num_rows == 0


@pytest.mark.parametrize("draw", RULES)
@settings(deadline=None, max_examples=15)
@given(step=st.integers(0, 99), count=st.integers(0, 20))
def test_fewer_rows_are_the_first_of_more(draw: str, step: int, count: int) -> None:
    buffer = filled(draw)
    if draw == "passes":  # of which a step is as many rows as are drawn
        step = 0
    assert ids(buffer.draw(count, step=step)) == ids(buffer.draw(20, step=step))[:count]


@pytest.mark.parametrize("draw", RULES)
def test_rows_that_are_left_out(draw: str) -> None:
    buffer = filled(draw)
    out = [f"row {one}" for one in range(15)]
    expected = {f"row {one}" for one in range(15, 20)}
    for exclude in (
        out,
        set(out),
        np.array(out),
        pa.array(out),
        pa.chunked_array([out[:3], out[3:]]),
        pa.table({"sage_row_id": out}),
        pl.Series(out),
        pd.Series(out),
        [{"sage_row_id": one} for one in out],
        [*out, "nobody"],
    ):
        assert set(ids(buffer.draw(5, exclude=exclude))) == expected
    with pytest.warns(SageWarning):
        assert buffer.draw(6, exclude=out).num_rows == 5
    for wrong in ([None], [1.5], [True], pa.array([1.5]), pa.array(["a", None])):
        with pytest.raises(SageError, match="id"):
            buffer.draw(1, exclude=wrong)


@pytest.mark.parametrize("draw", RULES)
def test_draws_do_not_follow_the_order_in_which_rows_came(draw: str) -> None:
    if draw == "recency":
        pytest.skip("which follows it")
    one, other = filled(draw), ReplayBuffer.open(None, 20, "fifo", 4, draw=draw)
    offer(other, rows(range(20))[::-1])
    for step in range(3):
        assert ids(one.draw(6, step=step)) == ids(other.draw(6, step=step))


@pytest.mark.parametrize("draw", RULES)
def test_draws_go_on_over_updates_mixtures_and_reopening(draw: str, tmp_path: Path) -> None:
    """No draw is that of an earlier one again, whatever is committed in between."""
    buffer = ReplayBuffer.open(tmp_path / "buffer", 20, "fifo", 4, draw=draw)
    offer(buffer, rows(range(20)))
    found = [tuple(ids(buffer.draw(8)))]
    offer(buffer, rows([3]))  # nothing comes in
    found.append(tuple(ids(buffer.draw(8))))
    found.append(tuple(ids(buffer.mix(pa.table({"sage_row_id": ["new"]}), 8))[1:]))
    found.append(tuple(ids(buffer.draw(8))))
    buffer.snapshot()
    buffer = ReplayBuffer.open(tmp_path / "buffer")
    assert buffer.stats()["draws"] == 4
    found.append(tuple(ids(buffer.draw(8))))
    assert len(set(found)) == 5
    if draw == "passes":
        counts = Counter(one for some in found for one in some)
        assert set(counts.values()) == {2}


def test_a_rollback_takes_the_draws_back(tmp_path: Path) -> None:
    buffer = ReplayBuffer.open(tmp_path / "buffer", 20, "fifo", draw="passes")
    offer(buffer, rows(range(20)))
    first = [ids(buffer.draw(6)) for _ in range(2)]
    offer(buffer, rows([50]))
    buffer.rollback(1)
    assert [ids(buffer.draw(6)) for _ in range(2)] == first


def test_draws_that_failed_have_not_been() -> None:
    buffer, other = filled("passes"), filled("passes")
    for _ in range(3):
        with pytest.raises(UsageError):
            buffer.mix(pa.table({"sage_row_id": ["a"]}), 50, on_shortfall="error")
    assert ids(buffer.draw(7)) == ids(other.draw(7))


def test_another_process_goes_on_with_the_draws_of_the_first(tmp_path: Path) -> None:
    one = ReplayBuffer.open(tmp_path / "buffer", 20, "fifo", draw="passes")
    offer(one, rows(range(20)))
    other = ReplayBuffer.open(tmp_path / "buffer")
    new = pa.table({"sage_row_id": ["new"]})
    found = [row for buffer in (one, other) * 2 for row in ids(buffer.mix(new, 5))[1:]]
    assert len(set(found)) == 20


def test_prioritised_rows_are_drawn_as_often_as_their_scores_say() -> None:
    buffer = ReplayBuffer.open(None, 4, draw="prioritised")
    weights = [1.0, 2.0, 5.0, 0.0]
    buffer.update(pa.table({"sage_row_id": ["a", "b", "c", "d"]}), scores=weights)
    counts = Counter(ids(buffer.draw(1, step=step))[0] for step in range(800))
    assert counts["d"] == 0
    off = sum(
        (counts[one] - 100 * weight) ** 2 / (100 * weight) for one, weight in zip("abc", weights[:3], strict=True)
    )
    assert off < chi_square_bound(2)
    assert ids(buffer.draw(4))[-1] == "d", "drawn where nothing else is left"


def test_each_part_of_a_draw_by_group_is_balanced() -> None:
    buffer = ReplayBuffer.open(None, 40, "fifo", draw="by_group")
    buffer.update(
        pa.table({"sage_row_id": [str(one) for one in range(40)]}),
        groups=["a"] * 30 + ["b"] * 8 + ["c"] * 2,
    )
    group = dict(zip(buffer.ids().to_pylist(), buffer.members()["group"].to_pylist(), strict=True))
    firsts: Counter[str] = Counter()
    for step in range(30):
        drawn = [group[one] for one in ids(buffer.draw(12, step=step))]
        assert Counter(drawn) == {"a": 5, "b": 5, "c": 2}
        assert all(set(drawn[start : start + 3]) == {"a", "b", "c"} for start in (0, 3))
        firsts[drawn[0]] += 1
    assert len(firsts) == 3


def test_shares_of_the_buffer() -> None:
    buffer = filled("uniform")
    found = {n: buffer.draw(n).num_rows for n in (0, 3, np.int64(4), 0.5, "10%", "1/4", 1.0, "100%")}
    assert list(found.values()) == [0, 3, 4, 10, 2, 5, 20, 20]
    for wrong in (-1, 1.5, "101%", "x%", "%", None, True, float("nan"), "-5%", [1]):
        with pytest.raises(UsageError):
            buffer.draw(wrong)  # type: ignore[arg-type]
    for more in ({"step": -1}, {"step": 1.5}, {"rank": 1}, {"rank": -1}, {"world": 0}, {"step": "x"}):
        with pytest.raises(UsageError):
            buffer.draw(1, **more)  # type: ignore[arg-type]


def test_an_empty_buffer() -> None:
    buffer = ReplayBuffer.open(None, 3)
    assert buffer.draw(0).num_rows == 0
    assert buffer.draw(0.5).num_rows == 0
    with pytest.warns(SageWarning):
        assert buffer.draw(2).num_rows == 0


GOLDEN = {
    "by_group": "ab27983f8d7970c3dcb77955bf9c2d3c57471d471b1952bd27d79256992f4bfa",
    "passes": "0e390b7aa2f318f9e41f386d285a22536ae051d7f01f55e301cf29ba53ba71d3",
    "prioritised": "7ccd8473688581080d1321497d0c2a6ef3612ac9d367d3201ed0c06233d0c433",
    "recency": "7b9b96ca5a31d281f239a3a71bdbfdb5ddcfc38609bcba2dd9d583cea824c6df",
    "uniform": "14f43bf248f2be65ef367f0cc918717bbc5826c6275819cd4bbf9eff551f750e",
}


@pytest.mark.parametrize("draw", RULES)
def test_golden_draws(draw: str) -> None:
    buffer = filled(draw, 200, 150)
    found = [one for step in range(5) for one in ids(buffer.draw(40, step=step))]
    found += [one for _ in range(5) for one in ids(buffer.draw(40))]
    assert hashlib.sha256("\n".join(found).encode()).hexdigest() == GOLDEN[draw]
