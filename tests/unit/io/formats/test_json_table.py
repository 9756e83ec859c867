from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pytest

from sage_select.errors import DataError
from sage_select.io import decode_rows, read
from sage_select.io.formats import json_table
from sage_select.io.tables.nested import JSON_TEXT


def jsonl(folder: Path, *rows: object, name: str = "rows.jsonl") -> Path:
    path = folder / name
    path.write_text(
        "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), encoding="utf-8"
    )
    return path


def refused(path: Path | str) -> str:
    with pytest.raises(DataError) as caught:
        read(path)
    return str(caught.value).replace(str(Path(path).parent) + "/", "")


def test_lines_that_are_data_are_kept_and_places_are_right(tmp_path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_bytes('\ufeff{"a": "x\u2028y\u0085z"}\r\n\r\n   \n{"a": "b\\u0000"}'.encode())
    held = read(rows)
    assert held.table.column("a").to_pylist() == ["x\u2028y\u0085z", "b\x00"]
    assert [held.where(row).line for row in (0, 1)] == [1, 4]
    assert str(held.where(1, "a")) == f"{rows}, row 1, line 4, column 'a'"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"a": NaN}', "rows.jsonl, row 1, line 3: NaN is not JSON"),
        ('{"a": 1, "a": 2}', "line 3: the key 'a' is given twice"),
        ('{"a": "\\ud800"}', "line 3: a string holds half"),
        ('{"a": 123456789012345678901234567890}', "line 3, column 'a': the integer 1234567890123456789"),
        ('{"a": ' + "[" * 200 + "]" * 200 + "}", "line 3: nested deeper than 128 levels"),
        ("  [1, 2]", "row 1, line 3: a row is not an object"),
        ('"text"', "got: a string"),
        ('{"a": "b"', "line 3: not JSON: expecting ',' delimiter at character 10"),
        (' {"a" "b"}', "line 3: not JSON: expecting ':' delimiter at character 7"),
        ('{"a": "b"} {"a": "c"}', "line 3: not JSON: more text after the value at character 12"),
        ('{"a": 1e999}', "line 3, column 'a': a number is too large"),
        ('{"b": {"c": [1, 1e999]}}', "line 3, column 'b': a number is too large"),
    ],
)
def test_what_is_not_strict_json_is_said_by_line(line, said, tmp_path) -> None:
    assert said in refused(jsonl(tmp_path, {"b": {"x": 1}}, "", line))


