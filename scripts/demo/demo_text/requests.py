"""From a tool to something that a user says, and the call that answers it."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final

from .catalog import FollowUp, Parameter, Tool, Values
from .frames import is_command
from .grammar import choose

__all__ = ["Step", "command", "follow", "misfit", "request", "vague"]

_RARE_SHARE: Final = 0.1


@dataclass(frozen=True)
class Step:
    """One call with its result."""

    tool: Tool
    arguments: Values
    result: Values


def request(tool: Tool, rng: Random) -> tuple[str, Step]:
    """Return a clause that needs `tool`, and the call; about one in ten clauses is of a rare kind."""
    pool = tool.rare if tool.rare and rng.random() < _RARE_SHARE else tool.requests
    template = choose(rng.choice(pool), rng)
    values = tool.draw(rng)
    return tool.say(template, values), Step(tool, tool.mentioned(template, values), tool.run(rng))


def command(tool: Tool, rng: Random) -> tuple[str, Step]:
    """Return a request that is a command, so that it can be joined to others or put off."""
    while True:
        clause, step = request(tool, rng)
        if is_command(clause):
            return clause, step


def vague(tool: Tool, rng: Random) -> tuple[str, Step, Parameter]:
    """Return a clause that lacks one required parameter, the call once it is known, and the parameter."""
    template = choose(rng.choice(tool.vague), rng)
    values = tool.draw(rng)
    absent = tool.missing(template)
    known = tool.mentioned(template, values)
    arguments = {name: value for name, value in values.items() if name in known or name == absent.name}
    return tool.say(template, values), Step(tool, arguments, tool.run(rng)), absent


def follow(follow_up: FollowUp, tool: Tool, first: Step, rng: Random) -> tuple[str, Step]:
    """Return the clause and the call that go on from the result of `first`."""
    template = choose(follow_up.clause, rng)
    values = tool.draw(rng)
    values |= {name: first.result[field] for name, field in follow_up.carry.items()}
    known = {*tool.mentioned(template, values), *follow_up.carry}
    arguments = {name: value for name, value in values.items() if name in known}
    return tool.say(template, values), Step(tool, arguments, tool.run(rng))


def misfit(tool: Tool, rng: Random) -> Step:
    """Return a well-formed call of `tool` that no request asked for."""
    values = tool.draw(rng)
    required = {each.name for each in tool.parameters if each.required}
    return Step(tool, {name: value for name, value in values.items() if name in required}, tool.run(rng))
