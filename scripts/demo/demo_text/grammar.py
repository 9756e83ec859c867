"""Templates: `(a|b|)` picks an alternative, `{name}` takes a value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from random import Random

__all__ = ["choose", "fill", "holes", "listed"]

_ALTERNATIVES = re.compile(r"\(([^()]*)\)")
_HOLE = re.compile(r"\{(\w+)\}")
_SPACES = re.compile(r" {2,}")


def choose(template: str, rng: Random) -> str:
    """Return `template` with one alternative chosen in each group; groups do not nest.

    Examples
    --------
    >>> choose("(go|drive) to {city}", Random(1)) in ("go to {city}", "drive to {city}")
    True
    """
    chosen = _ALTERNATIVES.sub(lambda group: rng.choice(group[1].split("|")), template)
    return _SPACES.sub(" ", chosen).strip()


def fill(template: str, values: Mapping[str, str]) -> str:
    """Return `template` with every hole filled.

    Examples
    --------
    >>> fill("go to {city}", {"city": "Oslo"})
    'go to Oslo'
    """
    return _HOLE.sub(lambda hole: values[hole[1]], template)


def holes(template: str) -> tuple[str, ...]:
    """Return the names of the holes of `template`, in order.

    Examples
    --------
    >>> holes("from {origin} to {destination}")
    ('origin', 'destination')
    """
    return tuple(_HOLE.findall(template))


def listed(text: str) -> tuple[str, ...]:
    """Return the words of `text`.

    Examples
    --------
    >>> listed("red green")
    ('red', 'green')
    """
    return tuple(text.split())
