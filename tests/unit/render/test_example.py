from __future__ import annotations

import csv
import gzip
import json
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sage_select.errors import DataError, Where
from sage_select.render.example import Conversation, Text, examples, has_answer, to_example
from sage_select.render.shape import ShapeOptions, detect_shape


def read(row: dict[str, Any], **options: str) -> Any:
    return to_example(row, detect_shape(list(row), ShapeOptions(**options)), Where(row=0))


def turns(question: str, answer: str, *before: dict[str, Any]) -> list[dict[str, Any]]:
    return [*before, {"role": "user", "content": question}, {"role": "assistant", "content": answer}]


def test_two_part_rows_become_a_user_and_an_assistant_turn() -> None:
    assert read({"question": "1+1?", "answer": "2"}).messages == turns("1+1?", "2")
    assert read({"prompt": "a", "completion": "b"}).messages == turns("a", "b")
    assert read({"Query": "a", "Tool": "b"}, prompt_column="Query", completion_column="Tool").messages == turns(
        "a", "b"
    )


def test_an_instruction_and_its_input_are_two_paragraphs() -> None:
    row = {"instruction": "Add.", "input": "1, 1", "output": "2", "system": "Be brief."}
    assert read(row).messages == turns("Add.\n\n1, 1", "2", {"role": "system", "content": "Be brief."})
    assert read({**row, "input": "", "system": None}).messages == turns("Add.", "2")


CALL = {"type": "function", "function": {"name": "now", "arguments": {}}}


@pytest.mark.parametrize("answer", [None, "", "  \n", "\u3000\t"])
def test_an_empty_answer_is_nothing_to_train_however_it_is_spelled(answer: str | None) -> None:
    rows = [
        {"question": "a", "answer": answer},
        {"prompt": "a", "completion": answer},
        {"instruction": "a", "input": "b", "output": answer},
        {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": answer}]},
        {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": answer}]},
        {"text": answer},
    ]
    assert [has_answer(read(row)) for row in rows] == [False] * len(rows)


@pytest.mark.parametrize(
    ("turn", "is_answer"),
    [
        ({"content": "x"}, True),
        ({"content": "", "tool_calls": [CALL]}, True),
        ({"content": "", "reasoning_content": "so"}, True),
        ({"content": " ", "thinking": " "}, False),
        ({"content": "x", "weight": 0}, False),
        ({"content": "", "tool_calls": [CALL], "weight": 0}, False),
        ({"content": "", "reasoning": {"kind": "hidden"}}, False),
    ],
)
def test_words_calls_and_thoughts_are_answers_where_they_are_trained(turn: dict[str, Any], is_answer: bool) -> None:
    example = Conversation([{"role": "user", "content": "words"}, {"role": "assistant", **turn}])
    assert has_answer(example) is is_answer
    empty = Conversation([*example.messages, {"role": "user", "content": "b"}, {"role": "assistant", "content": ""}])
    assert has_answer(empty) is is_answer


def test_rows_without_an_assistant_have_no_answer() -> None:
    assert not has_answer(Conversation([]))
    assert not has_answer(Conversation([{"role": "user", "content": "a"}, {"role": "tool", "content": "b"}]))


def test_a_prompt_may_be_messages_and_none_of_them_is_trained() -> None:
    prompt = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}]
    got = read({"prompt": prompt, "completion": [{"role": "assistant", "content": "d"}]}).messages
    assert got == [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b", "weight": 0},
        {"role": "user", "content": "c"},
        {"role": "assistant", "content": "d"},
    ]


def test_numbers_are_text_and_objects_are_not() -> None:
    assert read({"question": 1, "answer": True}).messages == turns("1", "true")
    with pytest.raises(DataError, match="column 'answer': the value is not text"):
        read({"question": "a", "answer": [1]})


def test_text_rows() -> None:
    assert read({"text": "a b"}) == Text("a b")
    assert read({"text": None}) == Text("")
    assert read({"a": 1, "b": "x"}, template="{b}:\\n{a}{{}}") == Text("x:\n1{}")


def test_a_system_column_counts_where_no_system_turn_does() -> None:
    row = {"conversations": [{"from": "human", "value": "x"}], "system": "S"}
    assert read(row).messages[0] == {"role": "system", "content": "S"}
    own = [{"from": "system", "value": "T"}, {"from": "human", "value": "x"}]
    assert [turn["content"] for turn in read({**row, "conversations": own}).messages] == ["T", "x"]


def test_arrow_nulls_are_absent_keys_and_nulls_in_json_text_stay() -> None:
    calls = [{"function": {"name": "f", "arguments": {"a": 1}}}]
    table = pa.table(
        {
            "messages": [
                [
                    {"role": "user", "content": "x", "tool_calls": None},
                    {"role": "assistant", "content": None, "tool_calls": calls},
                    {
                        "role": "assistant",
                        "content": None,
                        "tool_calls": [{"function": {"name": "g", "arguments": {"b": 2}}}],
                    },
                ]
            ],
            "tools": ['[{"name": "f", "default": null}]'],
        }
    )
    (example,) = examples(table, detect_shape(table.schema))
    assert isinstance(example, Conversation)
    assert "tool_calls" not in example.messages[0]
    assert [m["tool_calls"][0]["function"]["arguments"] for m in example.messages[1:]] == [{"a": 1}, {"b": 2}]
    assert example.tools[0]["function"]["default"] is None


