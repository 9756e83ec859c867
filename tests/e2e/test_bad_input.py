"""Bad input is an error with its exit code, naming file, row and column; nothing is left half-written."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from programs import Program

ROWS = [{"prompt": f"question {i} about {i % 5}", "completion": f"answer {i}", "loss": i / 7} for i in range(30)]
TABLE = pa.Table.from_pylist(ROWS)


def lines(rows: list[dict[str, object]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def rows(folder: Path) -> Path:
    path = folder / "rows.jsonl"
    path.write_text(lines(ROWS))
    return path


def arrow_bytes(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def parquet_bytes(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pyarrow.parquet.write_table(table, sink)
    return bytes(sink.getvalue())


def no_trace(folder: Path, *inputs: str) -> None:
    """Assert that the folder holds its inputs and nothing else."""
    left = {path.name for path in folder.iterdir() if not path.name.endswith(".lock")}
    assert left == set(inputs)


FILES: dict[str, tuple[str, bytes, int, list[str]]] = {
    "empty": ("rows.jsonl", b"", 3, ["rows.jsonl", "no rows"]),
    "json": ("rows.jsonl", lines(ROWS[:2]).encode() + b'{"prompt": \n', 3, ["rows.jsonl", "line 3"]),
    "nan": ("rows.jsonl", b'{"prompt": "a", "completion": "b", "x": NaN}\n', 3, ["rows.jsonl", "line 1"]),
    "twice": ("rows.jsonl", b'{"prompt": "a", "prompt": "b"}\n', 3, ["line 1", "prompt"]),
    "surrogate": ("rows.jsonl", b'{"prompt": "\\ud800", "completion": "b"}\n', 3, ["line 1"]),
    "no object": ("rows.jsonl", b'{"prompt": "a", "completion": "b"}\n[1]\n', 3, ["line 2"]),
    "types": ("rows.jsonl", b'{"text": "a"}\n\n{"text": 1}\n', 3, ["line 3", "text"]),
    "gzip": ("rows.jsonl.gz", gzip.compress(lines(ROWS).encode())[:-20], 3, ["rows.jsonl.gz"]),
    "parquet": ("rows.parquet", parquet_bytes(TABLE)[:-30], 3, ["rows.parquet"]),
    "arrow": ("rows.arrow", arrow_bytes(TABLE)[:-40], 3, ["rows.arrow"]),
    "ragged": ("rows.csv", b"prompt,completion\na,b\nc\n", 3, ["rows.csv", "line 3"]),
    "binary": ("rows.bin", bytes(range(256)), 3, ["rows.bin"]),
}


@pytest.mark.parametrize("case", FILES)
def test_damaged_files(case: str, folder: Path, build: Program) -> None:
    name, content, code, words = FILES[case]
    (folder / name).write_bytes(content)
    done = build(name)
    assert done.code == code, done.err
    assert all(word in done.err for word in words), done.err
    assert "Traceback" not in done.err
    no_trace(folder, name)


OPTIONS: dict[str, tuple[list[str], int, list[str]]] = {
    "missing file": (["rowz.jsonl"], 2, ["rowz.jsonl", "rows.jsonl"]),
    "text column": (["rows.jsonl", "--text-column", "txt"], 2, ["txt"]),
    "near column": (["rows.jsonl", "--prompt-column", "promt", "--completion-column", "completion"], 2, ["'prompt'"]),
    "half a pair": (["rows.jsonl", "--prompt-column", "prompt"], 2, ["completion"]),
    "score column": (["rows.jsonl", "--score-column", "los"], 2, ["'loss'"]),
    "id column": (["rows.jsonl", "--id-column", "id"], 2, ["id"]),
    "k > n": (["rows.jsonl", "--budget", "31"], 2, ["31", "30", "--clamp"]),
    "k = 2^63": (["rows.jsonl", "--budget", str(2**63)], 2, ["30", "--clamp"]),
    "k < 0": (["rows.jsonl", "--budget", "-1"], 2, ["budget", "-1"]),
    "share > 1": (["rows.jsonl", "--budget", "101%", "--clamp"], 2, ["budget", "101%"]),
    "budget": (["rows.jsonl", "--budget", "lots"], 2, ["budget", "lots"]),
    "strategy": (["rows.jsonl", "--strategy", "hybird"], 2, ["did you mean 'hybrid'"]),
    "idle option": (["rows.jsonl", "--strategy", "random", "--objective", "kcenter"], 2, ["objective"]),
    "two scores": (["rows.jsonl", "--scores", "a.npy", "--score-column", "loss"], 2, ["at most one"]),
    "no scores file": (["rows.jsonl", "--scores", "a.npy"], 2, ["a.npy"]),
    "no model": (["rows.jsonl", "--score-model", "nowhere"], 2, ["nowhere"]),
    "unknown suffix": (["rows.jsonl", "-o", "out.xlsx"], 2, [".xlsx", ".parquet"]),
    "no folder": (["rows.jsonl", "-o", "none/out.arrow"], 5, ["none"]),
    "unknown option": (["rows.jsonl", "--strateg", "random"], 2, ["--strategy"]),
    "no spec": (["--spec", "sage.yaml"], 2, ["sage.yaml"]),
}


@pytest.mark.parametrize("case", OPTIONS)
def test_bad_arguments(case: str, folder: Path, rows: Path, build: Program) -> None:
    arguments, code, words = OPTIONS[case]
    done = build(*arguments)
    assert done.code == code, done.err
    assert all(word in done.err for word in words), done.err
    assert "Traceback" not in done.err
    no_trace(folder, "rows.jsonl")


GOOD = np.random.default_rng(1).normal(size=(30, 8)).astype(np.float32)


def changed(array: np.ndarray, row: int, value: float) -> np.ndarray:
    array = array.copy()
    array[row] = value
    return array


ARRAYS: dict[str, tuple[str, np.ndarray, list[str]]] = {
    "nan score": ("--scores", changed(np.arange(30.0), 4, np.nan), ["row 4"]),
    "inf score": ("--scores", changed(np.arange(30.0), 7, np.inf), ["row 7"]),
    "too few scores": ("--scores", np.arange(29.0), ["29", "30"]),
    "2-d scores": ("--scores", np.ones((30, 2)), ["a.npy"]),
    "nan vector": ("--embeddings", changed(GOOD, 3, np.nan), ["row 3"]),
    "zero vector": ("--embeddings", changed(GOOD, 5, 0), ["row 5", "zero"]),
    "inf vector": ("--embeddings", changed(GOOD, 9, -np.inf), ["row 9"]),
    "long vector": ("--embeddings", changed(GOOD.astype(np.float64), 11, 1e39), ["row 11", "too large"]),
    "whole vectors": ("--embeddings", np.ones((30, 8), np.int64), ["int64"]),
    "empty vectors": ("--embeddings", GOOD[:, :0], ["no dimensions"]),
    "huge score": ("--scores", changed(np.arange(30.0), 12, 1e39), ["row 12", "float32"]),
    "too few vectors": ("--embeddings", GOOD[:12], ["12", "30"]),
    "1-d vectors": ("--embeddings", GOOD[:, 0], ["a.npy"]),
    "text vectors": ("--embeddings", GOOD.astype(str), ["a.npy"]),
}


@pytest.mark.parametrize("case", ARRAYS)
def test_bad_arrays(case: str, folder: Path, rows: Path, build: Program) -> None:
    option, array, words = ARRAYS[case]
    np.save(folder / "a.npy", array)
    done = build("rows.jsonl", option, "a.npy")
    assert done.code == 3, done.err
    assert all(word in done.err for word in ["a.npy", *words]), done.err
    no_trace(folder, "rows.jsonl", "a.npy")


@pytest.mark.parametrize(("budget", "kept"), [("0", 0), ("0%", 0), ("1", 1), ("30", 30), ("100%", 30)])
def test_budgets_from_nothing_to_everything(budget: str, kept: int, folder: Path, rows: Path, build: Program) -> None:
    assert build("rows.jsonl", "--budget", budget).code == 0
    assert pa.ipc.open_file(folder / "out.arrow").read_all().num_rows == kept


def test_pickled_arrays_are_never_loaded(folder: Path, rows: Path, build: Program) -> None:
    np.save(folder / "a.npy", np.array([{"a": 1}] * 30, dtype=object), allow_pickle=True)
    done = build("rows.jsonl", "--embeddings", "a.npy")
    assert done.code == 3
    assert "a.npy" in done.err


COLUMNS: dict[str, tuple[list[object], list[str], list[str]]] = {
    "ragged": ([[1.0, 2.0]] * 4 + [[1.0]] + [[1.0, 2.0]] * 25, ["--embedding-column", "x"], ["row 4", "'x'"]),
    "null vector": ([[1.0, 2.0]] * 6 + [None] + [[1.0, 2.0]] * 23, ["--embedding-column", "x"], ["row 6", "'x'"]),
    "null in a vector": (
        [[1.0, 2.0]] * 7 + [[1.0, None]] + [[1.0, 2.0]] * 22,
        ["--embedding-column", "x"],
        ["row 7", "'x'"],
    ),
    "nan vector": (
        [[1.0, 2.0]] * 8 + [[1.0, np.nan]] + [[1.0, 2.0]] * 21,
        ["--embedding-column", "x"],
        ["row 8", "'x'"],
    ),
    "word vectors": ([["a", "b"]] * 30, ["--embedding-column", "x"], ["'x'", "lists of numbers"]),
    "null score": ([1.0, None, *range(28)], ["--score-column", "x"], ["row 1", "'x'"]),
    "text score": ([*map(str, range(29)), "high"], ["--score-column", "x"], ["row 29", "'x'", "high"]),
    "duplicate id": (["a", "b", "a", *map(str, range(27))], ["--id-column", "x"], ["row 2", "row 0", "'a'"]),
    "null id": (["a", None, *map(str, range(28))], ["--id-column", "x"], ["row 1", "'x'"]),
}


@pytest.mark.parametrize("case", COLUMNS)
def test_bad_columns(case: str, folder: Path, build: Program) -> None:
    values, options, words = COLUMNS[case]
    pyarrow.parquet.write_table(TABLE.append_column("x", pa.array(values)), folder / "rows.parquet")
    done = build("rows.parquet", *options)
    assert done.code == 3, done.err
    assert all(word in done.err for word in ["rows.parquet", *words]), done.err
    no_trace(folder, "rows.parquet")


def test_unrecognised_columns_name_what_was_found(folder: Path, build: Program) -> None:
    (folder / "rows.csv").write_text("Query,Tool\na,b\n")
    done = build("rows.csv")
    assert done.code == 2
    assert all(word in done.err for word in ["Query", "Tool", "--prompt-column"])


def test_a_folder_that_is_no_model(folder: Path, rows: Path, build: Program) -> None:
    (folder / "model").mkdir()
    done = build("rows.jsonl", "--score-model", "model")
    assert done.code == 2
    assert "and tokenizer.json" in done.err


def test_an_existing_output_is_untouched_without_force(folder: Path, rows: Path, build: Program) -> None:
    assert build("rows.jsonl").code == 0
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    done = build("rows.jsonl", "--seed", "1")
    assert done.code == 4
    assert "--force" in done.err
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert build("rows.jsonl", "--seed", "1", "--force").code == 0
    assert (folder / "out.arrow").read_bytes() != before["out.arrow"]


def test_another_program_s_file_is_not_overwritten(folder: Path, rows: Path, build: Program) -> None:
    (folder / "out.arrow").write_text("mine")
    done = build("rows.jsonl")
    assert done.code == 4
    assert (folder / "out.arrow").read_text() == "mine"


def test_a_damaged_output_is_not_taken_for_the_cached_one(folder: Path, rows: Path, build: Program) -> None:
    assert build("rows.jsonl").code == 0
    content = bytearray((folder / "out.arrow").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "out.arrow").write_bytes(content)
    assert build("rows.jsonl").code == 4
    assert build("rows.jsonl", "--force").code == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_no_write_permission(folder: Path, rows: Path, build: Program) -> None:
    (folder / "closed").mkdir(mode=0o500)
    done = build("rows.jsonl", "-o", "closed/out.arrow")
    assert done.code == 5


def test_text_from_the_data_cannot_steer_the_terminal(folder: Path, build: Program) -> None:
    (folder / "rows.jsonl").write_text(json.dumps({"prompt": "a", "completion": "b", "x": "\x1b[31mred"}) + "\n")
    done = build("rows.jsonl", "--score-column", "x")
    assert done.code == 3
    assert "\x1b" not in done.err
