"""A band of scores: those between two quantiles."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sage_select.errors import UsageError
from sage_select.values.parsed import Parsed

__all__ = ["Band"]


@dataclass(frozen=True)
class Band(Parsed):
    """From which share of the rows that are easier, up to which.

    Examples
    --------
    >>> Band.parse("0.25:0.9")
    Band(low=0.25, high=0.9)
    """

    low: float
    high: float

    @classmethod
    def parse(cls, value: object) -> Band:
        """Read `LOW:HIGH`.

        Raises
        ------
        UsageError
            If it is not that, or not 0 <= LOW < HIGH <= 1.
        """
        if isinstance(value, Band):
            return value
        number = r"([01]?\.?[0-9]{0,12})"
        match = re.fullmatch(f"{number}:{number}", value) if isinstance(value, str) else None
        try:
            low, high = (float(text) for text in match.groups()) if match else (1.0, 0.0)
        except ValueError:
            low, high = 1.0, 0.0
        if not 0 <= low < high <= 1:
            raise UsageError("no band of scores", expected="LOW:HIGH with 0 <= LOW < HIGH <= 1", got=repr(value))
        return cls(low, high)

    def __str__(self) -> str:
        return f"{self.low:.12g}:{self.high:.12g}"
