"""Laws of rows: what a row says and which id it has depend on that row alone, whatever stands beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sage_select
from sage_select import io
from sage_select.render import canonical_json, detect_shape, plain_texts, same_texts

Row = dict[str, Any]
words = st.text(st.sampled_from('ab é中\n"\\[{'), max_size=5)
objects = st.dictionaries(
    st.sampled_from("abc"), st.one_of(st.none(), st.integers(-9, 9), words, st.lists(words, max_size=2)), max_size=3
)
arguments = st.one_of(objects, objects.map(json.dumps), words)
calls = st.lists(
    st.fixed_dictionaries({"function": st.fixed_dictionaries({"name": st.just("f"), "arguments": arguments})}),
    min_size=1,
    max_size=2,
)
parts = st.lists(st.one_of(words, st.fixed_dictionaries({"type": st.just("text"), "text": words})), max_size=2)
said = st.one_of(words, words, parts)
messages = st.one_of(
    st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant", "system"]), "content": said}),
    st.fixed_dictionaries({"role": st.just("assistant"), "content": st.one_of(st.none(), said), "tool_calls": calls}),
    st.fixed_dictionaries({"role": st.just("assistant"), "tool_calls": calls}),
    st.fixed_dictionaries({"role": st.just("tool"), "content": st.one_of(said, objects)}),
)
tools = st.one_of(
    st.just([]), st.just('[{"name": "f"}]'), st.lists(st.fixed_dictionaries({"name": words}), min_size=1, max_size=2)
)
rows = st.fixed_dictionaries({"messages": st.lists(messages, min_size=1, max_size=3), "tools": tools})


def read_back(table: Any, shape: Any) -> list[tuple[str, str, str]]:
    same = same_texts(table, shape.columns).to_pylist()
    ids = canonical_json(table, shape.columns).to_pylist()
    return list(zip(plain_texts(table, shape).to_pylist(), ids, same, strict=True))


def of(read: io.Rows) -> list[tuple[str, str, str]]:
    return read_back(read.table, detect_shape(read.table.schema))


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(rows, min_size=1, max_size=4))
def test_a_row_says_the_same_alone_and_beside_any_other(tmp_path: Path, rows: list[Row]) -> None:
    alone = [of(io.from_object([row]))[0] for row in rows]
    table = io.from_object(rows)
    lines, columns = tmp_path / "rows.jsonl", tmp_path / "rows.parquet"
    lines.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    pq.write_table(table.table, columns)
    assert of(table) == alone
    assert of(io.read(lines)) == alone
    assert of(io.read(columns)) == alone


CHATS: list[Row] = [
    {
        "messages": [
            {"role": "user", "content": f"Name {count} things that are {colour}"},
            {"role": "assistant", "content": "\n\n".join(f'{i}. "{colour}" thing' for i in range(count))},
        ]
    }
    for count, colour in enumerate(["red", "blue", "green", "grey", "black"] * 4, 1)
]


def result(content: Any) -> Row:
    call = {"type": "function", "function": {"name": "weather", "arguments": {"city": "Oslo"}}}
    return {
        "messages": [
            {"role": "user", "content": "Is it cold?"},
            {"role": "assistant", "content": "I look.", "tool_calls": [call]},
            {"role": "tool", "content": content},
            {"role": "assistant", "content": "Three degrees."},
        ]
    }


@pytest.mark.parametrize("other", [{"temp": 3, "sky": "grey"}, [{"type": "text", "text": "3, grey"}]])
def test_one_odd_content_changes_no_other_rows_score_id_or_pick(other: Any) -> None:
    plain = result(json.dumps(other) if isinstance(other, dict) else "3, grey")
    odd, usual = (sage_select.select([*CHATS, row], k=5, strategy="diversity") for row in (result(other), plain))
    assert odd.indices.tolist() == usual.indices.tolist()
    assert odd.table().drop_columns(["messages"]).equals(usual.table().drop_columns(["messages"]))
