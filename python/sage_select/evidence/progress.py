"""One progress display over several parts of work."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["ProgressSplitter"]


class ProgressSplitter:
    """Tells how far the whole is while its parts tell how far they are.

    Parameters
    ----------
    progress
        Called with (done, total) of the whole, or None.
    total
        The sizes of all parts together.
    """

    def __init__(self, progress: Callable[[int, int], None] | None, total: int) -> None:
        self._progress = progress
        self._total = total
        self._done = 0

    def next(self, size: int) -> Callable[[int, int], None]:
        """Return the callback of the next part, which is so large."""
        before, self._done = self._done, self._done + size

        def advance(done: int, total: int) -> None:
            if self._progress is not None:
                self._progress(before + size * done // max(1, total), self._total)

        return advance
