"""Target matching beside numpy: all similarities of a block of rows, and argpartition."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

from benches.data import Vectors, real_rows, rows_of, scaled
from benches.measure import measure
from sage_select import kernels

Rows = NDArray[np.int64]

BLOCK = 8192


def ours(vectors: Vectors, queries: Vectors, k: int, rule: str) -> Rows:
    matrix = kernels.Matrix.from_array(vectors)
    return kernels.target_match(matrix, queries, k, rule=rule).indices  # type: ignore[arg-type]


def numpy_blocks(vectors: Vectors, queries: Vectors, k: int, rule: str) -> Rows:
    if rule == "max":
        blocks = range(0, len(vectors), BLOCK)
        best = np.concatenate([(vectors[start : start + BLOCK] @ queries.T).max(axis=1) for start in blocks])
        rows = np.argpartition(-best, k - 1)[:k]
        return rows[np.argsort(-best[rows], kind="stable")]
    # Lists of all that a query can need: k at the most, and about twice its share where few rows are wanted twice.
    length = min(k, 2 * -(-k // len(queries)) + 8)
    lists: list[list[int]] = []
    for start in range(0, len(queries), 32):
        similarity = queries[start : start + 32] @ vectors.T
        rows = np.argpartition(-similarity, length - 1, axis=1)[:, :length]
        order = np.argsort(-np.take_along_axis(similarity, rows, axis=1), axis=1)
        lists.extend(np.take_along_axis(rows, order, axis=1).tolist())
    taken: set[int] = set()
    picks: list[int] = []
    while len(picks) < k:
        for rows_left in lists:
            row = next((row for row in rows_left if row not in taken), None)
            if row is not None and len(picks) < k:
                taken.add(row)
                picks.append(row)
    return np.array(picks)


CASES = [
    pytest.param(("real", 36_086, 100, 1000), id="real"),
    pytest.param(("jittered", 200_000, 500, 5000), id="jittered"),
    pytest.param(("jittered", 1_000_000, 500, 10_000), id="jittered-1M", marks=pytest.mark.large),
]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("rule", ["round_robin", "max"])
@pytest.mark.parametrize("method", [ours, numpy_blocks], ids=lambda method: method.__name__)
def test_target_match(
    method: Callable[[Vectors, Vectors, int, str], Rows],
    rule: str,
    case: tuple[str, int, int, int],
    benchmark: BenchmarkFixture,
) -> None:
    kind, n, count, k = case
    vectors = real_rows() if kind == "real" else rows_of(kind, scaled(n))
    count, k = scaled(count), scaled(k)
    # Between real rows: queries that are no rows themselves.
    pairs = real_rows()[np.random.default_rng(5).integers(0, len(real_rows()), (2, count))]
    queries = pairs.sum(axis=0)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    found = method(vectors, queries, k, rule)
    assert len(set(found.tolist())) == k
    if method is ours:
        # Sums in another order may turn a near tie, and lists in numpy may end early.
        assert len(set(found) & set(numpy_blocks(vectors, queries, k, rule))) >= 0.97 * k
    measure(
        benchmark,
        lambda: method(vectors, queries, k, rule),
        group=f"target match, {rule}: {k:,} of {len(vectors):,} x {vectors.shape[1]} for {count} queries",
        case=kind,
        method=method.__name__,
    )
