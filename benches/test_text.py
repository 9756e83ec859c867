"""The hashing encoder beside scikit-learn's hashed n-grams with TF-IDF, on texts of 40 words."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from sklearn.pipeline import make_pipeline, make_union

from sage_select import kernels

N, D = 3000, 384


def ours(texts: list[str]) -> tuple[int, int]:
    vectors, _ = kernels.hashing_encoder(pa.array(texts), dimensions=D)
    return vectors.shape


def scikit_learn(texts: list[str]) -> tuple[int, int]:
    words = HashingVectorizer(n_features=D, ngram_range=(1, 2), norm=None)
    characters = HashingVectorizer(n_features=D, analyzer="char_wb", ngram_range=(3, 5), norm=None)
    shape: tuple[int, int] = make_pipeline(make_union(words, characters), TfidfTransformer()).fit_transform(texts).shape
    return shape


@pytest.fixture(scope="module")
def texts() -> list[str]:
    rng = np.random.default_rng(0)
    vocabulary = ["".join(rng.choice(list("abcdefghijklmnop"), size=rng.integers(2, 10))) for _ in range(5000)]
    return [" ".join(rng.choice(vocabulary, size=40)) for _ in range(N)]


@pytest.mark.parametrize("method", [ours, scikit_learn], ids=lambda method: method.__name__)
def test_encoder(method: Callable[[list[str]], tuple[int, int]], texts: list[str], benchmark: BenchmarkFixture) -> None:
    benchmark.group = f"{N:,} texts to vectors"
    rows, width = benchmark.pedantic(method, args=(texts,), rounds=3, warmup_rounds=1)
    assert rows == N
    assert width in (D, 2 * D)
