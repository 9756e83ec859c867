"""Replay ratios: exact, with what is owed carried from one batch to the next."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, Literal, get_args

from sage_select.errors import UsageError

__all__ = ["BASES", "Basis", "Ratio", "fraction_of"]

Basis = Literal["of_new", "of_total", "tokens_of_total"]
BASES: Final[tuple[str, ...]] = get_args(Basis)


#: A power of ten that takes longer to write out than anything is replayed for.
_ENDLESS: Final = re.compile(r"[eE][+-]?_*0*[1-9][\d_]{3,}")


def fraction_of(value: Any) -> Fraction:
    """Return a number, or a text such as 1/3 or 0.25, as the fraction that it is.

    Raises
    ------
    ValueError
        It is none, or has a power of ten beyond three digits.
    """
    if isinstance(value, Fraction):
        return value
    text = str(value)
    if _ENDLESS.search(text):
        raise ValueError(f"no number: {text[:80]!r}")
    try:
        return Fraction(text)
    except ZeroDivisionError:
        raise ValueError(f"no number: {text[:80]!r}") from None


@dataclass(frozen=True)
class Ratio:
    """How much is replayed beside what is new.

    Attributes
    ----------
    value
        The ratio, as it is written: 0.1 is one tenth.
    basis
        Of what it is a share: `of_new`, replayed rows for each new row; `of_total`, replayed rows among all rows;
        `tokens_of_total`, replayed tokens among all tokens.

    Examples
    --------
    >>> ratio, carry = Ratio.of(0.25), Fraction(0)
    >>> found = []
    >>> for batch in (1, 3, 7, 5):
    ...     count, carry = ratio.due(batch, carry)
    ...     found.append(count)
    >>> found, str(carry)
    ([0, 1, 1, 2], '0')
    """

    value: Fraction
    basis: Basis = "of_new"

    @classmethod
    def of(cls, value: Any, basis: str = "of_new") -> Ratio:
        """Return the ratio that a number, or a text such as 1/3, says.

        Raises
        ------
        UsageError
            It is none, or out of range.
        """
        if basis not in BASES:
            raise UsageError("unknown basis of a ratio", expected=", ".join(BASES), got=str(basis)[:80])
        try:
            ratio = fraction_of(value)
        except ValueError:
            raise UsageError("no ratio", expected="a number such as 0.25 or 1/4", got=str(value)[:80]) from None
        most = "" if basis == "of_new" else ", and below 1: of all there is, some is new"
        if ratio < 0 or (most and ratio >= 1):
            raise UsageError("a ratio out of range", expected=f"from 0 on{most}", got=str(value)[:80])
        return cls(ratio, basis)  # type: ignore[arg-type]

    @property
    def of_new(self) -> Fraction:
        """What is replayed for each new row, or token."""
        return self.value if self.basis == "of_new" else self.value / (1 - self.value)

    def due(self, new: int, carry: Fraction) -> tuple[int, Fraction]:
        """Return what is to be replayed beside so many new rows or tokens, and what is owed after that, below one.

        Parameters
        ----------
        carry
            What was owed before.
        """
        owed = carry + self.of_new * new
        whole = max(0, owed.numerator // owed.denominator)
        return whole, owed - whole

    @property
    def key(self) -> str:
        """What the carry is known by: each ratio and basis has one of its own."""
        return f"{self.value} {self.basis}"
