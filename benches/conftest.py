"""Data that several benchmarks share: real embeddings where the data folder is there, synthetic ones otherwise."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def data() -> Path | None:
    """Return the folder of real data (SAGE_DATA, else ../shared/data), or None."""
    folder = Path(os.environ.get("SAGE_DATA") or ROOT.parent / "shared" / "data")
    return folder if folder.is_dir() else None


@pytest.fixture(scope="session")
def vectors(data: Path | None) -> NDArray[np.float32]:
    """Return 3,000 unit rows of width 384: real sentence embeddings, or clustered synthetic ones."""
    if data is not None:
        return np.load(data / "clinc150" / "test.minilm.npy")[:3000].astype(np.float32)
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(150, 384))[rng.integers(0, 150, 3000)] + 0.5 * rng.normal(size=(3000, 384))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
