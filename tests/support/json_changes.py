"""What is refused where a column changes its type: the plain twin of the errors of the Rust reader."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tests.support.json_kinds import KINDS, Kind, is_inexact

from sage_select.errors import DataError, Where

__all__ = ["INEXACT", "changed_type", "family", "holds", "type_change"]

#: The label of whole numbers that a 64-bit float cannot hold.
INEXACT: Final = "inexact"
_NUMBERS: Final = frozenset({Kind.INT, Kind.FLOAT})


def holds(label: Kind | str, value: Any) -> bool:
    """Tell whether a value is of the kind, or for `INEXACT` is such a number."""
    if label == INEXACT:
        return type(value) is int and is_inexact(value)
    return KINDS.get(type(value)) is label


def family(kind: Kind) -> Kind:
    """Return the kind that stands for all those that go together in a column."""
    return Kind.FLOAT if kind is Kind.INT else kind


def changed_type(kind: Kind, where: Where, before: Kind, earlier: Where) -> DataError:
    """Return the error for a value of another kind than a column has had so far."""
    return DataError(
        "a column changes its type",
        where=where,
        expected=f"{before.value}, as in {_place(earlier, where)}",
        got=kind.value,
    )


def type_change(first: Mapping[Kind | str, Where]) -> DataError:
    """Return the error for a column whose kinds first appear at the given places, in that order."""
    earlier: list[Kind | str] = []
    for label, where in first.items():
        for before in earlier:
            if {label, before} == {INEXACT, Kind.FLOAT}:
                return DataError(
                    "a column of decimal numbers holds a whole number that a 64-bit float cannot hold exactly",
                    where=where,
                    hint=f"see also {_place(first[before], where)}; give the numbers as strings",
                )
            if isinstance(label, Kind) and isinstance(before, Kind) and not {label, before} <= _NUMBERS:
                return changed_type(label, where, before, first[before])
        earlier.append(label)
    raise AssertionError("the kinds of the column agree")


def _place(where: Where, other: Where) -> str:
    place = f"row {where.row}" if where.line is None else f"line {where.line}"
    return place if where.file == other.file else f"{where.file}, {place}"
