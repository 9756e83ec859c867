from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.errors import DataError, UsageError
from sage_select.kernels import Matrix


@st.composite
def tied(draw: st.DrawFn) -> tuple[NDArray[np.float32], int, list[int]]:
    """Rows of small whole numbers (exact sums, ties, copies), a count and rows given."""
    n, d = draw(st.integers(0, 25)), draw(st.integers(1, 18))
    data = np.random.default_rng(draw(st.integers(0, 999))).integers(-2, 3, (n, d)).astype(np.float32)
    given = draw(st.lists(st.integers(0, n - 1), unique=True, max_size=4)) if n else []
    return data, draw(st.integers(0, n - len(given))), given


def facility(similarity: NDArray[Any], k: int, given: list[int]) -> tuple[list[int], list[float]]:
    """Greedy by definition, in float64."""
    clipped = np.maximum(similarity.astype(np.float64), 0)
    cover = clipped[:, given].max(axis=1, initial=0)
    taken, picks, gains = set(given), [], []
    for _ in range(k):
        gain = np.maximum(clipped - cover[:, None], 0).sum(axis=0)
        gain[list(taken)] = -1
        pick = int(gain.argmax())
        picks.append(pick)
        gains.append(float(gain[pick]))
        taken.add(pick)
        cover = np.maximum(cover, clipped[:, pick])
    return picks, gains


def farthest_first(data: NDArray[Any], k: int, given: list[int], start: int = 0) -> tuple[list[int], list[float]]:
    """Farthest-first by definition, in float64."""
    distance = np.square(data[:, None].astype(np.float64) - data[None]).sum(axis=2)
    taken, picks, gains = list(given), [], []
    for _ in range(k):
        if taken:
            key = distance[:, taken].min(axis=1)
            key[taken] = -1
            pick, gain = int(key.argmax()), float(key.max())
        else:
            pick, gain = start, np.nan
        picks.append(pick)
        gains.append(gain)
        taken.append(pick)
    return picks, gains


def marginal_relevance(
    similarity: NDArray[Any], relevance: NDArray[Any], weight: float, k: int, given: list[int]
) -> tuple[list[int], list[float]]:
    """Maximal marginal relevance by definition, in float64."""
    taken, picks, gains = list(given), [], []
    for _ in range(k):
        likeness = similarity[:, taken].max(axis=1) if taken else np.zeros(len(similarity))
        key = weight * relevance - (1 - weight) * likeness
        order = key.copy() if taken else relevance.astype(np.float64)
        order[taken] = -np.inf
        pick = int(order.argmax())
        picks.append(pick)
        gains.append(float(key[pick]))
        taken.append(pick)
    return picks, gains


@settings(deadline=None)
@given(case=tied(), weight=st.sampled_from([0.0, 0.25, 0.5, 1.0]), data=st.data())
def test_mmr_is_its_formula(
    case: tuple[NDArray[np.float32], int, list[int]], weight: float, data: st.DataObject
) -> None:
    rows, k, given_rows = case
    relevance = np.array(data.draw(st.lists(st.integers(-3, 3), min_size=len(rows), max_size=len(rows))), np.float64)
    found = kernels.mmr(Matrix.from_array(rows, metric="dot"), relevance, k, weight=weight, given=given_rows)
    picks, gains = marginal_relevance((rows @ rows.T).astype(np.float64), relevance, weight, k, given_rows)
    assert found.method == "exact"
    assert found.indices.dtype == np.int64
    assert found.gains.dtype == np.float32
    assert found.indices.tolist() == picks
    assert found.gains.tolist() == gains


@settings(deadline=None)
@given(case=tied(), eps=st.sampled_from([0.01, 0.1, 2.0]), data=st.data())
def test_dpp_gains_are_rises_of_the_log_determinant(
    case: tuple[NDArray[np.float32], int, list[int]], eps: float, data: st.DataObject
) -> None:
    rows, k, given_rows = case
    quality = np.array(data.draw(st.lists(st.integers(1, 3), min_size=len(rows), max_size=len(rows))), np.float64)
    wide = rows.astype(np.float64)
    kernel = quality[:, None] * (wide @ wide.T + eps * np.eye(len(rows))) * quality

    def value(chosen: list[int]) -> float:
        return float(np.linalg.slogdet(kernel[np.ix_(chosen, chosen)])[1])

    found = kernels.ridge_dpp(Matrix.from_array(rows, metric="dot"), k, quality=quality, eps=eps, given=given_rows)
    chosen = list(given_rows)
    for pick, gain in zip(found.indices.tolist(), found.gains.tolist(), strict=True):
        rises = {row: value([*chosen, row]) - value(chosen) for row in range(len(rows)) if row not in chosen}
        assert gain == pytest.approx(rises[pick], abs=0.02)
        assert rises[pick] > max(rises.values()) - 0.02
        chosen.append(pick)
    assert all(a >= b for a, b in itertools.pairwise(found.gains.tolist()))


