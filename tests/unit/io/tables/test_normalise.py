from __future__ import annotations

import datetime

import pyarrow as pa
import pytest

from sage_select.errors import DataError
from sage_select.io.tables import normalise as module
from sage_select.io.tables.normalise import normalise

STRING_VIEWS = pa.list_(pa.struct([("a", pa.string_view()), ("b", pa.large_list(pa.large_string()))]))


@pytest.mark.parametrize(
    ("array", "wanted"),
    [
        (pa.array(["a", None], pa.large_string()), pa.string()),
        (pa.array(["a", None], pa.string_view()), pa.string()),
        (pa.array([b"a", None], pa.binary_view()), pa.binary()),
        (pa.array([b"a", None], pa.large_binary()), pa.binary()),
        (pa.array(["a", None, "a"]).dictionary_encode(), pa.string()),
        (pa.array([["a"], None], pa.large_list(pa.string_view())), pa.list_(pa.string())),
        (pa.array([[1], [2, 3]], pa.list_view(pa.int64())), pa.list_(pa.int64())),
        (
            pa.array([[{"a": "x", "b": ["y", None]}], None, []], STRING_VIEWS),
            pa.list_(pa.struct([("a", pa.string()), ("b", pa.list_(pa.string()))])),
        ),
        (pa.ListArray.from_arrays([0, 2], pa.array(["a", "a"]).dictionary_encode()), pa.list_(pa.string())),
        (pa.array([["a", "b"]], pa.list_(pa.string_view(), 2)), pa.list_(pa.string(), 2)),
        (pa.array([[1.5, 2.5]], pa.list_(pa.float32(), 2)), pa.list_(pa.float32(), 2)),
        (pa.array([[("k", "v")]], pa.map_(pa.string_view(), pa.large_string())), pa.map_(pa.string(), pa.string())),
        (pa.RunEndEncodedArray.from_arrays([2, 3], ["a", "b"]), pa.string()),
        (pa.array([datetime.datetime(2020, 1, 1)]), pa.timestamp("us")),
        (
            pa.ExtensionArray.from_storage(pa.json_(pa.large_string()), pa.array(['{"a":1}'], pa.large_string())),
            pa.string(),
        ),
        (pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1, 0], pa.int8())), pa.int8()),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else None,
)
def test_types_become_plain_and_values_stay(array, wanted) -> None:
    made = normalise(pa.table({"x": array}), "x")
    made.validate(full=True)
    assert made.schema.field("x").type.equals(wanted)
    plain = array.storage if isinstance(array, pa.ExtensionArray) else array
    assert made.column("x").to_pylist() == plain.to_pylist()


def test_metadata_of_others_goes_and_ours_stays() -> None:
    field = pa.field("x", pa.string(), metadata={"PARQUET:field_id": "1", "sage.json": "1"})
    made = normalise(pa.table([pa.array(["1"])], schema=pa.schema([field], metadata={"pandas": "{}"})), "x")
    assert made.schema.metadata is None
    assert made.schema.field("x").metadata == {b"sage.json": b"1"}


def test_too_many_bytes_for_one_chunk_are_cut_into_several(monkeypatch) -> None:
    original = module._plain

    def full(array, wanted):
        if len(array) > 2:
            raise pa.ArrowInvalid("input array too large")
        return original(array, wanted)

    monkeypatch.setattr(module, "_plain", full)
    monkeypatch.setattr(module, "_OFFSET_LIMIT", 1)
    column = pa.chunked_array([pa.array(list("abcdefg"), pa.large_string())])
    made = module._converted(column, pa.string(), module.Where())
    assert made.to_pylist() == list("abcdefg")
    assert max(map(len, made.chunks)) <= 2


@pytest.mark.parametrize(
    ("names", "said"), [(["a", "a"], "two columns have the name 'a'"), (["a", ""], "number 2 has no")]
)
def test_names(names, said) -> None:
    with pytest.raises(DataError, match=said):
        normalise(pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=names), "x")


@pytest.mark.parametrize("kind", [pa.list_(pa.int8(), 0), pa.list_(pa.struct([("a", pa.list_(pa.int8(), 0))]))])
def test_lists_of_size_0_are_refused_as_arrow_divides_by_it(kind) -> None:
    with pytest.raises(DataError, match="x, column 'a': a column holds lists of the fixed size 0"):
        normalise(pa.table({"a": pa.array([None], kind)}), "x")
