"""Text in figures: numbers, and words of others as far as the font of figures has them."""

from __future__ import annotations

from typing import Final

__all__ = ["label", "number"]

_ELLIPSIS: Final = "\N{HORIZONTAL ELLIPSIS}"


def label(text: str, most: int = 32) -> str:
    """Return words for a figure, short, with a question mark for each character beyond ASCII and Latin letters.

    Tables spell them as they are.

    Examples
    --------
    >>> label("near copy"), label("naïve 漢字")
    ('near copy', 'naïve ??')
    """
    known = "".join(char if char.isprintable() and ord(char) < 0x250 else "?" for char in text)
    return known if len(known) <= most else known[: most - 1] + _ELLIPSIS


def number(value: float) -> str:
    """Return a number with the digits that a person reads.

    Examples
    --------
    >>> [number(one) for one in (0, 12, 1234567, 0.12345, 12.5, 0.00001234)]
    ['0', '12', '1,234,567', '0.123', '12.5', '1.23e-05']
    """
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
