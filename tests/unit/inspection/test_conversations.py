"""Turns are counted over columns as they are counted row by row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sage_select import io
from sage_select.errors import DataError
from sage_select.inspection import conversations as module
from sage_select.inspection.conversations import Conversations, conversations
from sage_select.render import detect_shape, render_rows


def same(found: Conversations | None, wanted: Conversations) -> None:
    assert found is not None
    assert found.roles == wanted.roles
    assert found.turns.tolist() == wanted.turns.tolist()
    assert (found.with_tools, found.with_calls) == (wanted.with_tools, wanted.with_calls)


ROLES = st.sampled_from(
    ["user", "assistant", "system", " Human", "gpt", "tool", "observation", "function_call", "developer"]
)
CALL = {"function": {"name": "f", "arguments": {"a": 1}}}
MESSAGES = st.fixed_dictionaries(
    {"content": st.sampled_from(["", "hi", '{"name": "f", "arguments": {}}'])},
    optional={
        "role": ROLES,
        "from": ROLES,
        "tool_calls": st.sampled_from([[], [CALL], None]),
        "function_call": st.sampled_from([{"name": "g", "arguments": "{}"}, None]),
    },
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {"messages": st.lists(MESSAGES, max_size=4)},
        optional={
            "tools": st.sampled_from([None, [], [{"name": "t"}], "[]", '[{"name": "t"}]', "", {"name": "t"}]),
            "system": st.sampled_from([None, "", "be brief"]),
        },
    ),
    min_size=1,
    max_size=6,
)


@settings(deadline=None)
@given(ROWS)
def test_columns_and_rows_say_the_same(rows: list[dict[str, Any]]) -> None:
    try:
        read = io.from_object(rows, with_bad_rows=True)
        shape = detect_shape(read.table.schema)
        bad = {*read.bad.kinds, *render_rows(read.table, shape).refused}
    except DataError:
        return
    good = np.array([row for row in range(len(rows)) if row not in bad], np.int64)
    table = read.table.take(pa.array(good))
    if table.num_rows:
        same(conversations(table, shape), module._one_by_one(table, shape))


@pytest.mark.parametrize(
    "name", ["sgd_chat/dev.jsonl.gz", "chat_formats/glaive_sharegpt.json", "chat_formats/v1_messages.jsonl"]
)
def test_real_rows(shared_data: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    table = io.read(shared_data / name).table.slice(0, 300)
    shape = detect_shape(table.schema)
    wanted = module._one_by_one(table, shape)
    if name.startswith("sgd"):
        monkeypatch.setattr(module, "_one_by_one", None)
    same(conversations(table, shape), wanted)


def test_messages_as_json_text_are_read_one_by_one() -> None:
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    table = pa.table({"messages": [json.dumps(turns), json.dumps(turns[:1] * 3)]})
    found = conversations(table, detect_shape(table.schema))
    assert found is not None
    assert found.roles == {"user": 4, "assistant": 1}
    assert found.turns.tolist() == [2, 3]


def test_rows_that_are_no_conversations_have_no_turns() -> None:
    table = pa.table({"text": ["a"]})
    assert conversations(table, detect_shape(table.schema)) is None