def test_marked_json_text_is_parsed_where_it_lies() -> None:
    mark = {b"sage.json": b"1"}
    kind = pa.list_(pa.struct([pa.field("role", pa.string()), pa.field("content", pa.string(), metadata=mark)]))
    rows = [[{"role": "user", "content": '"quoted"'}, {"role": "tool", "content": '{"a": null}'}], None]
    table = pa.table([pa.array(rows, kind)], schema=pa.schema([pa.field("messages", kind)]))
    first, second = examples(table, detect_shape(table.schema))
    assert [turn["content"] for turn in first.messages] == ["quoted", '{"a": null}']
    assert second.messages == []


def test_marked_json_text_that_is_none_is_refused_with_its_row() -> None:
    field = pa.field("messages", pa.string(), metadata={b"sage.json": b"1"})
    table = pa.table([pa.array(["[]", "[}"])], schema=pa.schema([field]))
    with pytest.raises(DataError, match=r"row 1, column 'messages': the JSON text of messages is not valid"):
        list(examples(table, detect_shape(table.schema)))


def test_maps_are_objects() -> None:
    kind = pa.list_(pa.struct({"role": pa.string(), "content": pa.map_(pa.string(), pa.string())}))
    table = pa.table({"messages": pa.array([[{"role": "tool", "content": [("a", "b")]}]], kind)})
    (example,) = examples(table, detect_shape(table.schema))
    assert example.messages == [{"role": "tool", "content": '{"a": "b"}'}]


def test_rows_nested_too_deeply_are_refused() -> None:
    deep: Any = "x"
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(DataError, match="nested too deeply"):
        to_example({"messages": deep}, detect_shape(["messages"]), Where(row=0))


def test_batches_do_not_matter() -> None:
    table = pa.table({"text": [str(row) for row in range(10)]})
    shape = detect_shape(table.schema)
    chunked = pa.concat_tables([table.slice(0, 3), table.slice(3)])
    for given in (table, chunked):
        for rows in (1, 3, 100):
            assert [example.text for example in examples(given, shape, batch_rows=rows)] == [
                str(row) for row in range(10)
            ]


@pytest.mark.real_data
def test_real_glaive_conversations(shared_data: Path) -> None:
    rows = json.loads((shared_data / "chat_formats/glaive_sharegpt.json").read_text("utf-8"))
    shape = detect_shape(list(rows[0]))
    calls = 0
    for number, row in enumerate(rows):
        example = to_example(row, shape, Where(row=number))
        assert len(example.messages) == len(row["conversations"])
        assert {turn["role"] for turn in example.messages} <= {"user", "assistant", "tool"}
        assert all(tool["function"]["name"] for tool in example.tools)
        for turn, raw in zip(example.messages, row["conversations"], strict=True):
            if raw["from"] == "function_call":
                (call,) = turn["tool_calls"]
                assert call["function"] == json.loads(raw["value"])
                calls += 1
            else:
                assert turn["content"] == raw["value"]
    assert calls == 211


@pytest.mark.real_data
def test_real_typed_content(shared_data: Path) -> None:
    with (shared_data / "chat_formats/v1_messages.jsonl").open(encoding="utf-8", newline="\n") as file:
        rows = [json.loads(line) for line in file if line.strip()]
    assert len(rows) == 500
    for row in rows:
        question, answer = to_example(row, detect_shape(list(row)), None).messages
        assert question == {"role": "user", "content": row["messages"][0]["content"][0]["value"]}
        assert answer == {"role": "assistant", "content": row["messages"][1]["content"][0]["value"]}


@pytest.mark.real_data
def test_real_agent_dialogues(shared_data: Path) -> None:
    with gzip.open(shared_data / "sgd_chat/dev.jsonl.gz", "rt", encoding="utf-8", newline="\n") as file:
        rows = [json.loads(line) for line in islice(file, 200)]
    for row in rows:
        example = to_example(row, detect_shape(list(row)), None)
        assert example.tools == row["tools"]
        for turn, raw in zip(example.messages, row["messages"], strict=True):
            assert turn["content"] == raw["content"]
            spelled = [call["function"]["arguments"] for call in raw.get("tool_calls", [])]
            assert [json.dumps(call["function"]["arguments"]) for call in turn.get("tool_calls", [])] == [
                json.dumps(json.loads(text)) for text in spelled
            ]


@pytest.mark.real_data
def test_real_two_part_rows(shared_data: Path) -> None:
    with gzip.open(shared_data / "toolformer/all.jsonl.gz", "rt", encoding="utf-8", newline="\n") as file:
        row = json.loads(file.readline())
    assert read(row).messages == turns(f"{row['instruction']}\n\n{row['input']}", row["output"])
    with (shared_data / "metatool/queries.csv").open(encoding="utf-8", newline="") as file:
        row = next(csv.DictReader(file))
    got = read(row, prompt_column="Query", completion_column="Tool")
    assert got.messages == turns(row["Query"], row["Tool"])
