"""Whether a class that is to be a member of a registry is declared as one: refused where it is declared, not in use."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn, get_args, get_origin

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic.fields import FieldInfo

from sage_select.declare.option import Option, option_of, values_of
from sage_select.declare.problems import said_of
from sage_select.declare.traits import expected, fitting, traits_of
from sage_select.errors import UsageError, nearest

if TYPE_CHECKING:
    from sage_select.declare.registry import Registry
    from sage_select.declare.settings import Settings

__all__ = ["check", "declare"]

#: What nothing on a command line stands for.
_UNTYPED: Final = (Mapping, BaseModel)
_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
_FLAG: Final = re.compile(r"--[a-z][a-z0-9-]*(/--[a-z][a-z0-9-]*)?")
_SHORT: Final = re.compile(r"-[A-Za-z0-9]")


def declare(registry: Registry[Any], name: str, member: type[Settings], traits: Mapping[str, Any]) -> None:
    """Give a class its name and traits, and check what it declares: of another package, all of it.

    Members of this package are checked by its tests (`check`): to look at them all would take longer than what most
    programs do with them.

    Raises
    ------
    UsageError
        If something about it is not as a member of the registry declares it, with what was expected.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is no name for a {registry.kind}",
            expected="lower-case letters, digits and _, a letter first",
            hint=f'@{registry.kind}("longest") stands above the class',
        )
    if not isinstance(member, type) or not issubclass(member, registry.base):
        raise UsageError(
            f"{registry.kind} {name!r} is no {registry.base.__name__}",
            expected=f"class {getattr(member, '__name__', 'Mine')}({registry.base.__name__})",
            got=repr(member),
        )
    fault = _Fault(registry, name, member)
    if not member.__doc__ or not member.summary():
        fault("has no docstring", expected='a first line that says what it does: """The longest rows."""')
    _check_traits(fault, {"name": name, "kind": registry.kind, **traits})
    if fault.foreign:
        check(registry, name, member)


def check(registry: Registry[Any], name: str, member: type[Settings]) -> None:
    """Check the options and methods of a class that has its name and traits.

    Raises
    ------
    UsageError
        As `declare`.
    """
    fault = _Fault(registry, name, member)
    _check_complete(fault)
    for setting, info in member.model_fields.items():
        if setting not in member.choices():
            _check_option(fault, setting, info)
    _check_methods(fault)
    if member.implied_by is not None and member.implied_by not in member.model_fields:
        fault(f"is implied by {member.implied_by!r}, which is no option of it", expected=_options(member))
    if (problem := member.declaration_problem()) is not None:
        fault(problem[0], expected=problem[1])


class _Fault:
    """Raises what is wrong with a member, by its name."""

    def __init__(self, registry: Registry[Any], name: str, member: type[Settings]) -> None:
        self.registry, self.name, self.member = registry, name, member

    def __call__(
        self, what: str, *, expected: str | None = None, got: object = ..., hint: str | None = None
    ) -> NoReturn:
        raise UsageError(
            f"{self.registry.kind} {self.name!r} {what}",
            expected=expected,
            got=None if got is ... else repr(got),
            hint=hint,
        )

    @property
    def foreign(self) -> bool:
        return bool(self.member.package())


def _check_traits(fault: _Fault, given: Mapping[str, Any]) -> None:
    """Set the traits that the decorator names, and check these and what the body of the class says."""
    known, member = traits_of(fault.registry.base), fault.member
    for trait in given:
        if trait not in known:
            names = sorted(set(known) - {"name", "kind"})
            near = nearest(trait, names)
            fault(f"cannot be told {trait!r}", expected=" or ".join(names), hint=near)
    for trait, kind in known.items():
        value = given.get(trait, getattr(member, trait))
        try:
            value = fitting(value, kind)
        except TypeError:
            words = values_of(kind)
            hint = nearest(value, words) if isinstance(value, str) and words else None
            fault(f"has another {trait} than there is", expected=expected(kind), got=value, hint=hint)
        if trait in given or value is not getattr(member, trait):
            setattr(member, trait, value)


def _check_complete(fault: _Fault) -> None:
    """Refuse types that are known to type checkers only."""
    if fault.member.__pydantic_complete__:
        return
    try:
        fault.member.model_rebuild()
    except (PydanticUserError, NameError) as error:
        fault(
            f"has an option whose type is not known when it runs: {str(error).partition(chr(10))[0]}",
            hint="import the type outside `if TYPE_CHECKING`",
        )


