"""How fast a run goes, and what memory it takes, in the words of its progress line."""

from __future__ import annotations

import resource
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Final

import torch

__all__ = ["Meter", "memory_in_words"]

#: Steps over which the speed is taken.
_STEPS: Final = 20


class Meter:
    """Tokens a second over the last steps, by the time of the steps alone: not that of evaluations and checkpoints.

    Parameters
    ----------
    clock
        Seconds, from any beginning.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self._last: deque[tuple[int, float]] = deque(maxlen=_STEPS)

    def begin(self) -> None:
        """Take note that a step begins."""
        self._began = self._clock()

    def end(self, tokens: int) -> None:
        """Take note that the step has ended, of so many tokens without padding, trained or not."""
        self._last.append((tokens, self._clock() - self._began))

    @property
    def tokens_per_second(self) -> float | None:
        """Of the last steps; None before there are any."""
        seconds = sum(one for _, one in self._last)
        return sum(tokens for tokens, _ in self._last) / seconds if seconds > 0 else None


def memory_in_words() -> str:
    """Return the most memory taken so far: of the GPU where there is one, else of the process."""
    if torch.cuda.is_available():
        return f"{torch.cuda.max_memory_allocated() / 1e9:.1f} GB of GPU memory"
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return f"{most * (1 if sys.platform == 'darwin' else 1024) / 1e9:.1f} GB"
