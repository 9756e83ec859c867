"""The texts of a row that may change, in every shape and spelling; all else stays as it is."""

from __future__ import annotations

import copy
import json
from typing import Any

import pyarrow as pa
import pytest

from sage_select import io
from sage_select.render import detect_shape, to_example
from sage_select.render.messages import normalise_messages
from sage_select.rewriting import parts_of, with_texts
from sage_select.rewriting.parts import _Row

CALL = {"id": "c", "type": "function", "function": {"name": "find_hotel", "arguments": '{"city": "Rome", "nights": 3}'}}
CHAT = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "A hotel in Rome for 3 nights"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "content": '{"hotel": "Alba"}', "tool_call_id": "c"},
    {"role": "assistant", "content": "Alba is free"},
    {"role": "user", "content": [{"type": "text", "text": "Thanks"}, {"type": "text", "text": " a lot"}]},
    {"role": "assistant", "content": "Bye"},
]
SHAREGPT = [
    {"from": "human", "value": "A hotel in Rome"},
    {"from": "function_call", "value": '{"name": "find_hotel", "arguments": {"city": "Rome"}}'},
    {"from": "observation", "value": "Alba"},
    {"from": "gpt", "value": "Alba"},
]
#: A row -> the texts of the user, those of all, and what must stay in the former.
ROWS: list[tuple[dict[str, Any], list[str], list[str], set[str]]] = [
    ({"question": "How?", "answer": "So"}, ["How?"], ["How?", "So"], set()),
    ({"instruction": "Do", "input": "it", "output": "Done"}, ["Do", "it"], ["Do", "it", "Done"], set()),
    ({"prompt": "Hi", "completion": "Ho"}, ["Hi"], ["Hi", "Ho"], set()),
    ({"text": "all of it"}, [], ["all of it"], set()),
    ({"prompt": CHAT[:2], "completion": [CHAT[4]]}, [CHAT[1]["content"]], [CHAT[1]["content"], "Alba is free"], set()),
    (
        {"messages": CHAT},
        [CHAT[1]["content"], "Thanks", " a lot"],
        [CHAT[1]["content"], "Alba is free", "Thanks", " a lot", "Bye"],
        {"Rome", "3"},
    ),
    ({"messages": json.dumps(CHAT[1:5:3])}, [CHAT[1]["content"]], [CHAT[1]["content"], "Alba is free"], set()),
    ({"conversations": SHAREGPT}, ["A hotel in Rome"], ["A hotel in Rome", "Alba"], {"Rome"}),
]


def arrow(row: dict[str, Any]) -> tuple[dict[str, Any], Any]:
    """Return a row as Arrow gives it, after it was read, and its shape."""
    table = io.from_object([row]).table
    shape = detect_shape(table.schema)
    return {name: table.column(name).to_pylist()[0] for name in shape.columns}, shape


@pytest.mark.parametrize(("row", "user", "everybody", "kept"), ROWS, ids=[",".join(row[0]) for row in ROWS])
def test_texts_are_found_and_put_back(
    row: dict[str, Any], user: list[str], everybody: list[str], kept: set[str]
) -> None:
    values, shape = arrow(row)
    for whose, expected in (("user", user), ("all", everybody)):
        before = copy.deepcopy(values)
        parts = parts_of(values, shape, whose)
        assert list(parts.texts) == expected
        assert with_texts(values, shape, whose, parts.texts) == values == before
        others = tuple(f"<{text}>" for text in parts.texts)
        made = with_texts(values, shape, whose, others)
        assert parts_of(made, shape, whose).texts == others
        assert values == before
    assert kept <= set(parts_of(values, shape, "user").kept)


def test_system_turns_calls_and_results_stay_as_they_are() -> None:
    values, shape = arrow({"messages": CHAT})
    made = with_texts(values, shape, "all", ("a", "b", "c", "d", "e"))
    before, after = (to_example(one, shape).messages for one in (values, made))
    assert [one["content"] for one in after] == ["Be brief.", "a", "", '{"hotel": "Alba"}', "b", "cd", "e"]
    for one, other in zip(before, after, strict=True):
        assert {**one, "content": ""} == {**other, "content": ""}


def test_rows_held_as_json_text_stay_so_and_change_in_the_same_place() -> None:
    rows = [
        {"messages": [{"role": "user", "content": "one", "odd": {"a": 1}}, {"role": "assistant", "content": "x"}]},
        {"messages": [{"role": "user", "content": ["two"], "odd": [2.50]}, {"role": "assistant", "content": "y"}]},
    ]
    table = io.from_object(rows).table
    shape = detect_shape(table.schema)
    assert shape.json_text, "nothing is held as JSON text"
    for row, values in enumerate(table.select(["messages"]).to_pylist()):
        parts = parts_of(values, shape, "user")
        assert parts.texts == (("one",), ("two",))[row]
        made = with_texts(values, shape, "user", ("other",))
        column = pa.array([made["messages"]], table.schema.field("messages").type)
        again = pa.table([column], schema=table.schema.empty_table().select(["messages"]).schema)
        (read,) = io.decode_rows(again)
        assert normalise_messages(read["messages"], "messages", None)[0]["content"] == "other"
        assert read["messages"][0]["odd"] == rows[row]["messages"][0]["odd"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            '[ {"role" : "user","content":"one \\u00e9 \\"x\\""},{"role":"assistant","n":1e5,"content":"b"} ]',
            '[ {"role" : "user","content":"other"},{"role":"assistant","n":1e5,"content":"b"} ]',
        ),
        (
            '[{"role": "user", "content": ["one \u00e9 \\"x\\"", {"type": "image", "n": 2.50}]}]',
            '[{"role": "user", "content": ["other", {"type": "image", "n": 2.50}]}]',
        ),
        (
            '[{"role": "user", "role": "user", "content": "one \u00e9 \\"x\\"", "n": 1.50}]',
            '[{"role":"user","content":"other","n":1.5}]',
        ),
    ],
)
def test_json_text_stays_as_it_is_spelt(text: str, expected: str) -> None:
    shape = detect_shape(["messages"])
    said: list[str] = []

    def heard(one: str) -> str:
        said.append(one)
        return one

    _Row(shape, "user", heard).said({"messages": text})
    assert said == ['one \u00e9 "x"']
    assert with_texts({"messages": text}, shape, "user", ("other",)) == {"messages": expected}
    assert with_texts({"messages": text}, shape, "user", tuple(said)) == {"messages": text}


def test_the_columns_of_a_template_change_with_all_words() -> None:
    from sage_select.render import ShapeOptions

    shape = detect_shape(["title", "body"], ShapeOptions(template="{title}: {body} {title}"))
    row = {"title": "One", "body": "two"}
    assert parts_of(row, shape, "user").texts == ()
    assert with_texts(row, shape, "all", ("A", "b")) == {"title": "A", "body": "b"}
