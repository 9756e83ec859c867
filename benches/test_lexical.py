"""Lexical measures beside loops in Python: words by a regular expression, counts by `Counter`, DEFLATE by zlib.

The answers are compared first. zlib's bytes differ from ours by some in a hundred.
"""

from __future__ import annotations

import math
import re
import zlib
from collections import Counter
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

from benches.data import scaled
from benches.measure import measure
from sage_select.score import LEXICAL_MEASURES, lexical_scores

WORD = re.compile(r"\w+")
Scores = NDArray[np.float64]


def said(text: str) -> list[str]:
    return WORD.findall(text.lower())


def entropy_of(words: list[str]) -> float:
    n = len(words)
    return -sum(c / n * math.log2(c / n) for c in Counter(words).values())


def difficulty(texts: list[str]) -> list[float]:
    return [math.log2(1 + len(words)) + entropy_of(words) for words in map(said, texts)]


def entropy(texts: list[str]) -> list[float]:
    return [entropy_of(said(text)) for text in texts]


def words(texts: list[str]) -> list[float]:
    return [float(len(said(text))) for text in texts]


def characters(texts: list[str]) -> list[float]:
    return [float(len(text)) for text in texts]


def diversity(texts: list[str], window: int = 50) -> list[float]:
    found = []
    for text in texts:
        words = said(text)
        counts = Counter(words[:window])
        shares = [len(counts) / min(window, len(words))]
        for old, new in zip(words, words[window:], strict=False):
            counts[new] += 1
            counts[old] -= 1
            if not counts[old]:
                del counts[old]
            shares.append(len(counts) / window)
        found.append(sum(shares) / len(shares))
    return found


def compression(texts: list[str]) -> list[float]:
    return [(len(zlib.compress(raw, 6)) - 6) / len(raw) for raw in (text.encode() for text in texts)]


def rarity(texts: list[str]) -> list[float]:
    own = [set(said(text)) for text in texts]
    frequency = Counter(word for of in own for word in of)
    bits = {word: math.log2(len(texts) / count) for word, count in frequency.items()}
    return [sum(bits[word] for word in of) / len(of) for of in own]


def repetition(texts: list[str], n: int = 4) -> list[float]:
    found = []
    for text in texts:
        words = said(text)
        ngrams = list(zip(*(words[i:] for i in range(n)), strict=False))
        found.append(1 - len(set(ngrams)) / len(ngrams))
    return found


PYTHON: dict[str, Callable[[list[str]], list[float]]] = {
    one.__name__: one for one in (difficulty, words, characters, entropy, diversity, compression, rarity, repetition)
}


@pytest.fixture(scope="module")
def texts() -> list[str]:
    assert PYTHON.keys() == LEXICAL_MEASURES.keys(), "every measure has a rival"
    rng = np.random.default_rng(0)
    vocabulary = np.array(
        ["".join(rng.choice(list("abcdefghijklmnop"), size=rng.integers(2, 10))) for _ in range(20_000)]
    )
    drawn = rng.zipf(1.2, size=(scaled(20_000), 150)) % len(vocabulary)
    return [" ".join(vocabulary[row]) for row in drawn]


@pytest.mark.parametrize("name", PYTHON)
@pytest.mark.parametrize("method", ["ours", "python loop"])
def test_lexical(name: str, method: str, texts: list[str], benchmark: BenchmarkFixture) -> None:
    column = pa.array(texts)
    tolerance = 0.05 if name == "compression" else 1e-5
    some = pa.array(texts[:300])
    np.testing.assert_allclose(lexical_scores(some, name), PYTHON[name](texts[:300]), rtol=tolerance)  # type: ignore[arg-type]
    ours = method == "ours"
    group = f"{len(texts):,} texts of 150 words to lexical scores"
    scores = measure(
        benchmark,
        (lambda: lexical_scores(column, name)) if ours else (lambda: PYTHON[name](texts)),  # type: ignore[arg-type]
        group=group,
        method=method,
        case=name,
        rounds=5 if ours else 3,
    )
    assert len(scores) == len(texts)
