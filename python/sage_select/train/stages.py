"""How a run tells what it is doing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

__all__ = ["Progress", "Stages", "silent_stages"]


class Progress(Protocol):
    """Told of progress."""

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """Take note that `done` of `total` is done; `note` says how it goes, such as the loss."""


#: Gives, for a label, a context in which progress may be reported.
Stages = Callable[[str], AbstractContextManager[Progress]]


def silent_stages(_label: str) -> AbstractContextManager[Progress]:
    """Say nothing."""
    return nullcontext(lambda _done, _total, _note="": None)
