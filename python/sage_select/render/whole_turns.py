"""Which turns of a conversation may be left out where it is too long, so that what stays is a conversation again."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

__all__ = ["fewest_left_out", "shorter_conversations"]

Message = Mapping[str, Any]


def shorter_conversations(messages: Sequence[Message], last: int) -> list[list[int]]:
    """Return the conversations through a message that are left to choose from, the longest first.

    Each is the numbers of its messages. System turns are in all of them. The oldest turns leave first: what stays
    begins with a user turn, as long as there is one to begin with. Once only the last user turn is left of those, the
    oldest turns behind it leave, such as the first calls of an agent at work. Results stay with the calls they answer,
    and the last turn with the results that it follows. What comes after `last` is in none: nothing is learned from it.

    Examples
    --------
    >>> roles = ["system", "user", "assistant", "user", "assistant", "assistant"]
    >>> shorter_conversations([{"role": role} for role in roles], 5)
    [[0, 1, 2, 3, 4, 5], [0, 3, 4, 5], [0, 3, 5]]
    """
    through = messages[: last + 1]
    always = [number for number, message in enumerate(through) if message["role"] == "system"]
    units = list(_units(through))
    asked = [place for place, unit in enumerate(units) if through[unit[0]]["role"] == "user"]
    left = [units, *(units[place:] for place in asked if place)]
    # Without a user turn the first unit may leave as well.
    kept, first = ([units[asked[-1]]], asked[-1] + 2) if asked else ([], 1)
    last_alone = not units or through[units[-1][0] - 1]["role"] != "tool"
    left += [[*kept, *units[place:]] for place in range(first, len(units) if last_alone else len(units) - 1)]
    return [sorted([*always, *(number for unit in one for number in unit)]) for one in left]


def fewest_left_out(conversations: Sequence[list[int]], fits: Callable[[list[int]], bool]) -> int:
    """Return the place of the longest conversation that fits, their number where none does.

    The cost is one call for each time the number can be halved.
    """
    return bisect_left(conversations, True, key=fits)


def _units(messages: Sequence[Message]) -> Iterator[list[int]]:
    """Yield the numbers of messages that stay or leave together: a turn, and what answers its calls."""
    units: list[list[int]] = []
    waiting: list[tuple[str | None, int]] = []  # calls without a result so far: their ids, and places in `units`
    for number, message in enumerate(messages):
        if message["role"] == "system":
            continue
        if message["role"] != "tool" or not units:
            units.append([number])
            waiting += [(call.get("id"), len(units) - 1) for call in message.get("tool_calls", ())]
            continue
        answered = [call for call in waiting if call[0] == message.get("tool_call_id")] or waiting[-1:]
        waiting = [call for call in waiting if call not in answered[:1]]
        # Whatever was said between a call and its result stays with both of them.
        start = min([place for _, place in answered[:1]], default=len(units) - 1)
        units[start:] = [[*(one for unit in units[start:] for one in unit), number]]
        waiting = [(name, min(place, start)) for name, place in waiting]
    yield from units
