"""Datasets: what is found out about rows, and only when it is asked for."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from stages import dataset

from sage_select.data import EXACT_COPY, Addition, Cause, Dataset, Lengths, Scores, features
from sage_select.errors import UsageError
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


def more(data: Dataset, parents: list[int], ids: list[str]) -> Addition:
    table = data.rows.table.take(pa.array(parents, pa.int64()))
    return Addition(table, pa.array(ids, pa.string()), np.array(parents, np.int64), "copy", "copied", "because")


def test_rows_that_come_later_stand_behind_with_what_is_known_of_them() -> None:
    data = dataset(pa.table({"question": list("abcd"), "answer": list("efgh")}))
    before = data.with_feature("scores", Scores(np.arange(4, dtype=np.float32))).with_feature("mine", np.arange(4))
    some = before.drop(np.array([1]), Cause("x", "gone"))
    texts = pa.chunked_array([["new one", "new two"]])
    found = some.append(
        more(some, [2, 0], ["p", "q"]), {"texts": texts, "scores": Scores(np.full(2, np.nan, np.float32))}
    )
    assert (found.n, found.input_n, found.seen_n) == (5, 4, 6)
    assert found.is_added.tolist() == [False] * 3 + [True] * 2
    assert found.input_rows(np.arange(5)).tolist() == [0, 2, 3, 4, 5]
    assert found.ids.to_pylist()[3:] == ["p", "q"]
    assert found.texts.to_pylist()[3:] == ["new one", "new two"]
    assert found.feature("mine") is None
    assert np.isnan(found.scores.values).tolist() == [False] * 3 + [True] * 2
    assert found.ranks.tolist() == [0, 1, 2, 2, 0]
    assert [found.reasons[code] for code in found.feature("reason")] == ["all"] * 3 + ["because"] * 2
    lineage = found.lineage
    assert lineage.n == 6
    assert lineage.parents.tolist() == [-1] * 4 + [3, 0]
    assert [lineage.name(row) for row in (4, 5)] == ["p", "q"]
    assert lineage.stays.tolist() == [True, False, True, True, True, True]
    # What leaves later, a row of the input or one that came, is told of by its number.
    left = found.drop(np.array([0, 3]), Cause("y", "gone"))
    assert left.lineage.counts() == {Cause("x", "gone"): 1, Cause("y", "gone"): 2}
    assert left.positions(np.array([0, 2, 4, 5])).tolist() == [0, 2]
    assert left.append(more(left, [2], ["r"]), {}).seen_n == 7
    with pytest.raises(UsageError, match="rows came later, which have none"):
        found.of_input(np.arange(4))
    with pytest.raises(UsageError, match="rows came later, which have none"):
        found.vectors_of_input(np.zeros((4, 2), np.float32))


def test_rows_that_come_later_have_ids_of_their_own() -> None:
    data = dataset(pa.table({"question": list("ab"), "answer": list("ef")}))
    for ids in (["p", "p"], [data.ids[1].as_py(), "p"]):
        with pytest.raises(ValueError, match="a row has the id of another"):
            data.append(more(data, [0, 1], ids), {})
    with pytest.raises(ValueError, match="only arrays"):
        Dataset(n=2).append(more(data, [0], ["p"]), {})
