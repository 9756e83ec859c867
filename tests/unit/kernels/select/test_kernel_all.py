from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sage_select import kernels
from sage_select.errors import DataError, UsageError
from sage_select.kernels import Matrix, Request


def mmr_of_equals(matrix: Matrix, request: Request | int, **common: Any) -> kernels.Greedy:
    return kernels.mmr(matrix, np.ones(matrix.n), request, **common)


def match_of_one(matrix: Matrix, request: Request | int, **common: Any) -> kernels.Matched:
    return kernels.target_match(matrix, np.ones((1, matrix.d)), request, **common)


def match_of_best(matrix: Matrix, request: Request | int, **common: Any) -> kernels.Matched:
    return kernels.target_match(matrix, np.ones((2, matrix.d)), request, rule="max", **common)


def match_of_mean(matrix: Matrix, request: Request | int, **common: Any) -> kernels.Matched:
    return kernels.target_match(matrix, np.ones((2, matrix.d)), request, rule="mean", **common)


def d2_of_a_key(matrix: Matrix, request: Request | int, **common: Any) -> kernels.Greedy:
    return kernels.d2(matrix, request, key=5, **common)


MATCHERS = [match_of_one, match_of_best, match_of_mean]
PICKERS = [
    kernels.facility_location,
    kernels.graph_cut,
    kernels.k_center,
    mmr_of_equals,
    kernels.ridge_dpp,
    kernels.herding,
    d2_of_a_key,
    *MATCHERS,
]


@pytest.mark.parametrize("pick", PICKERS)
def test_copies_of_one_row_follow_in_row_order(pick: Callable[..., kernels.Greedy]) -> None:
    matrix = Matrix.from_array(np.ones((6, 4)))
    found = pick(matrix, Request(4, [2, 0]))
    assert found.indices.tolist() == [1, 3, 4, 5]
    # Of n copies the next multiplies the determinant by eps (1 + 1 / (n + eps)).
    dpp = [np.log(0.1 * (1 + 1 / (n + 0.1))) for n in (2, 3, 4, 5)]
    # Each copy is like all 6 rows, itself, and twice the n before it.
    cut = [0.05 * 6 - 1 - 2 * n for n in (2, 3, 4, 5)]
    # Copies are as near to each query as can be, and their product with their mean is 1.
    other = [1] * 4 if pick in (kernels.herding, *MATCHERS) else [0] * 4
    gains = {kernels.ridge_dpp: dpp, kernels.graph_cut: cut}.get(pick, other)
    np.testing.assert_allclose(found.gains, gains, rtol=1e-5)


def test_no_rows_and_no_picks() -> None:
    for n in (0, 1, 5):
        matrix = Matrix.from_array(np.ones((n, 3)))
        for found in (pick(matrix, 0) for pick in PICKERS):
            assert found.indices.shape == found.gains.shape == (0,)


@pytest.mark.parametrize("pick", PICKERS)
def test_requests_that_do_not_fit_are_refused(pick: Callable[..., kernels.Greedy]) -> None:
    matrix = Matrix.from_array(np.eye(4))
    for k, preselected in ((5, None), (3, [0, 1]), (-1, None), (1.0, None), (True, None)):
        with pytest.raises(UsageError):
            pick(matrix, Request(k, preselected))
    with pytest.raises(UsageError, match="row number 4 does not exist: there are 4 rows"):
        pick(matrix, Request(1, [0, 4]))
    with pytest.raises(UsageError, match="row number -1 is negative"):
        pick(matrix, Request(1, [-1]))
    for request in (Request(1, np.array([2, 2])), Request(1, [2], [2])):
        with pytest.raises(UsageError, match="row 2: the row is named twice"):
            pick(matrix, request)
    with pytest.raises(UsageError, match="3 rows are requested, but there are 2 to pick from"):
        pick(matrix, Request(3, [2], [0]))


@pytest.mark.parametrize("pick", PICKERS)
def test_excluded_rows_are_not_picked(pick: Callable[..., kernels.Greedy]) -> None:
    matrix = Matrix.from_array(np.random.default_rng(1).normal(size=(40, 5)))
    found = pick(matrix, Request(20, excluded=range(0, 40, 2)))
    assert sorted(found.indices.tolist()) == list(range(1, 40, 2))


def test_a_metric_that_makes_no_sense_is_refused() -> None:
    data = np.eye(3)
    with pytest.raises(UsageError, match="cosine or dot, not sqeuclidean"):
        kernels.facility_location(Matrix.from_array(data, metric="sqeuclidean"), 1)
    with pytest.raises(UsageError, match="graph cut needs a similarity: cosine or dot, not sqeuclidean"):
        kernels.graph_cut(Matrix.from_array(data, metric="sqeuclidean"), 1)
    with pytest.raises(UsageError, match="cosine or sqeuclidean, not dot"):
        kernels.k_center(Matrix.from_array(data, metric="dot"), 1)
    with pytest.raises(UsageError, match="cosine or sqeuclidean, not dot"):
        kernels.d2(Matrix.from_array(data, metric="dot"), 1, key=0)
    for key in (-1, 2**64, 0.5):
        with pytest.raises(UsageError, match="key is out of range"):
            kernels.d2(Matrix.from_array(data), 1, key=key)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="k_nn"):
        kernels.facility_location(Matrix.from_array(data), 1, k_nn=0)
    with pytest.raises(UsageError, match="start row has no meaning"):
        kernels.k_center(Matrix.from_array(data), Request(1, [1]), start=0)
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
    for weight in (-0.1, np.inf, np.nan, None):
        with pytest.raises(UsageError, match=r"lambda must be (from 0 to a million|a number)"):
            kernels.graph_cut(matrix, 1, weight=weight)  # type: ignore[arg-type]
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


@pytest.mark.parametrize("pick", [mmr_of_equals, kernels.ridge_dpp, kernels.herding, d2_of_a_key, match_of_one])
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
