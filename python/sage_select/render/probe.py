"""What a chat template can write, found out once by rendering small probes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sage_select.errors import UsageError
from sage_select.render.chat import ChatTemplate, TemplateRefused

__all__ = ["Support", "probe", "usable"]

Message = dict[str, Any]

_USER: Message = {"role": "user", "content": "sageuser"}
_ANSWER: Message = {"role": "assistant", "content": "sageanswer"}


@dataclass(frozen=True)
class Support:
    """What a template writes by itself.

    Parameters
    ----------
    system, later_system
        A system turn at the beginning, and one after other turns.
    tools, calls, results, mixed_calls, free_ids
        Offered tools, calls, their results, several calls with words in one turn, calls without ids.
    repeats
        Several turns of one speaker in a row.
    thoughts, inline_thoughts
        What the assistant thought, as a member of its turn; and within its words, in the same form where there is one.
    begins_thought
        Whether its generation prompt begins a thought.
    begins
        Whether it writes the token that begins a text.
    end
        The special token with which it ends a turn of the assistant; empty where there is none.
    """

    system: bool = True
    later_system: bool = True
    tools: bool = True
    calls: bool = True
    results: bool = True
    mixed_calls: bool = True
    free_ids: bool = True
    repeats: bool = True
    thoughts: bool = True
    inline_thoughts: bool = True
    begins_thought: bool = False
    begins: bool = False
    end: str = ""


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


def probe(template: ChatTemplate, special: re.Pattern[str] | None = None) -> Support:
    """Find out what a usable template can write.

    Parameters
    ----------
    template
        The template.
    special
        Matches the text of a special token, such as may end a turn.
    """

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
    system = {"role": "system", "content": "sagesystem"}
    first, second = _call("sagecall", "call00000"), _call("sageother", "call00001")
    results = [_result("call00000"), _result("call00001")]
    one_call = [{**words, "content": "", "tool_calls": [first]}, results[0]]
    unnamed = [{**words, "content": "", "tool_calls": [_call("sagecall", None)]}, _result(None)]
    calls = writes([_USER, *one_call, _ANSWER], "sagecall", "sagevalue", tools=tools)
    text, _ = template.render([_USER, _ANSWER], [])
    begin = template.special_tokens.get("bos_token")
    after = text[text.rindex(_ANSWER["content"]) + len(_ANSWER["content"]) :].lstrip()
    end = special.match(after) if special else None
    aside = {**_ANSWER, "reasoning_content": "sagethought"}
    inline = {**_ANSWER, "content": "<think>\nsagethought\n</think>\n\nsageanswer"}
    thoughts = writes([_USER, aside], "sagethought", "sageanswer")
    return Support(
        system=writes([system, _USER, _ANSWER], "sagesystem"),
        later_system=writes([_USER, _ANSWER, system, {**_USER, "content": "sagemore"}, words], "sagesystem"),
        tools=bool(tools),
        calls=calls,
        results=writes([_USER, *(one_call if calls else [words, results[0]]), _ANSWER], "sageresult", tools=tools),
        mixed_calls=writes(
            [_USER, {**words, "tool_calls": [first, second]}, *results, _ANSWER],
            *("sagewords", "sagecall", "sageother"),
            tools=tools,
        ),
        free_ids=writes([_USER, *unnamed, _ANSWER], "sagecall", tools=tools),
        repeats=writes(
            [_USER, {**_USER, "content": "sagemore"}, _ANSWER, words], "sageuser", "sagemore", "sageanswer", "sagewords"
        ),
        thoughts=thoughts,
        inline_thoughts=writes([_USER, inline], "sagethought", "sageanswer")
        and not (thoughts and template.render([_USER, inline], []) != template.render([_USER, aside], [])),
        begins_thought=_begins_thought(template),
        begins=bool(begin) and text.startswith(str(begin)),
        end=end.group() if end else "",
    )


def _begins_thought(template: ChatTemplate) -> bool:
    try:
        asked, told = (template.render([_USER], [], ask=ask)[0] for ask in (True, False))
    except TemplateRefused:
        return False
    return asked[len(told) :].rstrip().endswith("<think>")


def _call(name: str, identity: str | None) -> Message:
    call: Message = {"type": "function", "function": {"name": name, "arguments": {"key": "sagevalue"}}}
    return call if identity is None else {"id": identity, **call}


def _result(identity: str | None) -> Message:
    result: Message = {"role": "tool", "name": "sagecall", "content": "sageresult"}
    return result if identity is None else {**result, "tool_call_id": identity}
