"""Replay buffers: a bounded memory of rows seen before, for training that forgets nothing."""

from __future__ import annotations

from sage_select.replay.buffer import ReplayBuffer
from sage_select.replay.deletion import Receipt
from sage_select.replay.update import Updated

__all__ = ["Receipt", "ReplayBuffer", "Updated"]
