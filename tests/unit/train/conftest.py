"""Rows and models to train with, small enough for every run of the tests."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

Rows = list[dict[str, Any]]


def _make_tiny_model(folder: Path) -> Path:
    # Test folders are no packages, so a neighbour is loaded by its path.
    spec = importlib.util.spec_from_file_location("tiny_model", Path(__file__).with_name("tiny_model.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return Path(module.make_tiny_model(folder))


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a random Llama with a tokenizer and a chat template."""
    return _make_tiny_model(tmp_path_factory.mktemp("tiny_model"))


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


@pytest.fixture
def chats() -> Callable[[int], pa.Table]:
    """Return a maker of tables of `n` different chats, in file order 0, 1, 2, ..."""

    def make(n: int, **columns: list[Any]) -> pa.Table:
        words = ["table", "hotel", "city", "weather", "day", "paris"]
        messages = [
            [
                {"role": "user", "content": f"find {words[i % 6]} {i}"},
                {"role": "assistant", "content": f"{words[(i + 1) % 6]} " * (1 + i % 4) + str(i)},
            ]
            for i in range(n)
        ]
        return pa.table({"messages": messages, "sage_row_id": [f"row-{i}" for i in range(n)], **columns})

    return make
