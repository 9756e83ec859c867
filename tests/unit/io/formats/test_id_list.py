"""Lists of ids: one a line, each once."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from sage_select.errors import DataError, UsageError
from sage_select.io import Beside, from_object, group_column, read_id_list, truth_column


def test_one_id_a_line(tmp_path: Path) -> None:
    path = tmp_path / "ids"
    path.write_bytes("\ufeffa\r\n\n b c \r\nü".encode())
    found = read_id_list(Beside().file(str(path)))
    assert found.ids == ("a", " b c ", "ü")
    assert found.lines == (1, 3, 4)
    assert str(found.where(1)) == f"{path}, line 3"
    path.write_bytes(b"")
    assert read_id_list(Beside().file(str(path))).ids == ()


def test_what_is_no_list(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        read_id_list(Beside().file(str(tmp_path / "nothing")))
    path = tmp_path / "ids"
    path.write_bytes(b"a\nb\r\na\n")
    with pytest.raises(DataError, match="line 3: the id 'a' stands twice") as refused:
        read_id_list(Beside().file(str(path)))
    assert "line 1" in str(refused.value)
    path.write_bytes(b"a\n\xff\n")
    with pytest.raises(DataError, match="line 2: the list of ids is not UTF-8"):
        read_id_list(Beside().file(str(path)))


@pytest.mark.parametrize("values", [["a", "b", "a"], [1, 2, 1], [True, False, True]])
@pytest.mark.parametrize("packed", [False, True])
def test_groups(values: list[object], packed: bool) -> None:
    array = pa.array(values)
    rows = from_object(pa.table({"g": array.dictionary_encode() if packed else array}))
    first, second, third = group_column(rows, "g").to_pylist()
    assert first == third != second


def test_bad_groups() -> None:
    with pytest.raises(DataError, match=r"row 1, column 'g': 2 rows have no value"):
        group_column(from_object(pa.table({"g": ["a", None, None]})), "g")
    with pytest.raises(DataError, match="cannot be counted by these values"):
        group_column(from_object(pa.table({"g": [1.5]})), "g")
    with pytest.raises(UsageError, match="no column"):
        group_column(from_object(pa.table({"g": [1]})), "h")


def test_truths() -> None:
    assert truth_column(from_object(pa.table({"t": [True, False]})), "t").tolist() == [True, False]
    with pytest.raises(DataError, match="row 1, column 't': a value is missing"):
        truth_column(from_object(pa.table({"t": [True, None]})), "t")
    with pytest.raises(DataError, match="does not hold truth values"):
        truth_column(from_object(pa.table({"t": [1]})), "t")
