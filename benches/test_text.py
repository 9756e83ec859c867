"""The hashing encoder beside scikit-learn's hashed n-grams with TF-IDF, on texts of 40 words.

scikit-learn's way to dense vectors of the same width is `TruncatedSVD` after a wide hash, here of 2**15 columns for
words and as many for characters: its time grows with them, and its default of 2**20 takes minutes. Hashed straight
into few columns the vectors are sparse and as wide as asked for: the least that it can do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

from benches.data import D, scaled
from benches.measure import measure, rival
from sage_select import kernels

Vectors = NDArray[Any]


def ours(texts: list[str]) -> Vectors:
    return kernels.hashing_encoder(pa.array(texts), dimensions=D)[0]


def hashed(width: int) -> list[Any]:
    text = rival("sklearn.feature_extraction.text", "scikit-learn")
    pipeline = rival("sklearn.pipeline", "scikit-learn")
    words = text.HashingVectorizer(n_features=width, ngram_range=(1, 2), norm=None)
    characters = text.HashingVectorizer(n_features=width, analyzer="char_wb", ngram_range=(3, 5), norm=None)
    return [pipeline.make_union(words, characters), text.TfidfTransformer()]


def scikit_learn_sparse(texts: list[str]) -> Vectors:
    return rival("sklearn.pipeline", "scikit-learn").make_pipeline(*hashed(D)).fit_transform(texts)


def scikit_learn_svd(texts: list[str]) -> Vectors:
    reduced = rival("sklearn.decomposition", "scikit-learn").TruncatedSVD(min(D, len(texts) - 1), random_state=0)
    return rival("sklearn.pipeline", "scikit-learn").make_pipeline(*hashed(2**15), reduced).fit_transform(texts)


@pytest.fixture(scope="module")
def texts() -> list[str]:
    rng = np.random.default_rng(0)
    vocabulary = ["".join(rng.choice(list("abcdefghijklmnop"), size=rng.integers(2, 10))) for _ in range(5000)]
    return [" ".join(rng.choice(vocabulary, size=40)) for _ in range(scaled(3000))]


def check(method: Callable[[list[str]], Vectors], texts: list[str]) -> None:
    """A text of which a quarter was taken away lies nearest to what it was."""
    whole = texts[:100]
    cut = [" ".join(text.split()[:30]) for text in whole]
    vectors = method(whole + cut)
    dense = np.asarray(vectors if isinstance(vectors, np.ndarray) else vectors.toarray())
    dense = dense / np.linalg.norm(dense, axis=1, keepdims=True)
    nearest = np.argmax(dense[len(whole) :] @ dense[: len(whole)].T, axis=1)
    assert np.mean(nearest == np.arange(len(whole))) > 0.95


@pytest.mark.parametrize("method", [ours, scikit_learn_sparse, scikit_learn_svd], ids=lambda method: method.__name__)
def test_encoder(method: Callable[[list[str]], Vectors], texts: list[str], benchmark: BenchmarkFixture) -> None:
    check(method, texts)
    group = f"{len(texts):,} texts to vectors"
    rounds = 1 if method is scikit_learn_svd else 5
    vectors = measure(benchmark, lambda: method(texts), group=group, method=method.__name__, rounds=rounds)
    assert vectors.shape[0] == len(texts)
