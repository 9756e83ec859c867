"""An option: what a setting means, from when on it counts, and what the command line calls it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from annotated_types import Ge, GroupedMetadata, Gt, Le, Lt
from pydantic.fields import FieldInfo

__all__ = ["Option", "option_of"]


@dataclass(frozen=True)
class Option(GroupedMetadata):
    """What a setting is for, said once: `Annotated[float, Option("share of rows to leave out", ge=0, lt=1)] = 0.05`.

    The flag with its help, the key of a spec, the JSON schema, the keyword of `select()` and the tables of the docs are
    derived from it.

    Attributes
    ----------
    help
        What it does, in a phrase that ends with no full stop.
    ge, gt, le, lt
        Within which bounds a number lies.
    when
        Other settings of the same member, and the values with which this one counts: `{"mode": "near"}`, or several,
        `{"mode": ("near", "exact")}`. Otherwise it is unused, and set to something else an error.
    flag
        What the command line calls it, `--name-of-the-setting` where nothing else is said; of a truth value the two
        spellings, `--rows/--no-rows`. Empty where only specs and programs set it.
    short
        A short spelling on the command line, such as -k.
    metavar
        What stands for the value in the help, such as FILE.
    default
        The default in words, where the value itself says little.
    one_of
        A name for settings of which at most one is given; on the command line one takes the place of another of a spec.
    switchable
        Whether the command line switches the setting of a spec off by the word none.
    """

    help: str
    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None
    when: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    flag: str | None = None
    short: str | None = None
    metavar: str | None = None
    default: str | None = None
    one_of: str | None = None
    switchable: bool = False

    def __iter__(self) -> Iterator[Any]:
        """Yield the bounds, as the library that checks settings takes them."""
        bounds = ((Ge, self.ge), (Gt, self.gt), (Le, self.le), (Lt, self.lt))
        return (bound(value) for bound, value in bounds if value is not None)

    def __hash__(self) -> int:
        return hash((self.help, self.flag))

    def counts(self, settings: Mapping[str, object]) -> bool:
        """Return whether the setting counts beside these."""
        return all(
            str(settings[name]) in ((values,) if isinstance(values, str) else values)
            for name, values in self.when.items()
        )


def option_of(info: FieldInfo) -> Option | None:
    """Return the option that a field declares, or None where it is none; of several the last, nearest to the field."""
    return next((mark for mark in reversed(info.metadata) if isinstance(mark, Option)), None)
