"""Rows to train on, few enough for every run of the tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest


@pytest.fixture
def chats() -> Callable[[int], pa.Table]:
    """Return a maker of tables of `n` different chats, in file order 0, 1, 2, ..."""

    def make(n: int, **columns: list[Any]) -> pa.Table:
        words = ["table", "hotel", "city", "weather", "day", "paris"]
        messages = [
            [
                {"role": "user", "content": f"find {words[i % 6]} {i}"},
                {"role": "assistant", "content": f"{words[(i + 1) % 6]} " * (1 + i % 4) + str(i)},
            ]
            for i in range(n)
        ]
        return pa.table({"messages": messages, "sage_row_id": [f"row-{i}" for i in range(n)], **columns})

    return make


@pytest.fixture
def mixed() -> Callable[[int], pa.Table]:
    """Return a maker of tables of `n` rows of very different lengths and weights."""

    def make(n: int) -> pa.Table:
        return pa.table(
            {
                "prompt": [f"find {number}" for number in range(n)],
                "completion": ["hotel city " * (1, 4, 24, 2, 9)[number % 5] for number in range(n)],
                "sage_row_id": [f"row-{number}" for number in range(n)],
                "sage_weight": pa.array([(1.0, 0.5, 2.0)[number % 3] for number in range(n)], pa.float32()),
            }
        )

    return make
