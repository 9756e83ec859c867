"""How many rows of each group: a column, and the fewest and the most rows of each of its values."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sage_select.errors import UsageError
from sage_select.values.parsed import Parsed

__all__ = ["Quota"]

_EXPECTED = "COLUMN (as even as can be), or COLUMN=FEWEST:MOST with one of the numbers left out or both there"


@dataclass(frozen=True)
class Quota(Parsed):
    """How many rows of each value of a column a selection must and may have.

    With neither number the selection is balanced: every value has as many rows as the others, give or take one, and
    what a value cannot give is spread over those that can.

    Examples
    --------
    >>> Quota.parse("intent=2:10")
    Quota(column='intent', minimum=2, maximum=10)
    >>> str(Quota.parse("intent"))
    'intent'
    """

    column: str
    minimum: int | None = None
    maximum: int | None = None

    @classmethod
    def parse(cls, value: object) -> Quota:
        """Read `COLUMN`, `COLUMN=2:10`, `COLUMN=2:` or `COLUMN=:10`.

        Raises
        ------
        UsageError
            If it is none of these, or the fewest are more than the most.
        """
        if isinstance(value, Quota):
            return value
        text = value if isinstance(value, str) else ""
        column, sign, numbers = text.rpartition("=")
        if not sign:
            column, numbers = text, ""
        match = re.fullmatch(r"([0-9]{0,12}):([0-9]{0,12})", numbers)
        if not column or (sign and (match is None or numbers == ":")):
            raise UsageError("this is no quota", expected=_EXPECTED, got=repr(value))
        if match is None:
            return cls(column)
        minimum, maximum = (int(number) if number else None for number in match.groups())
        if minimum is not None and maximum is not None and minimum > maximum:
            raise UsageError("a quota asks for more rows than it allows", expected="FEWEST <= MOST", got=repr(value))
        return cls(column, minimum, maximum)

    @property
    def balanced(self) -> bool:
        """Whether every value is to have as many rows as the others."""
        return self.minimum is None and self.maximum is None

    def __str__(self) -> str:
        def said(number: int | None) -> str:
            return "" if number is None else str(number)

        return self.column if self.balanced else f"{self.column}={said(self.minimum)}:{said(self.maximum)}"
