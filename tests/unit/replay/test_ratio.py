"""Replay ratios: exact at every step, on every basis, over reopening."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sage_select.errors import DataError, SageWarning, UsageError
from sage_select.replay import ReplayBuffer
from sage_select.replay.ratio import BASES, Ratio

batches = st.lists(st.integers(0, 12), min_size=1, max_size=8)


def table(numbers: range | list[int], start: str = "new") -> pa.Table:
    return pa.table({"sage_row_id": pa.array([f"{start} {one}" for one in numbers], pa.string())})


def filled(n: int = 60, path: Path | None = None, draw: str | None = None) -> ReplayBuffer:
    buffer = ReplayBuffer.open(path, n, draw=draw)
    buffer.update(table(range(n), "old"), lengths=[1 + one % 9 for one in range(n)])
    return buffer


def replayed(mixed: pa.Table) -> list[str]:
    return mixed.filter(pa.compute.equal(mixed["sage_origin"], "replay"))["sage_row_id"].to_pylist()


@settings(deadline=None, max_examples=25)
@given(ratio=st.fractions(0, 2, max_denominator=50), sizes=batches)
def test_of_new_is_exact_to_below_one_row(ratio: Fraction, sizes: list[int]) -> None:
    buffer, done, new = filled(), 0, 0
    for size in sizes:
        mixed = buffer.mix(table(range(size)), ratio)
        done, new = done + len(replayed(mixed)), new + size
        assert mixed.num_rows == size + len(replayed(mixed))
        assert 0 <= ratio * new - done < 1


@settings(deadline=None, max_examples=25)
@given(ratio=st.fractions(0, "3/4", max_denominator=50), sizes=batches)
def test_of_total_is_exact_to_below_one_row(ratio: Fraction, sizes: list[int]) -> None:
    buffer, done, new = filled(), 0, 0
    for size in sizes:
        done, new = done + len(replayed(buffer.mix(table(range(size)), ratio, "of_total"))), new + size
        assert abs(ratio * (new + done) - done) < 1
        assert done == new * ratio / (1 - ratio) // 1


@pytest.mark.parametrize("draw", ["uniform", "passes", "recency"])
@settings(deadline=None, max_examples=15)
@given(ratio=st.fractions(0, "1/2", max_denominator=20), sizes=batches)
def test_tokens_of_total_are_exact_to_below_the_longest_row(draw: str, ratio: Fraction, sizes: list[int]) -> None:
    buffer, done, new = filled(draw=draw), 0, 0
    length = dict(zip(buffer.ids().to_pylist(), buffer.members()["tokens"].to_pylist(), strict=True))
    seen: list[str] = []
    for size in sizes:
        lengths = [3 + one for one in range(size)]
        found = replayed(buffer.mix(table(range(size)), ratio, "tokens_of_total", lengths=lengths))
        seen += found
        done, new = done + sum(length[one] for one in found), new + sum(lengths)
        assert 0 <= done - new * ratio / (1 - ratio) < 9
    if draw == "passes":
        counts = [seen.count(one) for one in length]
        assert max(counts) - min(counts) <= 1, "rows that were not replayed have not been drawn"


def test_what_is_owed_is_remembered_over_reopening(tmp_path: Path) -> None:
    filled(path=tmp_path / "buffer")
    whole = filled()
    for number in range(9):
        one = ReplayBuffer.open(tmp_path / "buffer").mix(table([number]), "2/7")
        assert one.equals(whole.mix(table([number]), "2/7"))
        other = ReplayBuffer.open(tmp_path / "buffer").mix(table([number]), "1/3", "of_total")
        assert other.equals(whole.mix(table([number]), "1/3", "of_total"))
    assert whole.stats()["replayed"] == int(9 * Fraction(2, 7)) + int(9 * Fraction(1, 2))


@settings(deadline=None, max_examples=30)
@given(n=st.integers(1, 40), ratio=st.sampled_from([0.0, 0.1, 0.25, 0.3, 0.7, 1.0, 1.5]))
def test_the_ratio_of_sage(n: int, ratio: float) -> None:
    buffer = filled()
    assert len(replayed(buffer.mix(table(range(n)), ratio, compat="sage"))) == min(60, max(1, int(n * ratio)))
    assert buffer.mix(table([]), ratio, compat="sage").num_rows == 0


def test_a_shortfall_is_told_repeated_or_refused() -> None:
    buffer = filled(3)
    with pytest.warns(SageWarning, match="10 rows to replay, and 3 there"):
        assert len(set(replayed(buffer.mix(table(range(10)), 1)))) == 3
    assert buffer.stats()["short"] == 7
    found = replayed(buffer.mix(table(range(10)), 1, on_shortfall="repeat"))
    assert sorted(found.count(one) for one in set(found)) == [3, 3, 4]
    assert {*found[:3]} == {*found[3:6]} == {*found[6:9]}
    before = (buffer.commit, buffer.stats())
    with pytest.raises(UsageError, match="10 rows to replay, and 3 there"):
        buffer.mix(table(range(10)), 1, on_shortfall="error")
    with pytest.raises(UsageError, match="rows to replay"):
        buffer.mix(table(range(10)), 0.9, "tokens_of_total", lengths=[50] * 10, on_shortfall="error")
    assert (buffer.commit, buffer.stats()) == before
    with pytest.warns(SageWarning, match="to replay"):
        buffer.mix(table(range(10)), 0.9, "tokens_of_total", lengths=[50] * 10)
    found = replayed(buffer.mix(table([1]), "1/2", "tokens_of_total", lengths=[20], on_shortfall="repeat"))
    assert len(found) > 3


def test_nothing_is_replayed_from_nothing() -> None:
    buffer = ReplayBuffer.open(None, 4)
    with pytest.warns(SageWarning):
        assert buffer.mix(table([1, 2]), 1, on_shortfall="repeat").num_rows == 2
    with pytest.raises(UsageError):
        buffer.mix(table([1, 2]), 1, on_shortfall="error")
    assert buffer.mix(table([1, 2]), 1, compat="sage").num_rows == 2


def test_new_rows_are_not_replayed_and_nothing_is_inserted() -> None:
    buffer = filled(6)
    new = pa.concat_tables([table([0, 1, 2, 3], "old"), table([9])])
    found = replayed(buffer.mix(new, "2/5"))
    assert set(found) == {"old 4", "old 5"}
    assert len(buffer) == 6


def test_the_columns_are_those_of_both_whether_rows_are_replayed_or_not() -> None:
    buffer = ReplayBuffer.open(None, 4)
    buffer.update(table([1, 2], "old").append_column("text", pa.array(["a", "b"])))
    names = [buffer.mix(table([number]), "1/2").schema for number in range(4)]
    assert all(one == names[0] for one in names)
    assert names[0].names == ["sage_row_id", "sage_origin", "text"]
    before = (buffer.commit, buffer.stats())
    with pytest.raises(DataError, match="other types"):
        buffer.mix(table([1]).append_column("text", pa.array([1])), 1)
    assert (buffer.commit, buffer.stats()) == before, "nothing is owed for a batch that was refused"


def test_replayed_rows_stand_evenly_among_new_ones() -> None:
    mixed = filled().mix(table(range(6)), "1/2", interleave=True)
    assert mixed["sage_origin"].to_pylist() == [one for _ in range(3) for one in ("selected", "replay", "selected")]


@pytest.mark.parametrize("basis", BASES)
@pytest.mark.parametrize("value", [-0.1, "-1/3", float("nan"), float("inf"), "x", None, "1/0", True])
def test_what_is_no_ratio_is_refused(value: object, basis: str) -> None:
    with pytest.raises(UsageError):
        Ratio.of(value, basis)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda buffer: buffer.mix(table([1]), 1, "of_total"), "out of range"),
        (lambda buffer: buffer.mix(table([1]), 0.1, "of_all"), "unknown basis"),
        (lambda buffer: buffer.mix(table([1]), 0.1, on_shortfall="no"), "unknown on_shortfall"),
        (lambda buffer: buffer.mix(table([1]), 0.1, compat="no"), "unknown compat"),
        (lambda buffer: buffer.mix(table([1]), 0.1, "of_total", compat="sage"), "one of the new rows"),
        (lambda buffer: buffer.mix(table([1]), 0.1, "tokens_of_total"), "tokens of new rows"),
    ],
)
def test_mixtures_without_a_meaning_are_refused(wrong: Callable[[ReplayBuffer], object], message: str) -> None:
    buffer = filled(3)
    before = (buffer.commit, buffer.stats())
    with pytest.raises(UsageError, match=message):
        wrong(buffer)
    assert (buffer.commit, buffer.stats()) == before


def test_tokens_of_the_buffer_have_to_be_known() -> None:
    buffer = ReplayBuffer.open(None, 3)
    buffer.update(table([1, 2], "old"))
    with pytest.raises(UsageError, match="tokens of rows of the buffer"):
        buffer.mix(table([1]), 0.1, "tokens_of_total", lengths=np.array([4]))


def test_many_steps_of_a_ratio_that_no_float_holds() -> None:
    ratio, carry, done = Ratio.of(0.1), Fraction(0), 0
    for step in range(1, 5000):
        count, carry = ratio.due(7, carry)
        done += count
        assert done == 7 * step // 10
