"""Of a mixture: which rows have which value, and how much of each value is to be drawn."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from sage_select import io
from sage_select.columns import SOURCE
from sage_select.data import Dataset
from sage_select.display import counted
from sage_select.errors import UsageError, nearest
from sage_select.stages.inputs.shares import apportioned, filled, largest_total
from sage_select.values.mixture import OTHERS, Mixture

__all__ = ["MixGroups", "Part", "amounts_of", "mix_groups", "parts_of"]

#: What names the rows without a value, and the column of the files of several inputs.
NULL: Final = "null"
_SOURCE: Final = "source"
#: Values that an error lists.
_LISTED: Final = 12


@dataclass(frozen=True)
class MixGroups:
    """The values of a column by which rows are mixed.

    Attributes
    ----------
    column
        The column, by the name that the rows have for it.
    of
        int64 (n,): for each row of the input the number of its value; -1 where it had left.
    names
        The values by their numbers, ascending; None, the last, for rows without one.
    """

    column: str
    of: NDArray[np.int64]
    names: tuple[str | None, ...]

    def number(self, name: str) -> int | None:
        """Return the number of the value that a mixture names; None where no row has it.

        A file of `sage_source` may be named without what follows its first point, and without its folders, and rows
        without a value are `null`, where no row has that for a value.
        """
        if name in self.names:
            return self.names.index(name)
        if name == NULL and None in self.names:
            return len(self.names) - 1
        files = enumerate(self.names) if self.column == SOURCE else ()
        alike = [place for place, file in files if file is not None and name in _short(file)]
        return alike[0] if len(alike) == 1 else None


@dataclass(frozen=True)
class Part:
    """One part of a mixture: a value, or all that it does not name.

    Attributes
    ----------
    value
        The value; `null` for rows without one, `*` for all other values.
    weight
        Its share, to be compared with those of the other parts.
    rows, available
        How many rows of it there are, and how much that is in what is counted: rows, words or tokens.
    groups
        int64: the numbers of its values.
    """

    value: str
    weight: int
    rows: int
    available: int
    groups: NDArray[np.int64]

    @property
    def others(self) -> bool:
        """Whether it is all values that the mixture does not name."""
        return self.value == OTHERS

    @property
    def label(self) -> str:
        """What messages call its rows."""
        return "rows of other values" if self.others else f"rows of {self.value!r}"


def mix_groups(data: Dataset, mixture: Mixture) -> MixGroups:
    """Return the values by which rows are mixed.

    Raises
    ------
    UsageError
        If there are only arrays, or no such column.
    DataError
        If the column holds something else than text, whole numbers and truth values.
    """
    if data.rows is None:
        raise UsageError("a mixture goes by a column of the rows, and there are none", hint="pass data")
    names, column = data.rows.table.column_names, mixture.column
    if column == _SOURCE and column not in names and SOURCE in names:
        column = SOURCE
    if column in (_SOURCE, SOURCE) and column not in names:
        raise UsageError(
            f"there is no column {column!r} to mix by",
            where=data.rows.source,
            expected=f"one of {', '.join(names[:_LISTED])}",
            hint="several inputs get the column sage_source, the file of each row, and one input has none",
        )
    values = io.group_column(data.rows, column, nulls=True)
    found = pc.unique(values).drop_null().sort()
    numbers = np.asarray(pc.fill_null(pc.index_in(values, value_set=found), len(found)).to_numpy(), np.int64)
    of = np.full(data.input_n, -1, np.int64)
    of[data.input_rows(np.arange(data.n))] = numbers
    return MixGroups(column, of, (*found.to_pylist(), *([None] if values.null_count else [])))


def parts_of(
    mixture: Mixture, groups: MixGroups, rows: NDArray[np.int64], amounts: NDArray[np.int64], unit: str
) -> list[Part]:
    """Return the parts of a mixture, in its order; all other values are one.

    Parameters
    ----------
    mixture, groups
        What is mixed.
    rows
        int64 (values,): how many rows of each value there are to draw from.
    amounts
        int64 (values,): how much that is in what is counted.
    unit
        What is counted: rows, words or tokens.

    Raises
    ------
    UsageError
        If there is no row of a value that has a share, or nothing of it to count.
    """
    shares = mixture.shares
    numbers = {name: _known(name, mixture, groups, rows) for name in shares if name != OTHERS}
    places = list(numbers.values())
    counts = Counter(places)
    if len(counts) < len(places):
        twice = [name for name, place in numbers.items() if counts[place] > 1]
        raise UsageError(f"a mixture names the rows of {groups.names[numbers[twice[0]]]!r} twice", got=", ".join(twice))
    is_other = np.array([name is not None for name in groups.names], np.bool_)
    is_other[places] = False
    # In whole numbers: the shares over one denominator.
    whole = math.lcm(*(share.denominator for share in shares.values()))
    parts = []
    for name, share in shares.items():
        of_part = np.flatnonzero(is_other) if name == OTHERS else np.array([numbers[name]])
        part = Part(name, int(share * whole), int(rows[of_part].sum()), int(amounts[of_part].sum()), of_part)
        value = name if part.others else groups.names[numbers[name]]
        parts.append(replace(part, value=NULL if value is None else value))
    nothing = next((part for part in parts if not part.available), None)
    if nothing is None:
        return parts
    if nothing.others and not nothing.rows and not numbers:
        raise UsageError(f"no row has a value in column {groups.column!r}", got=str(mixture))
    if nothing.others and not nothing.rows:
        raise UsageError(
            f"the shares of the mixture add up to {float(1 - shares[OTHERS]):.12g}, and no row has another value that "
            "could have the rest",
            expected=f"shares of {', '.join(map(repr, numbers))} that add up to 1",
            got=str(mixture),
            hint="whole numbers are a ratio of the values named: a:7,b:6",
        )
    raise UsageError(
        f"{counted(nothing.rows, 'row')} of {groups.column} {nothing.value!r} have no {unit}",
        expected="something to count in each part of the mixture",
        hint="--mix-by rows (mix_by='rows') counts rows",
    )


def amounts_of(parts: Sequence[Part], size: int | None, short: str, unit: str) -> list[int]:
    """Return how much of each part is drawn: its share of the size, to a whole number.

    Parameters
    ----------
    parts
        The parts.
    size
        How much is to be drawn in all; None for as much as the shares allow.
    short
        What to do where a part has too little: `error`, `shrink` or `fill`.
    unit
        What is counted.

    Raises
    ------
    UsageError
        If there is too little.
    """
    weights, available = [part.weight for part in parts], [part.available for part in parts]
    largest, _ = largest_total(available, weights)
    if size is None:
        return apportioned(largest, weights)
    if short == "fill":
        if size > sum(available):
            raise UsageError(
                f"the mixture is to have more {unit} than its values have together",
                expected=f"a size of at most {sum(available):,} {unit}",
                got=f"{size:,}",
            )
        return filled(size, available, weights)
    wanted = apportioned(size, weights)
    lacking = [place for place, part in enumerate(parts) if wanted[place] > part.available]
    if not lacking:
        return wanted
    if short == "shrink":
        return apportioned(largest, weights)
    raise _lacks(parts, lacking, wanted, unit)


def _lacks(parts: Sequence[Part], lacking: list[int], wanted: Sequence[int], unit: str) -> UsageError:
    """Return the error for a mixture that asks for more of some parts than there is."""
    first = parts[lacking[0]]
    more = f", and of {counted(len(lacking) - 1, 'more value')}" if len(lacking) > 1 else ""
    what = first.label if unit == "rows" else f"{unit} in {first.label}"
    largest, limit = largest_total([part.available for part in parts], [part.weight for part in parts])
    return UsageError(
        f"the mixture asks for more {what} than there are{more}",
        expected=f"a size of {largest:,} {unit} with these shares: as much as the {parts[limit].label} allow",
        got=f"{wanted[lacking[0]]:,}, and there are {first.available:,}",
        hint="--mix-short shrink (mix_short='shrink') takes the largest mixture, fill takes the rest from other values",
    )


def _known(name: str, mixture: Mixture, groups: MixGroups, rows: NDArray[np.int64]) -> int:
    """Return the number of a value that is named, of which there are rows."""
    number = groups.number(name)
    if number is not None and rows[number]:
        return number
    known = [value for place, value in enumerate(groups.names) if value is not None and rows[place]]
    largest = sorted(range(len(groups.names)), key=lambda place: (-int(rows[place]), place))
    listed = [
        f"{NULL if groups.names[place] is None else groups.names[place]!r} ({rows[place]:,})"
        for place in largest
        if rows[place]
    ]
    shown = ", ".join(listed[:_LISTED]) + (f" and {len(listed) - _LISTED:,} more" if len(listed) > _LISTED else "")
    raise UsageError(
        f"the mixture has a share of {groups.column} {name!r}, and there is no such row to draw",
        expected=f"values that rows have: {shown}" if listed else "rows to mix",
        hint=nearest(name, known) or _without(mixture, groups, rows),
    )


def _without(mixture: Mixture, groups: MixGroups, rows: NDArray[np.int64]) -> str | None:
    """Return a hint that says the mixture of those values that there are."""
    numbers = {name: groups.number(name) for name in mixture.shares}
    others = {place for place, name in enumerate(groups.names) if name is not None and rows[place]} - {
        *numbers.values()
    }
    there = {
        name: share
        for name, share in mixture.shares.items()
        if (others if name == OTHERS else (number := numbers[name]) is not None and rows[number])
    }
    if not there:
        return None
    scale = math.lcm(*(share.denominator for share in there.values()))
    parts = [int(share * scale) for share in there.values()]
    least = math.gcd(*parts)
    ratio = tuple((name, Fraction(part // least)) for name, part in zip(there, parts, strict=True))
    return f"without it: --mix '{Mixture(mixture.column, ratio, ratio=True)}'"


def _short(file: str) -> tuple[str, str]:
    """Return what a file may be called: its name without what follows the first point, with its folders and without."""
    folder, slash, name = file.rpartition("/")
    stem = name.partition(".")[0]
    return folder + slash + stem, stem
