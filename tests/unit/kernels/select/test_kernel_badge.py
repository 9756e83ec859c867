"""BADGE against gradients that are made in full, and the measures of uncertainty against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sage_select import kernels
from sage_select.errors import DataError, UsageError
from sage_select.kernels import Matrix, Request


def factors(n: int, classes: int, width: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities less 1 for the likeliest class, and vectors, some rows copies of others."""
    rng = np.random.default_rng(seed)
    odds = rng.gamma(0.5, size=(n, classes)) + 1e-3
    errors = odds / odds.sum(axis=1, keepdims=True)
    errors[np.arange(n), errors.argmax(axis=1)] -= 1
    hidden = rng.standard_normal((n, width))
    source = rng.integers(0, n, n // 4)
    errors[: len(source)], hidden[: len(source)] = errors[source], hidden[source]
    return errors.astype(np.float32), hidden.astype(np.float32)


def badge(errors: np.ndarray, hidden: np.ndarray, request: Request | int, key: int = 1) -> kernels.Greedy:
    return kernels.badge(
        Matrix.from_array(errors, metric="dot"), Matrix.from_array(hidden, metric="dot"), request, key=key
    )


@given(
    n=st.integers(1, 60), classes=st.integers(2, 9), width=st.integers(1, 9), seed=st.integers(0, 99), data=st.data()
)
@settings(max_examples=60, deadline=None)
def test_gains_are_distances_of_gradients_in_full(
    n: int, classes: int, width: int, seed: int, data: st.DataObject
) -> None:
    errors, hidden = factors(n, classes, width, seed)
    gradients = np.einsum("nc,nd->ncd", errors.astype(float), hidden.astype(float)).reshape(n, -1)
    preselected = data.draw(st.lists(st.integers(0, n - 1), unique=True, max_size=3))
    k = data.draw(st.integers(0, n - len(preselected)))
    found = badge(errors, hidden, Request(k, preselected=preselected))
    before = list(preselected)
    scale = (gradients**2).sum(axis=1).max()
    for row, gain in zip(found.indices.tolist(), found.gains.tolist(), strict=True):
        assert row not in before
        distances = [((gradients[row] - gradients[other]) ** 2).sum() for other in before]
        expected = min(distances) if distances else (gradients[row] ** 2).sum()
        assert gain == pytest.approx(expected, rel=1e-4, abs=2e-6 * scale)
        if not distances:
            assert expected == pytest.approx(scale, rel=1e-6)
        before.append(row)
    assert len(found.indices) == k


def test_draws_follow_the_published_law() -> None:
    """Second picks are as often each row as the k-means++ of the paper's code draws it, by gradients in full."""
    errors, hidden = factors(7, 3, 2, 5)
    gradients = np.einsum("nc,nd->ncd", errors.astype(float), hidden.astype(float)).reshape(7, -1)
    first = int(badge(errors, hidden, 1).indices[0])
    distances = ((gradients - gradients[first]) ** 2).sum(axis=1)
    draws = 4000
    seen = np.bincount([badge(errors, hidden, 2, key=key).indices[1] for key in range(draws)], minlength=7)
    expected = draws * distances / distances.sum()
    assert (seen[expected == 0] == 0).all()
    assert (np.abs(seen - expected) < 5 * np.sqrt(expected) + 1).all(), (seen, expected)


def test_what_does_not_fit_is_refused() -> None:
    errors, hidden = factors(5, 3, 2, 0)
    with pytest.raises(UsageError, match="number of rows with errors must be 4, not 5"):
        badge(errors, hidden[:4], 1)
    with pytest.raises(UsageError, match="6 rows are requested"):
        badge(errors, hidden, 6)
    hidden[3] = 4e18
    errors[3] = 1e3
    with pytest.raises(DataError, match="gradients, row 3: the values are too large"):
        badge(errors, hidden, 1)


@given(n=st.integers(0, 40), classes=st.integers(2, 12), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_uncertainty_is_as_defined(n: int, classes: int, seed: int) -> None:
    odds = np.random.default_rng(seed).gamma(0.3, size=(n, classes)) + 1e-9
    rows = (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32)
    matrix, wide = Matrix.from_array(rows, metric="dot"), rows.astype(float)
    ordered = np.sort(wide, axis=1)
    logs = np.log(wide, where=wide > 0, out=np.zeros_like(wide))
    np.testing.assert_allclose(kernels.uncertainty(matrix, "entropy"), -(wide * logs).sum(axis=1), atol=1e-6)
    np.testing.assert_allclose(kernels.uncertainty(matrix, "margin"), ordered[:, -1] - ordered[:, -2], atol=1e-7)
    np.testing.assert_allclose(kernels.uncertainty(matrix, "least_confidence"), 1 - ordered[:, -1], atol=1e-7)


def test_an_unknown_measure_is_refused() -> None:
    with pytest.raises(UsageError, match="no measure"):
        kernels.uncertainty(Matrix.from_array(np.full((1, 2), 0.5), metric="dot"), "surprise")  # type: ignore[arg-type]
