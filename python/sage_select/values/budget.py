"""How much to select: a number of rows, a share of them, or a number of tokens."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction

from sage_select.errors import UsageError
from sage_select.values.parsed import Parsed

__all__ = ["Budget"]

#: Beyond these a budget is a mistake; Python itself refuses to read or write numbers of thousands of digits.
_LONGEST = 40
_MOST_BITS = 128
_EXPECTED = "a number of rows (300), a share of them (10%), or a number of tokens (200k tokens)"
_TOKENS = re.compile(r"([0-9][0-9_]*(?:\.[0-9]+)?) ?([kKmM]?) ?tokens?")
_TIMES = {"": 1, "k": 1000, "m": 1_000_000}


@dataclass(frozen=True)
class Budget(Parsed):
    """A number of rows, an exact fraction of them, or a number of tokens.

    Examples
    --------
    >>> Budget.parse("10%").rows(1234)
    123
    >>> Budget.parse(300).rows(1234)
    300
    >>> Budget.parse("200k tokens").tokens
    200000
    """

    count: int | None = None
    share: Fraction | None = None
    tokens: int | None = None

    @classmethod
    def parse(cls, value: object) -> Budget:
        """Read `300`, `"300"`, `"10%"`, `0.1`, `"200k tokens"` or `"1.5M tokens"`.

        Raises
        ------
        UsageError
            If it is none of these, negative, or more than the whole.
        """
        if isinstance(value, Budget):
            return value
        if isinstance(value, bool):
            raise _refused(value)
        if isinstance(value, int):
            return cls(count=_not_negative(value))
        if isinstance(value, float):
            return cls(share=_share(Fraction(str(value)) if math.isfinite(value) else Fraction(-1), value))
        text = str(value).strip()
        if len(text) > _LONGEST:
            raise _refused(text[:_LONGEST] + "...")
        if match := re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?%", text):
            return cls(share=_share(Fraction(match[1]) / 100, value))
        if re.fullmatch(r"[0-9][0-9_]*", text):
            return cls(count=int(text))
        if re.fullmatch(r"0?\.[0-9]+", text):
            return cls(share=_share(Fraction(text), value))
        if match := _TOKENS.fullmatch(text):
            tokens = Fraction(match[1].replace("_", "")) * _TIMES[match[2].lower()]
            if tokens.denominator == 1:
                return cls(tokens=_not_negative(int(tokens)))
        raise _refused(value)

    def rows(self, available: int, *, clamp: bool = False) -> int:
        """Return how many rows this is of `available`: fractions are floored, and at least 1 of a non-empty pool.

        A number of tokens says nothing about rows: then it is all of them.

        Raises
        ------
        UsageError
            If it asks for more rows than there are, unless `clamp`.
        """
        if self.tokens is not None:
            return available
        if self.share is not None:
            return min(available, max(1, int(available * self.share))) if self.share else 0
        count = self.count or 0
        if count > available and not clamp:
            raise UsageError(
                f"the budget of {count:,} rows is more than the {available:,} rows there are",
                expected=f"at most {available:,}",
                got=f"{count:,}",
                hint="lower the budget, or pass --clamp (clamp=True) to take all rows",
            )
        return min(count, available)

    def describe(self) -> str:
        """Return the budget in words."""
        if self.tokens is not None:
            return f"{self.tokens:,} tokens"
        return f"{self} of the rows" if self.share is not None else f"{self} rows"

    def __str__(self) -> str:
        if self.tokens is not None:
            return f"{self.tokens} tokens"
        if self.share is None:
            return str(self.count)
        percent = self.share * 100
        return f"{percent.numerator}%" if percent.denominator == 1 else f"{float(percent):.12g}%"


def _not_negative(count: int) -> int:
    if count < 0 or count.bit_length() > _MOST_BITS:
        raise _refused(count if count.bit_length() <= _MOST_BITS else f"a number of {count.bit_length():,} bits")
    return count


def _share(share: Fraction, value: object) -> Fraction:
    if not 0 <= share <= 1:
        raise _refused(value)
    return share


def _refused(value: object) -> UsageError:
    return UsageError("this is no budget", expected=_EXPECTED, got=repr(value))
