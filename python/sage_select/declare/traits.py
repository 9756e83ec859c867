"""The class attributes by which a member of a registry says what it is, checked against how its base declares them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import NoneType, UnionType
from typing import Any, ClassVar, Final, Literal, Union, get_args, get_origin, get_type_hints

__all__ = ["expected", "fitting", "traits_of"]

_PLAIN: Final[Mapping[Any, str]] = {bool: "True or False", int: "a whole number", str: "text", NoneType: "None"}


@cache
def traits_of(base: Any) -> dict[str, Any]:
    """Return the class attributes that a base declares, with their types."""
    found: dict[str, Any] = {}
    for one in base.__mro__:
        texts = {
            name: text
            for name, text in vars(one).get("__annotations__", {}).items()
            if str(text).startswith("ClassVar") and not name.startswith("_")
        }
        # Of these alone: other annotations may name what is known to type checkers only.
        hints = get_type_hints(type(one.__name__, (), {"__annotations__": texts, "__module__": one.__module__}))
        found |= {name: hint for name, hint in _inner(hints).items() if name not in found}
    return found


def fitting(value: Any, kind: Any) -> Any:
    """Return a value as a class attribute of this type: a list as the set or tuple that is meant.

    Raises
    ------
    TypeError
        If it is of another type.
    """
    origin = get_origin(kind)
    if origin in (frozenset, tuple):
        if not isinstance(value, set | frozenset | list | tuple):
            raise TypeError
        return origin(fitting(one, get_args(kind)[0]) for one in value)
    if origin in (Union, UnionType):
        for one in get_args(kind):
            try:
                return fitting(value, one)
            except TypeError:
                continue
        raise TypeError
    # True is a number to Python, and equal to 1.
    known = value in get_args(kind) if origin is Literal and isinstance(value, str) else type(value) is kind
    if not known:
        raise TypeError
    return value


def expected(kind: Any) -> str:
    """Return what a message says is expected of a class attribute."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Literal:
        *others, last = (repr(one) for one in inner)
        return f"{', '.join(others)} or {last}" if others else last
    if origin in (frozenset, tuple):
        of = "names" if inner[0] is str else expected(inner[0])
        return f"a {'set' if origin is frozenset else 'tuple'} of {of}"
    if origin in (Union, UnionType):
        return " or ".join(expected(one) for one in inner)
    return _PLAIN.get(kind, str(kind))


def _inner(hints: Mapping[str, Any]) -> dict[str, Any]:
    return {name: get_args(hint)[0] for name, hint in hints.items() if get_origin(hint) is ClassVar}
