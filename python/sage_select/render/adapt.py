"""What a chat template cannot write, said in another way.

Many templates refuse a system turn, ignore tools, or want user and assistant to alternate. What a template can do is
found out once, by rendering small probes; conversations are then changed as little as it takes, and each kind of
change is counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sage_select.errors import UsageError
from sage_select.render.chat import ChatTemplate, TemplateRefused
from sage_select.render.values import dump_json

__all__ = ["CHANGES", "Support", "adapt", "probe", "usable"]

Message = dict[str, Any]

#: Kind of change -> why it is made and what it is.
CHANGES = {
    "tools": "the chat template ignores tools: they are listed in the system turn",
    "calls": "the chat template ignores tool calls: they are written as <tool_call> text",
    "results": "the chat template knows no tool role: tool results are written as user turns",
    "split": "the chat template writes one call a turn and no words with it: such turns are split",
    "ids": "the chat template wants call ids of nine characters: calls are numbered anew",
    "system": "the chat template refuses a system turn: it is written into the first user turn",
    "merged": "the chat template wants speakers to alternate: turns in a row by one speaker are merged",
}
_USER: Message = {"role": "user", "content": "sageuser"}
_ANSWER: Message = {"role": "assistant", "content": "sageanswer"}
_TOOLS_HEAD = (
    "You may call these functions, one JSON object a line. To call one, write "
    '<tool_call>{"name": ..., "arguments": {...}}</tool_call>.'
)


@dataclass(frozen=True)
class Support:
    """What a template writes by itself."""

    system: bool
    tools: bool
    calls: bool
    results: bool
    mixed_calls: bool
    free_ids: bool
    repeats: bool


def usable(template: ChatTemplate) -> ChatTemplate:
    """Return the template, told to give words as typed parts where it drops plain ones.

    Raises
    ------
    UsageError
        It cannot even write one user and one assistant turn.
    """
    why = "it leaves out what they say"
    for candidate in (template, replace(template, typed=True)):
        try:
            text, _ = candidate.render([_USER, _ANSWER], [])
        except TemplateRefused as error:
            why = str(error)
        else:
            if _USER["content"] in text and _ANSWER["content"] in text:
                return candidate
    raise UsageError(
        f"the chat template cannot write a user and an assistant turn: {why}",
        hint="name another template with --chat-template",
    )


def probe(template: ChatTemplate) -> Support:
    """Find out what a usable template can write."""

    def writes(messages: Sequence[Message], *wanted: str, tools: Sequence[Message] = ()) -> bool:
        try:
            text, _ = template.render(messages, tools)
        except TemplateRefused:
            return False
        return all(word in text for word in wanted)

    schema = {"type": "object", "properties": {}}
    tool = {"type": "function", "function": {"name": "sagetool", "description": "", "parameters": schema}}
    tools = [tool] if writes([_USER, _ANSWER], "sagetool", tools=[tool]) else []
    words = {"role": "assistant", "content": "sagewords"}
    first, second = _call("sagecall", "call00000"), _call("sageother", "call00001")
    results = [_result("call00000"), _result("call00001")]
    one_call = [{**words, "content": "", "tool_calls": [first]}, results[0]]
    unnamed = [{**words, "content": "", "tool_calls": [_call("sagecall", None)]}, _result(None)]
    calls = writes([_USER, *one_call, _ANSWER], "sagecall", "sagevalue", tools=tools)
    return Support(
        system=writes([{"role": "system", "content": "sagesystem"}, _USER, _ANSWER], "sagesystem"),
        tools=bool(tools),
        calls=calls,
        results=writes([_USER, *(one_call if calls else [words, results[0]]), _ANSWER], "sageresult", tools=tools),
        mixed_calls=writes(
            [_USER, {**words, "tool_calls": [first, second]}, *results, _ANSWER],
            *("sagewords", "sagecall", "sageother"),
            tools=tools,
        ),
        free_ids=writes([_USER, *unnamed, _ANSWER], "sagecall", tools=tools),
        repeats=writes([_USER, {**_USER, "content": "sagemore"}, _ANSWER], "sageuser", "sagemore"),
    )


def _call(name: str, identity: str | None) -> Message:
    call: Message = {"type": "function", "function": {"name": name, "arguments": {"key": "sagevalue"}}}
    return call if identity is None else {"id": identity, **call}


def _result(identity: str | None) -> Message:
    result: Message = {"role": "tool", "name": "sagecall", "content": "sageresult"}
    return result if identity is None else {**result, "tool_call_id": identity}


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
    if not support.calls:
        change("calls", [_spelled(turn) if turn.get("tool_calls") else turn for turn in turns])
    elif any(turn.get("tool_calls") for turn in turns):
        if not support.mixed_calls:
            change("split", [part for turn in turns for part in _split(turn)])
        if not support.free_ids:
            change("ids", _numbered(turns))
    if not support.results:
        change("results", [_as_user(turn) for turn in turns])
    if not support.system:
        change("system", _without_system(turns))
    if not support.repeats:
        change("merged", _merged(turns))
    return turns, offered, kinds


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


def _split(turn: Message) -> list[Message]:
    """Return one turn for the words and one for each call."""
    calls = turn.get("tool_calls", [])
    if not calls or (len(calls) == 1 and not turn["content"]):
        return [turn]
    words = [{key: value for key, value in turn.items() if key != "tool_calls"}] if turn["content"] else []
    return [*words, *({**turn, "content": "", "tool_calls": [call]} for call in calls)]


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
        if "tool_calls" in last and "tool_calls" in turn:
            both["tool_calls"] = last["tool_calls"] + turn["tool_calls"]
        out[-1] = both
    return out


def _joined(*texts: str) -> str:
    return "\n\n".join(text for text in texts if text)
