"""BADGE beside the code of its paper, which makes every gradient in full and compares every draw with every row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

from benches.data import scaled
from benches.measure import measure
from sage_select import kernels

Rows = NDArray[np.int64]

#: Draws whose potentials are averaged.
SEEDS = 10


@dataclass(frozen=True)
class Problem:
    """Errors over classes and hidden vectors, float32, and how many rows to draw; `part` of them by the paper's way."""

    errors: NDArray[np.float32]
    hidden: NDArray[np.float32]
    k: int
    part: int

    def gradients(self, rows: Rows | slice = slice(None)) -> NDArray[np.float32]:
        """Return gradients in full, (rows, classes x width)."""
        errors, hidden = self.errors[rows], self.hidden[rows]
        return (errors[:, :, None] * hidden[:, None, :]).reshape(len(hidden), -1)


def ours(problem: Problem, k: int, seed: int = 0) -> Rows:
    errors, hidden = (kernels.Matrix.from_array(one, metric="dot") for one in (problem.errors, problem.hidden))
    return kernels.badge(errors, hidden, k, key=seed).indices


def badge_paper(problem: Problem, k: int, seed: int = 0) -> Rows:
    """Return the picks of `init_centers` of the paper's repository: the longest gradient, then D2 over all of them."""
    gradients, rng = problem.gradients(), np.random.default_rng(seed)
    squares = np.einsum("nd,nd->n", gradients, gradients)
    picks = [int(squares.argmax())]
    nearest = np.full(len(gradients), np.inf, np.float32)
    while len(picks) < k:
        last = picks[-1]
        distances = squares + squares[last] - 2 * (gradients @ gradients[last])
        nearest = np.minimum(nearest, np.maximum(distances, 0))
        nearest[picks] = 0
        law = nearest.astype(np.float64)
        picks.append(int(rng.choice(len(law), p=law / law.sum())))
    return np.array(picks)


def potentials(method: Callable[[Problem, int, int], Rows], problem: Problem) -> NDArray[np.float64]:
    """Return for each of some seeds the mean squared distance of a gradient to the nearest of the picks."""
    gradients = problem.gradients()
    squares = np.einsum("nd,nd->n", gradients, gradients)
    found = []
    for seed in range(SEEDS):
        picks = method(problem, problem.part, seed)
        distances = squares[:, None] + squares[picks] - 2 * gradients @ gradients[picks].T
        found.append(np.maximum(distances, 0).min(axis=1).mean())
    return np.array(found, np.float64)


CASES = [
    pytest.param((2_000, 20, 64, 200, 200), id="small"),
    pytest.param((20_000, 50, 128, 500, 50), id="large"),
]


@pytest.fixture(scope="module", params=CASES)
def problem(request: pytest.FixtureRequest) -> Problem:
    n, classes, width, k, part = request.param
    n, k = scaled(n), scaled(k)
    rng = np.random.default_rng(1)
    hidden = rng.standard_normal((n, width)).astype(np.float32)
    hidden /= np.linalg.norm(hidden, axis=1, keepdims=True)
    logits = 20 * hidden @ rng.standard_normal((width, classes)) / np.sqrt(width)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    errors = odds / odds.sum(axis=1, keepdims=True)
    errors[np.arange(n), errors.argmax(axis=1)] -= 1
    return Problem(errors.astype(np.float32), hidden, k, min(part, k))


@pytest.mark.parametrize("method", [ours, badge_paper], ids=lambda method: method.__name__)
def test_badge(method: Callable[[Problem, int], Rows], problem: Problem, benchmark: BenchmarkFixture) -> None:
    n, k, part = len(problem.hidden), problem.k, problem.part
    draws = k if method is ours else part
    found = method(problem, draws)
    assert len(set(found.tolist())) == draws
    # The same first row and the same law: of some rows, as near on average, within five standard errors.
    assert found[0] == ours(problem, 1)[0]
    some = replace(problem, errors=problem.errors[:1000], hidden=problem.hidden[:1000], part=min(part, 30))
    one, other = (potentials(way, some) for way in (ours, badge_paper))
    error = np.sqrt((one.var(ddof=1) + other.var(ddof=1)) / SEEDS)
    np.testing.assert_allclose(one.mean(), other.mean(), atol=5 * error)
    measure(
        benchmark,
        lambda: method(problem, draws),
        group=f"BADGE: {k:,} of {n:,} x ({problem.errors.shape[1]} classes x {problem.hidden.shape[1]})",
        method=method.__name__,
        share=draws / k,
    )
