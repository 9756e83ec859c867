"""Rows of a replay buffer among those of a selection: which, where, and what becomes of the buffer afterwards."""

from __future__ import annotations

from sage_select.train.replaying.replay import Replay, known_rows, replay_of

__all__ = ["Replay", "known_rows", "replay_of"]
