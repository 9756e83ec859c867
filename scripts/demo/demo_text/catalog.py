"""What a tool is: its schema, the requests that need it, and what it gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from .grammar import fill, holes
from .kinds import KINDS, Kind, Value

__all__ = ["FollowUp", "Parameter", "Tool", "Values", "parameters"]

Values = dict[str, Value]


@dataclass(frozen=True)
class Parameter:
    """A named input of a tool."""

    name: str
    kind_name: str
    required: bool = True

    @property
    def kind(self) -> Kind:
        """Return the kind of value this parameter takes."""
        return KINDS[self.kind_name]


@dataclass(frozen=True)
class FollowUp:
    """A second step on the first one's result, as in `find a flight ... and book it`.

    `carry` maps parameters of `tool` to result fields of the first step; `clause` mentions the other ones.
    """

    tool: str
    clause: str
    carry: Mapping[str, str]


@dataclass(frozen=True)
class Tool:
    """A tool with its requests, as templates.

    Requests mention every required parameter; those that end in `?` or `.` are questions and statements, the
    others are commands that a frame can wrap. A `vague` request lacks exactly one required parameter. Answers
    may mention parameters that are required and fields of the result.
    """

    name: str
    family: str
    description: str
    parameters: tuple[Parameter, ...]
    requests: tuple[str, ...]
    rare: tuple[str, ...]
    vague: tuple[str, ...]
    result: Mapping[str, str]
    answers: tuple[str, ...]
    follow_ups: tuple[FollowUp, ...] = ()

    def schema(self) -> dict[str, Any]:
        """Return the tool as an OpenAI function."""
        return {
            "type": "function",
            "function": {
                "name": self.name,
                "description": self.description,
                "parameters": {
                    "type": "object",
                    "properties": {each.name: {"type": each.kind.json_type} for each in self.parameters},
                    "required": [each.name for each in self.parameters if each.required],
                },
            },
        }

    def draw(self, rng: Random) -> Values:
        """Return a value for every parameter, no two of them equal."""
        drawn: Values = {}
        for each in self.parameters:
            value = each.kind.draw(rng)
            while value in drawn.values():
                value = each.kind.draw(rng)
            drawn[each.name] = value
        return drawn

    def say(self, template: str, values: Values) -> str:
        """Return `template` with the spoken form of `values`."""
        spoken = {each.name: each.kind.spoken(values[each.name]) for each in self.parameters}
        return fill(template, spoken)

    def mentioned(self, template: str, values: Values) -> Values:
        """Return those of `values` that `template` mentions, in the order of the schema."""
        names = holes(template)
        return {name: value for name, value in values.items() if name in names}

    def missing(self, template: str) -> Parameter:
        """Return the one required parameter that a vague request leaves out."""
        names = holes(template)
        (absent,) = [each for each in self.parameters if each.required and each.name not in names]
        return absent

    def run(self, rng: Random) -> Values:
        """Return a made-up result."""
        return {name: KINDS[kind].draw(rng) for name, kind in self.result.items()}

    def answer(self, template: str, values: Values, result: Values) -> str:
        """Return the closing sentence that `template` makes of the arguments and the result."""
        known = {name: str(value) for name, value in (values | result).items()}
        return fill(template, known)


def parameters(text: str) -> tuple[Parameter, ...]:
    """Read `"origin:city destination:city date?"`: name, kind where it differs, `?` for optional.

    Examples
    --------
    >>> [each.required for each in parameters("city date?")]
    [True, False]
    """
    found = []
    for word in text.split():
        name, _, kind = word.removesuffix("?").partition(":")
        found.append(Parameter(name, kind or name, required=not word.endswith("?")))
    return tuple(found)
