"""Centring and whitening: what they are by definition, and the same bits whatever the order and the threads."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sage_select.encode import whitening
from sage_select.encode.whitening import Centring
from sage_select.errors import UsageError


def vectors(n: int = 300, d: int = 12, seed: int = 0) -> NDArray[np.float32]:
    generator = np.random.default_rng(seed)
    turned = np.linalg.qr(generator.normal(size=(d, d)))[0]
    return (generator.normal(size=(n, d)) * np.geomspace(1, 0.05, d) @ turned + 3).astype(np.float32)


def test_centring_takes_the_mean_away() -> None:
    given = vectors()
    made, nothing = Centring.of(given, whiten=False)(given)
    np.testing.assert_allclose(made, given - given.astype(np.float64).mean(0), atol=1e-6)
    assert not nothing.any()


def test_whitening_is_that_of_principal_components_but_turned() -> None:
    given = vectors()
    made, _ = Centring.of(given, whiten=True)(given)
    centred = given - given.astype(np.float64).mean(0)
    values, axes = np.linalg.eigh(centred.T @ centred / len(given))
    by_components = centred @ axes / np.sqrt(values + 1e-3 * values.mean())
    np.testing.assert_allclose(made @ made.T, by_components @ by_components.T, rtol=1e-4, atol=1e-4)
    assert np.allclose(np.linalg.eigvalsh(made.T @ made / len(given)), 1, atol=0.3)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 99), n=st.integers(1, 40), d=st.integers(1, 9), scale=st.sampled_from([1e-30, 1.0, 1e30]))
def test_the_order_of_rows_and_their_blocks_change_no_bit(seed: int, n: int, d: int, scale: float) -> None:
    given = vectors(n, d, seed) * np.float32(scale)
    order = np.random.default_rng(seed).permutation(n)
    made, _ = Centring.of(given, whiten=True)(given)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(whitening, "_BLOCK", 7)
        again, _ = Centring.of(given[order], whiten=True)(given[order])
    np.testing.assert_array_equal(made[order], again)
    assert np.isfinite(made).all()


def test_threads_change_no_bit() -> None:
    code = (
        "import numpy as np, hashlib; from sage_select.encode.whitening import Centring;"
        "x = np.random.default_rng(0).normal(size=(3000, 200)).astype(np.float32);"
        "print(hashlib.sha256(Centring.of(x, whiten=True)(x)[0].tobytes()).hexdigest())"
    )

    def digest(threads: str) -> str:
        several = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), threads)
        return subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, **several}, check=True, capture_output=True, text=True
        ).stdout

    assert digest("1") == digest("2")


def test_copies_have_nothing_left() -> None:
    given = np.repeat(vectors(1), 5, axis=0)
    for whiten in (False, True):
        made, nothing = Centring.of(given, whiten=whiten)(given)
        assert nothing.all()
        assert not made.any()
    one = np.concatenate([given, vectors(4, seed=1), np.zeros((1, 12), np.float32)])
    assert not Centring.of(one, whiten=True)(one)[1].any()


def test_no_vectors_and_wide_ones() -> None:
    empty = np.empty((0, 4), np.float32)
    assert Centring.of(empty, whiten=True)(empty)[0].shape == (0, 4)
    with pytest.raises(UsageError, match="too wide"):
        Centring.of(np.ones((1, 8193), np.float32), whiten=True)
