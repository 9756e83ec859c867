"""Shares as whole numbers, beside their plain definition in fractions."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import assume, given
from hypothesis import strategies as st

from sage_select.stages.inputs.shares import apportioned, filled, largest_total

weights_of = st.lists(st.integers(0, 50), min_size=1, max_size=8).filter(any)


def by_largest_remainder(total: int, weights: list[int]) -> list[int]:
    """Return whole numbers by the definition: floors, then one more for the largest remainders, the first of equals."""
    quotas = [Fraction(total * weight, sum(weights)) for weight in weights]
    counts = [int(quota) for quota in quotas]
    while sum(counts) < total:
        rest = [quota - count for quota, count in zip(quotas, counts, strict=True)]
        counts[rest.index(max(rest))] += 1
    return counts


@given(total=st.integers(0, 10**6), weights=weights_of)
def test_each_share_is_exact_to_one(total: int, weights: list[int]) -> None:
    counts = apportioned(total, weights)
    assert sum(counts) == total
    assert all(abs(Fraction(total * w, sum(weights)) - c) < 1 for w, c in zip(weights, counts, strict=True))


@given(total=st.integers(0, 300), weights=weights_of)
def test_largest_remainders_have_one_more(total: int, weights: list[int]) -> None:
    assert apportioned(total, weights) == by_largest_remainder(total, weights)


def test_equal_remainders_go_by_the_order_of_naming() -> None:
    assert apportioned(5, [1, 1, 1, 1]) == [2, 1, 1, 1]
    assert apportioned(10**30 + 1, [1, 1]) == [5 * 10**29 + 1, 5 * 10**29]


@given(pairs=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 9)), min_size=1, max_size=6))
def test_the_largest_total_is_the_largest(pairs: list[tuple[int, int]]) -> None:
    available, weights = [there for there, _ in pairs], [weight for _, weight in pairs]
    assume(any(weights))
    total, limit = largest_total(available, weights)

    def fits(size: int) -> bool:
        return all(Fraction(size * w, sum(weights)) <= a for a, w in zip(available, weights, strict=True))

    assert fits(total)
    assert not fits(total + 1)
    assert Fraction((total + 1) * weights[limit], sum(weights)) > available[limit]
    assert all(c <= a for c, a in zip(apportioned(total, weights), available, strict=True))


@given(pairs=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 9)), min_size=1, max_size=6), share=st.floats(0, 1))
def test_what_one_lacks_the_others_give_by_their_shares(pairs: list[tuple[int, int]], share: float) -> None:
    available, weights = [there for there, _ in pairs], [weight for _, weight in pairs]
    assume(any(weights))
    most = sum(there for there, weight in pairs if weight)
    total = int(share * most)
    counts = filled(total, available, weights)
    assert sum(counts) == total
    assert all(0 <= c <= a and (w or not c) for c, (a, w) in zip(counts, pairs, strict=True))
    # What is not used up has as much as its weight says beside the others of that kind, but for one.
    open_ones = [(c, w) for c, (a, w) in zip(counts, pairs, strict=True) if w and c < a]
    rest, whole = sum(c for c, _ in open_ones), sum(w for _, w in open_ones)
    assert all(abs(Fraction(rest * w, whole) - c) < len(pairs) for c, w in open_ones)
    # And nothing that is used up would have had less by its share.
    if open_ones:
        level = min(Fraction(c + 1, w) for c, w in open_ones)
        assert all(Fraction(a - 1, w) < level for c, (a, w) in zip(counts, pairs, strict=True) if w and c == a)
