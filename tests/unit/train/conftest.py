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
