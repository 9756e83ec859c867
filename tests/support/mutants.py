"""Damaged copies of files, the same for the same seed."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

from sage_select.io.commit.manifest import manifest_text

__all__ = ["damaged", "damaged_json", "forged_manifest"]

#: Values that a place in a JSON file takes, whatever stood there.
_ODD: list[Any] = [None, True, -1, 0, 1.5, 1e300, 2**70, "", "x", "../x", "\0", "a" * 5000, [], {}, [[]], {"a": None}]


def damaged(data: bytes, chance: random.Random) -> bytes:
    """Return a damaged copy: a flipped bit, a hostile byte, a cut, a part that is missing or doubled."""
    at = chance.randrange(max(1, len(data)))
    length = chance.randrange(1, 64)
    kind: Callable[[], bytes] = chance.choice(
        [
            lambda: data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :] if data else b"\0",
            lambda: data[:at] + bytes([chance.choice([0, 255, 127, 128, 10, 123])]) + data[at + 1 :],
            lambda: data[:at],
            lambda: data[:at] + data[at + length :],
            lambda: data[:at] + data[at : at + length] + data[at:],
            lambda: data + data[at : at + length],
        ]
    )
    return kind()


def damaged_json(data: bytes, chance: random.Random) -> bytes:
    """Return a damaged copy of a JSON file; half of them are well formed, with a key gone or an odd value."""
    if chance.random() < 0.5:
        return damaged(data, chance)
    return json.dumps(_restructured(json.loads(data), chance), indent=2).encode()


def forged_manifest(data: bytes, chance: random.Random) -> bytes:
    """Return a manifest with one or two keys gone or odd values, and the digest that such a manifest has."""
    value = json.loads(data)
    for _ in range(chance.randrange(1, 3)):
        value = _restructured(value, chance)
    return manifest_text(value).encode()


def _restructured(value: Any, chance: random.Random) -> Any:
    places = list(_places(value))
    if not places:
        return value
    holder, key = chance.choice(places)
    if chance.random() < 0.4:
        del holder[key]
    else:
        holder[key] = chance.choice(_ODD)
    return value


def _places(value: Any) -> Any:
    if isinstance(value, dict | list):
        for key, member in value.items() if isinstance(value, dict) else enumerate(value):
            yield value, key
            yield from _places(member)
