from __future__ import annotations

import gzip
import json
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sage_select.errors import DataError, Where
from sage_select.render.example import Text, to_example
from sage_select.render.shape import ShapeOptions, detect_shape
from sage_select.render.text import plain_text, plain_texts

CALLED = {"role": "assistant", "content": "Let me look.", "tool_calls": [{"name": "find", "arguments": {"q": "ä"}}]}
DIALOGUE = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Where is it?"},
    CALLED,
    {"role": "tool", "content": "here", "name": "find"},
    {"role": "assistant", "content": ""},
]


def by_rows(rows: list[dict[str, Any]], **options: str) -> list[str]:
    shape = detect_shape(list(rows[0]), ShapeOptions(**options))
    return [plain_text(to_example(row, shape, Where(row=number))) for number, row in enumerate(rows)]


def by_table(rows: list[dict[str, Any]], **options: str) -> list[str]:
    table = pa.Table.from_pylist(rows)
    texts = plain_texts(table, detect_shape(table.schema, ShapeOptions(**options)))
    assert texts.type == pa.string()
    assert texts.null_count == 0
    return texts.to_pylist()


def test_words_are_turns_and_calls_without_system_turns_and_tools() -> None:
    example = to_example({"messages": DIALOGUE, "tools": [{"name": "find"}]}, detect_shape(["messages", "tools"]))
    assert plain_text(example) == 'Where is it?\nLet me look.\nfind {"q": "ä"}\nhere'


@pytest.mark.parametrize(
    "rows", [[{"text": f"row {i}"} for i in range(9)], [{"messages": DIALOGUE[:i]} for i in range(1, 6)]]
)
def test_some_rows_say_what_they_say_among_all(rows: list[dict[str, Any]]) -> None:
    table = pa.Table.from_pylist(rows)
    shape = detect_shape(table.schema)
    wanted = np.array([3, 0, 3, 4])
    assert plain_texts(table, shape, rows=wanted).to_pylist() == [by_rows(rows)[row] for row in wanted]
    assert plain_texts(table, shape, rows=wanted[:0]).to_pylist() == []


def test_a_bad_row_is_named_by_its_number_among_all() -> None:
    rows = [{"messages": [{"role": "user", "content": "a"}]}] * 5 + [{"messages": [{"role": "user", "content": None}]}]
    table = pa.Table.from_pylist(rows)
    with pytest.raises(DataError) as refused:
        plain_texts(table, detect_shape(table.schema), rows=np.array([2, 5]))
    assert refused.value.where is not None
    assert refused.value.where.row == 5


def test_arguments_that_are_no_json_are_words_as_they_are() -> None:
    messages = [{"role": "assistant", "content": "", "tool_calls": [{"name": "f", "arguments": "x, y"}]}]
    assert plain_text(to_example({"messages": messages}, detect_shape(["messages"]))) == "f x, y"


def test_text_is_itself() -> None:
    assert plain_text(Text(" a\n")) == " a\n"


words = st.one_of(st.none(), st.text(max_size=5))


@settings(deadline=None)
@given(st.lists(st.tuples(words, words, words), min_size=1, max_size=6))
def test_columns_are_joined_as_rows_are(cells: list[tuple[str | None, str | None, str | None]]) -> None:
    for names in (("question", "answer"), ("instruction", "input", "output"), ("prompt", "completion"), ("text",)):
        rows = [dict(zip(names, row, strict=False)) for row in cells]
        table = pa.Table.from_pylist(rows, schema=pa.schema([(name, pa.string()) for name in names]))
        assert plain_texts(table, detect_shape(table.schema)).to_pylist() == by_rows(rows)
        coded = pa.table({name: table[name].dictionary_encode() for name in names})
        assert plain_texts(coded, detect_shape(coded.schema)).to_pylist() == by_rows(rows)


content = st.text(max_size=4)
usual = st.one_of(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "human", "assistant", "system", "tool"]), "content": content}
    ),
    st.fixed_dictionaries(
        {
            "role": st.just("assistant"),
            "content": st.one_of(st.none(), content),
            "tool_calls": st.lists(
                st.fixed_dictionaries({"name": content, "arguments": st.sampled_from(['{"a": 1}', "words"])}),
                min_size=1,
                max_size=2,
            ),
        }
    ),
)
MESSAGE = pa.struct(
    {
        "role": pa.string(),
        "content": pa.string(),
        "tool_calls": pa.list_(pa.struct({"name": pa.string(), "arguments": pa.string()})),
    }
)


