"""Where the examples of a step lie: by plain twins, and what that saves."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sage_select.train.packing import Layout, next_fit

Steps = list[list[tuple[int, int]]]

#: Steps of (length, phase).
STEPS = st.lists(
    st.lists(st.tuples(st.integers(1, 40), st.integers(-1, 1)), min_size=1, max_size=12), min_size=1, max_size=6
)


def flat(steps: Steps) -> tuple[Any, Any, Any]:
    starts = np.cumsum([0, *map(len, steps)])
    lengths, phases = zip(*(row for step in steps for row in step), strict=True)
    return starts, np.array(lengths, np.int64), np.array(phases, np.int32)


def plain_next_fit(rows: list[tuple[int, int]], lookback: int) -> list[int]:
    capacity = max(length for length, _ in rows)
    sequences: list[tuple[int, int]] = []  # tokens and phase
    numbers = []
    for length, phase in rows:
        for number in range(max(0, len(sequences) - lookback), len(sequences)):
            if sequences[number][1] == phase and sequences[number][0] + length <= capacity:
                break
        else:
            number = len(sequences)
            sequences.append((0, phase))
        sequences[number] = sequences[number][0] + length, phase
        numbers.append(number)
    return numbers


@settings(deadline=None)
@given(steps=STEPS, lookback=st.integers(1, 14))
def test_next_fit_is_that_of_a_plain_loop(steps: Steps, lookback: int) -> None:
    starts, lengths, phases = flat(steps)
    expected = [number for step in steps for number in plain_next_fit(step, lookback)]
    assert next_fit(starts, lengths, phases, lookback).tolist() == expected


def passes_of(layout: Layout, step: int) -> list[list[int]]:
    """Return the lengths of the sequences of each forward pass."""
    start, end = layout.starts[step : step + 2]
    numbers = layout.sequences[start:end]
    passes: list[list[int]] = [[] for _ in range(numbers.max() // layout.per_pass + 1)]
    for number in sorted(set(numbers.tolist())):
        passes[number // layout.per_pass].append(int(layout.lengths[start:end][numbers == number].sum()))
    assert sum(len(one) < layout.per_pass for one in passes) <= 1
    return passes


@settings(deadline=None)
@given(steps=STEPS, per_pass=st.integers(1, 5), lookback=st.integers(1, 8))
def test_what_is_computed_is_what_the_passes_are(steps: Steps, per_pass: int, lookback: int) -> None:
    starts, lengths, phases = flat(steps)
    in_order = Layout.in_order(starts, lengths, per_pass=per_pass)
    by_length = Layout.by_length(starts, lengths, per_pass=per_pass)
    packed = Layout.packing(starts, lengths, phases, per_pass=per_pass, lookback=lookback)
    for layout in (in_order, by_length, packed):
        passes = [one for step in range(len(steps)) for one in passes_of(layout, step)]
        assert layout.computed == sum(len(one) * max(one) for one in passes)
        assert layout.forward_passes == len(passes)
        assert layout.count == sum(map(len, passes))
        assert layout.padding == 1 - lengths.sum() / layout.computed
    assert [passes_of(in_order, number) for number in range(len(steps))] == [
        [[length for length, _ in step[at : at + per_pass]] for at in range(0, len(step), per_pass)] for step in steps
    ]
    for number, step in enumerate(steps):
        longest = max(length for length, _ in step)
        for layout in (by_length, packed):
            sequences = [length for one in passes_of(layout, number) for length in one]
            assert sequences == sorted(sequences, reverse=True)
            # Never more than the pass with the longest row takes anyway.
            assert sequences[0] == longest
        assert len(passes_of(packed, number)) <= len(passes_of(by_length, number))
    assert by_length.computed <= in_order.computed


@settings(deadline=None)
@given(steps=STEPS, lookback=st.integers(1, 8))
def test_a_sequence_holds_whole_examples_of_one_step_and_phase(steps: Steps, lookback: int) -> None:
    starts, lengths, phases = flat(steps)
    layout = Layout.packing(starts, lengths, phases, per_pass=2, lookback=lookback)
    for number, step in enumerate(steps):
        numbers = layout.sequences[starts[number] : starts[number + 1]]
        for sequence in set(numbers.tolist()):
            there = np.flatnonzero(numbers == sequence)
            assert len({step[at][1] for at in there}) == 1


def test_rows_of_one_length_lie_in_their_order() -> None:
    starts, lengths = np.array([0, 4, 7]), np.full(7, 5, np.int64)
    assert Layout.by_length(starts, lengths, per_pass=2).sequences.tolist() == [0, 1, 2, 3, 0, 1, 2]
