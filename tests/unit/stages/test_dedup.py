"""The dedup stage on small frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
from stages import alone, dataset

from sage_select import io
from sage_select.data import EXACT_COPY, Dataset
from sage_select.errors import DataError, UsageError
from sage_select.kernels import Matrix, Metric
from sage_select.pipeline import Stage
from sage_select.stages import Dedup, Embed, Select
from sage_select.stages.inputs.limits import Prepared
from sage_select.strategies import duplicates as rule

NEAR = Dedup(mode="near")


def texts(*rows: str) -> Dataset:
    return dataset(pa.table({"text": rows}), Dedup())


def run(part: Stage, data: Dataset, pinned: Sequence[int], excluded: Sequence[int]) -> Dataset:
    """Run a stage before a selection that pins and excludes these rows."""
    select = Select()
    made = alone(part, select)
    made.prepared[id(select)] = Prepared(np.array(pinned, np.int64), np.array(excluded, np.int64))
    return part.run(data, made)


def exact(data: Dataset, *first: int, last: Sequence[int] = ()) -> Dataset:
    return run(Dedup(), data, first, last)


def near(data: Dataset, *first: int, last: Sequence[int] = (), dedup: Dedup = NEAR) -> Dataset:
    return run(dedup.parts()[1], data, first, last)


def directions(*degrees: float, metric: Metric = "cosine", lengths: float = 1) -> Dataset:
    angles = np.radians(degrees)
    rows = lengths * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return Dataset(n=len(rows)).with_feature("vectors", Matrix.from_array(rows, metric=metric))


def test_the_first_of_equal_rows_stays() -> None:
    data = exact(texts("a b", "c", " a\nb", "C", "c", "a b"))
    assert data.n == 3
    assert data.lineage.representatives.tolist() == [0, 1, 0, 3, 1, 0]
    assert data.lineage.counts() == {EXACT_COPY: 3}
    facts = data.facts["dedup"]
    assert facts["mode"] == "exact"
    assert facts["groups"] == 2
    assert [group["rows"] for group in facts["largest_groups"]] == [3, 2]
    assert data.ids is not None
    assert facts["largest_groups"][0]["kept"] == data.ids[0].as_py()


def test_rows_that_come_first_stay() -> None:
    data = exact(texts("a", "b", "a", "a", "b"), 3, 2)
    assert data.lineage.representatives.tolist() == [3, 1, 2, 3, 1]
    vectors = near(directions(0, 10, 90, 5, 100), 3, 1)
    assert vectors.lineage.representatives.tolist() == [3, 1, 2, 3, 2]


def test_no_row_leaves_for_one_that_comes_last() -> None:
    data = exact(texts("a", "b", "a", "c", "b", "d"), last=[5, 4, 0])
    assert data.lineage.representatives.tolist() == [2, 1, 2, 3, 1, 5]
    assert near(directions(0, 10, 90), last=[0]).lineage.representatives.tolist() == [1, 1, 2]


def test_no_vectors_at_all() -> None:
    assert near(Dataset(n=0).with_feature("vectors", Matrix.from_array(np.empty((0, 3), np.float32)))).n == 0


def test_arrays_say_nothing() -> None:
    data = directions(0, 90)
    with pytest.raises(UsageError, match="no rows to compare"):
        exact(data)
    assert run(NEAR.parts()[0], data, (), ()) is data


@pytest.mark.parametrize("dedup", [Dedup(), Dedup(mode="none")])
def test_a_row_that_has_no_text_is_named(dedup: Dedup) -> None:
    rows = io.from_object(pa.table({"text": pa.array([b"a", b"\xff"], pa.binary())}))
    with pytest.raises(DataError, match="row 0"):
        dataset(rows, dedup)


@pytest.mark.parametrize("metric", ["cosine", "dot", "sqeuclidean"])
def test_near_copies_are_those_by_cosine(metric: Metric) -> None:
    data = near(directions(0, 17, 40, 57, 34, metric=metric, lengths=3))
    # 18.2 degrees are a cosine of 0.95.
    assert data.lineage.representatives.tolist() == [0, 0, 2, 2, 2]
    assert data.matrix is not None
    assert data.matrix.metric == metric
    np.testing.assert_allclose(
        data.lineage.similarities,
        [np.nan, np.cos(np.radians(17)), np.nan, *[np.cos(np.radians(17)), np.cos(np.radians(6))]],
        rtol=1e-6,
    )
    facts = data.facts["dedup"]
    assert facts["method"] == "all pairs"
    assert facts["threshold"] == 0.95
    assert facts["evaluations"] > 0
    assert near(directions(0, 17, 40), dedup=Dedup(mode="near", threshold=0.99)).n == 3


def test_rows_without_words_are_near_to_none() -> None:
    rows = io.from_object(pa.table({"text": ["...", "book a table", "!", "book a table.", "?"]}))
    embed = Embed(dimensions=64)
    embedded = embed.run(dataset(rows), alone(embed, NEAR))
    assert np.flatnonzero(embedded.feature("empty_text")).tolist() == [0, 2, 4]
    found = near(embedded)
    assert found.lineage.representatives.tolist() == [0, 1, 2, 1, 4]
    assert found.facts["dedup"]["without_words"] == 3
    assert np.flatnonzero(found.feature("empty_text")).tolist() == [0, 2, 3]
    # A row that comes first and has no words does not keep another in any case.
    pinned = near(embedded, 0, 3, last=[4])
    assert pinned.lineage.representatives.tolist() == [0, 3, 2, 3, 4]


def test_many_rows_are_compared_in_near_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(1)
    rows = random.normal(size=(3000, 16)).astype(np.float32)
    rows[1500:] = rows[:1500] + random.normal(size=(1500, 16)) * 0.05
    data = Dataset(n=3000).with_feature("vectors", Matrix.from_array(rows))
    everywhere = near(data)
    monkeypatch.setattr(rule, "_ALL_PAIRS_LIMIT", 2999)
    cells = near(data)
    facts = cells.facts["dedup"]
    assert facts["method"] == "near cells"
    assert facts["all_pairs_limit"] == 2999
    assert facts["probe"] == 8
    assert 0.99 < facts["recall"] <= 1
    assert facts["evaluations"] < everywhere.facts["dedup"]["evaluations"]
    assert everywhere.n <= cells.n <= everywhere.n + 15
    # The cells depend on the seed alone.
    np.testing.assert_array_equal(near(data).lineage.representatives, cells.lineage.representatives)
