"""Options of one name: the same option where they are declared alike, and otherwise a clash, which is no one's to win.

Settings are spelt flat, in specs, on the command line and as keywords of `select`, so that a name can have one meaning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from pydantic.fields import FieldInfo

from sage_select.declare.option import option_of, spellings, values_of
from sage_select.declare.settings import Choice, Settings
from sage_select.values.location import location_of

__all__ = ["PARAMETERS", "PROGRAM_OPTIONS", "clashes", "keyword_of"]

#: Settings that are no keywords of `select`, which has parameters of its own for them.
_NO_KEYWORDS: Final = frozenset({"path", "demo", "file", "column", "model", "encoding", "delimiter"})
#: The parameters of `select` that no stage declares.
PARAMETERS: Final = frozenset(
    {
        "data",
        "k",
        "embeddings",
        "scores",
        "probabilities",
        "groups",
        "lengths",
        "seed",
        "verify",
        "cache",
        "threads",
        "progress",
    }
)
#: How the options of `build` are spelt that no stage declares.
PROGRAM_OPTIONS: Final = frozenset(
    {"--balance", "--seed", "--spec", "--force", "--overwrite-foreign", "--verify", "--no-verify", "--explain"}
    | {"--dry-run", "--cache-dir", "--no-cache", "--threads", "--json", "--events", "--quiet", "-q", "--help", "-h"}
)


class _Owner(NamedTuple):
    """A class with options: the stage under which they are spelt, itself, and what holds it, the stage first."""

    stage: type[Settings]
    member: type[Settings]
    holders: tuple[type[Settings], ...]

    @property
    def blamed(self) -> type[Settings]:
        """The class of another package without which this would not stand here."""
        return next((one for one in (self.member, *reversed(self.holders)) if one.package()), self.member)


def clashes(stages: Mapping[str, type[Settings]], latest: type[Settings] | None = None) -> dict[type[Settings], str]:
    """Return the members, stages included, whose options clash with those of others, and how.

    What this package declares comes first, then others by name, and what is declared when all others are known
    (`latest`) last: of two that clash the later is named. One that is named here is as if it were not there to all that
    come after it.
    """
    found: dict[type[Settings], str] = {}
    accepted = _Accepted()
    for owner in sorted(_owners(stages), key=lambda owner: (owner.blamed is latest, *_order(owner))):
        if any(one in found for one in (owner.member, *owner.holders)):
            continue
        fields = owner.member.model_fields.items()
        problem = next((said for name, info in fields if (said := accepted.problem(owner, name, info))), None)
        if problem is not None:
            found[owner.blamed] = problem
            continue
        for name, info in fields:
            accepted.add(owner, name, info)
    return found


def keyword_of(stage: type[Settings], name: str, info: FieldInfo) -> str | None:
    """Return what `select` calls a setting of a stage, as its `keywords` say; None where that is no keyword of it."""
    kind = getattr(stage, "keywords", None)
    if kind == "typed":
        typed = spellings(name, option_of(info), info.annotation)
        return typed[0].partition("/")[0].removeprefix("--").replace("-", "_") if typed else None
    return name if kind == "named" and name not in _NO_KEYWORDS else None


class _Accepted:
    """The options so far."""

    def __init__(self) -> None:
        self._flat: dict[tuple[str, str], tuple[_Owner, FieldInfo]] = {}
        self._typed: dict[str, tuple[_Owner, str]] = {}
        self._keywords: dict[str, _Owner] = {}

    def problem(self, owner: _Owner, name: str, info: FieldInfo) -> str | None:
        """Return how an option clashes with those so far, and what to do about it; None where it does not."""
        holder = next((one for one in owner.holders if name in one.model_fields), None)
        if holder is not None:
            whose = _called(owner.member)
            return f"the option {name!r} of {whose} is one of {_called(holder)} as well: give it another name"
        if (owner.stage.name, name) in self._flat:
            first, declared = self._flat[owner.stage.name, name]
            return _other_meaning(name, info, first, declared)
        return self._typed_alike(name, info) or self._keyword_alike(owner, name, info)

    def _typed_alike(self, name: str, info: FieldInfo) -> str | None:
        for typed in _typed(name, info):
            mine = f"its option {name!r} is typed {typed}"
            if typed in PROGRAM_OPTIONS:
                return f"{mine}, which stands for something else: {_respell(typed)}"
            if typed in self._typed:
                other, setting = self._typed[typed]
                return f"{mine}, and so is {setting!r} of {_called(other.member)}: {_respell(typed)}"
        return None

    def _keyword_alike(self, owner: _Owner, name: str, info: FieldInfo) -> str | None:
        keyword = keyword_of(owner.stage, name, info)
        if keyword is None:
            return None
        mine = f"its option {name!r} is a keyword of select()"
        if keyword in PARAMETERS:
            return f"{mine} that stands for something else: give it another name"
        if keyword in self._keywords:
            return f"{mine}, and so is that of {_called(self._keywords[keyword].member)}: give it another name"
        return None

    def add(self, owner: _Owner, name: str, info: FieldInfo) -> None:
        """Take an option."""
        self._flat.setdefault((owner.stage.name, name), (owner, info))
        for one in _typed(name, info):
            self._typed.setdefault(one, (owner, name))
        if (keyword := keyword_of(owner.stage, name, info)) is not None:
            self._keywords.setdefault(keyword, owner)


def _owners(stages: Mapping[str, type[Settings]]) -> Iterator[_Owner]:
    for stage in stages.values():
        yield from _held(stage, stage, ())


def _held(stage: type[Settings], member: type[Settings], holders: tuple[type[Settings], ...]) -> Iterator[_Owner]:
    """Yield a class and what it may hold; what several may hold, such as an objective, once for each."""
    yield _Owner(stage, member, holders)
    for choice in member.choices().values():
        for one in choice.registry.values():
            yield from _held(stage, one, (*holders, member))


def _order(owner: _Owner) -> tuple[str, str, str]:
    member = owner.blamed
    # Sorting is stable: what this package declares stays in its order, holders before what they hold.
    return (member.package(), member.kind, member.name) if member.package() else ("", "", "")


def _typed(name: str, info: FieldInfo) -> list[str]:
    return [one for spelling in spellings(name, option_of(info), info.annotation) for one in spelling.split("/")]


def _called(member: type[Settings]) -> str:
    label = f"{member.kind} {member.name!r}"
    return f"{label} of the package {member.package()}" if member.package() else label


def _respell(typed: str) -> str:
    return (
        "give it another name, or Option(flag=...)" if typed.startswith("--") else "give it another Option(short=...)"
    )


def _other_meaning(name: str, info: FieldInfo, owner: _Owner, declared: FieldInfo) -> str | None:
    """Return how an option means something else than that of its name which was declared before."""
    said = _difference(info, declared)
    if said is None:
        return None
    mine, other = said
    return (
        f"its option {name!r} is {mine}, and that of {_called(owner.member)} {other}: give it another name, or declare "
        "both alike (type, help, flag)"
    )


def _difference(mine: FieldInfo, other: FieldInfo) -> tuple[str, str] | None:
    """Return how two options of one name differ in what they mean, each in words; None where they mean the same."""
    both = (mine, other)
    if any(option_of(one) is None for one in both):
        same = [_choice(one) for one in both]
        return None if same[0] is not None and same[0] == same[1] else (_type(mine), _type(other))
    if mine.annotation != other.annotation or location_of(mine) != location_of(other):
        return _type(mine), _type(other)
    for what in ("flag", "short", "help"):
        said = [getattr(option_of(one), what) for one in both]
        if said[0] != said[1]:
            first, second = (f"with {what} {text!r}" if text else f"without {what}" for text in said)
            return first, second
    return None


def _choice(info: FieldInfo) -> Any:
    return next((mark.registry for mark in info.metadata if isinstance(mark, Choice)), None)


def _type(info: FieldInfo) -> str:
    if (registry := _choice(info)) is not None:
        return f"one of the {registry.kinds}"
    if words := values_of(info.annotation):
        return "one of " + ", ".join(words)
    said = getattr(info.annotation, "__name__", None) if isinstance(info.annotation, type) else str(info.annotation)
    named = str(said).replace("typing.", "")
    return f"{named}, the name of a file or model" if location_of(info) is not None else named
