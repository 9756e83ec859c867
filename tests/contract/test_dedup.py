"""Dedup before every rule of selection, on every kind of numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rules import RULES, VECTOR_RULES, paired, used, wanted

import sage_select
from sage_select import DataError, Selection

N = 24
TEXTS = [f"row {row % 20}" for row in range(N)]
TABLE = pa.table({"text": TEXTS})
SCORES = np.arange(N, dtype=np.float32)
VECTORS = np.random.default_rng(0).normal(size=(N, 8)).astype(np.float32)
#: Row 7 is near to row 3, and so are the copies of row 3 in words.
VECTORS[7] = VECTORS[3] * 1.01
VECTORS[20:] = VECTORS[:4]


def select(strategy: str, objective: str | None, metric: str | None = None, **arguments: Any) -> Selection:
    given: dict[str, Any] = {"data": TABLE, "scores": SCORES, "embeddings": VECTORS, "budget": "100%", **arguments}
    given |= wanted(strategy, np.ones((2, given["embeddings"].shape[-1]), np.float32), metric, of=given["embeddings"])
    return sage_select.select(strategy=strategy, objective=objective, metric=metric, **used(strategy, given))


def repeated(chosen: Selection) -> dict[int, int]:
    """Return the rows that left, each with the row that it repeats."""
    return {int(row): int(chosen.duplicate_of[row]) for row in np.flatnonzero(chosen.duplicate_of >= 0)}


@pytest.mark.parametrize(("mode", "strategy", "objective"), paired(["exact", "near"], RULES))
def test_all_rows_that_stay_can_be_picked_and_no_other(mode: str, strategy: str, objective: str | None) -> None:
    chosen = select(strategy, objective, dedup=mode)
    left = {row: row - 20 for row in range(20, N)} | ({7: 3} if mode == "near" else {})
    assert repeated(chosen) == left
    assert sorted(chosen.indices.tolist()) == [row for row in range(N) if row not in left]
    table = chosen.table().sort_by("sage_rank")
    assert table["text"].to_pylist() == [TEXTS[row] for row in chosen.indices]


@pytest.mark.parametrize(("mode", "strategy", "objective"), paired(["exact", "near"], RULES))
def test_a_selection_is_that_of_the_rows_that_stay(mode: str, strategy: str, objective: str | None) -> None:
    chosen = select(
        strategy, objective, dedup=mode, budget="50%", id_column="id", data=TABLE.append_column("id", [IDS])
    )
    stay = np.flatnonzero(chosen.duplicate_of < 0)
    alone = select(
        strategy,
        objective,
        budget="50%",
        id_column="id",
        data=TABLE.append_column("id", [IDS]).take(stay),
        scores=SCORES[stay],
        embeddings=VECTORS[stay],
    )
    assert chosen.indices.tolist() == stay[alone.indices].tolist()
    assert chosen.gains.tobytes() == alone.gains.tobytes()
    assert chosen.table().equals(alone.table())


IDS = pa.array([f"id {row}" for row in range(N)])


@pytest.mark.parametrize(("strategy", "objective", "metric"), VECTOR_RULES)
def test_near_copies_do_not_depend_on_the_metric(strategy: str, objective: str, metric: str) -> None:
    assert repeated(select(strategy, objective, metric, dedup="near")) == {7: 3, 20: 0, 21: 1, 22: 2, 23: 3}


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("mode", ["exact", "near"])
def test_bad_numbers_are_named_even_in_copies(mode: str, bad: float, dtype: str) -> None:
    vectors, scores = VECTORS.astype(dtype), SCORES.astype(dtype)
    vectors[21, 2] = scores[22] = bad
    with pytest.raises(DataError, match="embeddings, row 21"):
        select("diversity", None, dedup=mode, embeddings=vectors)
    with pytest.raises(DataError, match="scores, row 22"):
        select("loss_topk", None, dedup=mode, scores=scores)


@pytest.mark.parametrize("metric", ["dot", "sqeuclidean"])
def test_a_row_without_direction_has_no_near_copy(metric: str) -> None:
    vectors = VECTORS.copy()
    vectors[5] = 0
    rule = ("diversity", "herding" if metric == "dot" else "d2", metric)
    assert len(select(*rule, embeddings=vectors, dedup="exact")) == 20
    with pytest.raises(DataError, match="row 5: the row is all zeros"):
        select(*rule, embeddings=vectors, dedup="near")


@pytest.mark.parametrize("size", [1e-44, 1e-30, 1.0, 1e18])
def test_the_size_of_vectors_does_not_count(size: float) -> None:
    vectors = (np.sign(VECTORS) * np.ceil(np.abs(VECTORS) * 50) * size).astype(np.float32)
    assert (
        repeated(select("random", None, embeddings=vectors, dedup="near")).items()
        >= {20: 0, 21: 1, 22: 2, 23: 3}.items()
    )


@pytest.mark.parametrize("d", [1, 2, 17, 4096])
def test_any_number_of_dimensions(d: int) -> None:
    vectors = np.random.default_rng(d).normal(size=(N, d)).astype(np.float32)
    signs = np.sign(vectors[:, 0])
    chosen = sage_select.select(embeddings=vectors, strategy="random", dedup="near", dedup_threshold=0.9, budget="100%")
    if d == 1:
        # All rows point one way or the other.
        assert len(chosen) == len(set(signs.tolist()))
    if d >= 17:
        assert len(chosen) == N


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_threads_change_nothing(threads: int) -> None:
    random = np.random.default_rng(5)
    vectors = np.repeat(random.normal(size=(400, 24)), 3, axis=0) + random.normal(size=(1200, 24)) * 0.1
    one, more = (
        sage_select.select(embeddings=vectors, strategy="diversity", k=50, dedup="near", threads=count)
        for count in (1, threads)
    )
    assert one.indices.tolist() == more.indices.tolist()
    assert one.duplicate_of.tolist() == more.duplicate_of.tolist()
    assert 600 < (one.duplicate_of >= 0).sum() < 1000
    assert one.evidence["dedup"] == more.evidence["dedup"]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.sampled_from(["a", "A", "a ", "b", "b\n", "ab", "a b"]), min_size=1, max_size=12))
def test_exact_copies_are_those_of_a_dictionary(texts: list[str]) -> None:
    chosen = sage_select.select(pa.table({"text": texts}), strategy="random", dedup="exact", budget="100%")
    first: dict[str, int] = {}
    expected = [first.setdefault(" ".join(text.split()), row) for row, text in enumerate(texts)]
    assert np.where(chosen.duplicate_of < 0, np.arange(len(texts)), chosen.duplicate_of).tolist() == expected
