"""Sizes in bytes as users write them: 2GB, 512MiB."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["bytes_of"]

_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?) ?([kmgt]?i?b?)", re.IGNORECASE)
_UNITS: Final = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def bytes_of(text: str) -> float | None:
    """Return the bytes that a text names, or None where it names no size.

    Examples
    --------
    >>> bytes_of("2GB"), bytes_of("1.5 KiB"), bytes_of("much")
    (2000000000.0, 1536.0, None)
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        return None
    unit = found[2].lower()
    return float(found[1]) * float((1024 if "i" in unit else 1000) ** _UNITS[unit.rstrip("ib")])
