"""The tiny model of the training tests, for measuring."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a random Llama with a tokenizer and a chat template."""
    # Test folders are no packages, so a neighbour is loaded by its path.
    place = Path(__file__).parents[1] / "train" / "tiny_model.py"
    spec = importlib.util.spec_from_file_location("tiny_model", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return Path(module.make_tiny_model(tmp_path_factory.mktemp("tiny_model")))


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Hold torch to one thread: models this small only wait for each other on more."""
    import sys

    torch = sys.modules.get("torch")
    threads = torch.get_num_threads() if torch else 0
    if torch:
        torch.set_num_threads(1)
    yield
    if torch:
        torch.set_num_threads(threads)
