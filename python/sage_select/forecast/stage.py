"""What one stage of a build costs."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Stage"]


@dataclass(frozen=True)
class Stage:
    """Bytes and seconds of one stage.

    Attributes
    ----------
    name
        What users know it by.
    working
        Bytes at its height beyond what earlier stages left, with what it leaves itself.
    pooled
        Bytes that it takes from pools of Arrow and Python, which keep them for the stages after it.
    leaves
        Bytes that it leaves for the stages after it.
    mapped
        Bytes of files that it maps: address space, but no memory that has to be there.
    seconds
        How long it takes; None where that cannot be told.
    """

    name: str
    working: float = 0.0
    pooled: float = 0.0
    leaves: float = 0.0
    mapped: float = 0.0
    seconds: float | None = 0.0
