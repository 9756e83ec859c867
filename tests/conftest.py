"""Fixtures every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# OpenMP's threads otherwise spin while they wait: on a machine that does other work as well, training takes ten times
# as long. Set before anything loads OpenMP.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# No test asks a network for a model.
os.environ.setdefault("HF_HUB_OFFLINE", "1")

ROOT = Path(__file__).resolve().parent.parent


def _folder(variable: str, beside: str) -> Path:
    folder = Path(os.environ.get(variable) or ROOT.parent / "shared" / beside)
    if not folder.is_dir():
        pytest.skip(f"no folder {folder}: name one in {variable} to run this test on real data")
    return folder


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real data sets (SAGE_DATA, else ../shared/data)."""
    return _folder("SAGE_DATA", "data")


@pytest.fixture(scope="session")
def shared_model() -> Path:
    """Return the folder of a tiny real language model (SAGE_MODELS names its parent folder)."""
    folder = _folder("SAGE_MODELS", "models") / "stories260k"
    if not folder.is_dir():
        pytest.skip(f"no model folder {folder}")
    return folder


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the project root."""
    return ROOT
