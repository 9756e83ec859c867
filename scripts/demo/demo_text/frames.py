"""What people say around a request: openers, politeness, joints, delays, and small talk."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final

from .grammar import choose

__all__ = ["Manners", "delayed", "is_command", "joined", "remark", "sentence"]

_OPENERS: Final = ("", "", "", "", "hey, ", "hi, ", "hello, ", "well, ", "ok, ", "one more thing: ")
_COMMAND_FRAMES: Final = (
    "{c}",
    "{c}",
    "{c}",
    "please {c}",
    "{c} please",
    "{c}, thanks",
    "can you {c}?",
    "could you {c}?",
    "would you {c}?",
    "I need you to {c}",
    "I would like you to {c}",
)
_TWO: Final = (
    "{a} and {b}",
    "{a}, then {b}",
    "{a} and then {b}",
    "first {a}, then {b}",
    "{a}. after that, {b}",
    "{a}. also, {b}",
)
_THREE: Final = ("{a}, {b}, and {c}", "first {a}, then {b}, then {c}", "{a}, then {b} and at last {c}")
_TURNED: Final = ("{b}, but first {a}", "before you {b}, {a}", "{b} after you {a}")


@dataclass(frozen=True)
class Manners:
    """How the people of one set of dialogues put off a request, resume it, and chat."""

    delays: tuple[str, ...]
    waits: tuple[str, ...]
    resumes: tuple[str, ...]
    small_talk: tuple[tuple[str, str], ...]


def is_command(clause: str) -> bool:
    """Return whether `clause` is a command, rather than a question or a statement."""
    return not clause.endswith(("?", "."))


def sentence(clause: str, rng: Random) -> str:
    """Return `clause` as someone would say it on its own."""
    framed = rng.choice(_COMMAND_FRAMES).replace("{c}", clause) if is_command(clause) else clause
    return _written(rng.choice(_OPENERS) + framed, rng)


def joined(commands: list[str], rng: Random, *, turnable: bool) -> str:
    """Return two or three commands as one request that wants them done in the given order.

    With `turnable`, two commands may be said in the other order, as in `b, but first a`.
    """
    if len(commands) == 3:
        pattern = rng.choice(_THREE)
    elif turnable and rng.random() < 0.2:
        pattern = rng.choice(_TURNED)
    else:
        pattern = rng.choice(_TWO)
    for letter, command in zip("abc", commands, strict=False):
        pattern = pattern.replace("{" + letter + "}", command)
    return _written(rng.choice(_OPENERS) + pattern, rng)


def delayed(command: str, manners: Manners, rng: Random) -> str:
    """Return a mention of `command` that asks not to do it yet."""
    return _written(choose(rng.choice(manners.delays), rng).replace("{c}", command), rng)


def remark(text: str, rng: Random) -> str:
    """Return small talk as someone would write it."""
    return _written(text, rng)


def _written(text: str, rng: Random) -> str:
    """Return `text` with the spelling habits of one writer: a capital and a full stop, or neither."""
    if rng.random() < 0.6:
        text = text[0].upper() + text[1:]
        if not text.endswith(("?", ".")):
            text += "."
    return text
