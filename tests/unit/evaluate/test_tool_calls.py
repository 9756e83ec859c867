"""Calls are read from what models really write, and nothing that is written is ever run."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sage_select.evaluate import Parsed, ToolCall, parse_tool_calls

A = ToolCall("search", {"q": "x", "n": 2})
B = ToolCall("book")
TEXT = ToolCall("search", {"q": "x", "n": "2"})
SEP = "<\uff5ctool\u2581sep\uff5c>"
DEEPSEEK = (
    f"<\uff5ctool\u2581calls\u2581begin\uff5c><\uff5ctool\u2581call\u2581begin\uff5c>function{SEP}search\n```json\n"
    '{"q": "x", "n": 2}\n```<\uff5ctool\u2581call\u2581end\uff5c>'
)
GLM = (
    "<tool_call>search\n<arg_key>q</arg_key>\n<arg_value>x</arg_value>\n"
    "<arg_key>n</arg_key>\n<arg_value>2</arg_value>\n</tool_call>"
)
INVOKED = (
    '<function_calls>\n<invoke name="search">\n<parameter name="q">x</parameter>\n<parameter name="n">2</parameter>\n'
    '</invoke>\n<invoke name="book">\n</invoke>\n</function_calls>'
)
ODD = ToolCall("book", {"t": "</tool_call> } ]", "d": {"e": [{}]}})
OBJECT = '{"name": "search", "arguments": {"q": "x", "n": 2}}'


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        (f"<tool_call>{OBJECT}</tool_call>", (A,)),
        (f"<tool_call>\n{OBJECT}\n</tool_call>\n", (A,)),
        (f'<tool_call>{OBJECT}</tool_call>\n<tool_call>{{"name": "book"}}</tool_call>', (A, B)),
        (f'<tool_call>{OBJECT}\n{{"name": "book", "arguments": {{}}}}</tool_call>', (A, B)),
        (f"I look that up.\n<tool_call>{OBJECT}", (A,)),
        (OBJECT, (A,)),
        (f"  {OBJECT}\n", (A,)),
        (f'[{OBJECT}, {{"name": "book", "parameters": {{}}}}]', (A, B)),
        (f'{OBJECT}; {{"name": "book", "arguments": {{}}}}', (A, B)),
        (f"```json\n{OBJECT}\n```", (A,)),
        (f"```\n{OBJECT}", (A,)),
        ('{"name": "search", "parameters": {"q": "x", "n": 2}}', (A,)),
        ('{"name": "search", "arguments": "{\\"q\\": \\"x\\", \\"n\\": 2}"}', (A,)),
        (f'{{"type": "function", "function": {OBJECT}}}', (A,)),
        (f'{{"tool_calls": [{{"type": "function", "function": {OBJECT}}}]}}', (A,)),
        (f"[TOOL_CALLS] [{OBJECT}]", (A,)),
        (f"<functioncall> {OBJECT}", (A,)),
        (f"<|python_tag|>{OBJECT}", (A,)),
        ('{"name": "book", "arguments": "not an object"}', (B,)),
        ('{"name": "book", "arguments": null}', (B,)),
        ("<function=search>\n<parameter=q>\nx\n</parameter>\n<parameter=n>\n2\n</parameter>\n</function>", (TEXT,)),
        ("<tool_call>\n<function=book>\n</function>\n</tool_call>", (B,)),
        ('<function=search>{"q": "x", "n": 2}</function>', (A,)),
        (GLM, (TEXT,)),
        (INVOKED, (TEXT, B)),
        (DEEPSEEK, (A,)),
        (DEEPSEEK.replace(f"function{SEP}", "").replace("\n```json\n", SEP).replace("\n```", ""), (A,)),
        (' to=functions.search<|channel|>commentary json<|message|>{"q": "x", "n": 2}<|call|>', (A,)),
        ('<|tool_call_begin|>functions.search:0<|tool_call_argument_begin|>{"q": "x", "n": 2}<|tool_call_end|>', (A,)),
        ('<|tool_call>call:search{q:<|"|>x<|"|>,n:2}<tool_call|><|tool_call>call:book{}<tool_call|>', (A, B)),
        ("<|tool_call_start|>[search(q='x', n=2), book()]<|tool_call_end|><|im_end|>", (A, B)),
        ("[search(q='x', n=2)]", (A,)),
        ("<|tool_call_start|>[search(q='it's'), book()]<|tool_call_end|>", (ToolCall("search", {"q": "it's"}), B)),
        ('[TOOL_CALLS]search{"q": "x", "n": 2}[TOOL_CALLS]book[ARGS]{}', (A, B)),
        ('<|START_ACTION|>[{"tool_call_id": "0", "tool_name": "book", "parameters": {}}]<|END_ACTION|>', (B,)),
        (f"<think>\nA <tool_call> is due.\n</think>\n\n<tool_call>{OBJECT}</tool_call>", (A,)),
        (f"so that is due.\n</think>\n{OBJECT}", (A,)),
        ('<tool_call>{"name": "book", "arguments": {"t": "</tool_call> } ]", "d": {"e": [{}]}}}</tool_call>', (ODD,)),
        ('{"name": "book", "parameters": {"t": "</tool_call> } ]", "d": {"e": [{}]}}}<|eot_id|>', (ODD,)),
        (
            '{"name": "book", "parameters": {"t": "<tool_call>{}</tool_call>"}}',
            (ToolCall("book", {"t": "<tool_call>{}</tool_call>"}),),
        ),
    ],
)
def test_common_forms(text: str, calls: tuple[ToolCall, ...]) -> None:
    assert parse_tool_calls(text) == Parsed(calls, 0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Which city?",
        "I would call search(q='x').",
        '{"answer": 4}',
        "[1, 2]",
        "3 < 4",
        "{curly} words",
        '{"name": "Ann", "age": 3}<|im_end|>',
        "[1](http://x)",
        "<think>to=functions.x</think>no",
    ],
)
def test_an_answer_in_words_is_no_call_and_no_failure(text: str) -> None:
    assert parse_tool_calls(text) == Parsed((), 0)


@pytest.mark.parametrize(
    "text",
    [
        "<tool_call>",
        "<tool_call></tool_call>",
        '<tool_call>{"name": "sea',
        '<tool_call>{"arguments": {}}</tool_call>',
        "<tool_call>{'name': 'search'}</tool_call>",
        '<tool_call>{"name": ""}</tool_call>',
        '<tool_call>{"name": 3}</tool_call>',
        '{"name": "search", "arguments": {"q": ',
        "<function=sea",
        "<function=search><parameter=q>x",
        " to=functions.search<|message|>{",
        "<|tool_call>call:search{q:<|",
        "<|tool_call_start|>[search(q='x'",
        "<|tool_call_start|>[__import__('os').system('true')]<|tool_call_end|>",
        '[{"name": "search"',
        "<tool_call>" + "[" * 100_000,
        "[" * 100_000 + '{"name"',
    ],
)
def test_a_torn_call_is_a_failure_and_no_crash(text: str) -> None:
    assert parse_tool_calls(text) == Parsed((), 1)


def test_a_readable_call_beside_a_torn_one_counts_as_both() -> None:
    assert parse_tool_calls(f'<tool_call>{OBJECT}</tool_call><tool_call>{{"na') == Parsed((A,), 1)


def test_words_after_a_call_do_not_spoil_it() -> None:
    assert parse_tool_calls(f"{OBJECT}\nThat is all.") == Parsed((A,), 0)


@given(
    st.lists(
        st.tuples(
            st.text(min_size=1),
            st.dictionaries(st.text(), st.one_of(st.integers(), st.text(), st.booleans(), st.none())),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_whatever_is_written_is_read_back(given_calls: list[tuple[str, dict[str, object]]]) -> None:
    calls = tuple(ToolCall(name, arguments) for name, arguments in given_calls)
    texts = [json.dumps({"name": call.name, "arguments": call.arguments}) for call in calls]
    assert parse_tool_calls("".join(f"<tool_call>{text}</tool_call>" for text in texts)).calls == calls
    assert parse_tool_calls("[" + ",".join(texts) + "]").calls == calls


@given(st.text())
def test_no_text_breaks_it(text: str) -> None:
    for wrapped in (text, f"<tool_call>{text}", "{" + text):
        assert parse_tool_calls(wrapped).failures >= 0
