"""Every strategy gives the same rows for the same data, whatever form it comes in."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import datasets
import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset
import pyarrow.parquet
import pytest
import torch
from rules import RULES, paired, used, wanted

import sage_select
from sage_select import DataError, Pipeline, UsageError
from sage_select.io import decode_rows

N = 60
WORDS = [
    "red",
    "blue",
    "green",
    "small",
    "large",
    "old",
    "new",
    "fast",
    "slow",
    "warm",
    "cold",
    "round",
    "flat",
    "deep",
]


def row(i: int) -> dict[str, str]:
    picked = [WORDS[(i * step + step) % len(WORDS)] for step in range(1, 3 + i % 5)]
    return {"question": f"what is {' and '.join(picked)}?", "answer": f"thing {i // 2}"}


ROWS = [row(i) for i in range(N)]
TABLE = pa.Table.from_pylist(ROWS)
SCORES = np.array([(i * 37) % 23 for i in range(N)], np.float32)
VECTORS = np.random.default_rng(5).normal(size=(N, 12)).astype(np.float32)


def jsonl(folder: Path) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


def jsonl_gz(folder: Path) -> Path:
    path = folder / "rows.jsonl.gz"
    path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in ROWS).encode()))
    return path


def json_array(folder: Path) -> Path:
    path = folder / "rows.json"
    path.write_text(json.dumps(ROWS, indent=1))
    return path


def csv(folder: Path) -> Path:
    pyarrow.csv.write_csv(TABLE, folder / "rows.csv")
    return folder / "rows.csv"


def parquet(folder: Path) -> Path:
    pyarrow.parquet.write_table(TABLE, folder / "rows.parquet")
    return folder / "rows.parquet"


def arrow_file(folder: Path) -> Path:
    with pa.ipc.new_file(folder / "rows.arrow", TABLE.schema) as writer:
        writer.write_table(TABLE, max_chunksize=7)
    return folder / "rows.arrow"


def arrow_stream(folder: Path) -> Path:
    with pa.ipc.new_stream(folder / "rows.arrows", TABLE.schema) as writer:
        writer.write_table(TABLE)
    return folder / "rows.arrows"


def hf_folder(folder: Path) -> Path:
    datasets.disable_progress_bars()
    datasets.Dataset(TABLE).save_to_disk(str(folder / "rows"))
    return folder / "rows"


def duckdb_relation(folder: Path) -> duckdb.DuckDBPyRelation:
    """Return a query over a file, whose connection nobody else holds."""
    return duckdb.connect().sql(f"select * from '{parquet(folder)}'")


INPUTS: dict[str, Callable[[Path], Any]] = {
    **{
        make.__name__: make for make in (jsonl, jsonl_gz, json_array, csv, parquet, arrow_file, arrow_stream, hf_folder)
    },
    "path_text": lambda folder: str(jsonl(folder)),
    "pyarrow": lambda _folder: TABLE,
    "record_batches": lambda _folder: TABLE.to_reader(max_chunksize=11),
    "polars": lambda _folder: pl.from_arrow(TABLE),
    "polars_lazy": lambda _folder: pl.from_arrow(TABLE).lazy(),
    "polars_rows": lambda _folder: pl.DataFrame(ROWS),
    "pandas": lambda _folder: pd.DataFrame(ROWS),
    "pandas_arrow": lambda _folder: TABLE.to_pandas(types_mapper=pd.ArrowDtype),
    "record_batch": lambda _folder: TABLE.to_batches()[0],
    "pyarrow_dataset": lambda _folder: pyarrow.dataset.dataset(TABLE),
    "pyarrow_scanner": lambda _folder: pyarrow.dataset.dataset(TABLE).scanner(batch_size=13),
    "duckdb": duckdb_relation,
    "datasets": lambda _folder: datasets.Dataset(TABLE),
    "datasets_tensors": lambda _folder: datasets.Dataset(TABLE).with_format("torch"),
    "datasets_view": lambda _folder: datasets.Dataset(pa.concat_tables([TABLE, TABLE])).select(range(N)),
    "dictionaries": lambda _folder: ROWS,
}


@pytest.mark.parametrize(("kind", "strategy", "objective"), paired(list(INPUTS), RULES))
def test_same_rows_from_every_input(kind: str, strategy: str, objective: str | None, tmp_path: Path) -> None:
    queries = tmp_path / "queries.jsonl"
    queries.write_text("".join(json.dumps(row) + "\n" for row in ROWS[5:8]))
    rule = {"k": 9, "strategy": strategy, "objective": objective, **wanted(strategy, str(queries), of=N)}
    expected = sage_select.select(ROWS, **rule)
    chosen = sage_select.select(INPUTS[kind](tmp_path), **rule)
    assert chosen.indices.tolist() == expected.indices.tolist()
    assert chosen.table()["sage_row_id"].equals(expected.table()["sage_row_id"])
    np.testing.assert_array_equal(chosen.gains, expected.gains)


@pytest.mark.parametrize("kind", INPUTS)
def test_a_pipeline_takes_what_select_takes(kind: str, tmp_path: Path) -> None:
    chosen = Pipeline.read("elsewhere.jsonl").select("random", budget=9).run(INPUTS[kind](tmp_path))
    expected = sage_select.select(ROWS, strategy="random", k=9)
    assert isinstance(chosen, sage_select.Selection)
    assert chosen.indices.tolist() == expected.indices.tolist()
    assert chosen.table()["question"].equals(expected.table()["question"])


CHATS: list[dict[str, Any]] = [
    {
        "id": f"chat \N{LATIN SMALL LETTER E WITH ACUTE} {i}",
        "messages": [
            {"role": "user", "content": f"what is {i}? \N{GRINNING FACE}"},
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [{"function": {"name": "f", "arguments": {f"k{i}": i}}}],
            },
            {"role": "tool", "content": str(i)},
            {"role": "assistant", "content": f"it is {i}"},
        ][: 4 if i % 3 else 2],
        "tools": [{"name": "f", "parameters": {"type": "object", "properties": {f"k{i}": {"type": "integer"}}}}],
        "loss": i / 7,
        "vector": [float(i), 1.0, i * i / 2],
    }
    for i in range(30)
]
NESTED: dict[str, Callable[[list[dict[str, Any]]], Any]] = {
    "pandas": pd.DataFrame,
    "polars": pl.DataFrame,
    "polars_lazy": pl.LazyFrame,
    "pyarrow": pa.Table.from_pylist,
    "record_batches": lambda rows: pa.Table.from_pylist(rows).to_reader(max_chunksize=7),
    "duckdb": lambda rows: duckdb.connect().from_arrow(pa.Table.from_pylist(rows)),
    "datasets": datasets.Dataset.from_list,
}


@pytest.mark.parametrize("size", [1, len(CHATS)])
@pytest.mark.parametrize("kind", NESTED)
def test_conversations_of_every_library_are_the_same_rows(kind: str, size: int) -> None:
    rows = CHATS[-size:]
    expected = sage_select.select(rows, budget="100%", strategy="random")
    chosen = sage_select.select(NESTED[kind](rows), budget="100%", strategy="random")
    assert chosen.table()["sage_row_id"].equals(expected.table()["sage_row_id"])
    assert own(decode_rows(chosen.table())) == own(decode_rows(expected.table()))


def own(rows: Any) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if not name.startswith("sage_")} for row in rows]


LOSSES = [float(row["loss"]) for row in CHATS]
MATRIX = [row["vector"] for row in CHATS]
VALUES: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "lists": (lambda: LOSSES, lambda: MATRIX),
    "numpy": (lambda: np.array(LOSSES), lambda: np.array(MATRIX)),
    "torch": (lambda: torch.tensor(LOSSES), lambda: torch.tensor(MATRIX)),
    "torch_gradients": (
        lambda: torch.tensor(LOSSES, dtype=torch.float64, requires_grad=True) * 1,
        lambda: [torch.tensor(row) for row in MATRIX],
    ),
    "pandas": (lambda: pd.Series(LOSSES, index=range(30, 60)), lambda: pd.DataFrame(MATRIX)),
    "pandas_lists": (lambda: pd.DataFrame({"loss": LOSSES}), lambda: pd.Series(MATRIX)),
    "polars": (lambda: pl.Series(LOSSES), lambda: pl.Series(MATRIX)),
    "polars_frames": (lambda: pl.DataFrame({"loss": LOSSES}), lambda: pl.DataFrame(MATRIX, orient="row")),
    "pyarrow": (lambda: pa.array(LOSSES), lambda: pa.array(MATRIX, pa.list_(pa.float32(), 3))),
    "pyarrow_tables": (lambda: pa.table({"loss": LOSSES}), lambda: pa.table({"vector": MATRIX})),
    "duckdb": (
        lambda: duckdb.connect().from_arrow(pa.table({"loss": LOSSES})),
        lambda: duckdb.connect().from_arrow(pa.table({"a": [1], "vector": [MATRIX]})).project("unnest(vector)"),
    ),
    "columns": (lambda: "loss", lambda: "vector"),
}


@pytest.mark.parametrize("kind", VALUES)
def test_scores_and_vectors_of_every_library_are_the_same(kind: str) -> None:
    rule = {"k": 9, "strategy": "hybrid"}
    expected = sage_select.select(CHATS, scores=np.array(LOSSES), embeddings=np.array(MATRIX), **rule)
    scores, embeddings = (make() for make in VALUES[kind])
    chosen = sage_select.select(CHATS, scores=scores, embeddings=embeddings, **rule)
    assert chosen.indices.tolist() == expected.indices.tolist()


@pytest.mark.parametrize("kind", sorted({"record_batches", "polars_lazy", "datasets", "duckdb", "pyarrow_scanner"}))
def test_queries_and_held_out_rows_come_in_every_form(kind: str, tmp_path: Path) -> None:
    for rule in ({"strategy": "target", "queries": ...}, {"strategy": "random", "holdout": ...}):
        name = next(name for name, value in rule.items() if value is ...)
        few = [ROWS[i] for i in range(5, 8)]
        expected = sage_select.select(ROWS, k=9, **{**rule, name: few})
        held = {
            "record_batches": lambda rows: pa.Table.from_pylist(rows).to_reader(max_chunksize=2),
            "polars_lazy": pl.LazyFrame,
            "datasets": datasets.Dataset.from_list,
            "duckdb": lambda rows: duckdb.connect().from_arrow(pa.Table.from_pylist(rows)),
            "pyarrow_scanner": lambda rows: pyarrow.dataset.dataset(pa.Table.from_pylist(rows)).scanner(),
        }[kind](few)
        chosen = sage_select.select(ROWS, k=9, **{**rule, name: held})
        assert chosen.indices.tolist() == expected.indices.tolist()
        # Written, they are known by their content, however often they can be read.
        path = chosen.write(tmp_path / f"{name}.arrow")
        digests = json.loads(path.with_name(f"{name}.arrow.manifest.json").read_text())["inputs"]
        assert len(digests) == 2


def test_a_reader_gives_its_rows_once() -> None:
    reader = TABLE.to_reader(max_chunksize=11)
    assert len(sage_select.select(reader, k=9, strategy="random")) == 9
    with pytest.raises(DataError, match=r"has no rows\n.*a reader gives its rows once"):
        sage_select.select(reader, k=9, strategy="random")
    with pytest.raises(DataError, match=r"has no rows$"):
        sage_select.select(TABLE.slice(0, 0), k=9, strategy="random")


def broken_batches() -> pa.RecordBatchReader:
    def batches() -> Iterator[pa.RecordBatch]:
        yield TABLE.to_batches()[0]
        raise RuntimeError("the disk is gone")

    return pa.RecordBatchReader.from_batches(TABLE.schema, batches())


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: duckdb.connect().sql("select cast('x' || i as int) as text from range(3) t(i)"), "Could not convert"),
        (broken_batches, "the disk is gone"),
        (lambda: pl.LazyFrame({"text": ["a"]}).map_batches(lambda _: 1 / 0), "division by zero"),
        (lambda: pd.DataFrame({"text": ["a", 1, {"x": 2}]}), "column 'text'"),
        (lambda: pd.DataFrame([["a", "b"]], columns=["text", "text"]), "Duplicate column names"),
        (lambda: pd.DataFrame({"text": ["a"], "file": [object()]}), "column 'file'"),
    ],
)
def test_rows_that_cannot_be_computed_are_an_error_of_the_data(make: Callable[[], Any], said: str) -> None:
    with pytest.raises(DataError, match=re.escape(said)):
        sage_select.select(make(), k=1, strategy="random")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (duckdb.connect, "connection.sql"),
        (lambda: np.zeros((3, 2)), "embeddings"),
        (lambda: torch.zeros(3, 2), "embeddings"),
        (lambda: {"text": ["a"]}, "pyarrow.table(columns)"),
        (lambda: (row for row in ROWS), "list(rows)"),
        (lambda: datasets.DatasetDict(train=datasets.Dataset(TABLE)), "choose a split: train"),
        (lambda: datasets.Dataset(TABLE).to_iterable_dataset(), "collect it first"),
    ],
)
def test_what_is_no_table_gets_a_hint(make: Callable[[], Any], said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        sage_select.select(make(), k=1, strategy="random")


def test_several_columns_are_no_scores() -> None:
    with pytest.raises(UsageError, match="one column is expected"):
        sage_select.select(CHATS, k=1, strategy="loss_topk", scores=pa.table({"a": LOSSES, "b": LOSSES}))
    with pytest.raises(DataError, match=r"(?s)does not fit.*got: a object"):
        sage_select.select(CHATS, k=1, strategy="loss_topk", scores=object())


@pytest.mark.parametrize(("strategy", "objective"), RULES)
def test_every_strategy_gives_exactly_k_rows_once(strategy: str, objective: str | None) -> None:
    rule = {"strategy": strategy, "objective": objective, **wanted(strategy, VECTORS[:3], of=N)}
    for k in (0, 1, 7, N):
        chosen = sage_select.select(scores=SCORES, embeddings=VECTORS, k=k, **rule)
        assert chosen.indices.dtype == np.int64
        assert len(set(chosen.indices.tolist())) == len(chosen) == k
        assert len(chosen.reasons) == len(chosen.gains) == k
        table = pa.table(chosen)
        assert table.num_rows == k
        assert table["sage_position"].to_pylist() == list(range(k))
        assert sorted(table["sage_rank"].to_pylist()) == list(range(k))


@pytest.mark.parametrize(("strategy", "objective"), RULES)
def test_columns_and_arrays_are_the_same(strategy: str, objective: str | None) -> None:
    table = TABLE.append_column("loss", pa.array(SCORES)).append_column("vector", pa.array(list(VECTORS)))
    rule = {"k": 9, "strategy": strategy, "objective": objective, **wanted(strategy, VECTORS[:3], of=N)}
    named = {"data": table, "scores": "loss", "embeddings": "vector"}
    given = {"data": TABLE, "scores": SCORES, "embeddings": VECTORS}
    by_name, by_array = (sage_select.select(**used(strategy, {**rule, **arguments})) for arguments in (named, given))
    assert by_name.indices.tolist() == by_array.indices.tolist()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_vectors_of_every_float_type(dtype: type) -> None:
    vectors = VECTORS.astype(np.float16).astype(dtype)
    base = sage_select.select(embeddings=VECTORS.astype(np.float16), k=9, strategy="diversity")
    chosen = sage_select.select(embeddings=vectors, k=9, strategy="diversity")
    assert chosen.indices.tolist() == base.indices.tolist()


def test_lower_is_harder_turns_the_order() -> None:
    hard = sage_select.select(scores=SCORES, k=N, strategy="loss_topk")
    easy = sage_select.select(scores=SCORES, k=N, strategy="loss_topk", higher_is_harder=False)
    assert SCORES[hard.indices].tolist() == SCORES[easy.indices].tolist()[::-1]
    assert easy.table()["sage_score"].to_pylist()[0] in SCORES.tolist()


def test_a_selection_is_an_arrow_stream() -> None:
    chosen = sage_select.select(TABLE, k=5)
    frame = pl.DataFrame(chosen)
    assert frame.height == 5
    assert frame["question"].to_list() == chosen.table()["question"].to_pylist()