def _check_option(fault: _Fault, setting: str, info: FieldInfo) -> None:
    option, member = option_of(info), fault.member
    whose = f"has an option {setting!r}"
    if option is None:
        fault(f"{whose} without an Option", expected=f'{setting}: Annotated[TYPE, Option("what it is for")] = DEFAULT')
    if not isinstance(option.help, str) or not option.help:
        fault(f"{whose} without help", expected='Option("what it is for")', got=option.help)
    if setting in _taken(fault.registry.base):
        fault(f"{whose}, a name that every {fault.registry.kind} has for something else", hint="call it otherwise")
    for other, values in option.when.items():
        words = values_of(member.model_fields[other].annotation) if other in member.model_fields else []
        if other not in member.model_fields:
            fault(f"{whose} that counts with {other!r}, which is no option of it", expected=_options(member))
        for value in (values,) if isinstance(values, str) else values:
            if words and value not in words:
                fault(f"{whose} that counts with another {other} than there is", expected=" or ".join(words), got=value)
    _check_spelling(fault, whose, option, info)
    if fault.foreign and not info.is_required():
        _check_default(fault, whose, info)


def _check_spelling(fault: _Fault, whose: str, option: Option, info: FieldInfo) -> None:
    if fault.foreign and option.flag and not _FLAG.fullmatch(option.flag):
        fault(f"{whose} with another flag than can be typed", expected="--name, or --name/--no-name", got=option.flag)
    if option.short is not None and not _SHORT.fullmatch(option.short):
        fault(f"{whose} with another short flag than can be typed", expected="- and one letter", got=option.short)
    if option.metavar is not None and not isinstance(option.metavar, str):
        fault(f"{whose} with a metavar that is no text", expected="a word, such as FILE", got=option.metavar)
    kinds = [get_origin(one) or one for one in (info.annotation, *get_args(info.annotation))]
    if (
        fault.foreign
        and option.flag != ""
        and any(isinstance(one, type) and issubclass(one, _UNTYPED) for one in kinds)
    ):
        fault(f"{whose} of a kind that cannot be typed", expected='Option(flag=""): then specs and programs set it')
    both = option.flag is not None and "/" in option.flag
    if both and info.annotation not in (bool, bool | None):
        fault(f"{whose} with two spellings, and it is neither true nor false", expected="--name", got=option.flag)
    if info.annotation is bool and info.default is True and option.flag and not both:
        fault(
            f"{whose}, on unless something else is said, and nothing says it",
            expected="--name/--no-name",
            got=option.flag,
        )


def _check_default(fault: _Fault, whose: str, info: FieldInfo) -> None:
    try:
        kind: Any = Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation
        finite = ConfigDict(allow_inf_nan=False)
        TypeAdapter(kind, config=finite).validate_python(info.get_default(call_default_factory=True))
    except ValidationError as error:
        problem = dict(error.errors(include_url=False, include_context=False)[0])
        fault(f"{whose} whose default it refuses itself: {said_of(problem).text}")


@cache
def _taken(base: Any) -> frozenset[str]:
    """Return the names that options cannot have; a stage may say by an option how it compares vectors."""
    return frozenset(name for name in dir(base) if not name.startswith("_")) - {"metric"} | {"options", "steps"}


def _check_methods(fault: _Fault) -> None:
    """Refuse methods that are missing, or cannot be called as those of the base are."""
    base, member = fault.registry.base, fault.member
    missing = sorted(member.__abstractmethods__)
    if missing:
        expected = f"def {missing[0]}{_call(getattr(base, missing[0]))}"
        fault(f"has no method {missing[0]!r}", expected=expected)
    kinds = member.__mro__[: member.__mro__.index(base)]
    # Only what the member brings itself: looking all up takes a tenth of a second.
    for name in sorted(
        {name for kind in kinds for name in vars(kind) if not name.startswith("_") and hasattr(base, name)}
    ):
        declared, own = inspect.getattr_static(base, name), inspect.getattr_static(member, name)
        if isinstance(declared, property) and not hasattr(own, "__get__"):
            fault(f"has {name!r} as a value", expected=f"@property above def {name}(self)")
        if isinstance(declared, property) and inspect.isfunction(own):
            fault(f"has {name!r} as a method", expected=f"@property above def {name}(self)")
        if inspect.isfunction(declared) and not (inspect.isfunction(own) and _callable_as(own, declared)):
            fault(f"has another {name!r} than is called", expected=f"def {name}{_call(declared)}")


def _callable_as(own: Any, declared: Any) -> bool:
    """Tell whether a method can be called as another is."""
    parameters = inspect.signature(declared).parameters.values()
    positional = [None for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD]
    try:
        inspect.signature(own).bind(
            *positional, **{one.name: None for one in parameters if one.kind is one.KEYWORD_ONLY}
        )
    except TypeError:
        return False
    return True


def _call(declared: Any) -> str:
    """Return the parameters of a method, without their types."""
    parameters = inspect.signature(declared).parameters.values()
    return str(inspect.Signature([one.replace(annotation=one.empty) for one in parameters]))


def _options(member: type[Settings]) -> str:
    return " or ".join(member.model_fields) or "an option that it has"
