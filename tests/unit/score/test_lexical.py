from __future__ import annotations

import math
from typing import get_args

import numpy as np
import pyarrow as pa
import pytest

from sage_select.score import LEXICAL_MEASURES, LexicalMeasureName, lexical_scores
from sage_select.scorers.lexical import Lexical


def test_the_score_is_log_length_plus_entropy() -> None:
    scores = lexical_scores(pa.chunked_array([["a b a b", "a a a a"], ["", "One two three"]]))
    assert scores.dtype == np.float32
    expected = [math.log2(5) + 1, math.log2(5), 0, math.log2(4) + math.log2(3)]
    np.testing.assert_allclose(scores, expected, rtol=1e-6)


def test_threads_do_not_matter() -> None:
    texts = pa.array([f"row {row} says {row % 7} things" * (row % 5) for row in range(500)])
    one = lexical_scores(texts, threads=1)
    np.testing.assert_array_equal(one, lexical_scores(texts, threads=3))


def test_the_table_has_the_words_of_the_option() -> None:
    assert list(LEXICAL_MEASURES) == list(get_args(LexicalMeasureName))
    sized = {name for name, measure in LEXICAL_MEASURES.items() if measure.setting is not None}
    used = {
        name
        for name in LEXICAL_MEASURES
        if {"lexical_window", "lexical_ngram"} - set(Lexical(lexical_measure=name).unused_options())
    }
    assert sized == used, "an option counts with the measures that take it"


@pytest.mark.parametrize("name", LEXICAL_MEASURES)
def test_each_measure_scores_texts_and_says_how(name: LexicalMeasureName) -> None:
    texts = pa.array(["one two three four five six", "again and again and again and again", ""])
    values = lexical_scores(texts, name)
    assert values.shape == (3,)
    assert values[2] == 0
    scorer = Lexical(lexical_measure=name)
    assert scorer.describe().startswith(scorer.measure.summary)
    assert "{n}" not in scorer.describe()
    # Of the two the first says more.
    hard, easy = (values if scorer.higher_is_harder else -values)[:2]
    if name not in ("words", "characters", "rarity"):
        assert hard > easy


def test_sizes_of_measures() -> None:
    texts = pa.array(["a b a b a b"])
    assert lexical_scores(texts, "repetition", size=2)[0] == pytest.approx(0.6)
    assert lexical_scores(texts, "repetition")[0] == pytest.approx(1 / 3), "of four words where nothing is said"
    assert lexical_scores(texts, "diversity", size=2)[0] == 1
    assert lexical_scores(texts, "diversity")[0] == pytest.approx(1 / 3)
    scorer = Lexical(lexical_measure="rarity", lexical_ngram=3)
    assert scorer.size == 3
    assert "3-grams" in scorer.describe()


def test_rarity_alone_depends_on_other_rows() -> None:
    assert [name for name in LEXICAL_MEASURES if not Lexical(lexical_measure=name).sees_rows_alone] == ["rarity"]
