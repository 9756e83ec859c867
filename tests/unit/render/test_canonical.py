from __future__ import annotations

import datetime
import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sage_select.errors import DataError, Where
from sage_select.render.canonical import canonical_json

MARK = {b"sage.json": b"1"}


def plain(value: Any) -> Any:
    """The definition, row by row."""
    if isinstance(value, dict):
        return {key: plain(member) for key, member in value.items() if member is not None}
    if isinstance(value, list):
        return [plain(member) for member in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def written(row: dict[str, Any]) -> str:
    return json.dumps(plain(row), ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def lines(table: pa.Table, *columns: str) -> list[str]:
    texts = canonical_json(table, columns or table.column_names)
    assert texts.type == pa.string()
    assert texts.null_count == 0
    return texts.to_pylist()


text = st.one_of(st.none(), st.text(st.characters(codec="utf-8"), max_size=6))
MESSAGE = pa.struct(
    {"role": pa.string(), "content": pa.string(), "n": pa.int64(), "sure": pa.bool_(), "x": pa.float64()}
)
message = st.fixed_dictionaries(
    {
        "role": text,
        "content": text,
        "n": st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
        "sure": st.one_of(st.none(), st.booleans()),
        "x": st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)),
    }
)
row = st.fixed_dictionaries(
    {
        "b": text,
        'a"': text,
        "turns": st.one_of(st.none(), st.lists(st.one_of(st.none(), message), max_size=3)),
        "one": st.one_of(st.none(), message),
    }
)
SCHEMA = pa.schema({"b": pa.string(), 'a"': pa.large_string(), "turns": pa.list_(MESSAGE), "one": MESSAGE})


@settings(deadline=None)
@given(st.lists(row, min_size=1, max_size=5), st.integers(0, 2))
def test_columns_give_what_rows_give(rows: list[dict[str, Any]], start: int) -> None:
    table = pa.Table.from_pylist(rows, schema=SCHEMA).slice(start)
    assert lines(table) == [written(row) for row in rows[start:]]


@settings(deadline=None)
@given(st.lists(st.text(), min_size=1))
def test_every_string_is_escaped_as_json_does(texts: list[str]) -> None:
    table = pa.table({"text": texts})
    assert lines(table) == [written({"text": text}) for text in texts]
    assert [json.loads(line)["text"] for line in lines(table)] == texts


def test_only_the_columns_asked_for_are_written_and_their_order_is_not() -> None:
    table = pa.table({"b": ["1"], "score": [0.5], "a": ["2"]})
    assert lines(table, "b", "a") == lines(table, "a", "b") == ['{"a":"2","b":"1"}']


OBJECTS = ("tools", "arguments", "messages", "conversations")


def spelled(value: Any, name: str) -> Any:
    """The definition, of values that may be held as JSON text."""
    if isinstance(value, dict):
        return {key: spelled(member, key) for key, member in value.items() if member is not None}
    if isinstance(value, list):
        return [spelled(member, name) for member in value]
    if isinstance(value, str) and name in OBJECTS and value[:1] in ("{", "[", " ", "\t", "\n", "\r"):
        try:
            read = json.loads(value)
        except ValueError:
            return value
        return spelled(read, "") if isinstance(read, dict | list) else value
    return plain(value)


NAMES = st.sampled_from(["tools", "arguments", "a", "b", 'q"', "é", "\U0001f600", "\ue000"])
json_value = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(),
        st.sampled_from(
            ["", "x", "{}", '["[1]"]', ' {"arguments": "{\\"b\\": 1e2, \\"a\\": null}"}', "{x}", "\x00\n", "[NaN]"]
        ),
        st.text(st.characters(codec="utf-8"), max_size=4),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None, max_examples=200)
@given(st.lists(json_value, min_size=1, max_size=4), st.sampled_from(["x", "tools"]), st.sampled_from([None, 1]))
def test_json_text_is_what_it_spells(values: list[Any], name: str, indent: int | None) -> None:
    texts = [json.dumps(value, ensure_ascii=indent is None, indent=indent) for value in values]
    marked = pa.table([pa.array(texts)], schema=pa.schema([pa.field(name, pa.string(), metadata=MARK)]))

    def row(value: Any) -> str:
        kept = {name: spelled(value, name)} if value is not None else {}
        return json.dumps(kept, ensure_ascii=False, sort_keys=True, separators=(",", ":"))

    assert lines(marked) == [row(value) for value in values]
    assert lines(pa.table({"tools": texts})) == [
        json.dumps({"tools": spelled(text, "tools")}, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        for text in texts
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "Expecting property name"),
        ("1 2", "Extra data"),
        ("[1,]", "Expecting value"),
        ("", "Expecting value"),
        ("'x'", "Expecting value"),
        (r'"\ud800"', "half of a surrogate pair"),
        ("[" * 1000 + "]" * 1000, "too deep"),
        ("1" * 4301, "4300 digits"),
    ],
)
def test_what_is_wrong_with_json_text_is_said(text: str, problem: str) -> None:
    table = pa.table([["1", text]], schema=pa.schema([pa.field("x", pa.string(), metadata=MARK)]))
    with pytest.raises(DataError, match=f"^row 1: the row cannot be written as JSON: .*{problem}"):
        canonical_json(table, ["x"])


