"""Near duplicates beside a blocked scan in numpy, and FAISS's search of all pairs within a range."""

from __future__ import annotations

from collections.abc import Callable

import faiss
import numpy as np
import pytest
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

from benches.data import Vectors, real_rows, rows_of, scaled
from benches.measure import measure
from sage_select import kernels
from sage_select.strategies import Pool
from sage_select.strategies.duplicates import near_duplicates

Rows = NDArray[np.int64]

BLOCK = 480


def ours(vectors: Vectors, threshold: float) -> Rows:
    n = len(vectors)
    matrix = kernels.Matrix.from_array(vectors)
    pool = Pool(n=n, seed=0, hashes=lambda key: kernels.keyed_hashes(key, n), matrix=matrix)
    return near_duplicates(pool, threshold, np.arange(n), 0)[0]


def numpy_blocks(vectors: Vectors, threshold: float) -> Rows:
    representatives = np.arange(len(vectors))
    earlier = np.empty_like(vectors)
    rows: list[int] = []
    for start in range(0, len(vectors), BLOCK):
        block = vectors[start : start + BLOCK]
        within = block @ block.T
        before = block @ earlier[: len(rows)].T
        best, at = before.max(axis=1, initial=-np.inf), before.argmax(axis=1) if rows else np.zeros(len(block), int)
        joined: list[int] = []
        old = np.array(rows)
        for place in range(len(block)):
            near, representative = best[place], old[at[place]] if len(old) else -1
            if joined and within[place, joined].max() > near:
                representative = start + joined[int(within[place, joined].argmax())]
                near = within[place, joined].max()
            if near >= threshold:
                representatives[start + place] = representative
                continue
            joined.append(place)
            earlier[len(rows)] = block[place]
            rows.append(start + place)
    return representatives


def faiss_range(vectors: Vectors, threshold: float) -> Rows:
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    representatives = np.arange(len(vectors))
    starts, similarities, others = index.range_search(vectors, np.nextafter(np.float32(threshold), np.float32(-1)))
    for row in range(len(vectors)):
        span = slice(starts[row], starts[row + 1])
        before = (others[span] < row) & (representatives[others[span]] == others[span])
        if before.any():
            representatives[row] = others[span][before][similarities[span][before].argmax()]
    return representatives


CASES = [("real", 36_086, 0.95), ("real", 36_086, 0.8), ("jittered", 100_000, 0.95)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-{case[2]}")
@pytest.mark.parametrize("method", [ours, numpy_blocks, faiss_range], ids=lambda method: method.__name__)
def test_near_duplicates(
    method: Callable[[Vectors, float], Rows], case: tuple[str, int, float], benchmark: BenchmarkFixture
) -> None:
    kind, n, threshold = case
    vectors = real_rows() if kind == "real" else rows_of(kind, scaled(n))
    few = vectors[:4000]
    # Sums in another order may turn what lies at the threshold.
    assert (method(few, threshold) == numpy_blocks(few, threshold)).mean() > 0.998
    measure(
        benchmark,
        lambda: method(vectors, threshold),
        group=f"near duplicates: {len(vectors):,} x {vectors.shape[1]}, similarity of at least {threshold}",
        case=kind,
        method=method.__name__,
    )
