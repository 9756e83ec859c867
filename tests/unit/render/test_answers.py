"""Which rows have an answer, by column: the same as one row after the other says."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sage_select import io
from sage_select.errors import DataError
from sage_select.render import ShapeOptions, answered, detect_shape, examples, has_answer
from sage_select.render.shape import Shape

WORDS = st.sampled_from(["", " ", "\n\t", "\u3000\x85", "a", " b ", "\\", '"', "0", "null", "{}", "[]", "\u200b"])
CALL = {"type": "function", "function": {"name": "f", "arguments": {"x": 1}}}


def one_by_one(table: pa.Table, shape: Shape) -> list[bool]:
    return [has_answer(example) for example in examples(table, shape)]


def agree(table: pa.Table, options: ShapeOptions | None = None) -> list[bool]:
    shape = detect_shape(table.schema, options or ShapeOptions())
    found = answered(table, shape)
    assert found.dtype == np.bool_
    assert found.tolist() == one_by_one(table, shape)
    return found.tolist()


COLUMNS = {
    "text": ("text",),
    "question_answer": ("question", "answer"),
    "instruction": ("instruction", "input", "output"),
    "prompt_completion": ("prompt", "completion"),
}


@pytest.mark.parametrize("columns", COLUMNS.values(), ids=COLUMNS)
@settings(deadline=None)
@given(data=st.data())
def test_rows_of_texts(columns: tuple[str, ...], data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.tuples(*(st.none() | WORDS for _ in columns)), max_size=9))
    texts = [pa.array(values, pa.string()) for values in zip(*rows, strict=True)] or [pa.array([], pa.string())] * len(
        columns
    )
    agree(pa.table(dict(zip(columns, texts, strict=True))))


def test_what_is_blank() -> None:
    blank = ["", " \n", None, "\u2003", "."]
    assert agree(pa.table({"question": ["q"] * 5, "answer": blank})) == [False, False, False, False, True]
    assert agree(pa.table({"text": pa.array(blank).dictionary_encode()})) == [False, False, False, False, True]
    assert agree(pa.table({"text": pa.array(blank, pa.large_string())})) == [False, False, False, False, True]
    # Numbers and truth values are words.
    assert agree(pa.table({"question": ["q"] * 3, "answer": pa.array([0, None, 2])})) == [True, False, True]
    assert agree(pa.table({"question": ["q"] * 2, "answer": pa.array([False, None])})) == [True, False]
    assert agree(pa.table({"question": ["q"] * 2, "answer": pa.array([0, None], pa.date32())})) == [True, False]


def test_templates() -> None:
    table = pa.table({"a": ["", "x", " ", None], "b": ["", "", "y", None]})
    assert agree(table, ShapeOptions(template="{a}\n{b}")) == [False, True, True, False]
    assert agree(table, ShapeOptions(template="about {a}")) == [True] * 4


MESSAGES = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "Assistant ", "model", "system", "tool"])},
    optional={
        "content": WORDS,
        "weight": st.sampled_from([0, 1]),
        "tool_calls": st.just([CALL]) | st.just([]),
        "reasoning_content": WORDS,
    },
)


def readable(message: dict[str, Any]) -> dict[str, Any]:
    if message["role"].strip().lower() != "assistant" and message["role"] != "model":
        return {"role": message["role"], "content": message.get("content", "x")}
    return message


@given(st.lists(st.lists(MESSAGES.map(readable), max_size=4), min_size=1, max_size=6))
@settings(max_examples=200, deadline=None)
def test_conversations(rows: list[list[dict[str, Any]]]) -> None:
    agree(pa.table({"messages": pa.array(rows, pa.list_(_MESSAGE))}))
    agree(pa.table({"messages": [json.dumps(row) for row in rows]}))


_MESSAGE = pa.struct(
    {
        "role": pa.string(),
        "content": pa.string(),
        "weight": pa.float64(),
        "reasoning_content": pa.string(),
        "tool_calls": pa.list_(
            pa.struct(
                {
                    "type": pa.string(),
                    "function": pa.struct({"name": pa.string(), "arguments": pa.struct({"x": pa.int64()})}),
                }
            )
        ),
    }
)


def test_sharegpt_and_lists_of_completions() -> None:
    rows = [
        [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "hello"}],
        [{"from": "human", "value": "hi"}, {"from": "gpt", "value": " "}],
        [{"from": "human", "value": "hi"}, {"from": "function_call", "value": '{"name": "f", "arguments": {}}'}],
        [],
        None,
    ]
    assert agree(pa.table({"conversations": rows})) == [True, False, True, False, False]
    prompt = [[{"role": "user", "content": "q"}, {"role": "assistant", "content": "earlier"}]] * 2
    completion = [[{"role": "assistant", "content": text}] for text in ("a", "")]
    assert agree(pa.table({"prompt": prompt, "completion": completion})) == [True, False]


def test_contents_held_as_json() -> None:
    """One result that is an object makes every content JSON text; words stay words."""
    rows = [
        {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": text}]}
        for text in ("yes", "", "  ", "\n", "\nyes", [{"type": "text", "text": "part"}], [{"type": "text", "text": ""}])
    ]
    rows.append({"messages": [{"role": "tool", "content": {"found": 1}}]})
    table = io.from_object(rows).table
    assert agree(table) == [True, False, False, False, True, True, False, False]


def test_columns_tell_without_reading_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_args: object) -> None:
        raise AssertionError("rows were read one by one")

    monkeypatch.setattr("sage_select.render.text.to_example", never)
    turns = [[{"role": "user", "content": "q"}, {"role": "assistant", "content": "a", "weight": 1}]] * 3
    for table in (
        pa.table({"text": ["a", "b"]}),
        pa.table({"question": ["a", None], "answer": ["x", "y"]}),
        pa.table({"messages": turns}),
    ):
        assert answered(table, detect_shape(table.schema)).all()


def test_a_row_that_cannot_be_read_is_named() -> None:
    table = pa.table({"text": ["a", "b"], "messages": [[{"role": "assistant", "content": "a"}], [{"role": "x"}]]})
    with pytest.raises(DataError, match="row 1"):
        answered(table, detect_shape(table.schema))
