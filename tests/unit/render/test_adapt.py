from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sage_select.errors import DataError
from sage_select.render.adapt import CHANGES, adapt
from sage_select.render.chat import choose_templates, load_chat_template
from sage_select.render.example import Conversation
from sage_select.render.probe import Support, probe
from sage_select.render.tokens import Renderer

pytestmark = pytest.mark.train

Make = Callable[[], Any]
ALL = {name: value for name, value in Support().__dict__.items() if value is True}
USER = {"role": "user", "content": "Hi"}
FIRST = {"type": "function", "function": {"name": "f", "arguments": {"a": "ü"}}}
SECOND = {"type": "function", "function": {"name": "g", "arguments": "broken"}}
CALLING = {"role": "assistant", "content": "Look.", "tool_calls": [FIRST, SECOND]}
RESULTS = [{"role": "tool", "content": "1", "name": "f"}, {"role": "tool", "content": "2", "name": "g"}]


def adapted(messages: list[dict[str, Any]], offered: list[dict[str, Any]] | None = None, /, **lacks: bool) -> Any:
    before = [dict(message) for message in messages]
    got = adapt(messages, offered or [], Support(**{**ALL, **lacks}))
    assert messages == before
    return got


@pytest.mark.parametrize(
    ("name", "lacking"),
    [
        ("qwen_like", {"later_system", "thoughts"}),
        ("chatml", {"tools", "calls", "mixed_calls", "parallel_calls", "free_ids", "thoughts"}),
        (
            "strict",
            {
                "system",
                "later_system",
                "tools",
                "calls",
                "results",
                "mixed_calls",
                "parallel_calls",
                "free_ids",
                "repeats",
                "thoughts",
            },
        ),
        ("narrow", {"tools", "mixed_calls", "parallel_calls", "free_ids", "thoughts"}),
    ],
)
def test_what_a_template_lacks_is_found_out(byte_level: Make, templates: Any, name: str, lacking: set[str]) -> None:
    tokenizer = byte_level()
    tokenizer.bos_token = "<|end|>"
    support = probe(choose_templates(tokenizer, getattr(templates, name))["default"])
    assert {field for field in ALL if not getattr(support, field)} == lacking


def test_the_plain_form_lacks_nothing(byte_level: Make) -> None:
    support = probe(choose_templates(byte_level(), None)["default"])
    assert {field for field in ALL if not getattr(support, field)} == {"thoughts"}


def test_what_is_supported_is_left_alone() -> None:
    messages = [{"role": "system", "content": "S"}, USER, USER, CALLING, *RESULTS]
    assert adapted(messages, [FIRST]) == (messages, [FIRST], [])


def test_tools_go_into_the_system_turn() -> None:
    turns, tools, changes = adapted([{"role": "system", "content": "S"}, USER], [FIRST], tools=False)
    assert turns[0]["role"] == "system"
    assert turns[0]["content"].startswith("S\n\n")
    assert '{"a": "ü"}' in turns[0]["content"]
    assert tools == []
    assert changes == ["tools"]
    turns, _, _ = adapted([USER], [FIRST], tools=False)
    assert [turn["role"] for turn in turns] == ["system", "user"]


def test_calls_become_words() -> None:
    turns, _, changes = adapted(
        [USER, {**CALLING, "weight": 0}], calls=False, mixed_calls=False, parallel_calls=False, free_ids=False
    )
    assert turns[1] == {
        "role": "assistant",
        "content": 'Look.\n<tool_call>{"name": "f", "arguments": {"a": "ü"}}</tool_call>\n'
        '<tool_call>{"name": "g", "arguments": "broken"}</tool_call>',
        "weight": 0,
    }
    assert changes == ["calls"]


def test_words_and_calls_are_split() -> None:
    turns, _, changes = adapted([USER, {**CALLING, "weight": 0}], mixed_calls=False, parallel_calls=False)
    assert [(turn["content"], [c["function"]["name"] for c in turn.get("tool_calls", [])]) for turn in turns[1:]] == [
        ("Look.", []),
        ("", ["f"]),
        ("", ["g"]),
    ]
    assert all(turn["weight"] == 0 for turn in turns[1:])
    assert changes == ["split"]
    single = {"role": "assistant", "content": "", "tool_calls": [FIRST]}
    assert adapted([USER, single], mixed_calls=False, parallel_calls=False) == ([USER, single], [], [])


