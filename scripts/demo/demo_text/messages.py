"""Chat messages as the OpenAI interface has them: arguments are JSON text, content may be null."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from .requests import Step

__all__ = ["Message", "assistant", "exchanges", "user"]

Message = dict[str, Any]


def user(text: str) -> Message:
    """Return a user turn."""
    return {"role": "user", "content": text}


def assistant(text: str) -> Message:
    """Return an assistant turn without a call."""
    return {"role": "assistant", "content": text}


def exchanges(steps: list[Step], rng: Random, *, close: bool) -> list[Message]:
    """Return the calls with their results between them.

    Without `close` the last message is the last call; with it, its result and a closing sentence follow.
    """
    written: list[Message] = []
    for number, step in enumerate(steps, start=1):
        identifier = f"call_{number}"
        function = {"name": step.tool.name, "arguments": json.dumps(step.arguments)}
        call = {"id": identifier, "type": "function", "function": function}
        written.append({"role": "assistant", "content": None, "tool_calls": [call]})
        written.append({"role": "tool", "tool_call_id": identifier, "content": json.dumps(step.result)})
    if not close:
        return written[:-1]
    last = steps[-1]
    sentence = last.tool.answer(rng.choice(last.tool.answers), last.arguments, last.result)
    return [*written, assistant(sentence)]
