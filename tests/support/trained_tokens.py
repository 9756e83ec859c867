"""A conversation with tools, and the tokens of it that are trained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sage_select.render.example import Conversation
from sage_select.render.tokens import IGNORED, Encoded

__all__ = ["AGENT", "THOUGHTFUL", "WEATHER", "Make", "consistent", "trained_runs"]

Make = Callable[[], Any]
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
CALL = {"type": "function", "function": {"name": "weather", "arguments": {"city": "Zürich"}}}
AGENT = Conversation(
    [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Is it warm?"},
        {"role": "assistant", "content": "", "tool_calls": [CALL]},
        {"role": "tool", "name": "weather", "content": '{"t": 21}'},
        {"role": "tool", "name": "weather", "content": "sunny 🎉"},
        {"role": "assistant", "content": "Yes, 21 degrees."},
        {"role": "user", "content": "Thanks"},
    ],
    [WEATHER],
)
THOUGHTFUL = [
    {"role": "user", "content": "a"},
    {"role": "assistant", "content": "<think>first</think>b"},
    {"role": "user", "content": "c"},
    {"role": "assistant", "content": "<think>second</think>d"},
]


def trained_runs(tokenizer: Any, encoded: Encoded) -> list[str]:
    """Return the text of each unbroken run of trained tokens."""
    runs: list[list[int]] = []
    before = IGNORED
    for label in encoded.labels:
        if label != IGNORED:
            if before == IGNORED:
                runs.append([])
            runs[-1].append(label)
        before = label
    return [tokenizer.decode(run) for run in runs]


def consistent(encoded: Encoded) -> bool:
    pairs = zip(encoded.input_ids, encoded.labels, strict=True)
    return all(label in (token, IGNORED) for token, label in pairs) and encoded.trained == sum(
        label != IGNORED for label in encoded.labels
    )
