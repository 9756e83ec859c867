"""What a chat template cannot write, said in another way.

Many templates refuse a system turn, ignore tools, or want user and assistant to alternate. Conversations are changed
as little as it takes, and each kind of change is counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sage_select.render.chat import VERBATIM
from sage_select.render.messages import THOUGHTS, thought_of
from sage_select.render.probe import Support
from sage_select.render.values import dump_json

__all__ = ["CHANGES", "adapt", "spelled_once", "split_thought"]

Message = dict[str, Any]

#: Kind of change -> why it is made and what it is.
CHANGES = {
    "spelled": "rows spell the tokens that begin and end a text, as the chat template does: they are written once",
    "tools": "the chat template ignores tools: they are listed in the system turn",
    "thoughts": "the chat template reads no reasoning_content: thoughts are written as <think> text",
    "inline": "the chat template has a form of its own for thoughts: <think> text is given as reasoning_content",
    "spaced": "the chat template begins a thought by <think> and a line break: <think> text in rows is spaced so",
    "cut": "the chat template leaves out thoughts, those of the last turn too: they are written as <think> text where "
    "their turn is trained",
    "calls": "the chat template ignores tool calls: they are written as <tool_call> text",
    "results": "the chat template knows no tool role: tool results are written as user turns",
    "split": "the chat template does not write several calls, or calls and words, as one turn: such turns are split",
    "ids": "the chat template wants call ids of nine characters: calls are numbered anew",
    "later_system": "the chat template writes no system turn after others: it is written into the next user turn",
    "system": "the chat template refuses a system turn: it is written into the first user turn",
    "merged": "the chat template wants speakers to alternate: turns in a row by one speaker are merged",
}
_OPEN, _CLOSE = "<think>", "</think>"
_TOOLS_HEAD = (
    "You may call these functions, one JSON object a line. To call one, write "
    '<tool_call>{"name": ..., "arguments": {...}}</tool_call>.'
)


def adapt(
    messages: Sequence[Message], tools: Sequence[Message], support: Support
) -> tuple[list[Message], list[Message], list[str]]:
    """Return messages and tools that a template can write, and the kinds of change made (keys of `CHANGES`).

    The arguments stay as they are.
    """
    turns, offered = list(messages), list(tools)
    kinds: list[str] = []

    def change(kind: str, changed: list[Message]) -> None:
        nonlocal turns
        if changed != turns:
            turns = changed
            kinds.append(kind)

    if offered and not support.tools:
        change("tools", _with_tools(turns, offered))
        offered = []
    if not support.thoughts and support.inline_thoughts:
        change("thoughts", [_inline(turn) for turn in turns])
    elif support.thoughts and not support.inline_thoughts:
        change("inline", [_aside(turn) for turn in turns])
    elif not support.inline_thoughts:
        # No spelling is written: what was thought stands apart until all other changes are made.
        turns = [_aside(turn) for turn in turns]
    elif support.begins_thought and not support.thoughts:
        change("spaced", [_inline(_aside(turn)) for turn in turns])
    if not support.calls:
        change("calls", [_spelled(turn) if turn.get("tool_calls") else turn for turn in turns])
    elif any(turn.get("tool_calls") for turn in turns):
        if not (support.mixed_calls and support.parallel_calls):
            change("split", [part for turn in turns for part in _split(turn, support)])
        if not support.free_ids:
            change("ids", _numbered(turns))
    if not support.results:
        change("results", [_as_user(turn) for turn in turns])
    if not (support.later_system and support.system):
        change("later_system", _without_later_system(turns))
    if not support.system:
        change("system", _without_system(turns))
    if not support.repeats:
        change("merged", _merged(turns))
    if not (support.thoughts or support.inline_thoughts):
        change("cut", [_verbatim(turn) for turn in turns])
    return turns, offered, kinds


def spelled_once(turns: Sequence[Message], support: Support, begin: str) -> list[Message]:
    """Return the turns without the tokens that begin and end a text, where the template writes them as well."""
    out = []
    for index, turn in enumerate(turns):
        words = turn["content"]
        if index == 0 and support.begins and words.lstrip().startswith(begin):
            words = words.lstrip().removeprefix(begin)
        if support.end and turn["role"] == "assistant" and words.rstrip().endswith(support.end):
            words = words.rstrip().removesuffix(support.end)
        out.append({**turn, "content": words})
    return out


def split_thought(words: str) -> tuple[str, str]:
    """Return the thought at the beginning of an assistant's words, and the words without it.

    The opening mark may be absent, where it is part of the prompt.

    Examples
    --------
    >>> split_thought("<think>two</think>4")
    ('two', '4')
    """
    thought, close, rest = words.partition(_CLOSE)
    before, opened, after = thought.partition(_OPEN)
    if not close or (before.strip() and opened):
        return "", words
    return (after if opened else thought).strip(), rest.lstrip()


def _inline(turn: Message) -> Message:
    """Return a turn with what was thought as part of its words."""
    thought = thought_of(turn)
    if not thought:
        return turn
    rest = {key: value for key, value in turn.items() if key not in THOUGHTS}
    return {**rest, "content": f"{_OPEN}\n{thought.strip()}\n{_CLOSE}\n\n{turn['content']}"}


def _verbatim(turn: Message) -> Message:
    """Return a turn with all that it says, its thought included, as it is to stand in the text."""
    return {**turn, VERBATIM: _inline(turn)["content"]} if turn["role"] == "assistant" and thought_of(turn) else turn


def _aside(turn: Message) -> Message:
    """Return a turn with what was thought as a member of its own."""
    thought, words = split_thought(turn["content"]) if turn["role"] == "assistant" else ("", "")
    if not thought or thought_of(turn):
        return turn
    return {**turn, "content": words, "reasoning_content": thought}


def _with_tools(turns: list[Message], tools: list[Message]) -> list[Message]:
    text = "\n".join((_TOOLS_HEAD, *map(dump_json, tools)))
    if turns and turns[0]["role"] == "system":
        return [{**turns[0], "content": _joined(turns[0]["content"], text)}, *turns[1:]]
    return [{"role": "system", "content": text}, *turns]


def _spelled(turn: Message) -> Message:
    """Return a turn whose calls are part of its words."""
    calls = (call["function"] for call in turn["tool_calls"])
    texts = [
        f'<tool_call>{{"name": {dump_json(call["name"])}, "arguments": {dump_json(call["arguments"])}}}</tool_call>'
        for call in calls
    ]
    rest = {key: value for key, value in turn.items() if key != "tool_calls"}
    return {**rest, "content": "\n".join(filter(None, (turn["content"], *texts)))}


def _split(turn: Message, support: Support) -> list[Message]:
    """Return one turn for the words and one for each call, as far as they cannot be one."""
    calls, words = turn.get("tool_calls", []), turn["content"]
    apart = bool(words) and not support.mixed_calls
    together = [calls] if support.parallel_calls else [[call] for call in calls]
    if not calls or (not apart and len(together) == 1):
        return [turn]
    parts = [{key: value for key, value in turn.items() if key != "tool_calls"}] if apart else []
    first = "" if apart else words
    parts += [{**turn, "content": "" if at else first, "tool_calls": some} for at, some in enumerate(together)]
    # What was thought comes once, before the rest.
    return parts[:1] + [{key: value for key, value in part.items() if key not in THOUGHTS} for part in parts[1:]]


def _numbered(turns: list[Message]) -> list[Message]:
    """Return the turns with calls numbered from `call00000`, each result with the number of its call."""
    numbers: dict[str, str] = {}
    waiting: list[str] = []
    given = 0
    out = []
    for turn in turns:
        if turn.get("tool_calls"):
            calls = []
            for call in turn["tool_calls"]:
                number = f"call{given:05d}"
                given += 1
                waiting.append(number)
                if "id" in call:
                    numbers[call["id"]] = number
                calls.append({**call, "id": number})
            turn = {**turn, "tool_calls": calls}
        elif turn["role"] == "tool":
            number = numbers.get(turn.get("tool_call_id", ""), waiting[0] if waiting else "call00000")
            if number in waiting:
                waiting.remove(number)
            turn = {**turn, "tool_call_id": number}
        out.append(turn)
    return out


def _as_user(turn: Message) -> Message:
    if turn["role"] != "tool":
        return turn
    return {"role": "user", "content": f"<tool_response>\n{turn['content']}\n</tool_response>"}


def _without_system(turns: list[Message]) -> list[Message]:
    system = [turn["content"] for turn in turns if turn["role"] == "system"]
    rest = [turn for turn in turns if turn["role"] != "system"]
    if not system:
        return turns
    text = _joined(*system)
    for index, turn in enumerate(rest):
        if turn["role"] == "user":
            rest[index] = {**turn, "content": _joined(text, turn["content"])}
            return rest
    return [{"role": "user", "content": text}, *rest]


def _without_later_system(turns: list[Message]) -> list[Message]:
    """Return the turns with system turns only at the beginning, as one; later ones go to the user's next words."""
    first = next((index for index, turn in enumerate(turns) if turn["role"] != "system"), len(turns))
    out: list[Message] = []
    if first:
        out.append({**turns[0], "content": _joined(*(turn["content"] for turn in turns[:first]))})
    held: list[str] = []
    for turn in turns[first:]:
        if turn["role"] == "system":
            held.append(turn["content"])
            continue
        if held and turn["role"] == "user":
            turn = {**turn, "content": _joined(*held, turn["content"])}
        elif held:
            out.append({"role": "user", "content": _joined(*held)})
        held = []
        out.append(turn)
    return [*out, {"role": "user", "content": _joined(*held)}] if held else out


def _merged(turns: list[Message]) -> list[Message]:
    """Return the turns with neighbours of one speaker, and of one weight, made one."""
    out: list[Message] = []
    for turn in turns:
        last = out[-1] if out else {}
        same = turn["role"] in ("user", "assistant") and last.get("role") == turn["role"]
        if not same or last.get("weight") != turn.get("weight"):
            out.append(turn)
            continue
        both = {**last, **turn, "content": _joined(last["content"], turn["content"])}
        if thought_of(last) and thought_of(turn):
            both["reasoning_content"] = _joined(thought_of(last), thought_of(turn))
        if "tool_calls" in last and "tool_calls" in turn:
            both["tool_calls"] = last["tool_calls"] + turn["tool_calls"]
        out[-1] = both
    return out


def _joined(*texts: str) -> str:
    return "\n\n".join(text for text in texts if text)
