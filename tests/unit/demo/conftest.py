"""What the tests of the demo share."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sage_select import demo

Row = dict[str, Any]


def read(path: Path) -> list[Row]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


@pytest.fixture(scope="session")
def train_rows() -> list[Row]:
    return read(demo.rows_path())


@pytest.fixture(scope="session")
def heldout_rows() -> list[Row]:
    return read(demo.heldout_path())


@pytest.fixture(scope="session")
def generator(root: Path) -> Iterator[Path]:
    """Make the package `demo_text` importable and return its folder's parent."""
    folder = root / "scripts" / "demo"
    sys.path.insert(0, str(folder))
    yield folder
    sys.path.remove(str(folder))
