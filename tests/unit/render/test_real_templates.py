"""The chat templates that ship with TRL, each with conversations of every awkward kind: nothing is lost in silence."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sage_select.errors import DataError, UsageError
from sage_select.render import bounded, chat
from sage_select.render.example import to_example
from sage_select.render.shape import detect_shape
from sage_select.render.tokens import IGNORED, Renderer

pytestmark = pytest.mark.train

#: What templates write for a token that ends or begins something.
BAR = "[|\N{FULLWIDTH VERTICAL LINE}]"
SPECIAL = re.compile(
    rf"<{BAR}[^<>{{}}'\" \n]{{1,40}}>|<[^<>{{}}'\" \n]{{1,40}}{BAR}>|</?s>|<(?:end|start)_of_turn>|<(?:eos|bos|sop)>"
    r"|\[gMASK\]"
)
TOOL = {
    "type": "function",
    "function": {
        "name": "toolname",
        "description": "Tells it.",
        "parameters": {"type": "object", "properties": {"key": {"type": "string", "description": "What."}}},
    },
}


def said(role: str, content: str, **members: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **members}


def call(name: str, value: Any) -> dict[str, Any]:
    return {"type": "function", "id": f"id{name:0>7}"[:9], "function": {"name": name, "arguments": {"key": value}}}


ASKED, ANSWERED = said("user", "wordone"), said("assistant", "wordtwo")
CONVERSATIONS: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]] = {
    "plain": (
        [said("system", "wordsys"), ASKED, ANSWERED, said("user", "wordthree"), said("assistant", "wordfour")],
        [],
    ),
    "mid_system": (
        [ASKED, ANSWERED, said("system", "wordmid"), said("user", "wordthree"), said("assistant", "wordfour")],
        [],
    ),
    "developer": ([said("developer", "worddev"), ASKED, ANSWERED], []),
    "inline_thoughts": (
        [
            ASKED,
            said("assistant", "<think>thoughtone</think>wordtwo"),
            said("user", "wordthree"),
            said("assistant", "<think>thoughttwo</think>wordfour"),
        ],
        [],
    ),
    "field_thoughts": (
        [
            ASKED,
            said("assistant", "wordtwo", reasoning_content="thoughtone"),
            said("user", "wordthree"),
            said("assistant", "wordfour", reasoning_content="thoughttwo"),
        ],
        [],
    ),
    "words_and_call": (
        [
            ASKED,
            said("assistant", "wordtwo", tool_calls=[call("callone", "valueone")]),
            said("tool", "resultone", name="callone"),
            said("assistant", "wordthree"),
        ],
        [TOOL],
    ),
    "parallel_calls": (
        [
            ASKED,
            said("assistant", "", tool_calls=[call("callone", "valueone"), call("calltwo", 4.5)]),
            said("tool", "resultone", name="callone"),
            said("tool", "resulttwo", name="calltwo"),
            said("assistant", "wordthree"),
        ],
        [TOOL],
    ),
    "thought_and_call": (
        [
            ASKED,
            said("assistant", "", reasoning_content="thoughtone", tool_calls=[call("callone", 'a "quoted"\nvalue')]),
            said("tool", '{"t": "resultone"}', name="callone"),
            said("assistant", "wordthree", reasoning_content="thoughttwo"),
        ],
        [TOOL],
    ),
    "ends_with_a_call": ([ASKED, said("assistant", "", tool_calls=[call("callone", "valueone")])], [TOOL]),
    "repeated": ([ASKED, said("user", "wordthree"), ANSWERED, said("assistant", "wordfour")], []),
    "begins_with_assistant": ([said("assistant", "wordzero"), ASKED, ANSWERED], []),
    "empty_words": ([ASKED, said("assistant", ""), said("user", "wordthree"), ANSWERED], []),
}
WORD = re.compile(r"(?:word|thought|call|value|result|tool)(?:zero|one|two|three|four|sys|mid|dev|name)")
KIND = {"word": "words", "thou": "thoughts", "call": "calls", "valu": "calls", "resu": "results", "tool": "tools"}


def templates() -> list[Path]:
    trl = pytest.importorskip("trl")
    files = sorted((Path(trl.__file__).parent / "chat_templates").glob("*.jinja"))
    assert len(files) > 60
    return files


def tokenizer_for(base: Any, template: str) -> Any:
    """Return the tokenizer with the special tokens that a template names."""
    special = sorted(set(SPECIAL.findall(template)))
    base.add_special_tokens({"additional_special_tokens": special})
    base.bos_token = "<|end|>"
    base.chat_template = template
    return base


def test_every_word_is_written_or_counted_and_every_trained_turn_ends(
    byte_level: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The templates as they are, not the training variants that would take their place: these are among the files.
    monkeypatch.setattr(chat, "_training_variants", dict)
    refused: dict[str, list[str]] = {}
    trained = asking = 0
    for file in templates():
        tokenizer = tokenizer_for(byte_level(), file.read_text("utf-8"))
        renderer = Renderer(tokenizer, max_length=9999)
        for name, (messages, tools) in CONVERSATIONS.items():
            place = f"{file.stem}, {name}"
            row = {"messages": messages, "tools": tools}
            example = to_example(row, detect_shape(list(row)), None)
            lost_before = dict(renderer.seen.lost.rows)
            unended_before = renderer.seen.unended_turns
            try:
                encoded = renderer.encode_all(example)
            except DataError as error:
                refused.setdefault(name, []).append(f"{file.stem}: {error.message}")
                continue
            lost = {kind for kind, count in renderer.seen.lost.rows.items() if count > lost_before.get(kind, 0)}
            texts = [tokenizer.decode(one.input_ids) for one in encoded]
            for word in WORD.findall(repr(messages) + repr([tool["function"]["name"] for tool in tools])):
                if not any(word in text for text in texts):
                    assert KIND[word[:4]] in lost, f"{place}: {word} is lost in silence: {texts}"
            special = set(tokenizer.all_special_ids)
            open_ends = learned = 0
            for one in encoded:
                labels = [*one.labels, IGNORED]
                runs = [i for i in range(len(labels) - 1) if labels[i] != IGNORED and labels[i + 1] == IGNORED]
                for end in runs:
                    before = end
                    while not tokenizer.decode([labels[before]]).strip():
                        before -= 1
                    learned += 1
                    open_ends += labels[before] not in special
            assert learned, place
            trained += learned
            assert open_ends <= renderer.seen.unended_turns - unended_before, f"{place}: {texts}"
        # Whatever the spelling of a thought and of the template, there is a way to write it.
        assert not renderer.seen.lost.rows["thoughts"], file.stem
        asks = renderer.seen.unprompted_turns > 0
        assert asks == any(line.startswith("PROMPT: ") for line in renderer.notices)
        asking += asks
    assert trained > 1200
    # Those of DeepSeek, Nemotron and Qwen 3.5 begin a thought, or end it, when they ask.
    assert 12 <= asking <= 25
    # Most are templates that want the user to speak first.
    assert sum(map(len, refused.values())) - len(refused["begins_with_assistant"]) < 10, refused


@pytest.mark.parametrize(
    "text",
    [
        "{{ 1/0 }}",
        "{% for i in range(10**9) %}{% endfor %}",
        "{{ 9.0 ** 99999 }}",
        "{{ 9 ** 99999999 }}",
        "{{ cycler() }}",
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% for a in range(99999) %}{% for b in range(99999) if b > 99999 %}{% endfor %}{% endfor %}",
        "{% for a in range(99999) %}{{ range(99999) | list | length }}{% endfor %}",
        "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% set ns = namespace(s='ab') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
        "{% set ns = namespace(s='ab') %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
        "{% set ns = namespace(s='ab') %}{% for i in range(60) %}{% set ns.s = ns.s.replace('a', 'aa') %}{% endfor %}",
        "{% set ns = namespace(s=['ab']) %}{% for i in range(60) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ ns.s }}",
        "{% set n = namespace(s='a') %}{% for i in range(60) %}{% set x %}{{ n.s }}{{ n.s }}{% endset %}"  # noqa: ISC004
        "{% set n.s = x %}{% endfor %}",
        "{{ 'x' * 10**10 }}",
        "{{ [1] * 10**9 }}",
        "{{ 'x'.ljust(10**10) }}",
        "{{ 'x' | center(10**10) }}",
        "{{ [1] | tojson(indent=10**9) }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ '{:1000000000}'.format(1) }}",
        "{{ messages.__class__.__mro__ }}",
        "{% include 'x' %}",
    ],
)
def test_a_template_that_runs_for_ever_or_breaks_is_refused(
    byte_level: Callable[[], Any], monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr(bounded, "_MAX_STEPS", 20_000)
    monkeypatch.setattr(bounded, "_MAX_CHARACTERS", 1 << 20)
    written = "{% for m in messages %}{{ m.role + ': ' + m.content + eos_token }}{% endfor %}"
    with pytest.raises(UsageError, match="chat template") as refused:
        Renderer(byte_level(), max_length=99, chat_template=text + written)
    assert refused.value.exit_code == 2


def test_a_template_that_is_only_long_is_not_refused(byte_level: Callable[[], Any]) -> None:
    text = (
        "{% for m in messages %}{% set ns = namespace(last=0) %}{% for n in messages %}"
        "{% if n.role == 'user' %}{% set ns.last = loop.index0 %}{% endif %}{% endfor %}"
        "{{ m.role + ': ' + m.content + eos_token }}{% endfor %}"
    )
    renderer = Renderer(byte_level(), max_length=9999, chat_template=text)
    row = {"messages": [said(role, "x " * 20) for _ in range(50) for role in ("user", "assistant")]}
    assert renderer.encode_all(to_example(row, detect_shape(list(row)), None))[0].trained
