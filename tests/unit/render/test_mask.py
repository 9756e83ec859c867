from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sage_select.errors import DataError, Where
from sage_select.render.mask import marked_spans, tokens_within


@st.composite
def runs(draw: st.DrawFn) -> list[tuple[int, int]]:
    """Draw increasing, disjoint, non-empty spans."""
    edges = sorted(draw(st.sets(st.integers(0, 30), max_size=10)))
    return list(zip(edges[::2], edges[1::2], strict=False))


@given(runs(), runs())
def test_a_token_is_trained_when_it_shares_a_character_with_a_span(
    offsets: list[tuple[int, int]], spans: list[tuple[int, int]]
) -> None:
    naive = [any(set(range(*token)) & set(range(*span)) for span in spans) for token in offsets]
    assert tokens_within(offsets, spans) == naive


def test_tokens_that_share_one_character_are_all_trained() -> None:
    offsets = [(0, 1), (1, 2), (1, 2), (1, 2), (2, 3)]
    assert tokens_within(offsets, [(1, 2)]) == [False, True, True, True, False]


def test_a_token_without_characters_belongs_to_what_follows() -> None:
    offsets = [(0, 2), (2, 2), (2, 4), (4, 4), (4, 5)]
    assert tokens_within(offsets, [(2, 4)]) == [False, True, True, False, False]


def test_trimmed_white_space_belongs_to_the_token_that_covered_it() -> None:
    # "ab  cd": the two spaces are one token, whose offsets a tokenizer trimmed to nothing.
    offsets = [(0, 2), (4, 4), (4, 6)]
    assert tokens_within(offsets, [(2, 4)]) == [False, True, False]
    assert tokens_within(offsets, [(4, 6)]) == [False, False, True]


def turn(role: str, weight: int | None = None) -> dict[str, object]:
    return {"role": role, "content": ""} | ({} if weight is None else {"weight": weight})


def test_marked_spans_of_weight_zero_are_left_out() -> None:
    turns = [turn("user"), turn("assistant", 0), turn("user"), turn("assistant")]
    assert marked_spans(turns, [(1, 2), (5, 9)], None) == [(5, 9)]
    assert marked_spans([turn("assistant", 0)], [(1, 2), (3, 4)], None) == []
    assert marked_spans([turn("assistant")], [(1, 2), (3, 4)], None) == [(1, 2), (3, 4)]


def test_turns_that_cannot_be_told_apart_are_refused() -> None:
    with pytest.raises(DataError, match=r"row 7: the chat template marks 1 spans for 2 assistant turns"):
        marked_spans([turn("assistant", 0), turn("assistant")], [(1, 2)], Where(row=7))
