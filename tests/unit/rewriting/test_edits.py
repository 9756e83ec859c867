"""Edits of words: as many as asked for, each keeps what must stay, the same for the same draws."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sage_select.rewriting import violation
from sage_select.rewriting.edits import EDITS, edited
from sage_select.rewriting.english import CONTRACTIONS, EXPANSIONS, FIXED
from sage_select.seeds import Draws

TEXT = (
    "Please don't book a table at 7pm for Anna; I would like to eat out tomorrow, and not before, "
    'at "The Old Inn" with {guests} of my dear friends.'
)
words = st.text(st.sampled_from("abc éß not Ж京 1'\".,?{}\n"), max_size=40)


@given(
    st.lists(words, min_size=1, max_size=3), st.floats(0.01, 0.5), st.integers(0, 99), st.sampled_from([(), ("abc",)])
)
def test_edits_keep_what_must_stay_and_follow_their_draws(
    texts: list[str], rate: float, seed: int, kept: tuple[str, ...]
) -> None:
    made = edited(texts, kept, rate, tuple(EDITS), Draws(seed, "x"))
    assert len(made) == len(texts)
    assert made == edited(texts, kept, rate, tuple(EDITS), Draws(seed, "x"))
    for before, after in zip(texts, made, strict=True):
        assert violation(before, after, kept) is None
        assert bool(before.strip()) == bool(after.strip())


@pytest.mark.parametrize("seed", range(50))
def test_what_changes_the_meaning_is_never_edited(seed: int) -> None:
    (made,) = edited([TEXT], (), 0.5, tuple(EDITS), Draws(seed, "x"))
    assert made != TEXT
    assert any(one in made.lower() for one in ("don't", "do not"))
    assert {"not", "before,", "and", "at", "for", "Anna;"} <= set(made.split())


def test_another_seed_edits_otherwise() -> None:
    assert len({edited([TEXT], (), 0.1, tuple(EDITS), Draws(seed, "x")) for seed in range(20)}) > 10


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("case", "Where is it?", {"where is it?"}),
        ("case", "where is it?", {"Where is it?"}),
        ("mark", "Where is it?", {"Where is it"}),
        ("mark", "它在哪里？", {"它在哪里"}),  # noqa: RUF001
        ("contraction", "You are late", {"You're late"}),
        ("contraction", "We won't wait", {"We will not wait"}),
        ("contraction", "I am here", {"I'm here"}),
        ("filler", "please wait here", {"wait here"}),
        ("filler", "Please wait here", {"Wait here"}),
        ("swap", "grey cats", {"cats grey"}),
        ("swap", "कल दिल्ली", {"दिल्ली कल"}),
        ("typo", "ok no", {"ok no"}),
        ("swap", "more than that", {"more than that"}),
        ("filler", "bitte warten", {"bitte warten"}),
    ],
)
def test_each_edit_does_what_it_says(name: str, before: str, after: set[str]) -> None:
    assert {edited([before], (), 0.1, [name], Draws(seed, "x"))[0] for seed in range(20)} == after


@pytest.mark.parametrize("seed", range(20))
def test_a_typing_error_changes_one_or_two_letters_within_a_word(seed: int) -> None:
    (made,) = edited(["restaurant"], (), 0.1, ["typo"], Draws(seed, "x"))
    assert made != "restaurant"
    assert (made[0], made[-1]) == ("r", "t")
    assert abs(len(made) - len("restaurant")) <= 1


def test_the_share_of_the_words_is_edited() -> None:
    text = " ".join(f"wordly{letter}ending" for letter in "abcdefghijklmnopqrst")
    for rate, wanted in ((0.01, 1), (0.1, 2), (0.5, 10)):
        (made,) = edited([text], (), rate, ["typo"], Draws(1, "x"))
        changed = sum(one != other for one, other in zip(text.split(), made.split(), strict=True))
        assert changed == wanted


def test_the_words_of_several_texts_are_one_pool() -> None:
    texts = ["remarkable"] * 10
    made = edited(texts, (), 0.2, ["typo"], Draws(1, "x"))
    assert sum(one != "remarkable" for one in made) == 2


def test_the_tables_are_sound() -> None:
    assert set(EXPANSIONS) <= FIXED
    assert all(len(short.split()) == 1 and len(whole.split()) == 2 for whole, short in CONTRACTIONS.items())
    # What can be said back is said back as it was.
    for short, whole in EXPANSIONS.items():
        assert CONTRACTIONS.get(whole.lower(), short).lower() in (short, "can't")
