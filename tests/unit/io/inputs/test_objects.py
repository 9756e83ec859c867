from __future__ import annotations

import gc

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from sage_select.errors import DataError, UsageError
from sage_select.io import decode_rows, from_object

ROWS = [{"a": "x", "n": 1}, {"a": "y", "n": 2}, {"a": "z", "n": None}]
TABLE = pa.Table.from_pylist(ROWS)


def objects():
    yield TABLE
    yield TABLE.to_batches()[0]
    yield TABLE.to_reader()
    yield pl.DataFrame(ROWS)
    yield pl.DataFrame(ROWS).lazy().filter(pl.col("a") != "q")
    yield pl.concat([pl.DataFrame(ROWS[:1]), pl.DataFrame(ROWS[1:])])
    yield ROWS
    yield tuple(ROWS)
    datasets = pytest.importorskip("datasets")
    yield datasets.Dataset.from_list(ROWS)
    yield datasets.Dataset.from_list([*ROWS[::-1], {"a": "q", "n": 0}]).select([2, 1, 0])
    yield TABLE.to_pandas(types_mapper=__import__("pandas").ArrowDtype)


def test_every_kind_of_table_gives_the_same_rows_and_digest() -> None:
    made = [from_object(obj) for obj in objects()]
    assert all(held.table.equals(made[0].table) for held in made)
    assert {held.digest for held in made} == {made[0].digest}
    assert list(decode_rows(made[0].table)) == ROWS
    assert made[3].source == "<polars DataFrame>"
    assert str(made[3].where(1, "a")) == "<polars DataFrame>, row 1, column 'a'"


def test_other_rows_have_another_digest() -> None:
    assert from_object(ROWS[::-1]).digest != from_object(ROWS).digest


def test_nested_columns_of_polars() -> None:
    frame = pl.DataFrame(
        {
            "m": [[{"role": "user", "content": "x"}], []],
            "c": pl.Series(["u", "u"], dtype=pl.Categorical),
            "e": pl.Series([[1, 2], [3, 4]], dtype=pl.Array(pl.Float32, 2)),
        }
    )
    table = from_object(frame).table
    struct = pa.struct([("role", pa.string()), ("content", pa.string())])
    assert table.schema.types == [pa.list_(struct), pa.string(), pa.list_(pa.float32(), 2)]
    assert table.to_pylist() == frame.to_dicts()


def test_memory_outlives_the_object() -> None:
    frame = pl.DataFrame({"a": [str(number) for number in range(10_000)]})
    held = from_object(frame)
    del frame
    gc.collect()
    assert held.table.column("a").to_pylist() == [str(number) for number in range(10_000)]


@pytest.mark.parametrize("obj", [3, "text", {"a": [1]}, None, np.zeros(3), [1], [["a"]], iter(ROWS)])
def test_what_is_no_table(obj) -> None:
    with pytest.raises(UsageError, match="__arrow_c_stream__"):
        from_object(obj)


@pytest.mark.parametrize("obj", [[], pl.DataFrame({"a": []}), TABLE.slice(0, 0)])
def test_no_rows(obj) -> None:
    with pytest.raises(DataError, match="has no rows"):
        from_object(obj)


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), {1, 2}, b"x", np.float32(1), 2**63, "\ud800", (1, 2), {1: 2}, object()],
    ids=lambda value: type(value).__name__,
)
def test_values_that_json_cannot_hold(value) -> None:
    with pytest.raises(DataError, match=r"<list of dicts>, row 1: holds what JSON cannot hold"):
        from_object([{"a": None}, {"a": value}])


def test_type_changes_name_rows() -> None:
    with pytest.raises(DataError, match=r"<list of dicts>, row 1(?s:.*)as in row 0"):
        from_object([{"a": 1}, {"a": "x"}])


def test_datasets_that_are_not_one() -> None:
    datasets = pytest.importorskip("datasets")
    one = datasets.Dataset.from_list(ROWS)
    with pytest.raises(UsageError, match="choose a split: train, test"):
        from_object(datasets.DatasetDict({"train": one, "test": one}))
    with pytest.raises(UsageError, match="collect it first"):
        from_object(one.to_iterable_dataset())
    with pytest.raises(DataError, match="has no rows"):
        from_object(one.select([]))


def test_errors_of_polars_are_ours() -> None:
    with pytest.raises(DataError, match="polars cannot collect the frame"):
        from_object(pl.DataFrame(ROWS).lazy().select("missing"))


class PanicException(BaseException):
    pass


def test_a_panic_of_polars_is_ours_and_an_interrupt_is_not(monkeypatch) -> None:
    def fail(error):
        def collect(*_, **__):
            raise error

        monkeypatch.setattr(pl.LazyFrame, "collect", collect)
        from_object(pl.DataFrame(ROWS).lazy())

    with pytest.raises(DataError, match="polars cannot collect"):
        fail(PanicException("boom"))
    with pytest.raises(KeyboardInterrupt):
        fail(KeyboardInterrupt())


class _Broken:
    def __arrow_c_stream__(self, requested_schema=None):
        raise ValueError("no stream today")


def test_a_broken_stream_is_a_data_error() -> None:
    with pytest.raises(DataError, match="no stream today"):
        from_object(_Broken())
