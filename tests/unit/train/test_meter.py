"""How fast a run says it goes."""

from __future__ import annotations

import re

import pytest

from sage_select.train.meter import Meter, memory_in_words


def test_the_speed_is_that_of_the_last_steps_and_of_nothing_between_them() -> None:
    now = 0.0
    meter = Meter(lambda: now)
    assert meter.tokens_per_second is None
    for step in range(30):
        meter.begin()
        now += 4.0 if step < 10 else 0.5
        meter.end(100)
        now += 60.0  # an evaluation
    assert meter.tokens_per_second == pytest.approx(200.0)


def test_a_clock_that_stands_still_gives_no_speed() -> None:
    meter = Meter(lambda: 1.0)
    meter.begin()
    meter.end(5)
    assert meter.tokens_per_second is None


def test_memory_is_told_in_gigabytes() -> None:
    assert re.fullmatch(r"\d+\.\d GB( of GPU memory)?", memory_in_words())
