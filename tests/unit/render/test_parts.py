"""Parts of what rows say, taken from Arrow lists, against the same taken from each row alone."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sage_select.render import TextPart, detect_shape, examples, part_of, part_texts
from sage_select.render import parts as parts_module

PARTS: tuple[TextPart, ...] = ("prompt", "first_user", "answer")


def check(table: pa.Table) -> list[list[str]]:
    shape = detect_shape(table.schema)
    found = [part_texts(table, shape, part).to_pylist() for part in PARTS]
    assert found == [[part_of(one, part) for one in examples(table, shape)] for part in PARTS]
    return found


def table(column: str, rows: list[Any], kind: pa.DataType | None = None) -> pa.Table:
    return pa.table({column: pa.array(rows, kind)})


def test_conversations() -> None:
    turns = [
        {"role": "system", "content": "be kind"},
        {"role": "User ", "content": "a"},
        {"role": "assistant", "content": "b", "weight": 0},
        {"role": "user", "content": "c"},
        {"role": "assistant", "content": "d", "weight": 1},
        {"role": "tool", "content": "t", "weight": None},
    ]
    assert check(table("messages", [turns, [], None])) == [["a\nb\nc\nt", "", ""], ["a", "", ""], ["d", "", ""]]


def test_sharegpt_and_calls() -> None:
    calls = [{"function": {"name": "f", "arguments": '{"x": 1}'}}]
    rows = [
        [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}],
        [{"from": "gpt", "value": "b"}, {"from": "observation", "value": "o"}],
    ]
    assert check(table("conversations", rows)) == [["a", "o"], ["a", ""], ["b", "b"]]
    called = table("messages", [[{"role": "user", "content": "q"}, {"role": "assistant", "tool_calls": calls}]])
    assert check(called)[2] == ['f {"x": 1}']


@pytest.mark.parametrize(
    ("columns", "prompt", "answer"),
    [
        ({"prompt": ["a", None], "completion": ["b", "c"]}, ["a", ""], ["b", "c"]),
        ({"instruction": ["a", "a"], "input": ["i", ""], "output": ["o", "o"]}, ["a\n\ni", "a"], ["o", "o"]),
        ({"question": ["q"], "answer": ["a"]}, ["q"], ["a"]),
        ({"text": ["all"]}, [""], [""]),
        # Numbers, which are words as well, are read one by one.
        ({"question": [1], "answer": [2]}, ["1"], ["2"]),
    ],
)
def test_two_parts(columns: dict[str, list[Any]], prompt: list[str], answer: list[str]) -> None:
    assert check(pa.table(columns)) == [prompt, prompt, answer]


def test_conversations_as_prompts() -> None:
    prompt = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}]
    rows = pa.table({"prompt": [prompt], "completion": [[{"role": "assistant", "content": "d"}]]})
    assert check(rows) == [["a\nb\nc"], ["a"], ["d"]]


def test_messages_as_json_text() -> None:
    assert check(table("messages", ['[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]'])) == [
        ["a"],
        ["a"],
        ["b"],
    ]


MESSAGE = st.fixed_dictionaries(
    {
        "role": st.sampled_from(["user", "human", "assistant", "GPT", "system", "tool"]),
        "content": st.sampled_from(["", " ", "a", "ä b\n", "\U0001f600"]),
        "weight": st.sampled_from([None, 0, 1]),
    }
)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.none() | st.lists(MESSAGE, max_size=5), min_size=1, max_size=8),
    start=st.integers(0, 7),
    large=st.booleans(),
    slice_bytes=st.sampled_from([1, 1 << 27]),
)
def test_any_conversations(rows: list[Any], start: int, large: bool, slice_bytes: int) -> None:
    message = pa.struct({"role": pa.string(), "content": pa.string(), "weight": pa.int64()})
    kind = pa.large_list(message) if large else pa.list_(message)
    whole = pa.concat_tables([table("messages", rows, kind), table("messages", rows[::-1], kind)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts_module, "_SLICE_BYTES", slice_bytes)
        check(whole.slice(min(start, len(rows))))
