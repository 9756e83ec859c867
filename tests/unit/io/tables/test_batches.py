from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from sage_select.io.tables.batches import canonical, fixed_batches
from sage_select.io.tables.digest import digest_bytes, digest_files, digest_table

VALID = pa.array([True, False, True], pa.bool_()).buffers()[1]
STRUCT = pa.struct([("a", pa.int64()), ("b", pa.list_(pa.string()))])


def with_rubbish(kind: pa.DataType, values: list[object]) -> pa.Array:
    """Return three values, the second null, with the buffers of an array in which it is not."""
    full = pa.array(values, kind)
    children = [full.field(index) for index in range(kind.num_fields)] if pa.types.is_struct(kind) else None
    if pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
        children = [full.values]
    own = 2 if pa.types.is_list(kind) else len(full.buffers()) if children is None else 1
    return pa.Array.from_buffers(kind, 3, [VALID, *full.buffers()[1:own]], children=children)


CASES = [
    (pa.int64(), [1, 77, 3]),
    (pa.bool_(), [True, True, True]),
    (pa.float32(), [1.0, float("nan"), 3.0]),
    (pa.string(), ["a", "rubbish", "c"]),
    (pa.binary(), [b"a", b"rubbish", b"c"]),
    (pa.timestamp("us"), [1, 2, 3]),
    (pa.decimal128(9, 2), [1, 2, 3]),
    (pa.list_(pa.int64()), [[1], [7, 8], [None]]),
    (pa.list_(pa.float32(), 2), [[1, 2], [7, 8], [3, 4]]),
    (pa.list_(STRUCT), [[{"a": 1, "b": ["x"]}], [{"a": 7, "b": ["y"]}], [None]]),
    (STRUCT, [{"a": 1, "b": ["x"]}, {"a": 7, "b": ["y", "z"]}, {"a": None, "b": None}]),
]


@pytest.mark.parametrize(("kind", "values"), CASES, ids=[str(kind) for kind, _ in CASES])
def test_what_lies_under_a_null_is_not_seen(kind, values) -> None:
    clean = pa.array([values[0], None, values[2]], kind)
    dirty = with_rubbish(kind, values)
    assert dirty.to_pylist() == clean.to_pylist()
    canonical(dirty).validate(full=True)
    assert canonical(dirty).to_pylist() == clean.to_pylist()
    assert digest_table(pa.table({"a": dirty})) == digest_table(pa.table({"a": clean}))
    other = pa.array([values[0], values[1], values[2]], kind)
    assert digest_table(pa.table({"a": other})) != digest_table(pa.table({"a": clean}))


def test_chunks_and_slices_do_not_show() -> None:
    rows = [
        {"a": f"text {number}", "b": [number] * (number % 3), "c": None if number % 5 else number}
        for number in range(500)
    ]
    table = pa.Table.from_pylist(rows)
    chunks = pa.concat_tables([table.slice(0, 7), table.slice(7, 1), table.slice(8, 400), table.slice(408)])
    taken = pa.concat_tables([table.slice(100), table.slice(0, 100)]).take(np.r_[400:500, 0:400])
    for other in (chunks, taken):
        assert other.to_pylist() == rows
        assert list(map(bytes_of, fixed_batches(other, 64))) == list(map(bytes_of, fixed_batches(table, 64)))
        assert digest_table(other) == digest_table(table)
    assert [batch.num_rows for batch in fixed_batches(chunks, 64)] == [64] * 7 + [52]


def bytes_of(batch: pa.RecordBatch) -> bytes:
    return batch.serialize().to_pybytes()


class Overfull:
    """A table whose rows fit into one batch only four at a time, as two gigabytes of text would not."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table
        self.num_rows = table.num_rows
        self.schema = table.schema

    def slice(self, start: int, count: int | None = None) -> Overfull:
        return Overfull(self.table.slice(start, count))

    def combine_chunks(self) -> pa.Table:
        return pa.concat_tables([self.table.slice(start, 4) for start in range(0, self.num_rows, 4)])


def test_a_batch_too_large_for_its_offsets_is_halved() -> None:
    table = pa.table({"a": list(range(20))})
    made = list(fixed_batches(Overfull(table), 16))
    assert [batch.num_rows for batch in made] == [4, 4, 4, 4, 4]
    assert pa.Table.from_batches(made).equals(table)


def test_digests_of_files(tmp_path) -> None:
    for name in "ab":
        (tmp_path / name).write_bytes(name.encode())
    one = digest_files([tmp_path / "a"])
    assert one == digest_bytes(b"a")
    assert one == "blake2b-256:8928aae63c84d87ea098564d1e03ad813f107add474e56aedd286349c0c03ea4"
    assert len({one, digest_files([tmp_path / n for n in "ab"]), digest_files([tmp_path / n for n in "ba"])}) == 3
