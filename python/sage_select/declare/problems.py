"""What is wrong with a setting, in the words of this program instead of those of the library that checks it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from sage_select.errors import nearest

__all__ = ["Said", "named_problems", "plain_problem", "said_of", "shortened"]

#: What the library says -> what was expected. Its words for a class or a rule of its own never reach a user.
_EXPECTED: Final = (
    (r"Input should be a valid integer, unable to parse string.*", "a whole number"),
    (r"Input should be a valid integer.*", "a whole number"),
    (r"Unable to parse input string as an integer, exceeded maximum size", "a smaller whole number"),
    (r"Input should be a valid number.*", "a number"),
    (r"Input should be a finite number", "a finite number"),
    (r"Input should be a valid boolean.*", "true or false"),
    (r"Input should be a valid string.*", "text"),
    (r"Input should be a valid (list|tuple|set).*", "a list"),
    (r"Input should be a valid dictionary.*", "settings by their names"),
    (r"Input should be a valid path.*|Input is not a valid path.*", "a path"),
    (r"Input should be greater than or equal to (.*)", r"at least \1"),
    (r"Input should be less than or equal to (.*)", r"at most \1"),
    (r"Input should be greater than (.*)", r"more than \1"),
    (r"Input should be less than (.*)", r"less than \1"),
    (r"Input should be ('.*)", r"\1"),
    (r"Field required", "a value"),
)
_LONGEST: Final = 80


class Said(NamedTuple):
    """What is said of a problem: in full, and its parts where it has them."""

    text: str
    expected: str | None = None
    got: str | None = None
    hint: str | None = None


def said_of(problem: Mapping[str, Any]) -> Said:
    """Return what is said of one of the problems that a failed validation lists, without its place."""
    return _said(str(problem["msg"]), problem.get("input"), shown=problem["type"] != "missing")


def named_problems(error: ValidationError, names: Mapping[str, str]) -> list[str]:
    """Return what is wrong with the settings of an op, each problem a sentence.

    Parameters
    ----------
    error
        The failed validation.
    names
        Setting -> what the user calls it, such as the flag of a command line. Sentences use it as well for settings
        whose name is no plain word.
    """
    texts = []
    for problem in error.errors(include_url=False, include_context=False):
        place = [names.get(str(part), str(part)) for part in problem["loc"]]
        text = said_of(problem).text
        if problem["type"] == "value_error":
            text = re.sub(r"[a-z0-9]+(?:_[a-z0-9]+)+", lambda match: names.get(match[0], match[0]), text)
            # Of settings that count for nothing, or are missing, the plain words, too, are names.
            for listed in (r"(?<=does not use )[a-z-]+(?:, [a-z-]+)*", r"(?<=' needs )[a-z]+(?=,)"):
                text = re.sub(
                    listed, lambda match: ", ".join(names.get(one, one) for one in match[0].split(", ")), text
                )
        texts.append(": ".join([*place, text]))
    return texts


def plain_problem(message: str, value: object = None, *, shown: bool = True) -> str:
    """Return what was expected and what came, for a message of the library that checks settings.

    Parameters
    ----------
    message
        What the library says; other sentences come back as they are.
    value
        What it was given.
    shown
        Whether to say so.

    Examples
    --------
    >>> plain_problem("Input should be greater than or equal to 1", 0)
    'expected at least 1, got 0'
    """
    return _said(message, value, shown=shown).text


def _said(message: str, value: object, *, shown: bool) -> Said:
    for pattern, expected in _EXPECTED:
        match = re.fullmatch(pattern, message, flags=re.DOTALL)
        if match is None:
            continue
        wanted, got = match.expand(expected), shortened(value) if shown else None
        choices = re.findall(r"'(.*?)'", message) if message.startswith("Input should be '") else []
        hint = nearest(value, choices) if isinstance(value, str) else None
        text = f"expected {wanted}" + (f", got {got}" if shown else "") + (f"; {hint}" if hint else "")
        return Said(text, wanted, got, hint)
    return Said(message.removeprefix("Value error, "))


def shortened(value: object) -> str:
    """Return a value as a message shows it: a list or mapping by its kind, other values at most 80 characters long."""
    if isinstance(value, dict):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and value.bit_length() > 512:
        return f"a number of {value.bit_length():,} bits"
    text = repr(value) if isinstance(value, str | int | float) else str(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
