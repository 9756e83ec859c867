"""Input that names more bytes than there are: it is refused before they are written out."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sage_select.errors import DataError, ResourceError
from sage_select.io import estimate, from_object, read
from sage_select.io.guards import damage
from sage_select.io.guards.expansion import plain_bytes
from sage_select.io.guards.memory import Limit
from sage_select.io.tables.normalise import normalise

WORDS = ["a", None, "words " * 20, "", "more"] * 40
LISTS = [["x", "yy"], None, [], [None, "zzz" * 9]] * 50


def runs(values: list[str | None], lengths: list[int]) -> pa.Array:
    return pa.RunEndEncodedArray.from_arrays(pa.array(np.cumsum(lengths), pa.int32()), pa.array(values))


ARRAYS: dict[str, Callable[[], Any]] = {
    "text": lambda: pa.array(WORDS),
    "large text": lambda: pa.array(WORDS, pa.large_string()),
    "views": lambda: pa.array(WORDS, pa.string_view()),
    "dictionary": lambda: pa.array(WORDS).dictionary_encode(),
    "runs": lambda: runs(["word " * 9, None, "b"], [50, 70, 80]),
    "numbers": lambda: pa.array([1, None, 3] * 50),
    "nulls": lambda: pa.nulls(200),
    "lists": lambda: pa.array(LISTS),
    "list views": lambda: pa.array(LISTS, pa.list_view(pa.string())),
    "lists of views": lambda: pa.array(LISTS, pa.list_(pa.string_view())),
    "lists of dictionaries": lambda: pa.array(LISTS, pa.list_(pa.dictionary(pa.int32(), pa.string()))),
    "fixed lists": lambda: pa.array([["a", "bb"], None] * 80, pa.list_(pa.string_view(), 2)),
    "structs": lambda: pa.array([{"a": "x", "b": 1}, None] * 80, pa.struct({"a": pa.string_view(), "b": pa.int64()})),
    "maps": lambda: pa.array([[("k", "v")], None] * 80, pa.map_(pa.string(), pa.string_view())),
    "dictionary of lists": lambda: pa.DictionaryArray.from_arrays(pa.array([0, 1, None] * 60), pa.array(LISTS[:3])),
}


@pytest.mark.parametrize("kind", list(ARRAYS))
@pytest.mark.parametrize("cut", [slice(None), slice(3, 90)])
def test_the_size_in_plain_types_is_known_before(kind: str, cut: slice) -> None:
    array = ARRAYS[kind]()[cut]
    if kind == "dictionary of lists":
        assert plain_bytes(array) >= sum(len(item or "") for value in array.to_pylist() for item in value or ())
        return
    plain = normalise(pa.table({"a": array}), "x").column("a").combine_chunks()
    plain = pa.concat_arrays([plain, plain.slice(0, 0)])
    assert 0.8 * plain.nbytes - 64 <= plain_bytes(array) <= 4 * plain.nbytes + 512


def bomb(kind: str) -> pa.Table:
    """Return a few bytes that stand for 64 MB."""
    text = "x" * 64_000
    match kind:
        case "dictionary":
            array: Any = pa.DictionaryArray.from_arrays(pa.array(np.zeros(1000, np.int32)), pa.array([text]))
        case "nested dictionary":
            inner = pa.DictionaryArray.from_arrays(pa.array(np.zeros(1000, np.int32)), pa.array([text]))
            array = pa.ListArray.from_arrays(pa.array([0, 1000], pa.int32()), inner)
        case "runs":
            array = runs([text], [1000])
        case "views":
            view = np.array([64_000, 0x78787878, 0, 0], np.int32)
            views = pa.py_buffer(np.tile(view, 1000).tobytes())
            array = pa.Array.from_buffers(pa.string_view(), 1000, [None, views, pa.py_buffer(text.encode())])
        case "list views":
            items = pa.array(np.arange(64_000, dtype=np.int8))
            offsets, sizes = np.zeros(1000, np.int32), np.full(1000, 64_000, np.int32)
            array = pa.ListViewArray.from_arrays(pa.array(offsets), pa.array(sizes), items)
        case _:
            array = pa.FixedSizeListArray.from_arrays(pa.nulls(64_000_000), 64_000)
    return pa.table({"text": array})


BOMBS = ["dictionary", "nested dictionary", "runs", "views", "list views", "fixed lists of nothing"]


@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_of_arrow_is_refused_unexploded(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(damage, "RATIO_FREE_BYTES", 4 << 20)
    monkeypatch.setattr(damage, "MAX_RATIO", 20)
    table = bomb(kind)
    for new in (pa.ipc.new_file, pa.ipc.new_stream):
        with new(tmp_path / "rows", table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
            writer.write_table(table)
        peak = pa.default_memory_pool().max_memory()
        for one in (read, estimate):
            with pytest.raises(DataError, match="expands far more"):
                one(tmp_path / "rows")
        assert pa.default_memory_pool().max_memory() < peak + (8 << 20)
    with pytest.raises(DataError, match="expands far more"):
        from_object(table)


@pytest.mark.parametrize("nested", [False, True])
def test_a_bomb_of_parquet_is_refused_unexploded(nested: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(damage, "RATIO_FREE_BYTES", 4 << 20)
    table = bomb("nested dictionary" if nested else "dictionary")
    with pq.ParquetWriter(tmp_path / "rows", table.schema, compression="zstd") as writer:
        for _ in range(4):
            writer.write_table(table)
    peak = pa.default_memory_pool().max_memory()
    with pytest.raises(DataError, match="expands far more"):
        read(tmp_path / "rows")
    assert pa.default_memory_pool().max_memory() < peak + (16 << 20)


def test_long_texts_in_dictionaries_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(damage, "RATIO_FREE_BYTES", 1 << 20)
    rows = [
        {"m": [{"t": f"{number} " * (number % 90)}] * (number % 3), "s": f"{number % 7}" * 2000}
        for number in range(3000)
    ]
    table = pa.Table.from_pylist(rows)
    pq.write_table(table, tmp_path / "rows", row_group_size=2500)
    assert read(tmp_path / "rows").table.to_pylist() == rows
    # As a large input is estimated.
    monkeypatch.setattr(sys.modules["sage_select.io.inputs.estimate"], "SMALL_BYTES", -1)
    assert estimate(tmp_path / "rows").sample.table.to_pylist() == rows[:1024]


def test_more_than_the_machine_has_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(damage, "limits", lambda: [Limit("MemAvailable", 300 << 20)])
    damage.refuse_expansion(200 << 20, 1 << 20, "x")
    with pytest.raises(ResourceError, match="needs more memory than there is"):
        damage.refuse_expansion(400 << 20, 1 << 20, "x")
