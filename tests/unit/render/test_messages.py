from __future__ import annotations

import json
from typing import Any

import pytest

from sage_select.errors import DataError, Where
from sage_select.render.messages import normalise_messages, normalise_tools

PLACE = Where(file="a.jsonl", row=3, line=4)
CALL = {"type": "function", "function": {"name": "find", "arguments": {"city": "Oslo"}}}


def one(message: Any) -> dict[str, Any]:
    return normalise_messages([message], "messages", PLACE)[0]


@pytest.mark.parametrize(
    ("spoken", "role"),
    [
        ("user", "user"),
        ("human", "user"),
        ("Human ", "user"),
        ("gpt", "assistant"),
        ("model", "assistant"),
        ("developer", "system"),
        ("observation", "tool"),
        ("function", "tool"),
        ("function_response", "tool"),
    ],
)
def test_speakers_get_one_of_four_roles(spoken: str, role: str) -> None:
    assert one({"role": spoken, "content": "x"}) == {"role": role, "content": "x"}
    assert one({"from": spoken, "value": "x"}) == {"role": role, "content": "x"}


def test_typed_parts_are_joined() -> None:
    parts = [{"type": "text", "value": "a"}, {"type": "text", "text": "b"}, "c", {"text": "d"}]
    assert one({"role": "user", "content": parts})["content"] == "abcd"


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "assistant", "tool_calls": json.dumps([CALL])},
        {"role": "assistant", "tool_calls": [{"function": {"name": "find", "arguments": '{"city": "Oslo"}'}}]},
        {"role": "assistant", "tool_calls": [{"name": "find", "arguments": {"city": "Oslo"}}]},
        {"role": "assistant", "function_call": {"name": "find", "arguments": '{"city": "Oslo"}'}},
        {"role": "assistant", "tool_calls": None, "function_call": '{"name": "find", "arguments": {"city": "Oslo"}}'},
        {"from": "function_call", "value": '{"name": "find", "arguments": {"city": "Oslo"}}'},
        {"from": "function_call", "value": '[{"name": "find", "arguments": "{\\"city\\": \\"Oslo\\"}"}]'},
    ],
)
def test_calls_of_every_spelling_are_one(message: dict[str, Any]) -> None:
    assert one(message) == {"role": "assistant", "content": "", "tool_calls": [CALL]}


def test_arguments_that_are_no_json_stay_text_and_missing_ones_are_empty() -> None:
    def arguments(given: Any) -> Any:
        message = one({"role": "assistant", "tool_calls": [{"name": "f", "arguments": given}]})
        return message["tool_calls"][0]["function"]["arguments"]

    assert arguments('{"a": ') == '{"a": '
    assert arguments("plain words") == "plain words"
    assert arguments(None) == arguments("") == arguments({}) == {}
    assert arguments('{"a": null}') == {"a": None}  # the user's own null stays


def test_a_sharegpt_call_that_spells_none_stays_what_the_model_said() -> None:
    assert one({"from": "function_call", "value": "{'name': 'f'}"}) == {"role": "assistant", "content": "{'name': 'f'}"}


def test_ids_names_and_other_members_stay_but_null_ones_do_not() -> None:
    message = one({"role": "tool", "content": "4", "name": "add", "tool_call_id": "c1", "extra": 1, "tool_calls": None})
    assert message == {"role": "tool", "content": "4", "name": "add", "tool_call_id": "c1", "extra": 1}
    called = one({"role": "assistant", "content": "", "tool_calls": [{"id": "c1", **CALL}]})
    assert called["tool_calls"] == [{"id": "c1", **CALL}]


def test_a_tool_result_that_is_an_object_is_read_as_its_json() -> None:
    assert one({"role": "tool", "content": {"a": [1, "ü"]}})["content"] == '{"a": [1, "ü"]}'
    assert one({"role": "tool", "content": [{"a": 1}]})["content"] == '[{"a": 1}]'


