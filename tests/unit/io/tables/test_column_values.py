from __future__ import annotations

import decimal

import numpy as np
import pyarrow as pa
import pytest

from sage_select.errors import DataError, UsageError
from sage_select.io import embedding_column, from_object, numeric_column, read, require_column


def rows(values: object, kind: pa.DataType | None = None):
    return from_object(pa.table({"v": pa.array(values, kind)}))


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2], pa.int8()),
        ([1, 2], pa.uint64()),
        ([1.0, 2.0], pa.float16()),
        ([1.0, 2.0], pa.float64()),
        (["1", " 2.0 "], pa.string()),
        (["1e0", "2"], pa.large_string()),
        ([decimal.Decimal("1.0"), decimal.Decimal("2.0")], None),
    ],
)
def test_numbers(values, kind) -> None:
    made = numeric_column(rows(values, kind), "v")
    assert made.dtype == np.float64
    assert made.tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([1.0, None], "row 1, column 'v': a value is missing"),
        ([1.0, float("nan")], "row 1, column 'v': a number is not finite\n  got: nan"),
        ([float("-inf"), 1.0], "row 0, column 'v': a number is not finite\n  got: -inf"),
        (["1", "2", "x", "y"], "row 2, column 'v': a text is not a number\n  expected: a number\n  got: 'x'"),
        (["1", "nan"], "row 1, column 'v': a number is not finite"),
        (["", "1"], "row 0, column 'v': a text is not a number"),
        ([1, 2**53 + 1], "row 1, column 'v': a number cannot be held as a 64-bit float\n  got: 9007199254740993"),
        ([True], "a column is not one of numbers"),
        ([[1.0]], "a column is not one of numbers"),
    ],
)
def test_bad_numbers(values, said) -> None:
    with pytest.raises(DataError) as caught:
        numeric_column(rows(values), "v")
    assert said in str(caught.value)


def test_a_bad_number_in_csv_names_its_line(tmp_path) -> None:
    (tmp_path / "rows.csv").write_text('id,v\n"a\nb",1\n\nc,high\n')
    with pytest.raises(DataError, match=r"rows.csv, row 1, line 5, column 'v': a text is not a number"):
        numeric_column(read(tmp_path / "rows.csv"), "v")


@pytest.mark.parametrize("kind", [pa.list_(pa.float32()), pa.list_(pa.float32(), 2), pa.large_list(pa.float32())])
def test_embeddings(kind) -> None:
    column = pa.array([[9, 9], [1, 2], [3, 4], [5, 6]], kind).slice(1)
    made = embedding_column(from_object(pa.table({"v": column})), "v")
    assert made.type == pa.list_(pa.float32(), 2)
    assert made.to_pylist() == [[1, 2], [3, 4], [5, 6]]
    assert made.chunk(0).flatten().buffers()[1].address == column.values.buffers()[1].address, "the values were copied"


def test_embeddings_in_chunks_and_slices() -> None:
    table = pa.table({"v": pa.array([[float(number), 0.0] for number in range(9)], pa.list_(pa.float64(), 2))})
    held = from_object(pa.concat_tables([table.slice(2, 3), table.slice(7)]))
    made = embedding_column(held, "v")
    assert made.num_chunks == 2
    assert [row[0] for row in made.to_pylist()] == [2, 3, 4, 7, 8]


@pytest.mark.parametrize("kind", [None, pa.list_(pa.uint8(), 2), pa.large_list(pa.int64())])
def test_whole_numbers_are_float32(kind) -> None:
    made = embedding_column(rows([[1, 2]], kind), "v")
    assert made.type == pa.list_(pa.float32(), 2)
    assert made.to_pylist() == [[1, 2]]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([[1.0, 2.0], [1.0], [1.0]], "row 1, column 'v': embeddings have different lengths\n  expected: 2 numbers"),
        ([[1.0], [1.0, 2.0]], "got: 2 numbers"),
        ([[1.0], None], "row 1, column 'v': the embedding is null"),
        ([[1.0, 2.0], [1.0, None]], "row 1, column 'v': the embedding is null or holds a null"),
        ([[], []], "no dimensions"),
        ([["a"]], "row 0, column 'v': embeddings are of the wrong type"),
        (["a"], "row 0, column 'v': embeddings are of the wrong type"),
    ],
)
def test_bad_embeddings(values, said) -> None:
    kind = pa.list_(pa.float64()) if values == [[], []] else None
    with pytest.raises(DataError) as caught:
        embedding_column(rows(values, kind), "v")
    assert said in str(caught.value)


def test_a_missing_column_lists_what_there_is() -> None:
    held = from_object(pa.table({"score": [1.0], "text": ["x"]}))
    for ask in (require_column, numeric_column, embedding_column):
        with pytest.raises(UsageError) as caught:
            ask(held, "scores")
        assert "one of score, text" in str(caught.value)
        assert "did you mean 'score'?" in str(caught.value)
