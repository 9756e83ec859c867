"""Datasets: what is found out about rows, and only when it is asked for."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from stages import dataset

from sage_select.data import EXACT_COPY, Dataset, Lengths, features
from sage_select.io.guards.mapped import mapped
from sage_select.kernels import Matrix
from sage_select.kernels.matrix import Metric

TABLE = pa.table({"question": ["one two", "", "it's"], "answer": ["a", "b c", "three"]})


@pytest.fixture
def data() -> Dataset:
    return dataset(TABLE)


def test_rows_are_as_long_as_they_have_words(data: Dataset) -> None:
    assert data.has_lengths
    assert data.lengths.unit == "words"
    assert data.lengths.values.tolist() == [3, 2, 3]
    assert data.lengths_of(np.array([2, 1, 1])).values.tolist() == [3, 2, 2]


def test_words_of_many_rows_are_counted_some_rows_at_a_time(data: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[Dataset.__module__], "COUNTED_ROWS", 2)
    assert data.lengths_of(np.array([2, 1, 0, 1])).values.tolist() == [3, 2, 3, 2]
    assert data.lengths_of(np.empty(0, np.int64)).values.tolist() == []


def test_lengths_that_were_measured_win(data: Dataset) -> None:
    measured = data.with_feature("lengths", Lengths(np.array([5, 6, 7]), "tokens"))
    assert measured.lengths is measured.feature("lengths")
    some = measured.lengths_of(np.array([2, 0]))
    assert (some.values.tolist(), some.unit) == ([7, 5], "tokens")


def test_arrays_alone_have_no_lengths() -> None:
    data = Dataset(n=3)
    assert not data.has_lengths
    with pytest.raises(RuntimeError):
        data.lengths_of(np.array([0]))


@pytest.mark.parametrize("room", [True, False])
@pytest.mark.parametrize("metric", ["cosine", "dot"])
def test_a_large_matrix_without_some_rows_lies_in_a_file(
    room: bool, metric: Metric, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors = np.random.default_rng(2).standard_normal((500, 7)).astype(np.float32)
    data = Dataset(n=500).with_feature("vectors", Matrix.from_array(vectors, metric=metric))
    rows = np.array([0, 3, 499])
    plain = data.drop(rows, EXACT_COPY).matrix
    calls = []

    def spied(blocks: Any) -> Any:
        calls.append(mapped(blocks) if room else None)
        return calls[-1]

    monkeypatch.setattr(features, "MAPPED_BYTES", 1 << 10)
    monkeypatch.setattr(features, "_BLOCK_BYTES", 1 << 9)
    monkeypatch.setattr(features, "mapped", spied)
    large = data.drop(rows, EXACT_COPY).matrix
    assert plain is not None
    assert large is not None
    assert len(calls) == 1
    assert large.borrowed
    assert (large.n, large.metric, large.name) == (497, metric, "embeddings")
    every = np.arange(497)
    np.testing.assert_array_equal(large.take(every), plain.take(every))


def test_large_vectors_given_for_all_rows_of_the_input_lie_in_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = np.random.default_rng(3).standard_normal((500, 7)).astype(np.float32)
    data = Dataset(n=500).drop(np.array([5, 6, 90]), EXACT_COPY)
    stay = np.delete(np.arange(500), [5, 6, 90])
    assert isinstance(data.vectors_of_input(vectors), pa.ChunkedArray)
    monkeypatch.setattr(features, "MAPPED_BYTES", 1 << 10)
    monkeypatch.setattr(features, "_BLOCK_BYTES", 1 << 9)
    found = data.vectors_of_input(vectors)
    assert not found.flags.writeable
    np.testing.assert_array_equal(found, vectors[stay])
    assert Matrix.from_array(found, metric="dot").borrowed
    monkeypatch.setattr(features, "mapped", lambda _blocks: None)
    assert isinstance(data.vectors_of_input(vectors), pa.ChunkedArray)
