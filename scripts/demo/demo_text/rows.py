"""The demo's rows: clean ones, repeated ones, mislabelled ones, and a clean held-out set."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from .dialogues import TASKS, Dialogue, Dialogues
from .manners import DEMO_MANNERS
from .messages import Message
from .tools_daily import DAILY_TOOLS
from .tools_travel import TRAVEL_TOOLS

__all__ = ["DEMO_TOOLS", "DemoData", "Row", "make_rows"]

DEMO_TOOLS: Final = TRAVEL_TOOLS + DAILY_TOOLS
Row = dict[str, Any]

_TASK_SHARES: Final = dict(zip(TASKS, (0.45, 0.30, 0.25), strict=True))
_EXACT_SHARE: Final = 0.5
# A row stays below about 256 tokens of the demo model; its tokens have 3.3 characters.
_LONGEST_CHARACTERS: Final = 800


@dataclass
class DemoData:
    """Both sets, and which training rows are flawed.

    `mislabelled` holds row ids; `duplicates` maps the id of a repeated row to the id of the row it repeats.
    """

    train: list[Row] = field(default_factory=list)
    heldout: list[Row] = field(default_factory=list)
    mislabelled: list[str] = field(default_factory=list)
    duplicates: dict[str, str] = field(default_factory=dict)


def make_rows(
    seed: int, *, train: int = 900, heldout: int = 240, duplicated: float = 0.12, mislabelled: float = 0.08
) -> DemoData:
    """Return the demo's rows, a pure function of the arguments.

    No held-out row opens as any other row does, and none is flawed.
    """
    repeats, wrongs = round(train * duplicated), round(train * mislabelled)
    dialogues = _distinct_dialogues(seed, wrong=wrongs, right=train - repeats - wrongs + heldout)
    wrong, right = dialogues[:wrongs], dialogues[wrongs:]
    rng = Random(f"{seed}/flaws")
    originals = rng.sample(range(heldout, len(right)), repeats)
    again = [_repeated(right[number], rng) for number in originals]

    labelled = [(dialogue, "right", number) for number, dialogue in enumerate(right) if number >= heldout]
    labelled += [(dialogue, "wrong", -1) for dialogue in wrong]
    labelled += [(dialogue, "again", number) for dialogue, number in zip(again, originals, strict=True)]
    rng.shuffle(labelled)

    data = DemoData(heldout=[_row(f"held-{number:04}", each) for number, each in enumerate(right[:heldout])])
    names: dict[int, str] = {}
    for position, (dialogue, label, number) in enumerate(labelled):
        name = f"demo-{position:04}"
        data.train.append(_row(name, dialogue))
        if label == "wrong":
            data.mislabelled.append(name)
        elif label == "right":
            names[number] = name
    for position, (_, label, number) in enumerate(labelled):
        if label == "again":
            data.duplicates[f"demo-{position:04}"] = names[number]
    return data


def _distinct_dialogues(seed: int, *, wrong: int, right: int) -> list[Dialogue]:
    """Return dialogues with different first turns, the mislabelled ones first, tasks in equal shares in both."""
    source = Dialogues(DEMO_TOOLS, DEMO_MANNERS, Random(f"{seed}/dialogues"))
    openings: set[str] = set()
    found: list[Dialogue] = []
    for count, is_wrong in ((wrong, True), (right, False)):
        for task in _tasks(count, Random(f"{seed}/tasks/{is_wrong}")):
            while True:
                dialogue = source.draw(task, wrong=is_wrong)
                opening = _gist(dialogue.messages[0]["content"])
                if opening not in openings and _length(dialogue) <= _LONGEST_CHARACTERS:
                    break
            openings.add(opening)
            found.append(dialogue)
    return found


def _gist(text: str) -> str:
    """Return what near duplicates of `text` have in common with it."""
    return re.sub(r"\W|thanks", "", text.lower())


def _tasks(count: int, rng: Random) -> Iterator[str]:
    """Yield `count` tasks in random order, each as often as its share says, to within one."""
    tasks = [task for task, share in _TASK_SHARES.items() for _ in range(round(count * share))]
    tasks = [*tasks, TASKS[0]][:count]
    rng.shuffle(tasks)
    yield from tasks


def _length(dialogue: Dialogue) -> int:
    """Return about how many characters the model sees of `dialogue`."""
    functions = [tool["function"] for tool in dialogue.tools]
    offered = [
        function["name"] + function["description"] + " ".join(function["parameters"]["properties"])
        for function in functions
    ]
    return sum(map(len, offered)) + sum(map(_message_length, dialogue.messages))


def _message_length(message: Message) -> int:
    calls = [call["function"] for call in message.get("tool_calls", [])]
    return len(message["content"] or "") + sum(len(json.dumps(call)) for call in calls)


def _repeated(dialogue: Dialogue, rng: Random) -> Dialogue:
    """Return a copy of `dialogue`, half of the time with its first turn spelt a little differently."""
    messages = copy.deepcopy(dialogue.messages)
    if rng.random() >= _EXACT_SHARE:
        text = messages[0]["content"]
        variants = (text.lower(), text.upper(), text.rstrip(".?!") + "!", f"{text} thanks", text.replace(",", ""))
        messages[0]["content"] = rng.choice([variant for variant in variants if variant != text])
    return Dialogue(dialogue.task, messages, dialogue.tools)


def _row(name: str, dialogue: Dialogue) -> Row:
    return {"id": name, "task": dialogue.task, "messages": dialogue.messages, "tools": dialogue.tools}
