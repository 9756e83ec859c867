"""Mixtures as users write them."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sage_select.errors import UsageError
from sage_select.values.mixture import OTHERS, PRESETS, Mixture


@pytest.mark.parametrize(
    ("text", "shares"),
    [
        ("task=a:0.35,b:0.65", {"a": "0.35", "b": "0.65"}),
        ("task=a:0.35,b:0.30", {"a": "0.35", "b": "0.3", OTHERS: "0.35"}),
        (" task = a : 35% , b : .3 ", {"a": "0.35", "b": "0.3", OTHERS: "0.35"}),
        ("task=a:7,b:3", {"a": "0.7", "b": "0.3"}),
        ("task=a:1,b:1,c:1", {"a": "1/3", "b": "1/3", "c": "1/3"}),
        ("task=a:1", {"a": "1"}),
        ("task=a:1.0", {"a": "1"}),
        ("task=a:100%", {"a": "1"}),
        ("task=a:1%", {"a": "1/100", OTHERS: "99/100"}),
        ("task=a:1,*:3", {"a": "1/4", OTHERS: "3/4"}),
        ("task=a:0.6,*:0.4", {"a": "0.6", OTHERS: "0.4"}),
        ("task=a:0.3333333333,b:0.3333333333,c:0.3333333333", {"a": "1/3", "b": "1/3", "c": "1/3"}),
        ("task=hf://x/y:0.5,b:c:0.5", {"hf://x/y": "0.5", "b:c": "0.5"}),
        ('"x=y"="a,b":0.5,"":0.5', {"a,b": "0.5", "": "0.5"}),
    ],
)
def test_shares_are_as_written(text: str, shares: dict[str, str]) -> None:
    mixture = Mixture.parse(text)
    assert mixture.shares == {name: Fraction(share) for name, share in shares.items()}
    assert list(mixture.shares) == list(shares)
    assert sum(mixture.shares.values()) == 1
    assert Mixture.parse(str(mixture)) == mixture


def test_the_preset_is_that_of_the_origin() -> None:
    shares = Mixture.parse("sage").shares
    assert shares == Mixture.parse("task=tool_selection:35%,planning:30%,timing:20%,general:15%").shares
    assert Mixture.parse("kind=sage") == Mixture("kind", Mixture.parse("sage").parts)
    for text in PRESETS.values():
        assert sum(Mixture.parse(text).shares.values()) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("task", "this is no mixture"),
        ("task=", "this is no mixture"),
        ("task=a", "this is no mixture"),
        ("task=a:", "this is no mixture"),
        ("task=a:%", "this is no mixture"),
        ("task=:1", "this is no mixture"),
        ("=a:1", "this is no mixture"),
        ("task=a,b:0.5", "this is no mixture"),
        ("task=a:-1", "this is no mixture"),
        ("task=a:1e3", "this is no mixture"),
        ("task=a:nan", "this is no mixture"),
        ("task=a:0.123456789012345", "this is no mixture"),
        ("task=a:0.1234567890123%", "this is no mixture"),
        ("task=a:1,,b:2", "this is no mixture"),
        ('task="a:1', "this is no mixture"),
        ('task="\\ud800":1', "this is no mixture"),
        ("task=\ud800:1", "this is no mixture"),
        ("sgae", "this is no mixture"),
        (None, "this is no mixture"),
        (0.5, "this is no mixture"),
        ("task=a:0.5,a:0.5", "names 'a' twice"),
        ("task=a:0,b:1", "a share of 0"),
        ("task=a:1,b:0.5", "beside whole numbers"),
        ("task=a:0.6,b:0.6", "add up to 1.2, which is more than 1"),
        ("task=a:7.0,b:3.0", "add up to 10, which is more than 1"),
        ("task=a:0.6,*:0.1", r"add up to 0.7, and \* has all other values"),
    ],
)
def test_what_could_be_misread_is_refused(text: object, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        Mixture.parse(text)
    assert caught.value.expected


names = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)


@given(column=names.filter(bool), parts=st.dictionaries(names, st.integers(1, 10**12 - 1), min_size=1))
def test_any_names_and_ratios_are_read_back(column: str, parts: dict[str, int]) -> None:
    mixture = Mixture(column, tuple((name, Fraction(part)) for name, part in parts.items()), ratio=True)
    assert Mixture.parse(str(mixture)) == mixture


@given(
    column=names.filter(bool),
    parts=st.dictionaries(names.filter(lambda name: name != OTHERS), st.integers(1, 10**13), min_size=1, max_size=10),
)
def test_any_names_and_shares_are_read_back(column: str, parts: dict[str, int]) -> None:
    mixture = Mixture(column, tuple((name, Fraction(part, 10**14)) for name, part in parts.items()))
    assert Mixture.parse(str(mixture)) == mixture


@pytest.mark.parametrize(
    "share", ["0.00001", "0.12345678901234", "0.00000000000001", "0.123456789012%", "99.999999999999%"]
)
def test_small_shares_are_read_back(share: str) -> None:
    mixture = Mixture.parse(f"task=a:{share}")
    assert Mixture.parse(str(mixture)) == mixture
    assert "e" not in str(mixture)
