"""Settings as frozen values: what is declared once is checked, and spelt flat in specs and on the command line."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import InitErrorDetails, PydanticCustomError

from sage_select.declare.option import option_of
from sage_select.declare.problems import named_problems
from sage_select.display import is_url, without_secrets
from sage_select.errors import UsageError
from sage_select.values.location import InputSetting, Reads, Writes, location_of

if TYPE_CHECKING:
    from sage_select.declare.registry import Registry

__all__ = ["Choice", "Settings", "exclusive"]


@dataclass(frozen=True)
class Choice:
    """Marks a field that holds a member of a registry: `strategy: Annotated[Strategy, Choice(STRATEGIES, "auto")]`.

    The name of the member and its settings are spelt flat, beside the others: `strategy: hybrid`, `score_share: 0.5`.

    Attributes
    ----------
    registry
        What there is to choose from.
    default
        The name of the member that is taken where nothing is said.
    help
        What is chosen, in a phrase.
    """

    registry: Registry[Any]
    default: str
    help: str = ""

    def implying(self) -> list[str]:
        """Return the options that imply a member, of which at most one is given."""
        return [member.implied_by for member in self.registry.values() if member.implied_by is not None]

    def named(self, name: str, flat: Mapping[str, Any]) -> Any:
        """Return the member that flat settings name, by an option that implies it as well, or that by default."""
        implied = (one for one, member in self.registry.items() if flat.get(member.implied_by or "") is not None)
        return flat[name] if flat.get(name) is not None else next(implied, self.default)


class Settings(BaseModel):
    """The settings of a stage, or of a member of a registry, as a value that never changes.

    Unknown settings are errors, and so are settings that are given, whatever their value, and do not count beside the
    others (`Option.when`) or belong to another member than the chosen one. The first line of the docstring of a
    subclass is its help.

    Attributes
    ----------
    name, kind
        What specs call it, and what kind of thing it is in messages: set where it is registered.
    place
        Where it stands in lists: the lower, the earlier.
    implied_by
        The option by which this member of a registry is chosen where none is named.
    version
        Counts changes of meaning: part of the fingerprint, so that a result made under an older meaning is not taken
        for a current one. Of a member of another package that declares none no result is taken again.
    held
        Whether what it computes is held in the cache: it has its values from `Run.blocks`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True, defer_build=True)

    name: ClassVar[str] = ""
    kind: ClassVar[str] = ""
    place: ClassVar[int] = 50
    version: ClassVar[int] = 1
    implied_by: ClassVar[str | None] = None
    held: ClassVar[bool] = False

    def __init__(self, **settings: Any) -> None:
        own, problems = _gathered(type(self), settings)
        try:
            super().__init__(**own)
        except ValidationError as error:
            # Of a member that could not be made it is said already why.
            missing = {name for name in _choices(type(self)) if name not in own}
            problems += [one for one in _details(error) if not one.get("loc") or one["loc"][0] not in missing]
        if problems:
            raise ValidationError.from_exception_data(type(self).__name__, problems)

    @classmethod
    def make(cls, **settings: Any) -> Self:
        """Return the value with these settings; those that are None keep their default.

        Raises
        ------
        UsageError
            If a setting is unknown or out of range, or two do not go together.
        """
        return cls.of(settings)

    @classmethod
    def of(cls, settings: Mapping[str, Any], names: Mapping[str, str] | None = None) -> Self:
        """Return the value with these settings, as `make` does; an error calls them by `names`, where they have others.

        Raises
        ------
        UsageError
            As `make`.
        """
        try:
            return cls(**{name: value for name, value in settings.items() if value is not None})
        except ValidationError as error:
            raise UsageError("; ".join(named_problems(error, names or {}))) from None

    @classmethod
    def summary(cls) -> str:
        """Return the help: the first line of the docstring, without its full stop."""
        return (cls.__doc__ or "").strip().partition("\n")[0].rstrip(".")

    @classmethod
    def package(cls) -> str:
        """Return the package that declares it, empty for this one."""
        return cls.__module__.partition(".")[0] if _of_other_package(cls) else ""

    @classmethod
    def declaration_problem(cls) -> tuple[str, str | None] | None:
        """Return what else is wrong with the declaration of a member, and what is expected; None where nothing is."""
        return None

    @classmethod
    def versioned(cls) -> bool:
        """Return whether its results can be known again: those of another package by the version that it declares.

        The code of a class is no part of what a result is known by: an edit that changes nothing would void it, and one
        in what it calls would not.
        """
        theirs = list(itertools.takewhile(_of_other_package, cls.__mro__))
        return not theirs or any("version" in vars(kind) for kind in theirs)

    @classmethod
    def choices(cls) -> dict[str, Choice]:
        """Return the fields that hold members of a registry."""
        return _choices(cls)

    @classmethod
    def options(cls) -> dict[str, FieldInfo]:
        """Return the fields that this class may be given flat, those of the members it can hold included."""
        found: dict[str, FieldInfo] = {}
        for owner in cls.owners():
            for name, info in owner.model_fields.items():
                found.setdefault(name, info)
        return found

    @classmethod
    def owners(cls) -> Iterator[type[Settings]]:
        """Yield this class and all whose settings may stand flat beside its own."""
        yield cls
        for choice in _choices(cls).values():
            for member in choice.registry.values():
                yield from member.owners()

    @model_validator(mode="after")
    def _unused_options(self) -> Self:
        given = [name for name in Settings.unused_options(self) if name in self.model_fields_set]
        if given:
            option = option_of(type(self).model_fields[given[0]])
            when = " and ".join(f"{name} {str(getattr(self, name))!r}" for name in (option.when if option else {}))
            raise _error(f"{self.label} with {when} does not use {', '.join(given)}", given)
        return self

    @model_validator(mode="after")
    def _at_most_one(self) -> Self:
        for names in exclusive(type(self)).values():
            given = [name for name in names if getattr(self, name)]
            if len(given) > 1:
                raise _error(f"give at most one of {', '.join(names[:-1])} and {names[-1]}", given)
        return self

    @property
    def label(self) -> str:
        """What messages call it: `strategy 'hybrid'`."""
        return self.name if self.kind in ("", "stage") else f"{self.kind} {self.name!r}"

    @property
    def called(self) -> str:
        """What errors call it, its kind in any case: `stage 'dedup'`."""
        return f"{self.kind} {self.name!r}"

    def unused_options(self) -> list[str]:
        """Return the settings that do not count beside the others."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        marks = ((name, option_of(info)) for name, info in type(self).model_fields.items())
        return [name for name, option in marks if option is not None and not option.counts(values)]

    def members(self) -> Iterator[Settings]:
        """Yield this and all that it holds."""
        yield self
        for name in _choices(type(self)):
            yield from getattr(self, name).members()

    def settings(self) -> dict[str, Any]:
        """Return the settings that count, flat and as plain values that make the same again."""
        choices = _choices(type(self))
        own = self.model_dump(mode="json", exclude_none=True, exclude={*self.unused_options(), *choices})
        flat: dict[str, Any] = {}
        for name in type(self).model_fields:
            if name in choices:
                flat |= {name: getattr(self, name).name, **getattr(self, name).settings()}
            elif name in own:
                flat[name] = own[name]
        return flat

    def given_settings(self) -> dict[str, Any]:
        """Return `settings()` without those that nobody set, the members that are held apart."""
        given = self._given()
        return {name: value for name, value in self.settings().items() if name in given}

    def inputs(self) -> list[InputSetting]:
        """Return everything that is read: the fields marked with `Reads`, one entry a value."""
        return [
            InputSetting(f"{self.name}.{name}", mark.kind, one)
            for member in self.members()
            for name, mark, values in member._locations()
            if isinstance(mark, Reads)
            for one in values
        ]

    def changed(self, **settings: Any) -> Self:
        """Return the value with other settings, checked; a setting of a member is named flat."""
        return type(self)(**{**self._given(), **settings})

    def relocated(self, place: Callable[[str, Reads | Writes], str]) -> Self:
        """Return the value with every location that was set put elsewhere: `place` of its name and its mark."""
        moved: dict[str, Any] = {}
        for name, mark, values in self._locations():
            if name in self.model_fields_set:
                placed = [place(one, mark) for one in values]
                moved[name] = placed[0] if isinstance(getattr(self, name), str) else type(getattr(self, name))(placed)
        for name in _choices(type(self)):
            moved[name] = getattr(self, name).relocated(place)
        return self.model_copy(update=moved) if moved else self

    def shown_settings(self) -> dict[str, Any]:
        """Return `settings()` as a manifest may hold them: URLs without credentials."""
        return self.relocated(lambda text, _: without_secrets(text) if is_url(text) else text).settings()

    def describe(self) -> str:
        """Return one line that says what it does: its help, and the options that were set."""
        own = self.model_dump(mode="json", include=self.model_fields_set - _choices(type(self)).keys())
        return ", ".join([self.summary(), *(f"{name} {value}" for name, value in own.items())])

    def _given(self) -> dict[str, Any]:
        """Return the settings that were set, flat, as they are."""
        choices, flat = _choices(type(self)), dict[str, Any]()
        for name in type(self).model_fields:
            if name in choices:
                flat |= {name: getattr(self, name).name, **getattr(self, name)._given()}
            elif name in self.model_fields_set:
                flat[name] = getattr(self, name)
        return flat

    def _locations(self) -> list[tuple[str, Reads | Writes, list[str]]]:
        """Return the fields that name files, folders, URLs or models: name, mark and values."""
        found = []
        for name, info in type(self).model_fields.items():
            value, mark = getattr(self, name), location_of(info)
            if mark is not None and value is not None:
                found.append((name, mark, [value] if isinstance(value, str) else [str(one) for one in value]))
        return found


def exclusive(cls: type[Settings]) -> dict[str, list[str]]:
    """Return the settings of a class of which at most one is given, by what they have in common."""
    groups: dict[str, list[str]] = {}
    for name, info in cls.model_fields.items():
        option = option_of(info)
        if option is not None and option.one_of is not None:
            groups.setdefault(option.one_of, []).append(name)
    return groups


def _of_other_package(kind: type) -> bool:
    return kind.__module__.partition(".")[0] != __name__.partition(".")[0]


@cache
def _choices(cls: type[Settings]) -> dict[str, Choice]:
    """Return the fields of a class that hold members of a registry."""
    marks = {name: [one for one in info.metadata if isinstance(one, Choice)] for name, info in cls.model_fields.items()}
    return {name: found[0] for name, found in marks.items() if found}


def _gathered(cls: type[Settings], flat: Mapping[str, Any]) -> tuple[dict[str, Any], list[InitErrorDetails]]:
    """Return flat settings as those of the class, members made of theirs; and what is wrong with the latter."""
    choices = _choices(cls)
    own = {name: value for name, value in flat.items() if name in cls.model_fields and name not in choices}
    rest = {name: value for name, value in flat.items() if name not in cls.model_fields}
    problems: list[InitErrorDetails] = []
    for name, choice in choices.items():
        implied = [one for one in choice.implying() if flat.get(one) is not None]
        if len(implied) > 1:
            *first, last = choice.implying()
            problems.append(_problem("", f"give at most one of {', '.join(first)} and {last}", None, implied))
            rest = {one: value for one, value in rest.items() if one not in implied}
            continue
        chosen = choice.named(name, flat)
        if isinstance(chosen, Settings):
            own[name] = chosen
            continue
        try:
            member = choice.registry.need(chosen)
        except UsageError as error:
            problems.append(_problem(name, error.message, chosen))
            rest = {one: value for one, value in rest.items() if not _users(choice.registry, one)}
            continue
        options = member.options()
        theirs = {one: rest.pop(one) for one in list(rest) if one in options}
        others = [one for one in rest if _users(choice.registry, one)]
        rest = {one: value for one, value in rest.items() if one not in others}
        if others:
            users = _named_users(choice.registry, others)
            text = f"{choice.registry.kind} {member.name!r} does not use {', '.join(others)}{users}"
            problems.append(_problem("", text, None, others))
        try:
            own[name] = member(**theirs)
        except ValidationError as error:
            problems += [_named_missing(member, one) for one in _details(error)]
    return {**own, **rest}, problems


def _users(registry: Registry[Any], option: str) -> list[str]:
    return [name for name, member in registry.items() if option in member.options()]


def _named_users(registry: Registry[Any], options: list[str]) -> str:
    names = [name for name, member in registry.items() if member.options().keys() >= set(options)]
    if not names:
        return ""
    *others, last = names
    return f"; {', '.join(others)} and {last} do" if others else f"; {last} does"


def _error(text: str, settings: Sequence[str] = ()) -> PydanticCustomError:
    """Return the error for settings that do not go together: whoever knows where they stand finds their names."""
    return PydanticCustomError("value_error", "{text}", {"text": text, "settings": tuple(settings)})


def _problem(name: str, text: str, value: Any, settings: Sequence[str] = ()) -> InitErrorDetails:
    return InitErrorDetails(type=_error(text, settings), loc=(name,) if name else (), input=value)


def _named_missing(member: type[Settings], problem: InitErrorDetails) -> InitErrorDetails:
    """Return the problem; that a member lacks an option which it must have says whose it is, and what for."""
    if not isinstance(problem["type"], PydanticCustomError) or problem["type"].type != "missing":
        return problem
    name = str(problem["loc"][0])
    option = option_of(member.model_fields[name])
    return _problem("", f"{member.kind} {member.name!r} needs {name}, {option.help if option else 'a value'}", None)


def _details(error: ValidationError) -> list[InitErrorDetails]:
    """Return what is wrong as it can be raised again, together with other problems."""
    details = []
    for one in error.errors(include_url=False):
        text = str(one["msg"]).removeprefix("Value error, ")
        context = {"text": text, "settings": one.get("ctx", {}).get("settings", ())}
        kind = PydanticCustomError(one["type"], "{text}", context)
        details.append(InitErrorDetails(type=kind, loc=one["loc"], input=one["input"]))
    return details
