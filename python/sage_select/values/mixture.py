"""In which shares rows of several groups are mixed: a column, and the shares of its values."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from sage_select.errors import UsageError
from sage_select.values.parsed import Parsed

__all__ = ["OTHERS", "PRESETS", "Mixture"]

#: What stands for all values that are not named.
OTHERS: Final = "*"
#: Mixtures by name. `sage`: the task weights of SAGE, the agent training from which this program comes.
PRESETS: Final[Mapping[str, str]] = {"sage": "task=tool_selection:0.35,planning:0.30,timing:0.20,general:0.15"}

_EXPECTED: Final = f"COLUMN=VALUE:SHARE,VALUE:SHARE,... or a preset: {', '.join(PRESETS)}"
#: What may stand around names and numbers; other spaces, as Unicode has them, are part of a name.
_SPACE: Final = " \t\n"
#: A text in JSON where it could not be told from what is around it, or the text as it is.
_QUOTED: Final = r'"(?:[^"\\]|\\.)*"'
_COLUMN: Final = re.compile(rf'[ \t\n]*({_QUOTED}|(?!")[^=]*?)[ \t\n]*=(.*)', re.DOTALL)
_SHARE: Final = re.compile(
    rf'[ \t\n]*({_QUOTED}|(?!")[^,]*?)[ \t\n]*:'
    r"[ \t\n]*([0-9]{0,12}(?:\.[0-9]{1,14})?)[ \t\n]*(%?)[ \t\n]*(?:,|$)",
    re.DOTALL,
)
#: Shares are whole numbers of its parts.
_FINEST: Final = 10**14
#: Shares that were computed, such as thirds, add up to 1 as nearly as this.
_ROUNDED: Final = Fraction(1, 10**9)


@dataclass(frozen=True)
class Mixture(Parsed):
    """A column, and the share of each of its values in the whole.

    Shares with a decimal point or a percent sign are those of the whole mixture: what they leave goes to the rows with
    other values, in their natural proportions, and where they add up to 1 such rows have no part in it. Whole numbers
    are a ratio of the values named, and of these alone. `*` stands for all other values.

    Attributes
    ----------
    column
        The column.
    parts
        Each value and its number as it was given: a share of the whole, or a part of a ratio.
    ratio
        Whether the numbers are a ratio.

    Examples
    --------
    >>> Mixture.parse("task=plan:35%, chat:0.3").shares
    {'plan': Fraction(7, 20), 'chat': Fraction(3, 10), '*': Fraction(7, 20)}
    >>> Mixture.parse("task=plan:2,chat:1").shares
    {'plan': Fraction(2, 3), 'chat': Fraction(1, 3)}
    """

    column: str
    parts: tuple[tuple[str, Fraction], ...]
    ratio: bool = False

    @classmethod
    def parse(cls, value: object) -> Mixture:
        """Read `COLUMN=VALUE:SHARE,...`, `PRESET` or `COLUMN=PRESET`.

        Names that hold a comma, or begin with a quotation mark, are written as JSON strings: `"a,b":0.5`.

        Raises
        ------
        UsageError
            If it is none of these, a value stands twice, a share is 0, or the shares add up to more than 1.
        """
        if isinstance(value, Mixture):
            return value
        text = value.strip(_SPACE) if isinstance(value, str) else ""
        if text in PRESETS:
            return cls.parse(PRESETS[text])
        match = _COLUMN.fullmatch(text)
        if match is None or not (column := _unquoted(match[1], value)):
            raise _refused(value)
        if (name := match[2].strip(_SPACE)) in PRESETS:
            return cls(column, *cls.parse(PRESETS[name])._numbers)
        found: list[tuple[str, Fraction, bool]] = []
        place = 0
        while place < len(match[2]):
            part = _SHARE.match(match[2], place)
            if part is None or not part[1] or part[2] == "":
                raise _refused(value)
            number = Fraction(part[2]) / (100 if part[3] else 1)
            if (number * _FINEST).denominator != 1:
                raise _refused(value)
            found.append((_unquoted(part[1], value), number, not part[3] and "." not in part[2]))
            place = part.end()
        return cls._checked(column, found, value)

    @classmethod
    def _checked(cls, column: str, found: list[tuple[str, Fraction, bool]], value: object) -> Mixture:
        names = [name for name, _, _ in found]
        twice = next((name for name, count in Counter(names).items() if count > 1), None)
        if not found:
            raise _refused(value)
        if twice is not None:
            raise UsageError(f"a mixture names {twice!r} twice", expected="each value once", got=repr(value))
        if any(number == 0 for _, number, _ in found):
            raise UsageError("a mixture has a share of 0", expected="shares above 0", got=repr(value))
        whole = [is_whole for _, _, is_whole in found]
        if any(whole) and not all(whole):
            raise UsageError(
                "a mixture has shares beside whole numbers, which are a ratio",
                expected="all of one kind: a:0.7,b:0.3 or a:7,b:3",
                got=repr(value),
            )
        total = sum((number for _, number, _ in found), Fraction(0))
        if not all(whole) and total > 1 + _ROUNDED:
            raise UsageError(
                f"the shares of a mixture add up to {_decimal(total)}, which is more than 1",
                expected="shares of the whole, or whole numbers as a ratio: a:7,b:3",
                got=repr(value),
            )
        if not all(whole) and OTHERS in names and total < 1 - _ROUNDED:
            raise UsageError(
                f"the shares of a mixture add up to {_decimal(total)}, and {OTHERS} has all other values",
                expected=f"shares that add up to 1, or none for {OTHERS}, which then gets what the others leave",
                got=repr(value),
            )
        return cls(column, tuple((name, number) for name, number, _ in found), all(whole))

    @property
    def _numbers(self) -> tuple[tuple[tuple[str, Fraction], ...], bool]:
        return self.parts, self.ratio

    @property
    def shares(self) -> dict[str, Fraction]:
        """The share of each value in the whole, in the order in which they were named; they add up to 1.

        `*` has what the named values leave to all others, where that is anything.
        """
        total = sum((number for _, number in self.parts), Fraction(0))
        if self.ratio or abs(total - 1) <= _ROUNDED:
            return {name: number / total for name, number in self.parts}
        return {**dict(self.parts), OTHERS: 1 - total}

    def __str__(self) -> str:
        said = ",".join(f"{_quoted(name, ',')}:{self._said(number)}" for name, number in self.parts)
        return f"{_quoted(self.column, '=')}={said}"

    def _said(self, number: Fraction) -> str:
        # A share with a point is one of the whole, and 1 would be a ratio.
        return str(number) if self.ratio else "1.0" if number == 1 else _decimal(number)


def _decimal(number: Fraction) -> str:
    """Return a share as a decimal number: all of its digits, of which there are 14 at most."""
    whole, rest = divmod(int(number * _FINEST), _FINEST)
    return f"{whole}.{rest:014}".rstrip("0").rstrip(".")


def _quoted(name: str, separator: str) -> str:
    """Return a name as it is read back."""
    plain = name and separator not in name and not name.startswith('"') and name == name.strip(_SPACE)
    return name if plain else json.dumps(name, ensure_ascii=False)


def _unquoted(text: str, value: object) -> str:
    try:
        name = json.loads(text) if text.startswith('"') else text
        name.encode()  # halves of characters are in no column
    except ValueError:
        raise _refused(value) from None
    return str(name)


def _refused(value: object) -> UsageError:
    return UsageError("this is no mixture", expected=_EXPECTED, got=repr(value)[:200])
