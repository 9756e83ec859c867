from __future__ import annotations

import csv
import gzip
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sage_select.errors import DataError
from sage_select.io import read
from sage_select.io.formats import csv_file


def csv_of(folder: Path, text: str | bytes, name: str = "rows.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_everything_is_a_string_and_lines_are_right(tmp_path) -> None:
    held = read(csv_of(tmp_path, '\ufeffid,text\r\n007,"two\r\nlines, ""quoted"""\r\n\r\n,NaN\u2028\r\n1e5,last'))
    assert held.table.schema == pa.schema([("id", pa.string()), ("text", pa.string())])
    assert held.table.column("id").to_pylist() == ["007", "", "1e5"]
    assert held.table.column("text").to_pylist() == ['two\r\nlines, "quoted"', "NaN\u2028", "last"]
    assert [held.where(row).line for row in range(3)] == [2, 5, 6]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "a,b\n1,2\n\n3\n",
            "rows.csv, row 1, line 4: a record has another number of values than the header\n  expected: 2",
        ),
        ('a,b\n"1\n2",3\n4,5,6\n', "row 1, line 4: a record"),
        ('a,b\n1,"open\n2,3\n', "line 2: not CSV: unexpected end of data"),
        ('a,b\n1,"x"y\n', "line 2: not CSV"),
        ("a,b\n1,x\ry\n", "line 2: not CSV"),
        ("a,,b\n1,2,3\n", "line 1: column number 2 has no name"),
        ("a,b,a\n1,2,3\n", "line 1: the header names the column 'a' twice"),
        ("a,b\n", "has no rows"),
        (b"a,b\n1,\xff\n", "line 2: not UTF-8: byte 0xff at byte 3"),
        ("", "has no rows"),
        ("\n\n", "has no header line"),
    ],
)
def test_what_is_refused(text, said, tmp_path) -> None:
    with pytest.raises(DataError) as caught:
        read(csv_of(tmp_path, text))
    assert said in str(caught.value)


def test_tabs_and_compression(tmp_path) -> None:
    held = read(csv_of(tmp_path, gzip.compress(b"a\tb\n1,5\t2\n"), "rows.tsv.gz"))
    assert held.table.to_pylist() == [{"a": "1,5", "b": "2"}]


def test_files_with_the_same_columns_in_another_order(tmp_path) -> None:
    csv_of(tmp_path, "a,b\n1,2\n", "1.csv")
    csv_of(tmp_path, "b,a\n4,3\n", "2.csv")
    held = read(str(tmp_path / "*.csv"))
    assert held.table.select(["a", "b"]).to_pylist() == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]
    assert held.where(1).file == str(tmp_path / "2.csv")
    csv_of(tmp_path, "b,c\n4,3\n", "3.csv")
    with pytest.raises(DataError, match="lacks a; has c besides"):
        read(str(tmp_path / "*.csv"))


def test_the_limit_of_the_standard_library_is_lifted_and_put_back(tmp_path) -> None:
    before = csv.field_size_limit()
    held = read(csv_of(tmp_path, "a\n" + "x" * (before + 1) + "\n"))
    assert len(held.table.column("a")[0].as_py()) == before + 1
    assert csv.field_size_limit() == before


_TEXT = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from(',"\n\r\t\u2028'), max_size=6)


@settings(deadline=None, max_examples=60)
@given(records=st.lists(st.tuples(_TEXT, _TEXT), min_size=1, max_size=6), batch=st.integers(1, 4))
def test_what_the_standard_library_writes_comes_back(records, batch, tmp_path_factory) -> None:
    path = tmp_path_factory.mktemp("csv") / "rows.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerow(["a", "b"])
        writer.writerows(records)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_file, "BATCH_ROWS", batch)
        held = read(path)
    assert list(zip(*(column.to_pylist() for column in held.table.columns), strict=True)) == records
    lines = path.read_bytes().split(b"\n")
    assert all(lines[held.where(row).line - 1].startswith(b'"') for row in range(len(records)))
