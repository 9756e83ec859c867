"""Every lexical measure against its formula, as plain Python over the words."""

from __future__ import annotations

import itertools
import math
import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sage_select import kernels
from sage_select.errors import DataError, UsageError

TEXTS = st.lists(st.text("abcAé_ 1.,\n", max_size=60) | st.just("a b " * 30), max_size=25)


def words_of(text: str) -> list[str]:
    # For these characters Python's \w is the documented word character.
    return re.findall(r"\w+", text.lower())


def entropy(text: str) -> float:
    counts = Counter(words_of(text))
    n = sum(counts.values())
    return -sum(c / n * math.log2(c / n) for c in counts.values())


def ngrams(text: str, n: int) -> list[tuple[str, ...]]:
    words = words_of(text)
    return [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]


def diversity(text: str, window: int) -> float:
    words = words_of(text)
    runs = ngrams(text, min(window, len(words))) if words else []
    return sum(len(set(run)) / len(run) for run in runs) / len(runs) if runs else 0.0


def repetition(text: str, n: int) -> float:
    found = ngrams(text, n)
    return 1 - len(set(found)) / len(found) if found else 0.0


def rarity(texts: list[str], n: int) -> list[float]:
    own = [set(ngrams(text, min(n, len(words_of(text))))) if words_of(text) else set() for text in texts]
    frequency = Counter(itertools.chain.from_iterable(own))
    return [sum(math.log2(len(texts) / frequency[g]) for g in of) / len(of) if of else 0.0 for of in own]


KNOWN = [6, 70, 83, 22, 55, 97]


@settings(deadline=None)
@given(texts=TEXTS, n=st.integers(1, 5))
def test_measures_are_their_formulas(texts: list[str], n: int) -> None:
    column = pa.array(texts, pa.string())
    expected: list[tuple[Any, list[float]]] = [
        (kernels.lexical_entropy(column), [entropy(text) for text in texts]),
        (kernels.lexical_diversity(column, window=n), [diversity(text, n) for text in texts]),
        (kernels.lexical_diversity(column, window=50), [diversity(text, 50) for text in texts]),
        (kernels.ngram_repetition(column, length=n), [repetition(text, n) for text in texts]),
        (kernels.ngram_rarity(column, length=n), rarity(texts, n)),
    ]
    for values, plain in expected:
        assert values.dtype == np.float32
        assert values.shape == (len(texts),)
        np.testing.assert_allclose(values, plain, rtol=1e-5, atol=1e-5)


@settings(deadline=None)
@given(texts=st.lists(st.text(max_size=60), max_size=20))
def test_characters_are_those_of_the_composed_text(texts: list[str]) -> None:
    # Python's Unicode is older than ours: characters that it does not know are composed alike in both.
    known = ["".join(c for c in text if unicodedata.category(c) != "Cn") for text in texts]
    counts = kernels.character_counts(pa.array(known, pa.string()))
    assert counts.dtype == np.int64
    assert counts.tolist() == [len(unicodedata.normalize("NFC", text)) for text in known]


@settings(deadline=None)
@given(texts=st.lists(st.text("abc é中", max_size=30).map(lambda text: text * 9), max_size=10))
def test_compression_is_deflate(texts: list[str]) -> None:
    """Another compressor of the same format is never far away: zlib, less its header and checksum of six bytes."""
    values = kernels.compression_ratio(pa.array(texts, pa.string()))
    for value, text in zip(values.tolist(), texts, strict=True):
        raw = text.encode()
        if len(raw) < 64:
            # The very shortest are stored as they are.
            assert (value == 0) == (not raw)
            assert round(value * len(raw)) <= len(raw) + 5
            continue
        assert value * len(raw) == pytest.approx(len(zlib.compress(raw, 6)) - 6, rel=0.05, abs=8)


def test_compression_writes_the_same_bytes_everywhere() -> None:
    """Another version of the compressor that writes other bytes changes scores: the scorer's version has to rise."""
    prose = "The quick brown fox jumps over the lazy dog, and the lazy dog does not mind at all. "
    texts = [
        "a",
        prose,
        prose * 20,
        "x" * 5000,
        "我今天早上在北京大学学习机器学习。" * 3,
        "".join(map(chr, range(32, 127))),
    ]
    values = kernels.compression_ratio(pa.array(texts))
    sizes = [round(value * len(text.encode())) for value, text in zip(values.tolist(), texts, strict=True)]
    assert sizes == KNOWN


def test_what_repeats_itself_is_lower_and_what_is_new_higher() -> None:
    loop = "the answer is the answer is the answer is the answer is " * 8
    prose = (
        "Take the long road north until a white mill stands by the water; there you may ask an old miller for bread, "
        "cheese and news of whoever passed before, since few travel so far in winter without good reason."
    )
    column = pa.array([loop, prose])
    for measure in (
        kernels.lexical_entropy,
        kernels.compression_ratio,
        lambda texts: kernels.lexical_diversity(texts, window=20),
        lambda texts: -kernels.ngram_repetition(texts, length=4),
    ):
        low, high = measure(column)
        assert low < high


def test_diversity_does_not_fall_with_length_and_the_ratio_of_the_whole_does() -> None:
    rng = np.random.default_rng(0)
    said = [" ".join(f"w{i}" for i in rng.integers(0, 300, length)) for length in (200, 400, 800, 1600)]
    values = kernels.lexical_diversity(pa.array(said), window=50)
    assert np.ptp(values) < 0.02
    whole = kernels.lexical_diversity(pa.array(said), window=10_000)
    assert np.all(np.diff(whole) < -0.05)


def test_scripts_without_spaces_have_words() -> None:
    column = pa.array(["我今天早上在北京大学学习机器学习", "私は昨日東京タワーに行きました", "ฉันชอบกินข้าวผัดที่ร้านอาหาร"])
    assert kernels.lexical_entropy(column).min() > 2
    assert (kernels.lexical_diversity(column, window=50) > 0.8).all()
    assert kernels.ngram_repetition(pa.array(["学习机器学习机器学习机器"]), length=2)[0] > 0.3
    assert kernels.ngram_rarity(column, length=1).min() > 1


CALLS: list[Callable[..., Any]] = [
    kernels.lexical_difficulty,
    kernels.lexical_entropy,
    kernels.compression_ratio,
    kernels.character_counts,
    lambda texts: kernels.lexical_diversity(texts, window=3),
    lambda texts: kernels.ngram_rarity(texts, length=2),
    lambda texts: kernels.ngram_repetition(texts, length=2),
]


@pytest.mark.parametrize("call", CALLS)
def test_nothing_null_and_other_types(call: Callable[..., Any]) -> None:
    assert call(pa.array([], pa.string())).shape == (0,)
    assert call(pa.chunked_array([["a b"], [], [""]], pa.large_string())).shape == (2,)
    with pytest.raises(DataError, match="row 1"):
        call(pa.array(["a", None]))
    with pytest.raises(DataError, match="string"):
        call(pa.array([1, 2]))


@pytest.mark.parametrize("size", [0, -1, 2**40])
def test_sizes_out_of_range(size: int) -> None:
    column = pa.array(["a b c"])
    for call in (
        lambda: kernels.lexical_diversity(column, window=size),
        lambda: kernels.ngram_rarity(column, length=size),
        lambda: kernels.ngram_repetition(column, length=size),
    ):
        with pytest.raises(UsageError):
            call()


def test_rarity_is_told_how_far_it_is() -> None:
    seen: list[tuple[int, int]] = []
    column = pa.array([f"row {i} says {i * 7} " * 40 for i in range(30_000)])
    kernels.ngram_rarity(column, length=2, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (60_000, 60_000)
