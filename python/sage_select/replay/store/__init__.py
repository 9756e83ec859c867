"""Where a replay buffer lies: in memory, or in a folder of immutable files and one manifest for each commit."""

from __future__ import annotations

from sage_select.replay.store.folder import FolderStore
from sage_select.replay.store.memory import MemoryStore
from sage_select.replay.store.store import Store

__all__ = ["FolderStore", "MemoryStore", "Store"]
