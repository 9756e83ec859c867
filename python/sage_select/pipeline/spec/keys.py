"""The keys that a step of a spec may have, derived from what stages and their members declare.

The JSON schema, docs/spec.md and the specs that `sage-select init` writes tell of the same keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import TypeAdapter
from pydantic.errors import PydanticInvalidForJsonSchema
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from sage_select.declare.option import Option, by_user, option_of
from sage_select.declare.settings import Choice, Settings
from sage_select.pipeline.stage import Stage

__all__ = ["Key", "keys_of"]

_KINDS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "settings by their names",
}


@dataclass(frozen=True)
class Key:
    """A key of a step.

    Attributes
    ----------
    name, help
        What it is called, and what it is for.
    schema
        The JSON schema of its value, without help and default.
    default
        Its default in words, with the members whose it is where they differ; empty where there is none.
    value
        The default as a plain value; None where there is none, or where it differs.
    range
        What a number lies between: `0<=x<1`.
    users
        The members that use it, `strategy hybrid`; none where it is the step's own.
    needed
        Whether whoever uses it must give it.
    when
        Other keys, and the values with which it counts.
    metavar, example
        What stands for a value, such as FILE; and a value to begin with, None where any of its type will do.
    short
        Whether it is among the few that have a short spelling on the command line.
    members
        What may be chosen by it, where it chooses a member of a registry: name -> what that does.
    """

    name: str
    help: str
    schema: Mapping[str, Any]
    default: str = ""
    value: Any = None
    range: str = ""
    users: tuple[str, ...] = ()
    needed: bool = False
    when: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    members: Mapping[str, str] = field(default_factory=dict)
    metavar: str = ""
    example: Any = None
    short: bool = False

    @property
    def takes(self) -> str:
        """What its value is, in words."""
        return _takes(self.schema)

    @property
    def whose(self) -> str:
        """The members that use it, in words; empty where it is the step's own."""
        kinds: dict[str, list[str]] = {}
        for kind, _, name in (user.partition(" ") for user in self.users):
            kinds.setdefault(kind, []).append(name)
        return ", ".join(f"{kind} {', '.join(names)}" for kind, names in kinds.items())

    def property(self) -> dict[str, Any]:
        """Return the JSON schema of its value, with its help and default."""
        own = {} if self.value is None else {"default": self.value}
        return {**self.schema, "description": self.help, **own}


def keys_of(stage: type[Stage]) -> list[Key]:
    """Return the keys of a step: its own, then those of what it may hold."""
    users: dict[str, dict[type[Settings], FieldInfo]] = {}
    level: list[type[Settings]] = [stage]
    seen: set[type[Settings]] = set()
    while level:
        seen.update(level)
        for owner in level:
            for name, info in owner.model_fields.items():
                users.setdefault(name, {})[owner] = info
        inner = [
            member for owner in level for choice in owner.choices().values() for member in choice.registry.values()
        ]
        level = [member for member in dict.fromkeys(inner) if member not in seen]
    return [_key(name, stage, owners) for name, owners in users.items()]


def _key(name: str, stage: type[Stage], owners: Mapping[type[Settings], FieldInfo]) -> Key:
    # Another name for one of the others says nothing of its own.
    named = {owner: info for owner, info in owners.items() if owner.name != "auto"} or owners
    users = () if stage in owners else tuple(f"{owner.kind} {owner.name}" for owner in named)
    info = next(iter(owners.values()))
    choice = next((mark for mark in info.metadata if isinstance(mark, Choice)), None)
    if choice is not None:
        members = {member: one.summary() for member, one in choice.registry.items()}
        return Key(
            name, choice.help, {"enum": [*members]}, choice.default, choice.default, users=users, members=members
        )
    option = option_of(info) or Option("")
    values = {owner: _plain(one.default) for owner, one in named.items()}
    same = len({repr(value) for value in values.values()}) == 1
    said = {owner.name: _default(one, values[owner]) for owner, one in named.items()}
    ranges = {mark.range for one in named.values() if (mark := option_of(one)) is not None}
    return Key(
        name,
        option.help,
        _schema(info),
        by_user(said),
        next(iter(values.values())) if same else None,
        ranges.pop() if len(ranges) == 1 else "",
        users,
        info.is_required(),
        option.when,
        metavar=option.metavar or name.upper(),
        example=option.example,
        short=option.short is not None,
    )


def _plain(default: Any) -> Any:
    """Return the default of a field as a plain value; None where it has none."""
    if default is None or default is PydanticUndefined:
        return None
    return default if isinstance(default, str | int | float | bool) else str(default)


def _default(info: FieldInfo, value: Any) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    option = option_of(info)
    if option is not None and option.default is not None:
        return option.default
    return None if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _schema(info: FieldInfo) -> dict[str, Any]:
    try:
        # The annotation with its bounds; what is text in a spec, and parsed, has no schema of its own.
        kind: dict[str, Any] = TypeAdapter(_with_bounds(info)).json_schema()
    except PydanticInvalidForJsonSchema:
        return {"type": ["string", "number"]}
    kind.pop("title", None)
    return kind


def _with_bounds(info: FieldInfo) -> Any:
    return Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation


def _takes(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(f"`{word}`" for word in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(_takes(one) for one in schema["anyOf"] if one.get("type") != "null")
    kinds = schema.get("type", "value")
    return " or ".join(_KINDS.get(kind, f"a {kind}") for kind in ([kinds] if isinstance(kinds, str) else kinds))
