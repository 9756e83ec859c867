"""Many rows at once say what each of them says alone, in whichever spelling."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sage_select import io
from sage_select.errors import DataError, Where
from sage_select.render import detect_shape, examples, has_answer, plain_text, render_rows
from sage_select.render.shape import Shape

CALL = st.sampled_from(
    [
        {"name": "f", "arguments": {"x": 1.0, "y": [None, True, "ä\n"]}},
        {"id": "1", "type": "function", "function": {"name": "g", "arguments": '{"b": 2, "a": 1e22, "b": -0}'}},
        {"function": {"name": "h", "arguments": "no json"}},
        {"function": '{"name": "i", "parameters": {}}'},
        {"name": "j", "arguments": "  "},
        {"name": "k", "arguments": "[1, 2"},
        {"function": {"arguments": {}}},
        {"name": None},
        "x",
    ]
)
CONTENT = st.sampled_from(
    [
        "yes",
        "",
        " \u3000",
        None,
        5,
        [{"type": "text", "text": "part "}, "two"],
        [{"type": "text", "value": "v"}, {"content": "c"}],
        [{"type": "image", "url": "x"}],
        [],
        {"found": [1, None]},
        '{"name": "f", "arguments": {"q": 1}}',
        "[{}]",
    ]
)
ROLE = st.sampled_from(
    ["user", "human", "assistant", "gpt", "system", "tool", "function_call", " Assistant ", "narrator", None]
)
message = st.fixed_dictionaries(
    {},
    optional={
        "role": ROLE,
        "from": ROLE,
        "content": CONTENT,
        "value": CONTENT,
        "tool_calls": st.none() | st.lists(CALL, max_size=2) | st.just("[]"),
        "function_call": st.none() | CALL,
        "weight": st.sampled_from([0, 1, 1.0, 0.5, None, True]),
        "loss_weight": st.sampled_from([0, 1]),
        "reasoning": st.sampled_from(["", "so", None]),
        "name": st.just("n"),
        "odd": st.sampled_from([None, "x"]),
    },
)
usual = st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant"]), "content": st.just("said")})
messages = st.lists(st.one_of(usual, usual, message), max_size=3)
TOOLS = st.sampled_from(
    [
        None,
        "",
        " null ",
        "x",
        '[{"name": "f"}]',
        '[{"type": "function", "function": {"name": "f", "parameters": "{}"}}]',
        '{"function": null, "name": "g"}',
        '["{\\"name\\": \\"h\\"}"]',
        '[{"name": 1}]',
        "[[]]",
    ]
)


def alone(table: pa.Table, shape: Shape) -> list[tuple[str, bool] | str]:
    """The definition: each row by itself."""
    said: list[tuple[str, bool] | str] = []
    for row in range(table.num_rows):
        try:
            [example] = examples(table.slice(row, 1), shape, lambda _, row=row: Where(row=row))
            said.append((plain_text(example), has_answer(example)))
        except DataError as error:
            said.append(str(error))
    return said


def together(table: pa.Table, shape: Shape) -> list[tuple[str, bool] | str]:
    made = render_rows(table, shape)
    texts, answers = made.texts.to_pylist(), made.answered.tolist()
    return [
        str(made.refused[row]) if row in made.refused else (texts[row], answers[row]) for row in range(table.num_rows)
    ]


def check(table: pa.Table) -> None:
    shape = detect_shape(table.schema)
    assert together(table, shape) == alone(table, shape)


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(messages, TOOLS, st.sampled_from([None, "be brief"])), min_size=1, max_size=4))
def test_conversations_of_any_spelling(rows: list[tuple[list[dict[str, Any]], str | None, str | None]]) -> None:
    as_text = {
        "messages": [json.dumps(turns) for turns, _, _ in rows],
        "tools": pa.array([tools for _, tools, _ in rows], pa.string()),
        "system": pa.array([system for _, _, system in rows], pa.string()),
    }
    check(pa.table(as_text))
    try:
        table = io.from_object([{"messages": turns, "tools": tools} for turns, tools, _ in rows]).table
    except DataError:
        return  # no row has a key, or all are bad
    check(table)


@settings(deadline=None)
@given(st.lists(st.tuples(messages, messages), min_size=1, max_size=3))
def test_prompts_and_completions_of_messages(rows: list[tuple[list[dict[str, Any]], list[dict[str, Any]]]]) -> None:
    check(io.from_object([{"prompt": prompt, "completion": completion} for prompt, completion in rows]).table)


@pytest.mark.parametrize(
    "values",
    [
        pa.array([1.5, None, float("nan"), 1e300]),
        pa.array([True, False, None]),
        pa.array([2**63, 0], pa.uint64()),
        pa.array([1.5, 0.1], pa.float32()),
        pa.array([["a"], None]),
        pa.array([b"x", None]),
        pa.array(["2024-02-29", None]).cast(pa.date32()),
        pa.array(["a", None]).dictionary_encode(),
        pa.array(["a", ""], pa.string_view()),
    ],
)
def test_columns_of_other_types(values: pa.Array) -> None:
    for columns in ({"text": values}, {"question": values, "answer": values}, {"prompt": values, "completion": values}):
        check(pa.table(columns))


@pytest.mark.parametrize("depth", [100, 299, 301, 5000])
def test_deep_arguments_are_left_to_who_reads_one_row(depth: int) -> None:
    call = {"function": {"name": "f", "arguments": "[" * depth + "]" * depth}}
    row = json.dumps([{"role": "assistant", "content": "", "tool_calls": [call]}])
    check(pa.table({"messages": [row, '[{"role": "assistant", "content": "a"}]']}))
