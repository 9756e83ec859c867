"""What a chat template can write, found out once by rendering small probes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sage_select.errors import UsageError
from sage_select.render.chat import ChatTemplate, TemplateRefused

__all__ = ["Support", "ends_of_turn", "probe", "usable"]

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
    tools, calls, results, free_ids
        Offered tools, calls, their results, calls without ids.
    mixed_calls, parallel_calls
        Words and a call in one turn, and several calls, all of it before the results.
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
    closing
        What it writes behind the end of the last turn of the assistant alone, as Phi-3's does.
    """

    system: bool = True
    later_system: bool = True
    tools: bool = True
    calls: bool = True
    results: bool = True
    mixed_calls: bool = True
    parallel_calls: bool = True
    free_ids: bool = True
    repeats: bool = True
    thoughts: bool = True
    inline_thoughts: bool = True
    begins_thought: bool = False
    begins: bool = False
    end: str = ""
    closing: str = ""


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

    def text_of(messages: Sequence[Message], tools: Sequence[Message] = ()) -> str:
        try:
            return template.render(messages, tools)[0]
        except TemplateRefused:
            return ""

    def writes(messages: Sequence[Message], *wanted: str, tools: Sequence[Message] = ()) -> bool:
        text = text_of(messages, tools)
        return all(word in text for word in wanted)

    def keeps_together(spoken: str, *calls: Message) -> bool:
        """Return whether what one turn says and calls stands before the results."""
        turn = {"role": "assistant", "content": spoken, "tool_calls": list(calls)}
        text = text_of([_USER, turn, *results[: len(calls)], _ANSWER], tools)
        said = [spoken, *(call["function"]["name"] for call in calls)]
        return all(word in text.partition("sageresult")[0] for word in said)

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
    text = text_of([_USER, _ANSWER])
    begin = template.special_tokens.get("bos_token")
    ends = ends_of_turn(text, special) if special else []
    line_end = str(template.special_tokens.get("eos_token") or "")
    if not ends and line_end.isspace() and f"{_ANSWER['content']}{line_end}" in text:
        ends = [line_end]
    aside = {**_ANSWER, "reasoning_content": "sagethought"}
    inline = {**_ANSWER, "content": "<think>\nsagethought\n</think>\n\nsageanswer"}
    thoughts = writes([_USER, aside], "sagethought", "sageanswer")
    return Support(
        system=writes([system, _USER, _ANSWER], "sagesystem"),
        later_system=writes([_USER, _ANSWER, system, {**_USER, "content": "sagemore"}, words], "sagesystem"),
        tools=bool(tools),
        calls=calls,
        results=writes([_USER, *(one_call if calls else [words, results[0]]), _ANSWER], "sageresult", tools=tools),
        mixed_calls=keeps_together("sagewords", first),
        parallel_calls=keeps_together("", first, second),
        free_ids=writes([_USER, *unnamed, _ANSWER], "sagecall", tools=tools),
        repeats=writes(
            [_USER, {**_USER, "content": "sagemore"}, _ANSWER, words], "sageuser", "sagemore", "sageanswer", "sagewords"
        ),
        thoughts=thoughts,
        inline_thoughts=writes([_USER, inline], "sagethought", "sageanswer")
        and not (thoughts and template.render([_USER, inline], []) != template.render([_USER, aside], [])),
        begins_thought=_begins_thought(template),
        begins=bool(begin) and text.startswith(str(begin)),
        end=ends[0] if ends else "",
        closing=_closing(text, text_of([_USER, _ANSWER, {**_USER, "content": "sagemore"}]), special) if ends else "",
    )


def ends_of_turn(written: str | ChatTemplate, tokens: re.Pattern[str]) -> list[str]:
    """Return the tokens behind the words of an answer, as a usable template writes it, with nothing else between them.

    `tokens` matches the text of a token that may end a turn.
    """
    text = written if isinstance(written, str) else written.render([_USER, _ANSWER], [])[0]
    rest = text[text.rindex(_ANSWER["content"]) + len(_ANSWER["content"]) :].lstrip()
    found = []
    while token := tokens.match(rest):
        found.append(token.group())
        rest = rest[token.end() :].lstrip()
    return found


def _closing(text: str, followed: str, special: re.Pattern[str] | None) -> str:
    """Return the special tokens behind those that end an answer which are not written once a turn follows."""
    ends = list(special.finditer(text, text.rindex(_ANSWER["content"]))) if special else []
    for token in ends[1:]:
        behind = text[token.start() :]
        if followed.startswith(text[: token.start()]) and not followed.startswith(text[: token.end()]):
            return "" if special is None or special.sub("", behind).strip() else behind
    return ""


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
