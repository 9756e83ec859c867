from __future__ import annotations

import itertools
import math
import re
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sage_select import kernels
from sage_select.errors import DataError, UsageError

TEXTS = st.lists(st.text("abcAé_ 1.,\n\u2028", max_size=40), max_size=30)


def difficulty(text: str) -> float:
    # For these characters Python's \w is the documented word character.
    counts = Counter(re.findall(r"\w+", text.lower()))
    words = sum(counts.values())
    return math.log2(1 + words) - sum(c / words * math.log2(c / words) for c in counts.values())


@settings(deadline=None)
@given(texts=TEXTS)
def test_lexical_difficulty_is_its_formula(texts: list[str]) -> None:
    values = kernels.lexical_difficulty(pa.array(texts, pa.string()))
    assert values.dtype == np.float32
    assert values.shape == (len(texts),)
    np.testing.assert_allclose(values, [difficulty(text) for text in texts], rtol=1e-6, atol=1e-6)


@settings(deadline=None)
@given(texts=TEXTS)
def test_word_counts_are_those_of_the_words(texts: list[str]) -> None:
    counts = kernels.word_counts(pa.array(texts, pa.string()))
    assert counts.dtype == np.int64
    assert counts.tolist() == [len(re.findall(r"\w+", text)) for text in texts]


@pytest.mark.parametrize("letters", ["abc_9", "abcé"])
def test_words_of_long_texts_are_counted_across_every_boundary(letters: str) -> None:
    random = np.random.default_rng(3)
    texts = ["".join(random.choice(list(letters + " .."), length)) for length in range(200, 1400, 7)]
    counts = kernels.word_counts(pa.array(texts))
    assert counts.tolist() == [len(re.findall(r"\w+", text)) for text in texts]


@settings(deadline=None)
@given(texts=TEXTS, length=st.integers(1, 4))
def test_phrases_are_those_of_the_words(texts: list[str], length: int) -> None:
    found = kernels.phrases(pa.array(texts, pa.string()), length=length)
    assert (found.hashes.dtype, found.ends.dtype, found.bags.dtype) == (np.uint64, np.int64, np.uint64)
    parts = np.split(found.hashes, found.ends[:-1])[: len(texts)]
    for text, own, bag in zip(texts, parts, found.bags.tolist(), strict=True):
        words = re.findall(r"\w+", text.lower())
        n = min(length, len(words))
        phrases = {tuple(words[i : i + n]) for i in range(len(words) - n + 1)} if words else set()
        assert len(own) == len(phrases)
        assert own.tolist() == sorted(own.tolist())
        assert (bag == 0) == (not words)


def test_phrases_are_shared_by_texts_that_share_words_in_a_row() -> None:
    found = kernels.phrases(pa.array(["a b c d", "x B, c; d!", "d c b a", "b c", "b c d e"]), length=3)
    sets = [set(part.tolist()) for part in np.split(found.hashes, found.ends[:-1])]
    assert [len(one) for one in sets] == [2, 2, 2, 1, 2]
    assert [len(sets[0] & other) for other in sets[1:]] == [1, 0, 0, 1]
    assert (found.bags[0] == found.bags).tolist() == [True, False, True, False, False]


@settings(deadline=None, max_examples=25)
@given(texts=TEXTS, dimensions=st.sampled_from([1, 3, 64]))
def test_encoded_rows_have_length_one(texts: list[str], dimensions: int) -> None:
    vectors, empty_texts = kernels.hashing_encoder(pa.array(texts, pa.string()), dimensions=dimensions)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(texts), dimensions)
    np.testing.assert_allclose(np.linalg.norm(vectors.astype(np.float64), axis=1), 1, atol=1e-6)
    empty = [not re.search(r"\w", text) for text in texts]
    assert empty_texts == sum(empty)
    for vector in vectors[empty]:
        assert vector[0] == 1


def grams(text: str) -> Counter[str]:
    """Count the documented n-grams by name."""
    words = re.findall(r"\w+", text.lower())
    found = [f"w {word}" for word in words] + [f"p {a} {b}" for a, b in itertools.pairwise(words)]
    for word in words:
        padded = f" {word} "
        found += [f"c {padded[i : i + n]}" for n in (3, 4, 5) for i in range(len(padded) - n + 1)]
    return Counter(found)


