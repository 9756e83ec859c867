from __future__ import annotations

import datetime
import decimal
import json
from pathlib import Path

import pyarrow as pa
import pytest

from sage_select.errors import DataError, UsageError
from sage_select.io import decode_rows, read
from sage_select.io.formats.encode import OutputFormat, encode_table, output_format
from sage_select.io.tables.nested import JSON_TEXT


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("out.arrow", OutputFormat.ARROW_FILE),
        ("a/b.c/OUT.ARROW", OutputFormat.ARROW_FILE),
        ("out.arrows", OutputFormat.ARROW_STREAM),
        ("out.parquet", OutputFormat.PARQUET),
        ("out.v2.jsonl", OutputFormat.JSONL),
        ("out.jsonl.gz", OutputFormat.JSONL_GZIP),
        ("out", OutputFormat.HF_FOLDER),
        ("out.v2/", OutputFormat.HF_FOLDER),
        (Path("a.b/out"), OutputFormat.HF_FOLDER),
    ],
)
def test_the_name_chooses(name, form) -> None:
    assert output_format(name) is form


@pytest.mark.parametrize("name", ["out.csv", "out.gz", "out.arow", "", ".", "out.json"])
def test_other_names_are_refused(name) -> None:
    with pytest.raises(UsageError, match=r"\.arrow, \.arrows, \.parquet, \.jsonl, \.jsonl\.gz"):
        output_format(name)


def test_the_nearest_end_is_named() -> None:
    with pytest.raises(UsageError, match=r"did you mean '\.parquet'"):
        output_format("out.parquett")


@pytest.mark.parametrize("form", list(OutputFormat))
def test_equal_tables_give_equal_bytes(form, tmp_path, no_wait) -> None:
    table = pa.table({"a": [f"text {number}" for number in range(9000)], "b": [[1.5, None]] * 9000})
    chunks = pa.concat_tables([table.slice(0, 1), table.slice(1, 8500), table.slice(8501)])
    first = encode_table(table, form, tmp_path / "1", no_wait)
    second = encode_table(chunks, form, tmp_path / "2", no_wait)
    assert [digest for _, digest in first] == [digest for _, digest in second]
    for (one, _), (other, _) in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()


def lines(folder: Path, table: pa.Table, files) -> list[str]:
    encode_table(table, OutputFormat.JSONL, folder / "x.jsonl", files)
    return (folder / "x.jsonl").read_text(encoding="utf-8").splitlines()


def test_json_lines_hold_what_json_has_no_word_for_as_text(tmp_path, no_wait) -> None:
    table = pa.table(
        {
            "when": [datetime.datetime(2020, 1, 2, 3, 4, 5)],
            "day": [datetime.date(2020, 1, 2)],
            "price": [decimal.Decimal("1.50")],
            "n": pa.array([2**64 - 1], pa.uint64()),
            "text": ["\u2028 é \x00"],
        }
    )
    assert lines(tmp_path, table, no_wait)[0].startswith(
        '{"when": "2020-01-02T03:04:05.000000", "day": "2020-01-02", "price": "1.50"'
    )
    assert json.loads((tmp_path / "x.jsonl").read_bytes())["text"] == "\u2028 é \x00"
    assert (tmp_path / "x.jsonl").read_bytes().count(b"\n") == 1


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (pa.array([1.0, float("nan")]), "row 1, column 'x': JSON cannot hold a value"),
        (pa.array([1.0, float("inf")]), "row 1, column 'x'"),
        (pa.array([b"a", b"b"]), "row 0, column 'x': JSON cannot hold a value: Object of type bytes"),
        (pa.array([datetime.timedelta(1), None]), "row 0, column 'x'"),
    ],
)
def test_what_json_cannot_hold(array, said, tmp_path, no_wait) -> None:
    with pytest.raises(DataError) as caught:
        lines(tmp_path, pa.table({"ok": [1, 2], "x": array}), no_wait)
    assert said in str(caught.value)
    assert "write .arrow or .parquet" in str(caught.value)


def test_text_that_only_claims_to_be_json(tmp_path, no_wait) -> None:
    schema = pa.schema([pa.field("x", pa.string(), metadata=JSON_TEXT)])
    with pytest.raises(DataError, match=r"column 'x'.*marked as JSON text is not JSON"):
        lines(tmp_path, pa.table([["{"]], schema=schema), no_wait)


def test_structs_of_others_lose_their_nulls_and_columns_keep_theirs(tmp_path, no_wait) -> None:
    table = pa.Table.from_pylist([{"s": {"a": 1, "b": None}, "c": None}, {"s": None, "c": 2}])
    assert [json.loads(line) for line in lines(tmp_path, table, no_wait)] == [
        {"s": {"a": 1}, "c": None},
        {"s": None, "c": 2},
    ]


def test_sage_columns_are_always_all_written(tmp_path, no_wait) -> None:
    table = pa.table({"a": ["x"], "sage_parent_id": pa.array([None], pa.string())})
    assert lines(tmp_path, table, no_wait) == ['{"a": "x", "sage_parent_id": null}']


def test_many_lines_are_all_written(tmp_path, no_wait) -> None:
    table = pa.table({"a": ["x" * 1000] * 3000})
    assert len(lines(tmp_path, table, no_wait)) == 3000
    assert list(decode_rows(read(tmp_path / "x.jsonl").table)) == table.to_pylist()


def test_values_beyond_what_python_can_hold(tmp_path, no_wait) -> None:
    table = pa.table({"t": pa.array([2**62], pa.timestamp("ns", "UTC")), "d": pa.array([-800_000], pa.date32())})
    assert lines(tmp_path, table, no_wait) == ['{"t": "2116-02-20T23:53:38.427387904Z", "d": "-0221-09-04"}']
    with pytest.raises(DataError, match="column 'x': a value of type date32"):
        list(decode_rows(pa.table({"x": pa.array([2**31 - 1], pa.date32())})))
    with pytest.raises(DataError, match="column 'x': a value of type duration"):
        list(decode_rows(pa.table({"x": pa.array([2**62], pa.duration("s"))})))
    with pytest.raises(DataError, match="column 'x': a value of type timestamp"):
        list(decode_rows(pa.table({"x": pa.array([1], pa.timestamp("s", "No/Where"))})))
