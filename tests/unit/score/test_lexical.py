from __future__ import annotations

import math

import numpy as np
import pyarrow as pa

from sage_select.score import lexical_scores


def test_the_score_is_log_length_plus_entropy() -> None:
    scores = lexical_scores(pa.chunked_array([["a b a b", "a a a a"], ["", "One two three"]]))
    assert scores.dtype == np.float32
    expected = [math.log2(5) + 1, math.log2(5), 0, math.log2(4) + math.log2(3)]
    np.testing.assert_allclose(scores, expected, rtol=1e-6)


def test_threads_do_not_matter() -> None:
    texts = pa.array([f"row {row} says {row % 7} things" * (row % 5) for row in range(500)])
    one = lexical_scores(texts, threads=1)
    np.testing.assert_array_equal(one, lexical_scores(texts, threads=3))
