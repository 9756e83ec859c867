"""Loss, entropy and error norm of trained tokens, beside what float64 says of the same logits."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sage_select.render.tokens import IGNORED, Encoded

torch = pytest.importorskip("torch")
from sage_select.score.token_means import FIGURES, TokenMeans  # noqa: E402  (it needs torch)

pytestmark = pytest.mark.train


class Handmade:
    """A model whose logits at a place are a row of a table, by the token that stands there."""

    device = torch.device("cpu")

    def __init__(self, table: NDArray[np.float64]) -> None:
        self._table = torch.tensor(table)

    def get_output_embeddings(self) -> None:
        return None

    def __call__(self, *, input_ids: Any, attention_mask: Any, use_cache: bool) -> Any:
        assert not use_cache
        assert attention_mask.shape == input_ids.shape
        return SimpleNamespace(logits=self._table[input_ids])


def slow(logits: NDArray[np.float64], target: int) -> tuple[float, float, float]:
    """Return loss, entropy and error norm at one place, as they are defined, one word of the vocabulary at a time."""
    total = sum(np.exp(one - logits.max()) for one in logits)
    p = [float(np.exp(one - logits.max()) / total) for one in logits]
    entropy = -sum(one * float(np.log(one)) for one in p if one > 0)
    error = sum((one - (word == target)) ** 2 for word, one in enumerate(p)) ** 0.5
    return float(np.log(total) + logits.max() - logits[target]), entropy, error


def encoded(ids: list[int], trained: list[bool]) -> Encoded:
    labels = [token if own and place else IGNORED for place, (token, own) in enumerate(zip(ids, trained, strict=True))]
    return Encoded(ids, labels, sum(label != IGNORED for label in labels), 0)


def expected(table: NDArray[np.float64], row: Encoded) -> list[float]:
    found = [
        slow(table[before], label)
        for before, label in zip(row.input_ids[:-1], row.labels[1:], strict=True)
        if label != IGNORED
    ]
    return [float(one) for one in np.mean(found, axis=0)] if found else [float("nan")] * 3


def test_figures_are_their_definitions() -> None:
    draws = np.random.default_rng(0)
    # From hardly any preference to certainty, right and wrong.
    table = draws.normal(size=(9, 9)) * draws.choice([0.01, 1, 8, 60], size=(9, 1))
    rows = [
        encoded(draws.integers(0, 9, length).tolist(), (draws.random(length) < 0.6).tolist())
        for length in (2, 5, 1, 17, 9, 30)
    ]
    rows.append(encoded([1, 2, 3], [False] * 3))
    found = TokenMeans(Handmade(table))(rows)
    np.testing.assert_allclose(found, [expected(table, row) for row in rows], rtol=1e-5, atol=1e-6)
    assert FIGURES == ("loss", "entropy", "el2n")
    np.testing.assert_array_equal(TokenMeans(Handmade(table), only_loss=True)(rows), found[:, :1])


def test_the_ends_of_each_figure() -> None:
    even, sure = np.zeros(4), np.array([0.0, 80.0, 0.0, 0.0])
    impossible = np.array([-np.inf, 1.0, 1.0, -np.inf])
    table = np.stack([even, sure, impossible, even])
    means = TokenMeans(Handmade(table))
    right, wrong = encoded([1, 1], [False, True]), encoded([1, 2], [False, True])
    np.testing.assert_allclose(means([encoded([0, 3], [False, True])])[0], [np.log(4), np.log(4), 0.75**0.5], rtol=1e-6)
    np.testing.assert_allclose(means([right])[0], [0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(means([wrong])[0], [80, 0, 2**0.5], rtol=1e-6, atol=1e-6)
    # Words that are impossible take no part in the entropy.
    np.testing.assert_allclose(means([encoded([2, 1], [False, True])])[0], [np.log(2), np.log(2), 0.5**0.5], rtol=1e-6)
    assert means([encoded([2, 0], [False, True])])[0, 0] == np.inf
