"""Stage keys are fixed for ever: a change would change every selection."""

from __future__ import annotations

from sage_select.seeds import Draws, stage_key

GOLDEN = [7719347514625371585, 13985962284451929424, 6574782023761801697]


def test_golden_keys() -> None:
    assert stage_key(0, "random") == 15963908846765052996
    assert stage_key(1, "random") != stage_key(0, "random")
    assert 0 <= stage_key(2**62, "order") < 2**64


def test_draws_are_fixed_for_ever_and_even() -> None:
    assert [Draws(7, "a").below(100) for _ in range(2)] == [Draws(7, "a").below(100)] * 2
    assert [Draws(0, "row").word(), Draws(1, "row").word(), Draws(0, "rows").word()] == GOLDEN
    draws = Draws(3, "x")
    counts = [0] * 7
    for _ in range(7000):
        counts[draws.below(7)] += 1
    assert min(counts) > 850
    orders = {tuple(Draws(seed, "x").shuffled("abc")) for seed in range(100)}
    assert len(orders) == 6