def mmr_of_equals(matrix: Matrix, k: int, **common: Any) -> kernels.Greedy:
    return kernels.mmr(matrix, np.ones(matrix.n), k, **common)


PICKERS = [kernels.facility_location, kernels.k_center, mmr_of_equals, kernels.ridge_dpp]


@settings(deadline=None)
@given(case=tied())
def test_facility_location_is_greedy(case: tuple[NDArray[np.float32], int, list[int]]) -> None:
    data, k, given_rows = case
    found = kernels.facility_location(Matrix.from_array(data, metric="dot"), k, given=given_rows)
    picks, gains = facility(data @ data.T, k, given_rows)
    assert found.method == "dense"
    assert found.indices.dtype == np.int64
    assert found.gains.dtype == np.float32
    assert found.indices.tolist() == picks
    assert found.gains.tolist() == gains


@settings(deadline=None)
@given(case=tied())
def test_k_center_is_farthest_first(case: tuple[NDArray[np.float32], int, list[int]]) -> None:
    data, k, given_rows = case
    start = len(data) - 1 if len(data) and not given_rows else None
    for first in {None, start}:
        found = kernels.k_center(Matrix.from_array(data, metric="sqeuclidean"), k, given=given_rows, start=first)
        picks, gains = farthest_first(data, k, given_rows, first or 0)
        assert found.indices.tolist() == picks
        np.testing.assert_array_equal(found.gains, np.array(gains, np.float32))


@pytest.mark.parametrize("pick", PICKERS)
def test_copies_of_one_row_follow_in_row_order(pick: Callable[..., kernels.Greedy]) -> None:
    matrix = Matrix.from_array(np.ones((6, 4)))
    found = pick(matrix, 4, given=[2, 0])
    assert found.indices.tolist() == [1, 3, 4, 5]
    # Of n copies the next multiplies the determinant by eps (1 + 1 / (n + eps)).
    dpp = [np.log(0.1 * (1 + 1 / (n + 0.1))) for n in (2, 3, 4, 5)]
    np.testing.assert_allclose(found.gains, dpp if pick is kernels.ridge_dpp else [0] * 4, rtol=1e-5)


def test_no_rows_and_no_picks() -> None:
    for n in (0, 1, 5):
        matrix = Matrix.from_array(np.ones((n, 3)))
        for found in (pick(matrix, 0) for pick in PICKERS):
            assert found.indices.shape == found.gains.shape == (0,)


def test_a_graph_that_holds_all_neighbours_and_no_floor_is_dense() -> None:
    # Orthogonal groups: the last of as many neighbours as rows has similarity 0, so coverage starts at 0.
    random = np.random.default_rng(3)
    data = np.zeros((60, 6))
    data[np.arange(60), np.arange(60) % 3 * 2] = 1
    data[np.arange(60), np.arange(60) % 3 * 2 + 1] = random.uniform(0, 2, 60)
    matrix = Matrix.from_array(data)
    dense = kernels.facility_location(matrix, 60)
    graph = kernels.facility_location(matrix, 60, k_nn=60, dense_limit=10)
    assert (dense.method, graph.method) == ("dense", "graph")
    assert graph.indices[:20].tolist() == dense.indices[:20].tolist()
    np.testing.assert_allclose(graph.gains, dense.gains, rtol=1e-5, atol=1e-5)


def test_real_embeddings_give_the_value_of_float64_greedy(shared_data: Path) -> None:
    rows = np.load(shared_data / "clinc150" / "train.minilm.npy")[::12]
    matrix = Matrix.from_array(rows, metric="cosine")
    unit = rows.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    similarity = unit @ unit.T
    picks, gains = facility(similarity, 120, [])
    found = kernels.facility_location(matrix, 120)

    def value(chosen: Any) -> float:
        return float(np.maximum(similarity[:, chosen], 0).max(axis=1).sum())

    assert value(found.indices) == pytest.approx(value(picks), rel=1e-6)
    np.testing.assert_allclose(found.gains, gains, rtol=1e-3)
    graph = kernels.facility_location(matrix, 120, dense_limit=0)
    assert value(graph.indices) > 0.99 * value(picks)
    random = np.random.default_rng(0).choice(len(rows), 120, replace=False)
    assert value(graph.indices) > 1.02 * value(random)


