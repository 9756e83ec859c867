"""Encodings and dialects of text files, and values and types that no row should have."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest

from sage_select import select
from sage_select.errors import DataError, UsageError
from sage_select.io import TextOptions, decode_rows, estimate, from_object, read
from sage_select.io.guards.damage import damage_errors
from sage_select.stages import Source

WORDS = "What\u2019s a café; or a bar?"


def rows(text: str, mark: str = ",") -> str:
    return f"prompt{mark}completion\n" + "".join(f'"{text} {number}"{mark}x{number}\n' for number in range(3))


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_the_delimiter_is_what_the_header_has(mark: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(rows(WORDS, mark), encoding="utf-8")
    assert read(path).table.to_pylist() == [{"prompt": f"{WORDS} {n}", "completion": f"x{n}"} for n in range(3)]
    assert estimate(path).sample.table.column_names == ["prompt", "completion"]


def test_a_delimiter_that_is_said(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("a:b\n1:2,3\n")
    assert read(path, text=TextOptions(delimiter=":")).table.to_pylist() == [{"a": "1", "b": "2,3"}]
    path.write_text("What; then?\nno marks here\n")
    assert read(path).table.column_names == ["What; then?"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "cp1252"])
def test_encodings(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(rows(WORDS), encoding=encoding)
    said = None if encoding == "utf-16" else encoding
    assert read(path, text=TextOptions(encoding=said)).table["prompt"][2].as_py() == f"{WORDS} 2"
    if encoding == "cp1252":
        with pytest.raises(DataError, match=r"line 2: not UTF-8: byte 0x92(?s:.*)--encoding cp1252"):
            read(path)
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "é"}\n{"text": "z"}\n', encoding=encoding)
    assert read(path, text=TextOptions(encoding=said)).table["text"].to_pylist() == ["é", "z"]


def test_settings_that_are_none() -> None:
    for wrong in ({"encoding": "klingon"}, {"encoding": "hex"}, {"delimiter": "::"}, {"delimiter": '"'}):
        with pytest.raises(UsageError):
            Source.make(path="x", **wrong)


def test_the_index_of_pandas(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(",text\n0,a\n1,b\n")
    held = read(path)
    assert held.table.to_pylist() == [{"index": "0", "text": "a"}, {"index": "1", "text": "b"}]
    assert "index=False" in held.notices[0]


def test_a_wide_integer_is_named_with_a_way_out(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "a", "flake": 1}\n{"text": "b", "flake": {"x": [18446744073709551615]}}\n')
    with pytest.raises(DataError) as caught:
        read(path)
    text = str(caught.value)
    assert "row 1, line 2, column 'flake': the integer 18446744073709551615 does not fit into 64 bits" in text
    assert "as a string" in text


WIDE = 12345678901234567890123456


def calling(**message: object) -> dict[str, object]:
    """Return a conversation whose answer has these members."""
    return {"messages": [{"role": "user", "content": "where is it"}, {"role": "assistant", "content": "", **message}]}


def call(arguments: object) -> dict[str, object]:
    return {"tool_calls": [{"type": "function", "function": {"name": "track", "arguments": arguments}}]}


@pytest.mark.parametrize("ending", ["jsonl", "json"])
def test_wide_integers_are_kept_in_what_is_json_text(ending: str, tmp_path: Path) -> None:
    told = {"type": "function", "function": {"name": "track", "parameters": {"properties": {"x": {"maximum": -WIDE}}}}}
    rows = [
        {"tools": [told], **calling(**call({"parcel": WIDE, "more": [{"x": 10**80}]}))},
        {"tools": [told], **calling(**call({"parcel": 2}))},
        {"tools": [], "messages": [{"role": "tool", "content": {"id": WIDE}}, {"role": "assistant", "content": "x"}]},
    ]
    path = tmp_path / f"rows.{ending}"
    path.write_text(json.dumps(rows) if ending == "json" else "".join(json.dumps(row) + "\n" for row in rows))
    assert list(decode_rows(read(path).table)) == rows
    assert list(decode_rows(from_object(rows).table)) == rows
    select(path, k=3).write(tmp_path / "out.jsonl")
    again = select(tmp_path / "out.jsonl", k=3).table()
    assert sorted(str(row["messages"]) for row in decode_rows(again)) == sorted(str(row["messages"]) for row in rows)
    # What is spelt as text and as an object is the same row.
    spelt = [
        {**rows[0], **calling(**call(json.dumps(rows[0]["messages"][1]["tool_calls"][0]["function"]["arguments"])))}
    ]
    ids = [select(some, k=1).table()["sage_row_id"].to_pylist() for some in (rows[:1], spelt)]
    assert ids[0] == ids[1]


@pytest.mark.parametrize(
    "row",
    [
        {"text": "a", "n": WIDE},
        {"text": "a", "n": [1.5, WIDE]},
        {"text": "a", "n": {"content": WIDE}},
        {"text": "a", "n": {"value": [WIDE]}},
        {"text": "a", "arguments": WIDE},
        {"text": "a", "n": 2**63},
        {"text": "a", "n": -(2**63) - 1},
        {"text": "a", "n": int("1" + "0" * 400)},
    ],
)
def test_wide_integers_that_no_column_holds_are_refused_row_by_row(row: dict[str, object], tmp_path: Path) -> None:
    name = list(row)[1]
    for ending, text in (
        ("jsonl", json.dumps({"text": "b"}) + "\n" + json.dumps(row) + "\n"),
        ("json", json.dumps([{"text": "b"}, row])),
    ):
        path = tmp_path / f"rows.{ending}"
        path.write_text(text)
        with pytest.raises(
            DataError, match=f"row 1, line [12], column '{name}': the integer .* does not fit"
        ) as caught:
            read(path)
        assert "as a string" in str(caught.value)
    with pytest.raises(DataError, match="does not fit into 64 bits"):
        from_object([{"text": "b"}, row])


def test_an_empty_key_is_refused_where_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "a"}\n{"text": "b", "": 1}\n')
    with pytest.raises(DataError, match="row 1, line 2: a key of the row is empty"):
        read(path)


def test_structs_without_fields() -> None:
    empty = pa.array([{}, None, {}], pa.struct([]))
    nested = pa.array([[{}], [], None], pa.list_(pa.struct([])))
    held = from_object(pa.table({"text": ["a b", "c d", "e f"], "meta": empty, "more": nested})).table
    assert [row["meta"] for row in decode_rows(held)] == [{}, None, {}]
    assert [row["more"] for row in decode_rows(held)] == [[{}], [], None]
    assert select(pa.table({"text": ["a b", "c d", "e f"], "meta": empty}), k=1).table().num_rows == 1


def test_types_that_only_arrow_holds() -> None:
    interval = pa.array([pa.MonthDayNano([1, 2, 3])])
    union = pa.UnionArray.from_dense(pa.array([0], pa.int8()), pa.array([0], pa.int32()), [pa.array([1])])
    twice = pa.StructArray.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    for column, said in ((interval, "type cannot be read"), (union, "type cannot be read"), (twice, "'a' twice")):
        with pytest.raises(DataError, match=said):
            from_object(pa.table({"text": ["x"], "odd": column}))


def test_a_type_without_a_class_is_no_damage() -> None:
    with (
        pytest.raises(DataError, match="a column is of a type that cannot be read") as error,
        damage_errors("x", "Arrow"),
    ):
        raise KeyError(21)
    assert "type 21 of Arrow" in str(error.value)
    with pytest.raises(DataError, match="is damaged"), damage_errors("x", "Arrow"):
        raise KeyError("name")
