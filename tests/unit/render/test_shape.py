from __future__ import annotations

import json

import pyarrow as pa
import pytest

from sage_select.errors import UsageError
from sage_select.render.shape import KNOWN, Shape, ShapeOptions, detect_shape


@pytest.mark.parametrize(
    ("columns", "name", "defining"),
    [
        (["id", "messages"], "messages", ("messages",)),
        (["tools", "id", "messages"], "messages", ("messages", "tools")),
        (["conversations", "tools", "system"], "sharegpt", ("conversations", "tools", "system")),
        (["prompt", "completion", "template"], "prompt_completion", ("prompt", "completion")),
        (["instruction", "input", "output"], "instruction", ("instruction", "output", "input")),
        (["instruction", "output", "system"], "instruction", ("instruction", "output", "system")),
        (["question", "answer"], "question_answer", ("question", "answer")),
        (["text", "intent", "domain"], "text", ("text",)),
    ],
)
def test_each_known_shape_is_told_by_its_columns(columns: list[str], name: str, defining: tuple[str, ...]) -> None:
    shape = detect_shape(columns)
    assert (shape.name, shape.columns) == (name, defining)


def test_the_first_of_several_shapes_wins_in_the_fixed_order() -> None:
    columns = [name for form in KNOWN for name in form.required]
    for form in KNOWN:
        assert detect_shape(columns).name == form.name
        columns = [name for name in columns if name not in form.required]


def test_options_win_over_recognition() -> None:
    columns = ["messages", "text", "a", "b"]
    assert detect_shape(columns, ShapeOptions(text_column="a")).fields == {"text": "a"}
    asked = detect_shape(columns, ShapeOptions(prompt_column="a", completion_column="b"))
    assert (asked.name, asked.columns) == ("prompt_completion", ("a", "b"))
    written = detect_shape(columns, ShapeOptions(template="{b} {a} {b}"))
    assert (written.name, written.columns) == ("template", ("b", "a"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (ShapeOptions(prompt_column="Query"), "--completion-column"),
        (ShapeOptions(completion_column="Tool"), "--prompt-column"),
        (ShapeOptions(text_column="Query", template="{Tool}"), "contradict"),
        (ShapeOptions(text_column="Qurey"), "did you mean 'Query'?"),
        (ShapeOptions(prompt_column="Query", completion_column="tool"), "did you mean 'Tool'?"),
        (ShapeOptions(template="{query}"), "one of Query, Tool"),
        (ShapeOptions(template="no field"), "names no column"),
        (ShapeOptions(template="{Query"), "character 0"),
        (ShapeOptions(template="{Query!r} {Tool.x}"), "'Query!r'"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: ShapeOptions, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        detect_shape(["Query", "Tool"], options)
    assert said in str(refused.value)


def test_an_unknown_shape_names_the_columns_the_known_shapes_and_the_nearest() -> None:
    with pytest.raises(UsageError) as refused:
        detect_shape(["id", "Question", "answers"])
    text = str(refused.value)
    assert "'id', 'Question', 'answers'" in text
    assert all(form.name in text for form in KNOWN)
    assert "nearest is question_answer with 'Question' for 'question' and 'answers' for 'answer'" in text


def test_a_missing_column_of_the_nearest_shape_is_named() -> None:
    with pytest.raises(UsageError, match=r"nearest is instruction without 'output'"):
        detect_shape(["instruction", "input"])


def test_a_table_without_columns_is_refused() -> None:
    with pytest.raises(UsageError, match="there are no columns"):
        detect_shape([])


def test_json_text_is_found_by_its_mark_at_any_depth() -> None:
    mark = {b"sage.json": b"1"}
    function = pa.struct([pa.field("name", pa.string()), pa.field("arguments", pa.string(), metadata=mark)])
    message = pa.struct([pa.field("role", pa.string()), pa.field("tool_calls", pa.list_(function))])
    schema = pa.schema(
        [
            pa.field("messages", pa.list_(message)),
            pa.field("tools", pa.string(), metadata=mark),
            pa.field("other", pa.string(), metadata=mark),
        ]
    )
    assert detect_shape(schema).json_text == (
        ("messages", "[]", "tool_calls", "[]", "arguments"),
        ("tools",),
    )


def test_a_shape_survives_json() -> None:
    schema = pa.schema([pa.field("a", pa.string(), metadata={b"sage.json": b"1"}), pa.field("b", pa.string())])
    shape = detect_shape(schema, ShapeOptions(prompt_column="a", completion_column="b"))
    written = shape.to_dict()
    assert written["name"] == "prompt_completion"
    assert written["columns"] == ["a", "b"]
    assert written["prompt_column"] == "a"
    assert Shape.from_dict(json.loads(json.dumps(written))) == shape


def test_a_shape_without_what_it_is_read_by_is_none() -> None:
    for names in (["messages", "tools"], ["conversations"], ["prompt", "completion"], ["question", "answer"], ["text"]):
        described = detect_shape(names).to_dict()
        assert Shape.from_dict(described).to_dict() == described
        for part in described["fields"].keys() - {"tools"}:
            fields = {name: column for name, column in described["fields"].items() if name != part}
            with pytest.raises(ValueError, match=part):
                Shape.from_dict({**described, "fields": fields})
