"""What specs of version 1 may say that means nothing: it was passed over when there were fewer rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic.fields import FieldInfo

from sage_select.declare.option import option_of
from sage_select.declare.settings import Choice, Settings

__all__ = ["without_idle_defaults"]


def without_idle_defaults(kind: type[Settings], flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a step without those that nothing uses and that say what holds anyway.

    On the command line and in Python these are errors, as are all other options that nothing uses; specs that say so
    were read before, and still are. Options of other packages were never among them.
    """
    used = {name: info for one in _chosen(kind, flat) for name, info in one.model_fields.items()}
    values = {**{name: info.default for name, info in used.items()}, **flat}
    return {name: value for name, value in flat.items() if not _is_idle(kind, used, values, name, value)}


def _is_idle(
    kind: type[Settings], used: Mapping[str, FieldInfo], values: Mapping[str, Any], name: str, value: Any
) -> bool:
    fields = [one.model_fields[name] for one in kind.owners() if name in one.model_fields and not one.package()]
    if not fields:
        return False
    info = used.get(name, fields[0])
    choice = next((mark for mark in info.metadata if isinstance(mark, Choice)), None)
    if str(value) != str(info.default if choice is None else choice.default):
        return False
    option = option_of(info)
    return name not in used or (option is not None and not option.counts(values))


def _chosen(kind: type[Settings], flat: Mapping[str, Any]) -> Iterator[type[Settings]]:
    """Yield a class and the members that flat settings choose for it, as far as there are such."""
    yield kind
    for name, choice in kind.choices().items():
        chosen = choice.named(name, flat)
        if isinstance(chosen, str) and chosen in choice.registry:
            yield from _chosen(choice.registry[chosen], flat)
