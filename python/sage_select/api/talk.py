"""How a run speaks to a program."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["Callback"]


class Callback:
    """A talk for programs: progress goes to their callback, notices nowhere."""

    def __init__(self, progress: Callable[[int, int], None] | None) -> None:
        self._progress = progress

    def notice(self, text: str) -> None:
        """Say nothing: the caller asked for values, not for talk."""

    @contextmanager
    def progress(self, _label: str) -> Iterator[Callable[[int, int], None]]:
        """Pass progress on to the caller."""
        yield self._progress or (lambda _done, _total: None)
