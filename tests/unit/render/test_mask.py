from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sage_select.render.mask import tokens_within


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