ARGUMENTS = [{"city": "Zürich", "n": 2}, {"when": None, "list": [1.0, 2.5]}]


def conversation(arguments: Any) -> list[dict[str, Any]]:
    call = {"type": "function", "function": {"name": "f", "arguments": arguments}}
    return [{"role": "user", "content": "x"}, {"role": "assistant", "content": "", "tool_calls": [call]}]


def test_the_same_row_is_the_same_from_every_source() -> None:
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"properties": {"city": {}}}}}]
    rows = [{"messages": conversation(arguments), "tools": tools} for arguments in ARGUMENTS]
    memory = pa.table(
        {
            "messages": [row["messages"] for row in rows],
            "tools": [json.dumps(row["tools"], indent=1) for row in rows],
        }
    )
    file = io.BytesIO()
    pq.write_table(memory, file)
    spelled = [conversation(json.dumps(arguments)) for arguments in ARGUMENTS]
    kind = pa.struct(
        [("name", pa.string()), pa.field("arguments", pa.string(), metadata=MARK)],
    )
    turn = pa.struct(
        [
            ("role", pa.string()),
            ("content", pa.string()),
            ("tool_calls", pa.list_(pa.struct([("type", pa.string()), ("function", kind)]))),
            ("name", pa.string()),
        ]
    )
    marked = pa.table(
        [pa.array(spelled, pa.list_(turn)), pa.array([json.dumps(row["tools"]) for row in rows])],
        schema=pa.schema([("messages", pa.list_(turn)), pa.field("tools", pa.string(), metadata=MARK)]),
    )
    whole = pa.table({"messages": [json.dumps(row["messages"]) for row in rows], "tools": [json.dumps(tools)] * 2})
    expected = [written(row) for row in rows]
    assert lines(memory) == expected
    assert lines(pq.read_table(file)) == expected
    assert lines(marked) == expected
    assert lines(whole) == expected


def test_text_that_only_looks_like_json_stays_text() -> None:
    table = pa.table({"text": ['{"b": 1, "a": 2}'], "arguments": ["{not json"]})
    assert lines(table) == ['{"arguments":"{not json","text":"{\\"b\\": 1, \\"a\\": 2}"}']


def test_marked_text_that_is_no_json_is_refused_with_its_row() -> None:
    field = pa.field("x", pa.string(), metadata=MARK)
    table = pa.table([["1"] * 5000 + ["{"]], schema=pa.schema([field]))
    with pytest.raises(DataError, match=r"^row 5000: the row cannot be written as JSON"):
        canonical_json(table, ["x"])
    with pytest.raises(DataError, match=r"^here, row 5000"):
        canonical_json(table, ["x"], where=lambda row: Where(file="here", row=row))


def test_bytes_are_refused_and_dates_are_text() -> None:
    day = datetime.date(2024, 2, 29)
    assert lines(pa.table({"day": [day], "map": pa.array([[("k", day)]], pa.map_(pa.string(), pa.date32()))})) == [
        '{"day":"2024-02-29","map":{"k":"2024-02-29"}}'
    ]
    with pytest.raises(DataError, match=r"row 1: .*bytes have no JSON"):
        canonical_json(pa.table({"x": [None, b"1"]}), ["x"])


def test_a_whole_number_is_whole_whatever_its_type() -> None:
    for kind in (pa.int8(), pa.uint64(), pa.float32(), pa.float64()):
        assert lines(pa.table({"n": pa.array([2, None], kind)})) == ['{"n":2}', "{}"]


def test_lists_of_fixed_size_and_large_lists() -> None:
    rows = [[1, 2], None, [3, None]]
    for kind in (pa.list_(pa.int64(), 2), pa.large_list(pa.int64())):
        assert lines(pa.table({"n": pa.array(rows, kind)}).slice(0)) == ['{"n":[1,2]}', "{}", '{"n":[3,null]}']
        assert lines(pa.table({"n": pa.array(rows, kind)}).slice(1)) == ["{}", '{"n":[3,null]}']


def test_arrow_json_values_are_objects() -> None:
    values = pa.array(['{"b": 1, "a": null}', None], pa.json_(pa.string()))
    assert lines(pa.table({"x": values})) == ['{"x":{"b":1}}', "{}"]


def test_no_rows() -> None:
    assert lines(pa.table({"text": pa.array([], pa.string())})) == []
