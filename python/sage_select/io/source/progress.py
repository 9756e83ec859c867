"""Progress of a long read, told to the caller about ten times a second at most."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["Meter", "Progress"]

#: Called with (bytes done, bytes in all).
Progress = Callable[[int, int], None]

_INTERVAL_S = 0.1


class Meter:
    """Adds up bytes and passes them on to a callback without calling it too often.

    Parameters
    ----------
    report
        The callback, or None to say nothing.
    total
        Bytes in all.
    """

    def __init__(self, report: Progress | None, total: int) -> None:
        self._report = report
        self._total = total
        self._before = 0
        self._told_at = float("-inf")

    def at(self, position: int) -> None:
        """Say that `position` bytes of the current file are done."""
        if self._report is None:
            return
        now = time.monotonic()
        if now - self._told_at >= _INTERVAL_S:
            self._told_at = now
            self._report(min(self._before + position, self._total), self._total)

    def file_done(self, size: int) -> None:
        """Say that the current file, of `size` bytes, is done."""
        self._before += size
        self.at(0)

    def finish(self) -> None:
        """Say that everything is done."""
        if self._report is not None:
            self._report(self._total, self._total)
