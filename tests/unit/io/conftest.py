"""Fixtures of the io tests."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import pytest

from sage_select.io.commit.files import Files


class WithoutSync(Files):
    """Real file operations that do not wait for the disk: for tests that write often and die never."""

    def sync(self, file: BinaryIO) -> None:
        """Wait for nothing."""

    def sync_folder(self, path: Path) -> None:
        """Wait for nothing."""


@pytest.fixture(scope="session")
def no_wait() -> Files:
    """Return file operations that do not wait for the disk."""
    return WithoutSync()
