"""Seed derivation: one run seed, one independent 64-bit key for each named stage.

Every random choice is a pure function of (run seed, stage, row id), so it does not depend on the order of
rows, on shards or on threads.
"""

from __future__ import annotations

import hashlib

__all__ = ["stage_key"]


def stage_key(seed: int, stage: str) -> int:
    """Return the unsigned 64-bit key of `stage` under the run seed `seed`.

    Examples
    --------
    >>> stage_key(0, "random") == stage_key(0, "random")
    True
    >>> stage_key(0, "random") == stage_key(0, "order")
    False
    """
    text = f"sage-select/1/{seed}/{stage}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")
