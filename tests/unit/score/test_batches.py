from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sage_select.errors import UsageError
from sage_select.score.batches import length_batches


@given(st.lists(st.integers(0, 30), max_size=40), st.integers(1, 100))
def test_each_row_with_tokens_is_in_one_batch_that_holds_it(lengths: list[int], most: int) -> None:
    batches = length_batches(lengths, most)
    assert sorted(row for batch in batches for row in batch) == [row for row, n in enumerate(lengths) if n]
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[row] for row in batch) <= most
    order = [lengths[row] for batch in batches for row in batch]
    assert order == sorted(order, reverse=True)


def test_no_batch_holds_nothing() -> None:
    with pytest.raises(UsageError):
        length_batches([1], 0)