@pytest.mark.parametrize("key", ["weight", "loss_weight"])
def test_weight_zero_marks_a_turn_that_is_not_trained(key: str) -> None:
    assert one({"role": "assistant", "content": "x", key: 0.0}) == {"role": "assistant", "content": "x", "weight": 0}
    assert one({"role": "assistant", "content": "x", key: 1}) == {"role": "assistant", "content": "x"}
    assert one({"role": "user", "content": "x", key: 0}) == {"role": "user", "content": "x"}
    with pytest.raises(DataError, match=r"message 0 has the weight 0\.5"):
        one({"role": "assistant", "content": "x", key: 0.5})


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("x", "message 1 is not an object"),
        ({"role": "narrator", "content": "x"}, "message 1 has the unknown role 'narrator'"),
        ({"content": "x"}, "message 1 has no role"),
        ({"role": 3, "content": "x"}, "message 1 has the unknown role 3"),
        ({"role": "assistant", "txt": "x"}, "message 1 (assistant) has no content"),
        ({"role": "user", "content": None}, "message 1 (user) has no content"),
        ({"role": "user", "content": 5}, "message 1 (user) has content that is not text"),
        ({"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}, "image_url"),
        ({"role": "assistant", "content": "", "tool_calls": [{"arguments": {}}]}, "message 1 has a tool call"),
        ({"role": "assistant", "content": "", "tool_calls": "nonsense"}, "message 1 has a tool call"),
        ({"role": "assistant", "content": "", "tool_calls": 7}, "message 1 has a tool call"),
    ],
)
def test_malformed_messages_are_refused_with_their_place(message: Any, said: str) -> None:
    with pytest.raises(DataError) as refused:
        normalise_messages([{"role": "user", "content": "hi"}, message], "messages", PLACE)
    assert said in str(refused.value)
    assert "a.jsonl, row 3, line 4, column 'messages'" in str(refused.value)


@pytest.mark.parametrize("value", [5, {"role": "user"}, "words", "[broken"])
def test_what_is_no_list_is_refused(value: Any) -> None:
    with pytest.raises(DataError, match="not a list of messages"):
        normalise_messages(value, "messages", PLACE)


def test_a_conversation_may_be_json_text_or_absent() -> None:
    assert normalise_messages('[{"role": "user", "content": "x"}]', "m", None) == [{"role": "user", "content": "x"}]
    assert normalise_messages(None, "m", None) == []


TOOL = {"type": "function", "function": {"name": "now", "parameters": {"type": "object"}}}


@pytest.mark.parametrize(
    "value",
    [
        [TOOL],
        TOOL,
        json.dumps([TOOL]),
        [json.dumps(TOOL)],
        [TOOL["function"]],
        [{"type": "function", "function": json.dumps(TOOL["function"])}],
        [{"type": "function", "function": {"name": "now", "parameters": '{"type": "object"}'}}],
    ],
)
def test_tools_of_every_spelling_are_one(value: Any) -> None:
    assert normalise_tools(value, "tools", None) == [TOOL]


@pytest.mark.parametrize("members", [{}, {"content": None}, {"content": None, "reasoning_content": "so", "weight": 1}])
def test_an_assistant_turn_that_holds_nothing_is_an_empty_answer(members: dict[str, Any]) -> None:
    thoughts = {key: member for key, member in members.items() if key == "reasoning_content"}
    assert normalise_messages([{"role": "assistant", **members}], "messages", PLACE) == [
        {"role": "assistant", "content": "", **thoughts}
    ]


@pytest.mark.parametrize("value", [None, [], "", "[]", "null", " "])
def test_no_tools(value: Any) -> None:
    assert normalise_tools(value, "tools", None) == []


@pytest.mark.parametrize("value", ["words", [5], [{"description": "nameless"}], '[{"name": ', 7])
def test_tools_that_cannot_be_read_are_refused(value: Any) -> None:
    with pytest.raises(DataError, match="column 'tools': tool 0 cannot be read"):
        normalise_tools(value, "tools", PLACE)