@pytest.mark.parametrize("pick", PICKERS)
def test_wishes_that_do_not_fit_are_refused(pick: Callable[..., kernels.Greedy]) -> None:
    matrix = Matrix.from_array(np.eye(4))
    for k, given_rows in ((5, None), (3, [0, 1]), (-1, None), (1.0, None), (True, None)):
        with pytest.raises(UsageError):
            pick(matrix, k, given=given_rows)
    with pytest.raises(UsageError, match="row number 4 does not exist: there are 4 rows"):
        pick(matrix, 1, given=[0, 4])
    with pytest.raises(UsageError, match="row number -1 is negative"):
        pick(matrix, 1, given=[-1])
    with pytest.raises(UsageError, match="row 2: the row is given twice"):
        pick(matrix, 1, given=np.array([2, 2]))


def test_a_metric_that_makes_no_sense_is_refused() -> None:
    data = np.eye(3)
    with pytest.raises(UsageError, match="cosine or dot, not sqeuclidean"):
        kernels.facility_location(Matrix.from_array(data, metric="sqeuclidean"), 1)
    with pytest.raises(UsageError, match="cosine or sqeuclidean, not dot"):
        kernels.k_center(Matrix.from_array(data, metric="dot"), 1)
    with pytest.raises(UsageError, match="k_nn"):
        kernels.facility_location(Matrix.from_array(data), 1, k_nn=0)
    with pytest.raises(UsageError, match="start row has no meaning"):
        kernels.k_center(Matrix.from_array(data), 1, start=0, given=[1])
    with pytest.raises(UsageError, match="row number 3 does not exist"):
        kernels.k_center(Matrix.from_array(data), 1, start=3)


def test_relevance_and_quality_are_checked() -> None:
    matrix = Matrix.from_array(np.eye(3))
    square = Matrix.from_array(np.eye(3), metric="sqeuclidean")
    for pick in (mmr_of_equals, kernels.ridge_dpp):
        with pytest.raises(UsageError, match="cosine or dot, not sqeuclidean"):
            pick(square, 1)
    for weight in (-0.1, 1.1, np.nan, "much", True):
        with pytest.raises(UsageError, match=r"lambda must be from 0 to 1|weight must be a number"):
            kernels.mmr(matrix, [1, 2, 3], 1, weight=weight)  # type: ignore[arg-type]
    for eps in (0, 1e-7, np.inf, np.nan, None):
        with pytest.raises(UsageError, match=r"eps must be"):
            kernels.ridge_dpp(matrix, 1, eps=eps)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="number of relevances must be 3, not 2"):
        kernels.mmr(matrix, [1, 2], 1)
    with pytest.raises(UsageError, match="number of qualities must be 3, not 2"):
        kernels.ridge_dpp(matrix, 1, quality=[1, 2])
    for bad in (np.nan, -np.inf, 1e39):
        with pytest.raises(DataError, match="relevance, row 1: the value is NaN or infinite"):
            kernels.mmr(matrix, [1, bad, 3], 1)
        with pytest.raises(DataError, match="quality, row 1: the value is NaN or infinite"):
            kernels.ridge_dpp(matrix, 1, quality=[1, bad, 3])
    for bad in (0, -1, 1e-60):
        with pytest.raises(DataError, match="quality, row 2: the value is not above zero"):
            kernels.ridge_dpp(matrix, 1, quality=[1, 2, bad])


def test_progress_is_heard_in_the_calling_thread() -> None:
    matrix = Matrix.from_array(np.random.default_rng(4).normal(size=(300, 8)))
    heard: list[tuple[int, int, int]] = []

    def hear(done: int, total: int) -> None:
        heard.append((done, total, threading.get_ident()))

    kernels.facility_location(matrix, 10, progress=hear)
    assert heard[-1] == (310, 310, threading.get_ident())
    heard.clear()
    kernels.k_center(matrix, 10, progress=hear, threads=1)
    assert heard[-1] == (10, 10, threading.get_ident())


@pytest.mark.parametrize("pick", [mmr_of_equals, kernels.ridge_dpp])
def test_progress_counts_the_picks(pick: Callable[..., kernels.Greedy]) -> None:
    matrix = Matrix.from_array(np.random.default_rng(4).normal(size=(300, 8)))
    heard: list[tuple[int, int]] = []
    pick(matrix, 10, progress=lambda *step: heard.append(step), threads=1)
    assert heard[-1] == (10, 10)
    assert all(0 <= done <= total for done, total in heard)


def test_other_threads_run_meanwhile() -> None:
    """The GIL is free during a call: another thread counts on while this one waits for the kernel."""
    matrix = Matrix.from_array(np.random.default_rng(5).normal(size=(3000, 64)))
    started, finished = threading.Event(), threading.Event()
    seen: list[int] = []

    def count() -> None:
        started.set()
        while not finished.is_set():
            seen.append(len(seen))

    thread = threading.Thread(target=count)
    thread.start()
    started.wait()
    before = len(seen)
    kernels.facility_location(matrix, 300)
    after = len(seen)
    finished.set()
    thread.join()
    assert after > before + 100
