"""Seed derivation: one run seed, one independent 64-bit key for each named stage.

Every random choice is a pure function of (run seed, stage, row id), so it does not depend on the order of
rows, on shards or on threads.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TypeVar

__all__ = ["Draws", "stage_key"]

_T = TypeVar("_T")
_MASK = 2**64 - 1


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


class Draws:
    """Random numbers of one thing, such as a row: a pure function of a key and its name, one after the other.

    SplitMix64 (Steele, Lea and Flood 2014), begun at 64 bits of BLAKE2b of both.

    Examples
    --------
    >>> one, same = Draws(7, "a"), Draws(7, "a")
    >>> [one.below(10) for _ in range(3)] == [same.below(10) for _ in range(3)]
    True
    """

    def __init__(self, key: int, name: str) -> None:
        digest = hashlib.blake2b(name.encode(), digest_size=8, key=key.to_bytes(8, "little")).digest()
        self._state = int.from_bytes(digest, "little")

    def word(self) -> int:
        """Return a whole number below 2**64."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        word = self._state
        word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & _MASK
        return word ^ (word >> 31)

    def below(self, n: int) -> int:
        """Return a whole number below n; none is likelier than another by more than n / 2**64."""
        return (self.word() * n) >> 64

    def shuffled(self, values: Iterable[_T]) -> list[_T]:
        """Return the values in another order, each as likely (Fisher and Yates)."""
        order = list(values)
        for last in range(len(order) - 1, 0, -1):
            other = self.below(last + 1)
            order[last], order[other] = order[other], order[last]
        return order
