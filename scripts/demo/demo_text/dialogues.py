"""Dialogues of three tasks over a set of tools: which tool, in which order, and whether to call at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from .catalog import Tool
from .frames import Manners, delayed, joined, remark, sentence
from .grammar import choose
from .messages import Message, assistant, exchanges, user
from .requests import Step, command, follow, misfit, request, vague

__all__ = ["TASKS", "Dialogue", "Dialogues"]

TASKS: Final = ("tool_selection", "planning", "timing")

_CHAIN_SHARE: Final = 0.35
_THREE_STEP_SHARE: Final = 0.15
_CLOSED_SHARE: Final = 0.5
_RELATED_SHARE: Final = 0.4


@dataclass(frozen=True)
class Dialogue:
    """A finished conversation and the tools it was offered."""

    task: str
    messages: list[Message]
    tools: list[dict[str, Any]]


class Dialogues:
    """Draws dialogues.

    Parameters
    ----------
    tools
        All tools there are; each dialogue is offered three to five of them.
    manners
        How people put off a request, resume it, and chat.
    rng
        The only source of chance.
    """

    def __init__(self, tools: Sequence[Tool], manners: Manners, rng: Random) -> None:
        self._tools = tuple(tools)
        self._by_name = {tool.name: tool for tool in tools}
        self._chained = tuple(tool for tool in tools if tool.follow_ups)
        self._askable = tuple(tool for tool in tools if tool.vague)
        self._families: dict[str, list[Tool]] = {}
        for tool in tools:
            self._families.setdefault(tool.family, []).append(tool)
        self._manners = manners
        self._rng = rng

    def draw(self, task: str, *, wrong: bool = False) -> Dialogue:
        """Return a dialogue of `task`; with `wrong`, one call goes to an offered tool that does not fit."""
        if task == "tool_selection":
            opening, steps = self._tool_selection()
            close = self._rng.random() < _CLOSED_SHARE
        elif task == "planning":
            opening, steps = self._planning()
            close = True
        else:
            opening, steps = self._timing(at_once=wrong)
            close = False
        offered = self._offer([step.tool for step in steps])
        if wrong:
            unfit = [tool for tool in offered if tool not in [step.tool for step in steps]]
            steps[self._rng.randrange(len(steps))] = misfit(self._rng.choice(unfit), self._rng)
        messages = opening + exchanges(steps, self._rng, close=close)
        return Dialogue(task, messages, [tool.schema() for tool in offered])

    def _tool_selection(self) -> tuple[list[Message], list[Step]]:
        """Make one request for one call."""
        clause, step = request(self._rng.choice(self._tools), self._rng)
        return [user(sentence(clause, self._rng))], [step]

    def _planning(self) -> tuple[list[Message], list[Step]]:
        """Ask for two or three calls, in part on the result of the first."""
        chain = bool(self._chained) and self._rng.random() < _CHAIN_SHARE
        tool = self._rng.choice(self._chained if chain else self._tools)
        clause, step = command(tool, self._rng)
        commands, steps = [clause], [step]
        if chain:
            follow_up = self._rng.choice(tool.follow_ups)
            clause, step = follow(follow_up, self._by_name[follow_up.tool], step, self._rng)
            commands.append(clause)
            steps.append(step)
        wanted = 3 if self._rng.random() < _THREE_STEP_SHARE else 2
        while len(steps) < wanted:
            tool = self._rng.choice(self._tools)
            if tool not in [step.tool for step in steps]:
                clause, step = command(tool, self._rng)
                commands.append(clause)
                steps.append(step)
        return [user(joined(commands, self._rng, turnable=not chain))], steps

    def _timing(self, *, at_once: bool) -> tuple[list[Message], list[Step]]:
        """Call at once, or first ask back, wait, or answer without any tool."""
        rng = self._rng
        variant = "at once" if at_once else rng.choice(("at once", "vague", "vague", "delayed", "small talk"))
        if variant == "vague":
            clause, step, absent = vague(rng.choice(self._askable), rng)
            question = choose(rng.choice(absent.kind.ask), rng)
            detail = absent.kind.spoken(step.arguments[absent.name])
            reply = rng.choice((detail, f"{detail} please", f"{detail}, thanks"))
            return [user(sentence(clause, rng)), assistant(question), user(reply)], [step]
        if variant == "delayed":
            clause, step = command(rng.choice(self._tools), rng)
            wait, resume = rng.choice(self._manners.waits), rng.choice(self._manners.resumes)
            return [user(delayed(clause, self._manners, rng)), assistant(wait), user(resume)], [step]
        clause, step = request(rng.choice(self._tools), rng)
        if variant == "small talk":
            remarked, answer = rng.choice(self._manners.small_talk)
            chat = [user(remark(choose(remarked, rng), rng)), assistant(answer)]
            return [*chat, user(sentence(clause, rng))], [step]
        return [user(sentence(clause, rng))], [step]

    def _offer(self, needed: list[Tool]) -> list[Tool]:
        """Return the needed tools among others, some of the same family, in random order."""
        offered = list(needed)
        size = max(self._rng.randint(3, 5), len(needed) + 1)
        while len(offered) < size:
            related = self._rng.random() < _RELATED_SHARE
            pool = self._families[self._rng.choice(needed).family] if related else self._tools
            other = self._rng.choice(pool)
            if other not in offered:
                offered.append(other)
        self._rng.shuffle(offered)
        return offered
