"""Where rows are replayed: exactly as many as the ratio says after every new row, whatever the rest of the run is."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from training_rows import training_rows

from sage_select.errors import UsageError
from sage_select.replay.ratio import Ratio
from sage_select.train import TrainConfig
from sage_select.train.data import TrainingRows
from sage_select.train.replaying.interleave import Draws, Interleaved, interleaved
from sage_select.train.schedule import Schedule

RATIOS = ["0", "0.1", "0.25", "1/3", "2/7", "0.123456789012345678901", "1", "5/2"]


def examples(name: str, lengths: list[list[int]], **facts: list[Any]) -> TrainingRows:
    """Return rows with an example for each of their lengths."""
    ids = [f"{name}{number}" for number, own in enumerate(lengths) for _ in own]
    tokens = pa.array([[3] * length for own in lengths for length in own], pa.large_list(pa.int32()))
    return training_rows(pa.table({"input_ids": tokens, "labels": tokens}), row_id=ids, **facts)


def shuffles(size: int, *, repeat: bool = True, expected: int | None = None) -> Draws:
    def draw(number: int, count: int) -> Any:
        return np.random.default_rng(number).permutation(size)[:count]

    return Draws(size, draw, expected=expected, repeat=repeat)


def rows_of(laid: Interleaved, new: TrainingRows, pool: TrainingRows | None) -> list[str]:
    """Return the ids of all rows as they are begun, those with several examples once."""
    ids = [*new.row_ids, *(pool.row_ids if pool is not None else [])]
    begins = {ids.index(one) for one in set(ids)}
    return [ids[place] for place in laid.places.tolist() if place in begins]


row_lengths = st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=3), min_size=1, max_size=12)


@settings(deadline=None)
@given(
    new=row_lengths,
    pool=row_lengths,
    ratio=st.sampled_from(RATIOS),
    basis=st.sampled_from(["of_new", "of_total"]),
    epochs=st.sampled_from([1.0, 2.0, 2.5, 5.0]),
    per_step=st.integers(1, 5),
)
def test_after_every_new_row_as_many_are_replayed_as_the_accumulator_says(
    new: list[list[int]], pool: list[list[int]], ratio: str, basis: str, epochs: float, per_step: int
) -> None:
    if basis == "of_total" and Fraction(ratio) >= 1:
        return
    ours, theirs = examples("n", new), examples("p", pool)
    config = TrainConfig(model="m", epochs=epochs, batch_size=per_step, gradient_accumulation=1)
    exact = Ratio.of(ratio, basis)
    laid = interleaved(ours, theirs, shuffles(len(pool)), exact, config)
    rows = rows_of(laid, ours, theirs)
    # The plain twin: what `Ratio.due` says, one new row after the other.
    carry, draws, expected = Fraction(0), iter(shuffles(len(pool))[place] for place in range(10**6)), []
    for number in range(len(new) * 5):
        expected.append(f"n{number % len(new)}")
        count, carry = exact.due(1, carry)
        expected += [f"p{next(draws)}" for _ in range(count)]
    assert rows == expected[: len(rows)]
    replayed = 0
    for number, row in enumerate(rows, 1):
        replayed += row[0] == "p"
        if number < len(rows) and rows[number][0] == "n":
            assert 0 <= exact.of_new * (number - replayed) - replayed < 1
    counts = Counter(row for row in rows if row[0] == "p")
    assert max(counts.values(), default=0) - min((counts[f"p{one}"] for one in range(len(pool))), default=0) <= 1
    assert [f"p{row}" for row in laid.drawn] == [row for row in rows if row[0] == "p"]
    assert laid.missing == 0
    # No step has examples of new rows of two passes, and all but the last of a pass are full.
    steps = [laid.places[start:end].tolist() for start, end in zip(laid.starts[:-1], laid.starts[1:], strict=True)]
    assert all(0 < len(step) <= per_step for step in steps)
    for step in steps:
        own = [place for place in step if place < len(ours.row_ids)]
        assert own == sorted(own)
        assert len(own) == len(set(own))


@settings(deadline=None)
@given(new=row_lengths, pool=row_lengths, ratio=st.sampled_from(["0.1", "1/3", "0.5", "0.8"]))
def test_tokens_are_never_a_row_off_their_share(new: list[list[int]], pool: list[list[int]], ratio: str) -> None:
    ours, theirs = examples("n", new), examples("p", pool)
    config = TrainConfig(model="m", epochs=3, batch_size=2, gradient_accumulation=1)
    exact = Ratio.of(ratio, "tokens_of_total")
    laid = interleaved(ours, theirs, shuffles(len(pool)), exact, config)
    rows = rows_of(laid, ours, theirs)
    tokens = {f"n{number}": sum(own) for number, own in enumerate(new)}
    tokens |= {f"p{number}": sum(own) for number, own in enumerate(pool)}
    drawn = iter(shuffles(len(pool))[place] for place in range(10**6))
    upcoming, owed = next(drawn), Fraction(0)
    for number, row in enumerate(rows):
        owed += exact.of_new * tokens[row] if row[0] == "n" else -tokens[row]
        if row[0] == "p":
            assert row == f"p{upcoming}"
            upcoming = next(drawn)
        assert owed >= 0
        if number + 1 < len(rows) and rows[number + 1][0] == "n":
            assert owed < tokens[f"p{upcoming}"]


@settings(deadline=None)
@given(
    new=row_lengths,
    pool=row_lengths,
    ratio=st.sampled_from(RATIOS[1:]),
    basis=st.sampled_from(["of_new", "tokens_of_total"]),
    length=st.sampled_from([{"epochs": 0.5}, {"epochs": 1.0}, {"epochs": 2.3}, {"max_steps": 1}, {"max_steps": 7}]),
    shortfall=st.booleans(),
)
def test_what_is_recorded_of_a_run_makes_the_same_steps(
    new: list[list[int]],
    pool: list[list[int]],
    ratio: str,
    basis: str,
    length: dict[str, Any],
    shortfall: bool,
) -> None:
    if basis == "tokens_of_total" and Fraction(ratio) >= 1:
        return
    ours, theirs = examples("n", new), examples("p", pool)
    config = TrainConfig(model="m", batch_size=3, gradient_accumulation=1, **length)
    exact = Ratio.of(ratio, basis)
    laid = interleaved(ours, theirs, shuffles(len(pool), repeat=not shortfall), exact, config)
    if config.max_steps:
        assert laid.steps == config.max_steps
    distinct = list(dict.fromkeys(laid.drawn.tolist()))
    held = examples("p", [pool[row] for row in distinct]) if distinct else None
    again = interleaved(
        ours, held, Draws.recorded([distinct.index(row) for row in laid.drawn]), exact, config, steps=laid.steps
    )
    assert again.starts.tolist() == laid.starts.tolist()
    assert again.phases.tolist() == laid.phases.tolist()
    n, firsts = len(ours.row_ids), np.cumsum([0, *map(len, pool)])
    moved = [place for row in distinct for place in range(n + firsts[row], n + firsts[row + 1])]
    assert [place if place < n else moved[place - n] for place in again.places.tolist()] == laid.places.tolist()


def test_a_replayed_row_has_the_phase_of_the_row_before_it_and_passes_count_new_rows() -> None:
    ours = examples("n", [[1]] * 4, phase=[0, 0, 1, 1])
    theirs = examples("p", [[1]] * 9)
    config = TrainConfig(model="m", epochs=2, batch_size=4, gradient_accumulation=1)
    laid = interleaved(ours, theirs, shuffles(9), Ratio.of("1/2"), config)
    assert laid.phases.tolist() == [0, 0, 0, 1, 1, 1] * 2
    assert np.diff(laid.starts).tolist() == [4, 2, 4, 2]
    both = training_rows(
        pa.concat_tables([ours.table, theirs.table]).drop_columns(["weight"]), row_id=[*ours.row_ids, *theirs.row_ids]
    )
    schedule = Schedule.taking(both, laid.starts, laid.places, laid.phases)
    counted = Schedule(**{**vars(schedule), "examples": 4})
    assert [counted.passes(step) for step in range(5)] == [0, 0.75, 1, 1.75, 2]
    assert counted.agreement() == 1.0


def test_rows_that_are_missing_are_counted() -> None:
    ours, theirs = examples("n", [[1]] * 10), examples("p", [[2], [3]])
    config = TrainConfig(model="m", epochs=2)
    for draws, pool, missing in ((shuffles(2, repeat=False), theirs, 3), (shuffles(0), None, 5)):
        laid = interleaved(ours, pool, draws, Ratio.of(0.25), config)
        assert (laid.missing, len(laid.drawn)) == (missing, 5 - missing)
    laid = interleaved(ours, theirs, shuffles(2, repeat=False), Ratio.of(0.5, "tokens_of_total"), config)
    assert laid.missing == 15


def test_a_run_that_would_never_end_is_refused() -> None:
    with pytest.raises(UsageError, match="too many rows"):
        interleaved(
            examples("n", [[1]] * 8), None, shuffles(0), Ratio.of(0.25), TrainConfig(model="m", max_steps=10**10)
        )


def test_no_more_is_drawn_than_is_asked_for() -> None:
    asked: list[int] = []

    def draw(number: int, count: int) -> Any:
        asked.append(count)
        return np.arange(count)

    draws = Draws(10, draw, expected=14, repeat=True)
    assert [draws[place] for place in (0, 9, 10, 13)] == [0, 9, 0, 3]
    assert asked == [10, 4]
