"""An option: what a setting means, from when on it counts, and what the command line calls it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin

from annotated_types import Ge, GroupedMetadata, Gt, Le, Lt
from pydantic.fields import FieldInfo

__all__ = ["Option", "by_user", "option_of", "spellings", "values_of"]


#: From here on a whole number is told by its power of ten.
_LARGE: Final = 1e9


@dataclass(frozen=True)
class Option(GroupedMetadata):
    """What a setting is for, said once: `Annotated[float, Option("share of rows to leave out", ge=0, lt=1)] = 0.05`.

    The flag with its help, the key of a spec, the JSON schema, the keyword of `select()` and the tables of the docs are
    derived from it.

    Attributes
    ----------
    help
        What it does, in a phrase; a full stop at its end is taken off.
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
    example
        A value to begin with, where not any of its type will do.
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
    example: Any = None
    default: str | None = None
    one_of: str | None = None
    switchable: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.help, str):
            object.__setattr__(self, "help", " ".join(self.help.split()).removesuffix("."))

    @property
    def range(self) -> str:
        """What a number lies between, as the help shows it: `0<=x<1`, `x>=1`; empty without bounds."""
        low, high = self.gt if self.ge is None else self.ge, self.lt if self.le is None else self.le
        if high is not None:
            above = "" if low is None else f"{_shown(low)}{'<' if self.ge is None else '<='}"
            return f"{above}x{'<' if self.le is None else '<='}{_shown(high)}"
        return "" if low is None else f"x{'>' if self.ge is None else '>='}{_shown(low)}"

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


def _shown(bound: float) -> str:
    return f"{bound:,.0f}" if bound == int(bound) and abs(bound) < _LARGE else f"{bound:g}"


def by_user(said: Mapping[str, str | None]) -> str:
    """Return what is said of a setting for each of its users, their names beside it where it differs.

    Examples
    --------
    >>> by_user({"hybrid": "stratified", "loss_topk": "top"}), by_user({"kcenter": "0.05", "mmr": "0.05"})
    ('stratified in hybrid, top in loss_topk', '0.05')
    """
    users: dict[str, list[str]] = {}
    for name, text in said.items():
        if text is not None:
            users.setdefault(text, []).append(name)
    return ", ".join(f"{text} in {' and '.join(names)}" if len(users) > 1 else text for text, names in users.items())


def values_of(annotation: Any) -> list[str]:
    """Return the words that an option of this type takes; none where it takes others as well.

    Examples
    --------
    >>> values_of(Literal["cosine", "dot"] | None)
    ['cosine', 'dot']
    """
    if get_origin(annotation) is Literal:
        return [str(value) for value in get_args(annotation) if value is not None]
    if get_origin(annotation) in (Union, UnionType):
        kinds = [one for one in get_args(annotation) if one is not type(None)]
        return values_of(kinds[0]) if len(kinds) == 1 else []
    return []


def option_of(info: FieldInfo) -> Option | None:
    """Return the option that a field declares, or None where it is none; of several the last, nearest to the field."""
    return next((mark for mark in reversed(info.metadata) if isinstance(mark, Option)), None)


def spellings(name: str, option: Option | None, annotation: Any) -> list[str]:
    """Return how an option is typed on the command line, its long spelling first; nothing where it is not."""
    if option is not None and option.flag == "":
        return []
    flag = option.flag if option is not None else None
    if flag is None:
        flag = "--" + name.replace("_", "-")
        if annotation is bool:
            flag += "/--no-" + name.replace("_", "-")
    return [flag, *([option.short] if option is not None and option.short else [])]
