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
        patch.setattr(csv_file, "_BATCH_ROWS", batch)
        held = read(path)
    assert list(zip(*(column.to_pylist() for column in held.table.columns), strict=True)) == records
    lines = path.read_bytes().split(b"\n")
    assert all(lines[held.where(row).line - 1].startswith(b'"') for row in range(len(records)))


_TOKENS = st.lists(
    st.sampled_from(
        ["a", "bc", '"', '""', '"q"', '"\n"', "\n", "\r\n", "\r", ",", ",", ";", " ", "\ufeff", "é", "\0", "\x85"]
    ),
    max_size=30,
)
_SOUND = st.lists(
    st.lists(st.sampled_from(["", "a", '"b"', '"c,""d"""', '"\n"', '"\r\ne"', "f g"]), min_size=2, max_size=2)
)


def outcome(path: Path) -> object:
    """Return all that is known of a file, or what is wrong with it."""
    try:
        held = read(path, with_bad_rows=True)
    except DataError as error:
        return str(error)
    lines = [held.where(row).line for row in range(held.table.num_rows)]
    bad = str(held.bad.error(held.table.num_rows, "rows", None)) if held.bad else ""
    return held.table.to_pydict(), lines, held.bad.kinds, bad, held.notices


def both(path: Path, size: int) -> tuple[object, object]:
    """Return the outcomes of the fast way, in chunks of a size, and of the plain one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_file, "CHUNK_BYTES", size)
        fast = outcome(path)
        patch.setattr(csv_file, "sound_records", lambda *_: None)
        return fast, outcome(path)


@settings(deadline=None, max_examples=400)
@given(header=st.sampled_from(["a", "a,b", '"a",b', ",b", "a;b", "a\tb,c"]), tokens=_TOKENS, size=st.integers(1, 40))
def test_the_fast_way_and_the_plain_one_agree_on_any_text(header, tokens, size, tmp_path_factory) -> None:
    path = csv_of(tmp_path_factory.mktemp("csv"), header + "\n" + "".join(tokens))
    fast, plain = both(path, size)
    assert fast == plain


@settings(deadline=None, max_examples=100)
@given(records=_SOUND, ends=st.sampled_from(["\n", "\r\n"]), tail=_TOKENS, size=st.integers(1, 60))
def test_the_fast_way_and_the_plain_one_agree_where_sound_rows_come_first(
    records, ends, tail, size, tmp_path_factory
) -> None:
    text = "".join(",".join(record) + ends for record in [["a", "b"], *records])
    fast, plain = both(csv_of(tmp_path_factory.mktemp("csv"), text + "".join(tail)), size)
    assert fast == plain


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n1,2\n\ufeff3,4\n",  # a mark of byte order that is none
        "a,b\n1,2\n3\n4,5,6\n",
        'a,b\n1,2\n3,5" disk\n4,5\n',
        'a\n1\n2"\n"3"\n4"\n',
        'a,b\n1,2\n3,"4\n',
        "a,b\n1,2\n3,4\xff".encode("latin-1"),
        'a\n1\n\n \n""\n2',
    ],
)
@pytest.mark.parametrize("size", [1, 4, 9, 1 << 20])
def test_the_fast_way_and_the_plain_one_agree_on_odd_text(text, size, tmp_path) -> None:
    fast, plain = both(csv_of(tmp_path, text), size)
    assert fast == plain


@pytest.mark.parametrize("size", [1, 7, 64, 1 << 20])
def test_sound_rows_are_read_by_arrow(size, tmp_path, monkeypatch) -> None:
    rows = [[str(i), f'say "{i}",\nor not', ""] for i in range(50)]
    path = tmp_path / "rows.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["a", "b", "c"], *rows])
    monkeypatch.setattr(csv_file, "CHUNK_BYTES", size)
    monkeypatch.setattr(csv_file, "_take", None)  # the plain way is not taken
    held = read(path)
    assert [list(row.values()) for row in held.table.to_pylist()] == rows
    assert [held.where(row).line for row in (0, 1, 49)] == [2, 4, 100]


@pytest.mark.real_data
def test_real_rows_are_the_same_both_ways(shared_data) -> None:
    found = sorted(shared_data.rglob("*.csv"))
    assert found
    for path in found:
        fast, plain = both(path, csv_file.CHUNK_BYTES)
        assert fast == plain, path