def test_similarities_are_those_of_unhashed_tf_idf() -> None:
    """Signed hashing keeps inner products: with many dimensions they are near those of the plain n-gram vectors."""
    texts = [
        "find me a cheap hotel in Paris for two nights",
        "find a cheap hotel in Paris please",
        "book two nights at the cheapest hotel",
        "what is the derivative of x squared",
        "the derivative, the derivative, THE derivative",
        "play some jazz",
    ]
    bags = [grams(text) for text in texts]
    frequency = Counter(gram for bag in bags for gram in bag)
    names = {gram: i for i, gram in enumerate(frequency)}
    plain = np.zeros((len(texts), len(names)))
    for row, bag in enumerate(bags):
        for gram, tf in bag.items():
            idf = math.log((1 + len(texts)) / (1 + frequency[gram])) + 1
            plain[row, names[gram]] = (1 + math.log(tf)) * idf
    plain /= np.linalg.norm(plain, axis=1, keepdims=True)
    vectors, empty_texts = kernels.hashing_encoder(pa.array(texts), dimensions=1 << 16)
    assert empty_texts == 0
    again, _ = kernels.hashing_encoder(pa.array(texts), dimensions=1 << 16, memory=0)
    np.testing.assert_array_equal(again, vectors)
    np.testing.assert_allclose(vectors @ vectors.T, plain @ plain.T, atol=0.03)
    small, _ = kernels.hashing_encoder(pa.array(texts), dimensions=384)
    np.testing.assert_allclose(small @ small.T, plain @ plain.T, atol=0.2)


def test_progress_ends_at_the_whole_and_what_it_raises_is_raised() -> None:
    column = pa.array([f"some words {row} and {row * 7}" for row in range(500)])
    heard: list[tuple[int, int]] = []
    kernels.hashing_encoder(column, progress=lambda done, total: heard.append((done, total)))
    assert heard[-1] == (1000, 1000)
    assert heard == sorted(heard)

    def give_up(done: int, total: int) -> None:
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        kernels.hashing_encoder(column, progress=give_up)


def test_bad_columns_are_named() -> None:
    for kernel in (kernels.lexical_difficulty, kernels.word_counts, kernels.hashing_encoder):
        with pytest.raises(DataError, match="row 1: the text is null"):
            kernel(pa.array(["a", None]))
        with pytest.raises(DataError, match="does not hold text"):
            kernel(pa.array([b"a"], pa.binary()))
        with pytest.raises(DataError, match="does not hold text"):
            kernels.phrases(pa.array([b"a"], pa.binary()), length=2)
    for bad in (0, -3, 2.0, True):
        with pytest.raises(UsageError, match="length is out of range"):
            kernels.phrases(pa.array(["a"]), length=bad)  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="dimensions is out of range"):
            kernels.hashing_encoder(pa.array(["a"]), dimensions=bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_no_text_gives_no_row(kind: pa.DataType) -> None:
    nothing = pa.array([], kind)
    assert kernels.lexical_difficulty(nothing).shape == (0,)
    assert [len(part) for part in kernels.phrases(nothing, length=8)] == [0, 0, 0]
    vectors, empty_texts = kernels.hashing_encoder(nothing, dimensions=5)
    assert vectors.shape == (0, 5)
    assert empty_texts == 0


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_slices_are_read_from_their_start(kind: pa.DataType) -> None:
    column = pa.array(["one", "two words", "three more words", ""], kind)
    part = column.slice(1, 2)
    assert kernels.lexical_difficulty(part).tolist() == kernels.lexical_difficulty(column)[1:3].tolist()
    assert kernels.hash_rows(part).to_pylist() == kernels.hash_rows(column).to_pylist()[1:3]


def test_texts_of_several_blocks_are_those_of_each() -> None:
    texts = pa.array(
        [" ".join("abcé中"[(row * step) % 5] * (step + row % 3) for step in range(row % 9)) for row in range(9001)]
    )
    parts = [texts.slice(first, 37) for first in range(0, 9001, 37)]
    for kernel in (kernels.lexical_difficulty, kernels.word_counts, lambda part: kernels.keyed_hashes(7, part)):
        assert kernel(texts).tolist() == np.concatenate([kernel(part) for part in parts]).tolist()
    assert kernels.hash_rows(texts).to_pylist() == [
        one for part in parts for one in kernels.hash_rows(part).to_pylist()
    ]