@settings(deadline=None)
@given(st.lists(st.one_of(st.none(), st.lists(usual, max_size=4)), min_size=1, max_size=5), st.integers(0, 3))
def test_conversations_by_column_say_what_they_say_by_row(rows: list[list[dict[str, Any]] | None], start: int) -> None:
    table = pa.table({"messages": pa.array(rows, pa.list_(MESSAGE))}).slice(start)
    expected = by_rows([{"messages": row} for row in rows])[start:]
    assert plain_texts(table, detect_shape(table.schema)).to_pylist() == expected


@pytest.mark.parametrize(
    "messages",
    [
        [{"from": "Human", "value": "a"}, {"from": "gpt", "value": "b"}],
        [{"from": "human", "value": "a"}, {"from": "function_call", "value": '{"name": "f", "arguments": {"x": 1}}'}],
        [
            {"role": "user", "content": [{"type": "text", "text": "a"}]},
            {"role": "assistant", "content": [{"text": "b"}]},
        ],
        [{"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": '{"x":1}'}}],
    ],
)
def test_unusual_conversations_say_what_they_say_by_row(messages: list[dict[str, Any]]) -> None:
    rows = [{"conversations": messages}, {"conversations": messages[:1]}]
    assert by_table(rows) == by_rows(rows)
    as_json = [{"conversations": json.dumps(messages)}]
    assert by_table(as_json) == by_rows(rows[:1])


def test_a_template_may_use_any_column() -> None:
    rows = [{"tools": "a", "system": "b"}, {"tools": None, "system": "c"}]
    assert by_table(rows, template="{tools}-{system}") == ["a-b", "-c"]


def test_numbers_are_words() -> None:
    assert by_table([{"question": 1, "answer": 2.5}]) == ["1\n2.5"]


def test_a_malformed_row_is_named_in_whichever_batch_it_lies() -> None:
    rows = [[{"role": "user", "content": "x"}]] * 5000 + [[{"role": "narrator", "content": "x"}]]
    table = pa.table({"messages": rows})
    with pytest.raises(DataError, match=r"here, row 5000, column 'messages': message 0 has the unknown role"):
        plain_texts(table, detect_shape(table.schema), where=lambda row: Where(file="here", row=row))
    with pytest.raises(DataError, match=r"row 5000"):
        plain_texts(table, detect_shape(table.schema))


def test_no_rows() -> None:
    table = pa.table({"text": pa.array([], pa.string())})
    assert plain_texts(table, detect_shape(table.schema)).to_pylist() == []


@pytest.mark.real_data
def test_real_dialogues(shared_data: Path) -> None:
    with gzip.open(shared_data / "sgd_chat/dev.jsonl.gz", "rt", encoding="utf-8", newline="\n") as file:
        rows = [json.loads(line) for line in islice(file, 100)]
    kept = [{"messages": row["messages"], "tools": json.dumps(row["tools"])} for row in rows]
    texts = by_table(kept)
    assert texts == by_rows(kept)
    assert rows[0]["messages"][0]["content"] in texts[0]
    assert rows[0]["tools"][0]["function"]["description"] not in texts[0]


CONTENT = pa.field("content", pa.string(), metadata={b"sage.json": b"1"})
MARKED = pa.list_(pa.struct([pa.field("role", pa.string()), CONTENT]))


@pytest.mark.parametrize(
    ("spelled", "says"),
    [
        ('"a\\n\\"b\\""', 'a\n"b"'),
        ('[{"type": "text", "text": "a"}, "b"]', "ab"),
        ('""', ""),
        ('"a\\u0000"', "a\0"),
        ('"\\ud83d\\ude00"', "\U0001f600"),
    ],
)
def test_a_content_that_is_json_text_says_what_it_spells(spelled: str, says: str) -> None:
    rows = [[{"role": "user", "content": spelled}], [{"role": "user", "content": '"fine"'}]]
    table = pa.table({"messages": pa.array(rows, MARKED)})
    assert plain_texts(table, detect_shape(table.schema)).to_pylist() == [says, "fine"]


@pytest.mark.parametrize("spelled", ['"\\ud800"', '[{"type": "text", "text": "\\udfff"}]', "{", "null", "5"])
def test_a_content_that_is_no_text_is_refused_with_its_row(spelled: str) -> None:
    rows = [[{"role": "user", "content": '"fine"'}], [{"role": "user", "content": spelled}]]
    table = pa.table({"messages": pa.array(rows, MARKED)})
    with pytest.raises(DataError) as refused:
        plain_texts(table, detect_shape(table.schema))
    assert refused.value.where is not None
    assert refused.value.where.row == 1
