"""The rows that the benchmarks run on: real sentence embeddings, and synthetic ones of two kinds, all of unit length.

`SAGE_BENCH_SCALE` (default 1) shrinks every size, to try the suite itself in a minute.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
SCALE = float(os.environ.get("SAGE_BENCH_SCALE") or 1)
D = 384

_BLOCK = 65_536  # rows made at once, so that a million rows need little beyond themselves
_REAL = ("clinc150/train", "clinc150/test", "metatool/queries")

Vectors = NDArray[np.float32]


def scaled(size: int) -> int:
    """Return a number of rows or picks at this run's scale."""
    return max(2, round(size * SCALE))


@functools.cache
def real_rows() -> Vectors:
    """Return the real rows, 36,086 at full scale: MiniLM vectors of CLINC150 (train, test) and MetaTool.

    They lie in the folder that `SAGE_DATA` names, else in ../shared/data. Without it the test is skipped.
    """
    folder = Path(os.environ.get("SAGE_DATA") or ROOT.parent / "shared" / "data")
    files = [folder / f"{name}.minilm.npy" for name in _REAL]
    for file in files:
        if not file.is_file():
            pytest.skip(f"no real embeddings: {file.name} is missing (SAGE_DATA names the data folder)")
    rows = np.concatenate([np.load(file).astype(np.float32) for file in files])
    # Every kind of row is met at a smaller scale as well: rows are taken evenly.
    return _finished(rows[np.linspace(0, len(rows) - 1, scaled(len(rows))).astype(np.int64)])


@functools.lru_cache(maxsize=1)
def rows_of(kind: str, n: int) -> Vectors:
    """Return `n` rows of width 384: the kinds are the functions below. Seeded; the last ones asked for are kept."""
    return _finished(KINDS[kind](n))


def jittered(n: int) -> Vectors:
    """Return real rows over and over, each copy moved by Gaussian noise of expected length 0.25.

    Real neighbours of a sentence are 0.5 to 0.9 away, so that copies form small clusters within the real structure.
    """
    real = real_rows()
    rng = np.random.default_rng(1)
    rows = np.empty((n, D), np.float32)
    for start in range(0, n, _BLOCK):
        block = rows[start : start + _BLOCK]
        rng.standard_normal(out=block, dtype=np.float32)
        block *= np.float32(0.25 / D**0.5)
        block += real[np.arange(start, start + len(block)) % len(real)]
    return rows


def clustered(n: int) -> Vectors:
    """Return 5,000 clusters whose sizes fall like 1/rank; centres and the noise around them, at 0.6 of the length."""
    return _around_centres(n, 5000)


def critical(n: int) -> Vectors:
    """Return 1,000 such clusters: for 1,000 picks the worst case, in which each pick opens a cluster of its own."""
    return _around_centres(n, 1000)


def flat(n: int) -> Vectors:
    """Return rows without clusters, whose variances fall like 1/coordinate."""
    return np.random.default_rng(3).standard_normal((n, D), np.float32) * _spectrum()


def sphere(n: int) -> Vectors:
    """Return directions drawn evenly: no structure that a bound could use, which embeddings are not."""
    return np.random.default_rng(3).standard_normal((n, D), np.float32)


KINDS = {"jittered": jittered, "clustered": clustered, "critical": critical, "flat": flat, "sphere": sphere}


def _spectrum() -> Vectors:
    """Return the scale of each coordinate, such that rows have length 1: variances fall like 1/coordinate."""
    spectrum = (np.arange(1, D + 1) ** -0.5).astype(np.float32)
    return spectrum / np.linalg.norm(spectrum)


def _around_centres(n: int, count: int) -> Vectors:
    rng = np.random.default_rng(2)
    spectrum = _spectrum()
    centres = rng.standard_normal((count, D), np.float32) * spectrum
    shares = 1 / np.arange(1, count + 1)
    members = rng.choice(count, size=n, p=shares / shares.sum())
    rows = np.empty((n, D), np.float32)
    for start in range(0, n, _BLOCK):
        block = rows[start : start + _BLOCK]
        rng.standard_normal(out=block, dtype=np.float32)
        block *= np.float32(0.6) * spectrum
        block += centres[members[start : start + len(block)]]
    return rows


def _finished(rows: Vectors) -> Vectors:
    """Scale rows to length 1 in place, and let nobody write to them."""
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        block /= np.linalg.norm(block, axis=1, keepdims=True)
    rows.flags.writeable = False
    return rows
