"""What an arm takes: time and memory."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["Cost", "measured_cost"]

_STATUS: Final = Path("/proc/self/status")
_CLEAR: Final = Path("/proc/self/clear_refs")


@dataclass
class Cost:
    """Time and memory of some work; filled when it is done.

    Attributes
    ----------
    seconds
        Of the clock.
    memory_bytes
        The most memory that was taken meanwhile, of the GPU where there is one, else of the whole process; None where
        the system does not tell.
    """

    seconds: float = 0.0
    memory_bytes: int | None = None


@contextmanager
def measured_cost() -> Iterator[Cost]:
    """Measure the block."""
    import torch

    on_gpu = torch.cuda.is_available()
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    told = on_gpu or _forget_peak()
    cost, began = Cost(), time.monotonic()
    try:
        yield cost
    finally:
        cost.seconds = time.monotonic() - began
        if told:
            cost.memory_bytes = torch.cuda.max_memory_allocated() if on_gpu else _peak()


def _forget_peak() -> bool:
    """Have the system take the most memory from now on; only Linux can."""
    with suppress(OSError):
        _CLEAR.write_text("5")
        return True
    return False


def _peak() -> int | None:
    with suppress(OSError, ValueError):
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return None
