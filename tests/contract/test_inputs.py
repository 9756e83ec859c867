"""Every strategy gives the same rows for the same data, whatever form it comes in."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from rules import RULES, paired, used, wanted

import sage_select

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


INPUTS: dict[str, Callable[[Path], Any]] = {
    **{
        make.__name__: make for make in (jsonl, jsonl_gz, json_array, csv, parquet, arrow_file, arrow_stream, hf_folder)
    },
    "path_text": lambda folder: str(jsonl(folder)),
    "pyarrow": lambda _folder: TABLE,
    "record_batches": lambda _folder: TABLE.to_reader(max_chunksize=11),
    "polars": lambda _folder: pl.from_arrow(TABLE),
    "polars_lazy": lambda _folder: pl.from_arrow(TABLE).lazy(),
    "datasets": lambda _folder: datasets.Dataset(TABLE),
    "datasets_view": lambda _folder: datasets.Dataset(pa.concat_tables([TABLE, TABLE])).select(range(N)),
    "dictionaries": lambda _folder: ROWS,
}


@pytest.mark.parametrize(("kind", "strategy", "objective"), paired(list(INPUTS), RULES))
def test_same_rows_from_every_input(kind: str, strategy: str, objective: str | None, tmp_path: Path) -> None:
    queries = tmp_path / "queries.jsonl"
    queries.write_text("".join(json.dumps(row) + "\n" for row in ROWS[5:8]))
    rule = {"k": 9, "strategy": strategy, "objective": objective, **wanted(strategy, str(queries))}
    expected = sage_select.select(ROWS, **rule)
    chosen = sage_select.select(INPUTS[kind](tmp_path), **rule)
    assert chosen.indices.tolist() == expected.indices.tolist()
    assert chosen.table()["sage_row_id"].equals(expected.table()["sage_row_id"])
    np.testing.assert_array_equal(chosen.gains, expected.gains)


@pytest.mark.parametrize(("strategy", "objective"), RULES)
def test_every_strategy_gives_exactly_k_rows_once(strategy: str, objective: str | None) -> None:
    rule = {"strategy": strategy, "objective": objective, **wanted(strategy, VECTORS[:3])}
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
    rule = {"k": 9, "strategy": strategy, "objective": objective, **wanted(strategy, VECTORS[:3])}
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
