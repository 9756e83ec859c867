"""Who tells a program of progress."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["Callback"]


class Callback:
    """A reporter for programs: progress goes to their callback; notices are recorded by the run."""

    def __init__(self, progress: Callable[[int, int], None] | None) -> None:
        self._progress = progress

    def notice(self, text: str) -> None:
        """Say nothing: the run records notices, and `select` warns of them."""

    @contextmanager
    def progress(self, _label: str) -> Iterator[Callable[[int, int], None]]:
        """Pass progress on to the caller."""
        yield self._progress or (lambda _done, _total: None)