def test_calls_are_numbered_and_results_follow_their_call() -> None:
    calls = {**CALLING, "tool_calls": [{**FIRST, "id": "x"}, {**SECOND, "id": "y"}]}
    answers = [{**RESULTS[1], "tool_call_id": "y"}, {**RESULTS[0], "tool_call_id": "x"}]
    turns, _, changes = adapted([USER, calls, *answers, calls, RESULTS[0]], free_ids=False)
    assert [call["id"] for call in turns[1]["tool_calls"]] == ["call00000", "call00001"]
    assert [turn["tool_call_id"] for turn in turns[2:4]] == ["call00001", "call00000"]
    assert [call["id"] for call in turns[4]["tool_calls"]] == ["call00002", "call00003"]
    assert turns[5]["tool_call_id"] == "call00002"
    assert changes == ["ids"]
    assert adapted([USER, USER], free_ids=False)[2] == []


def test_results_become_user_turns_and_merge() -> None:
    turns, _, changes = adapted([USER, CALLING, *RESULTS], results=False, repeats=False)
    assert turns[2] == {
        "role": "user",
        "content": "<tool_response>\n1\n</tool_response>\n\n<tool_response>\n2\n</tool_response>",
    }
    assert changes == ["results", "merged"]


def test_a_system_turn_goes_into_the_first_user_turn() -> None:
    turns, _, changes = adapted([{"role": "system", "content": "S"}, USER, CALLING], system=False)
    assert turns == [{"role": "user", "content": "S\n\nHi"}, CALLING]
    assert changes == ["system"]
    alone, _, _ = adapted([{"role": "system", "content": "S"}, CALLING], system=False)
    assert alone == [{"role": "user", "content": "S"}, CALLING]


def test_turns_of_different_weight_are_not_merged() -> None:
    said = {"role": "assistant", "content": "a"}
    turns, _, _ = adapted([USER, said, {**said, "content": "b"}, {**said, "weight": 0}], repeats=False)
    assert turns == [USER, {"role": "assistant", "content": "a\n\nb"}, {**said, "weight": 0}]
    calls = {"role": "assistant", "content": "", "tool_calls": [FIRST]}
    turns, _, _ = adapted([USER, calls, calls], repeats=False)
    assert turns[1]["tool_calls"] == [FIRST, FIRST]


def test_a_conversation_gets_through_a_strict_template_with_notices(byte_level: Make, templates: Any) -> None:
    tokenizer = byte_level()
    tokenizer.bos_token = "<|end|>"
    renderer = Renderer(tokenizer, max_length=9999, chat_template=templates.strict)
    example = Conversation(
        [{"role": "system", "content": "S"}, USER, USER, CALLING, *RESULTS, {"role": "assistant", "content": "Done."}],
        [FIRST],
    )
    encoded = renderer.encode(example)
    text = tokenizer.decode(encoded.input_ids)
    assert text.startswith("<|end|>[user]S")
    assert text.count("[user]") == 2
    assert tokenizer.decode([label for label in encoded.labels if label >= 0]) == (
        'Look.\n<tool_call>{"name": "f", "arguments": {"a": "ü"}}</tool_call>\n'
        '<tool_call>{"name": "g", "arguments": "broken"}</tool_call><|im_end|>Done.<|im_end|>'
    )
    assert renderer.notices == [
        f"{CHANGES[kind]} (1 row)" for kind in ("tools", "calls", "results", "system", "merged")
    ]


def test_a_conversation_gets_through_a_narrow_template(byte_level: Make, templates: Any) -> None:
    tokenizer = byte_level()
    renderer = Renderer(tokenizer, max_length=9999, chat_template=templates.narrow)
    encoded = renderer.encode(Conversation([USER, CALLING, *RESULTS, {"role": "assistant", "content": "Done."}]))
    assert tokenizer.decode(encoded.input_ids).count("[CALL call0000") == 2
    assert "[RESULT call00001]2" in tokenizer.decode(encoded.input_ids)
    # The template writes calls without the header it asks with, so they are trained with the header they have.
    assert tokenizer.decode([label for label in encoded.labels if label >= 0]) == (
        'Look.<|im_end|>[CALL call00000]{"name": "f", "arguments": {"a": "ü"}}<|im_end|>'
        '[CALL call00001]{"name": "g", "arguments": "broken"}<|im_end|>Done.<|im_end|>'
    )


def test_a_template_file_is_read(tmp_path: Path) -> None:
    from sage_select.errors import UsageError

    file = tmp_path / "x.jinja"
    file.write_text("{{ 'ü' }}", "utf-8")
    assert load_chat_template(file) == "{{ 'ü' }}"
    file.write_bytes(b"\xff")
    with pytest.raises(DataError, match="not UTF-8"):
        load_chat_template(file)
    with pytest.raises(UsageError, match="cannot be read"):
        load_chat_template(tmp_path / "none.jinja")
