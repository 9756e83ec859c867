"""What is written is what the libraries of the field read: every format, by each reader, for every shape of rows."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import datasets
import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

import sage_select
from sage_select import Selection
from sage_select.columns import COLUMNS
from sage_select.io import decode_rows

N = 24
#: What breaks readers that are careless: separators of lines, halves of pairs, other scripts, quotes.
ODD = '\N{LINE SEPARATOR}\N{GRINNING FACE} \N{CJK UNIFIED IDEOGRAPH-4E2D}\N{CJK UNIFIED IDEOGRAPH-6587} "quoted"\t\'\\'


def messages() -> list[dict[str, Any]]:
    return [
        {"messages": [{"role": "user", "content": f"{ODD} {i}"}, {"role": "assistant", "content": f"answer {i}"}]}
        for i in range(N)
    ]


def tool_calls() -> list[dict[str, Any]]:
    call = {"role": "assistant", "content": None}
    return [
        {
            "id": f"row {i}",
            "messages": [
                {"role": "user", "content": f"find {i} {ODD}"},
                {**call, "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": {f"k{i}": [i, None]}}}]},
                {"role": "tool", "content": f"found {i}", "tool_call_id": "c"},
                {"role": "assistant", "content": f"it is {i}"},
            ],
            "tools": [{"name": "f", "parameters": {"type": "object", "properties": {f"k{i}": {"type": "array"}}}}],
        }
        for i in range(N)
    ]


def prompt_completion() -> list[dict[str, Any]]:
    return [
        {
            "prompt": f"what {i}",
            "completion": f"that {i} {ODD}",
            "loss": None if i % 3 == 0 else i / 7,
            "ok": i % 2 == 0,
        }
        for i in range(N)
    ]


def embeddings() -> pa.Table:
    vectors = np.random.default_rng(0).normal(size=N * 4).astype(np.float32)
    return pa.table(
        {
            "text": [f"row number {i} {ODD}" for i in range(N)],
            "vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors), 4),
            "tags": [["a", ODD][: i % 3] for i in range(N)],
            "count": pa.array(range(N), pa.uint8()),
        }
    )


SHAPES: dict[str, Callable[[], Any]] = {
    make.__name__: make for make in (messages, tool_calls, prompt_completion, embeddings)
}
SIZES = (0, 1, N - 3)

Read = Callable[[Path], Any]


def loaded(builder: str, pattern: str = "") -> Read:
    """Return a reader by `load_dataset`, which has no answer for files without rows, whoever wrote them."""

    def load(path: Path) -> Any:
        files = str(path / pattern) if pattern else str(path)
        dataset = datasets.load_dataset(builder, data_files=files, split="train", cache_dir=str(path.parent / "cache"))
        return dataset.with_format("arrow")[:]

    load.__name__ = f"load_dataset_{builder}"
    return load


def of_dataset(dataset: Any) -> pa.Table:
    return dataset.with_format("arrow")[:]


def duck(path: Path) -> pa.Table:
    return duckdb.connect().sql(f"select * from '{path}'").to_arrow_table()


#: Format -> reader -> how. Each gives every value as it is, nulls and nested ones too.
READERS: dict[str, dict[str, Read]] = {
    ".arrow": {
        "pyarrow": lambda path: pa.ipc.open_file(path).read_all(),
        "pyarrow_dataset": lambda path: pyarrow.dataset.dataset(path, format="ipc").to_table(),
        "feather": lambda path: pyarrow.feather.read_table(path),
        "pl.read_ipc": lambda path: pl.read_ipc(path).to_arrow(),
        "pl.scan_ipc": lambda path: pl.scan_ipc(path).collect().to_arrow(),
        "duckdb": lambda path: duckdb.connect().from_arrow(pa.ipc.open_file(path).read_all()).to_arrow_table(),
        "load_dataset": loaded("arrow"),
    },
    ".arrows": {
        "pyarrow": lambda path: pa.ipc.open_stream(path.read_bytes()).read_all(),
        "pl.read_ipc_stream": lambda path: pl.read_ipc_stream(path).to_arrow(),
        "duckdb": lambda path: duckdb.connect().from_arrow(pa.ipc.open_stream(path.read_bytes())).to_arrow_table(),
        "Dataset.from_file": lambda path: of_dataset(datasets.Dataset.from_file(str(path))),
        "load_dataset": loaded("arrow"),
    },
    ".parquet": {
        "pyarrow": lambda path: pq.read_table(path),
        "pl.read_parquet": lambda path: pl.read_parquet(path).to_arrow(),
        "pl.scan_parquet": lambda path: pl.scan_parquet(path).collect().to_arrow(),
        "duckdb": duck,
        "load_dataset": loaded("parquet"),
    },
    "": {
        "load_from_disk": lambda path: of_dataset(datasets.load_from_disk(str(path))),
        "Dataset.from_file": lambda path: of_dataset(
            datasets.Dataset.from_file(str(path / "data-00000-of-00001.arrow"))
        ),
        "load_dataset": loaded("arrow", "*.arrow"),
    },
}
EXACT = [(form, name) for form, readers in READERS.items() for name in readers]


@pytest.fixture(scope="module")
def selections() -> dict[tuple[str, int], Selection]:
    return {
        (shape, size): sage_select.select(make(), k=size, strategy="random")
        for shape, make in SHAPES.items()
        for size in SIZES
    }


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    datasets.disable_progress_bars()
    yield
    datasets.enable_progress_bars()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("form", "reader"), EXACT)
def test_every_reader_sees_every_value(
    form: str, reader: str, shape: str, size: int, selections: dict[tuple[str, int], Selection], tmp_path: Path
) -> None:
    chosen = selections[shape, size]
    path = chosen.write(tmp_path / f"out{form}")
    if reader == "load_dataset" and size == 0:
        with pytest.raises(ValueError, match="no data"):
            READERS[form][reader](path)
        return
    found = READERS[form][reader](path)
    assert found.column_names == chosen.table().column_names
    assert found.column_names[-len(COLUMNS) :] == list(COLUMNS)
    assert found.to_pylist() == chosen.table().to_pylist()


JSON_READERS: dict[str, Read] = {
    "load_dataset": loaded("json"),
    "pl.scan_ndjson": lambda path: pl.scan_ndjson(path).collect().to_arrow(),
    "duckdb": lambda path: duckdb.connect().sql(f"select * from read_json_auto('{path}')").to_arrow_table(),
}


@pytest.mark.parametrize("size", SIZES[1:])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("form", [".jsonl", ".jsonl.gz"])
@pytest.mark.parametrize("reader", JSON_READERS)
def test_every_reader_of_json_lines_sees_what_the_rows_say(
    reader: str, form: str, shape: str, size: int, selections: dict[tuple[str, int], Selection], tmp_path: Path
) -> None:
    chosen = selections[shape, size]
    found = JSON_READERS[reader](chosen.write(tmp_path / f"out{form}"))
    # Keys that a row lacks are nulls to them; objects whose keys vary are JSON to `datasets`, and maps to DuckDB.
    expected = [said(row) for row in decode_rows(chosen.table())]
    assert [said(row) for row in found.to_pylist(maps_as_pydicts="strict")] == expected


def said(value: Any) -> Any:
    """Return a value without nulls, text that is JSON as what it spells, and numbers as JSON keeps them."""
    if isinstance(value, dict):
        return {name: said(one) for name, one in sorted(value.items()) if one is not None}
    if isinstance(value, list | np.ndarray):
        return [said(one) for one in value]
    if isinstance(value, str):
        return said(json.loads(value)) if value.startswith(("{", "[")) else value
    return float(np.float32(value)) if isinstance(value, int | float) and not isinstance(value, bool) else value


@pytest.mark.parametrize("form", [".arrows", ""])
@pytest.mark.parametrize("size", SIZES)
def test_a_copy_keeps_the_fingerprint_and_the_caches_of_datasets(
    form: str, size: int, selections: dict[tuple[str, int], Selection], tmp_path: Path
) -> None:
    (tmp_path / "here").mkdir()
    chosen = selections["messages", size]
    path = chosen.write(tmp_path / "here" / f"out{form}")
    opened = opener(form)
    first = opened(path)
    made = first.map(turns)
    held = [Path(file["filename"]) for file in made.cache_files]
    for file in held:
        os.utime(file, (1, 1))
    os.utime(path if form else path / "data-00000-of-00001.arrow", (1, 1))
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    again = chosen.write(tmp_path / f"anew{form}")
    assert first._fingerprint
    for other in (path, tmp_path / "there" / path.name, again):
        assert opened(other)._fingerprint == first._fingerprint
    moved = opened(tmp_path / "there" / path.name).map(turns)
    assert moved._fingerprint == made._fingerprint
    if size:
        # Nothing is computed anew: what was held beside the file lies beside its copy.
        found = [Path(file["filename"]) for file in moved.cache_files]
        assert [file.name for file in found] == [file.name for file in held]
        assert {file.stat().st_mtime for file in found} == {1}
        assert all(file.is_relative_to(tmp_path / "there") for file in found)

    other_rows = sage_select.select(messages(), k=N - 4, strategy="random").write(tmp_path / f"other{form}")
    assert opened(other_rows)._fingerprint != first._fingerprint


def turns(row: dict[str, Any]) -> dict[str, int]:
    return {"turns": len(row["messages"])}


def opener(form: str) -> Callable[[Path], Any]:
    if form:
        return lambda path: datasets.Dataset.from_file(str(path))
    return lambda path: datasets.load_from_disk(str(path))
