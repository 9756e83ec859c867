"""Ctrl-C and termination end a run at the end of a step, after a checkpoint."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Stop", "graceful_stop"]


class Stop:
    """Remembers that the user or the system asked the run to stop."""

    def __init__(self) -> None:
        self.signal: int | None = None

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        """Handle a signal: the first asks, the second ends the run at once."""
        if self.signal is not None:
            raise KeyboardInterrupt
        self.signal = number


@contextmanager
def graceful_stop() -> Iterator[Stop]:
    """Catch SIGINT and SIGTERM inside the block, and deliver them again at its end.

    Only the main thread may handle signals; elsewhere the block changes nothing. A signal that was ignored before
    (`nohup`) stays ignored.

    Raises
    ------
    KeyboardInterrupt
        At the end of the block, if a signal came and its own handler raised nothing.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    caught = [number for number in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in caught}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if stop.signal is not None:
        signal.raise_signal(stop.signal)
        raise KeyboardInterrupt