def test_bytes_that_are_not_utf8_are_said_by_line(tmp_path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"a": 1}\n{"a": "\xe9"}\n')
    assert refused(path).startswith("rows.jsonl, row 1, line 2: not UTF-8: byte 0xe9 at byte 8")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            [None, "a", 1],
            "line 3, column 'v': a column changes its type\n  expected: a string, as in line 2\n  got: a whole",
        ),
        ([True, 1], "expected: true or false, as in line 1\n  got: a whole number"),
        ([1, 2.5, "x"], "line 3, column 'v': a column changes its type\n  expected: a whole number, as in line 1"),
        ([["a"], "a"], "expected: a list, as in line 1\n  got: a string"),
        ([{"a": 1}, ["a"]], "expected: an object, as in line 1\n  got: a list"),
        ([0.5, 2**53 + 1], "line 2, column 'v': a column of decimal numbers holds a whole number"),
        ([2**53 + 1, 1, 0.5], "see also line 1"),
    ],
)
@pytest.mark.parametrize("chunk", [1, 20, 1000])
def test_a_changed_type_is_said_by_both_lines(values, said, chunk, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(json_table, "CHUNK_BYTES", chunk)
    assert said in refused(jsonl(tmp_path, *({"v": value} for value in values)))


def test_whole_and_decimal_numbers_mix_where_exact(tmp_path) -> None:
    held = read(jsonl(tmp_path, {"v": 1}, {"v": 0.5}, {"v": 2**60}, {}))
    assert held.table.schema.field("v").type == pa.float64()
    assert held.table.column("v").to_pylist() == [1.0, 0.5, float(2**60), None]


def test_missing_keys_are_null_and_come_back_absent(tmp_path) -> None:
    rows = [{"a": 1}, {"b": "x"}, {"a": 2, "b": "y"}]
    held = read(jsonl(tmp_path, *rows))
    assert held.table.to_pylist() == [{"a": 1, "b": None}, {"a": None, "b": "x"}, {"a": 2, "b": "y"}]
    assert list(decode_rows(held.table)) == rows
    assert held.notices == []


def test_null_and_missing_in_one_column_is_noticed(tmp_path) -> None:
    held = read(jsonl(tmp_path, {"a": 1, "b": None}, {"a": 2}))
    assert held.notices == ["column 'b' is null in some rows and missing in others; both are held as null"]
    assert list(decode_rows(held.table)) == [{"a": 1, "b": None}, {"a": 2, "b": None}]


def test_a_late_key_makes_only_the_early_chunks_be_read_again(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(json_table, "CHUNK_BYTES", 1)
    rows = [{"m": [{"r": str(number)}]} for number in range(9)]
    rows[2]["m"][0]["late"] = "x"
    made: list[bytes] = []
    chunks = json_table._chunks

    def counted(*arguments):
        for chunk in chunks(*arguments):
            made.append(chunk)
            yield chunk

    monkeypatch.setattr(json_table, "_chunks", counted)
    held = read(jsonl(tmp_path, *rows))
    assert list(decode_rows(held.table)) == rows
    assert len(made) == 9 + 2
    assert made[9:] == made[:2]


def test_a_file_that_shrinks_while_it_is_read_again_is_refused(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(json_table, "CHUNK_BYTES", 1)
    path = jsonl(tmp_path, {"m": ["a"]}, {"m": ["a"]}, {"m": [1]})
    chunks = json_table._chunks

    def then_cut(*arguments):
        yield from chunks(*arguments)
        path.write_text('{"m": []}\n')

    monkeypatch.setattr(json_table, "_chunks", then_cut)
    with pytest.raises(DataError, match="changed while it was read"):
        read(path)


@pytest.mark.parametrize("text", ['[{"a": 1}, {"a": 2}]', '\ufeff [\n{"a": 1},\n\n{"a":\n2}\n]\n'])
def test_arrays(text, tmp_path) -> None:
    path = tmp_path / "rows.json"
    path.write_text(text, encoding="utf-8")
    held = read(path)
    assert held.table.to_pylist() == [{"a": 1}, {"a": 2}]
    assert held.where(1).line == (1 if "\n" not in text else 4)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[{"a": 1},\n{"a": }]', "rows.json, row 1, line 2: not JSON: expecting value at character 7"),
        ('[{"a": 1}\n {"a": 2}]', "row 1, line 2: not JSON: expected ',' or ']' at character 2"),
        ('[{"a": 1}', "expected ',' or ']'"),
        ("[", "not JSON"),
        ('[{"a": 1},]', "not JSON"),
        ('[{"a": 1}] x', "line 1: more text after the array at character 12"),
        ("[\n1]", "row 0, line 2: a row is not an object"),
        ("[]", "has no rows"),
        ("[{}]", "the rows have no keys"),
    ],
)
def test_bad_arrays(text, said, tmp_path) -> None:
    path = tmp_path / "rows.json"
    path.write_text(text)
    assert said in refused(path)


def test_one_object_over_many_lines_gets_a_hint(tmp_path) -> None:
    path = tmp_path / "rows.json"
    path.write_text('{\n "a": 1\n}\n')
    assert "one object a line, or one array" in refused(path)


def test_several_files_are_one_table(tmp_path) -> None:
    jsonl(tmp_path, {"a": 1, "m": [{"x": 1}]}, name="1.jsonl")
    (tmp_path / "2.jsonl.gz").write_bytes(gzip.compress(b'{"a": 0.5, "m": [{"x": 2, "y": null}]}\n'))
    held = read(str(tmp_path / "*.jsonl*"))
    assert held.table.column("a").to_pylist() == [1.0, 0.5]
    assert held.where(1).file == str(tmp_path / "2.jsonl.gz")
    assert (held.where(1).row, held.where(1).line) == (0, 1)


def test_a_type_change_between_files_names_both(tmp_path) -> None:
    jsonl(tmp_path, {"a": "x"}, name="1.jsonl")
    jsonl(tmp_path, {"a": 1}, name="2.jsonl")
    said = refused(str(tmp_path / "*.jsonl"))
    assert said.startswith("2.jsonl, row 0, line 1, column 'a'")
    assert "1.jsonl, line 1" in said


def test_files_with_other_columns_are_refused(tmp_path) -> None:
    jsonl(tmp_path, {"a": "x", "c": 1}, name="1.jsonl")
    jsonl(tmp_path, {"a": "x", "b": 1}, name="2.jsonl")
    said = refused(str(tmp_path / "*.jsonl"))
    assert "2.jsonl: files read together have different columns\n  got: lacks c; has b besides, unlike" in said


def test_too_many_keys_are_no_table(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(json_table, "_MAX_COLUMNS", 10)
    assert "more than 10 different keys" in refused(jsonl(tmp_path, *({f"k{number}": 1} for number in range(11))))


def test_a_long_run_of_rows_keeps_its_order_and_lines(tmp_path) -> None:
    count = 40_000
    held = read(jsonl(tmp_path, *(f'{{"n": {number}}}' + "\n" * (number == 20_000) for number in range(count))))
    assert held.table.column("n").to_pylist() == list(range(count))
    assert held.where(20_000).line == 20_001
    assert held.where(count - 1).line == count + 1


@pytest.mark.parametrize("chunk", [1, 1000])
def test_objects_with_other_keys_do_not_hide_a_changed_type(chunk, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(json_table, "CHUNK_BYTES", chunk)
    assert "expected: an object, as in line 1\n  got: a list" in refused(
        jsonl(tmp_path, {"v": {"a": 1}}, {"v": []}, {"v": {"b": 1}})
    )


@pytest.mark.parametrize("chunk", [1, 1000])
def test_tools_may_hold_anything(chunk, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(json_table, "CHUNK_BYTES", chunk)
    rows = [{"tools": value} for value in ("[]", 1, [{"name": "f"}], {"a": None}, None)]
    held = read(jsonl(tmp_path, *rows))
    assert held.table.schema.field("tools").metadata == JSON_TEXT
    assert held.table.column("tools").to_pylist() == ['"[]"', "1", '[{"name":"f"}]', '{"a":null}', None]
    assert list(decode_rows(held.table)) == rows
