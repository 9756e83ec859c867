"""Rows that repeat others, from files to files."""

from __future__ import annotations

import gzip
import json
import re
import unicodedata
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from programs import Program
from rules import options

from sage_select.strategies import STRATEGIES

TEXTS = [
    "book a table for two in paris tomorrow",
    "what is the weather in rome",
    "book a table  for two in paris tomorrow ",
    "please book a table for two in paris tomorrow",
    "play some jazz",
    "what is the weather in rome",
    "send the report to anna",
]


@pytest.fixture
def rows(folder: Path) -> Path:
    lines = [json.dumps({"text": text, "name": f"row-{row}", "loss": row}) for row, text in enumerate(TEXTS)]
    (folder / "rows.jsonl").write_text("".join(line + "\n" for line in lines))
    return folder / "rows.jsonl"


def told(folder: Path) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = pyarrow.parquet.read_table(folder / "out.arrow.rows.parquet").to_pylist()
    return rows


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_row_tells_what_it_repeats(strategy: str, folder: Path, rows: Path, build: Program) -> None:
    (folder / "queries.jsonl").write_text('{"text": "what is the weather in rome"}\n')
    queries = options(strategy, "queries.jsonl", folder, 7) if strategy != "threshold" else []
    done = build(
        rows, "--strategy", strategy, *queries, "--dedup", "near", "--dedup-threshold", 0.8, "--id-column", "name",
        "-k", "100%",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert (
        "left out  2 exact copies, 1 near copy; copies lie in 2 groups, the largest of 3 rows (kept: row-0)" in done.err
    )
    report = told(folder)
    assert [row["sage_row_id"] for row in report] == [f"row-{row}" for row in range(7)]
    assert [row["duplicate_of"] for row in report] == [None, None, "row-0", "row-0", None, "row-1", None]
    left = {"row-2": "exact copy", "row-3": "near copy", "row-5": "exact copy"}
    for row in report:
        out = row["sage_row_id"] in left
        assert row["kept"] != out
        assert row["stage"] == ("dedup" if out else "select")
        assert (row["similarity"] is None) != out
        scored = strategy == "uncertainty" or (strategy != "auto" and "scores" in STRATEGIES[strategy].needs_always)
        assert (row["score"] is not None) == (scored and not out)
        if out:
            assert row["reason"] == left[str(row["sage_row_id"])]
            assert row["rank"] is None
    assert report[2]["similarity"] == 1
    manifest = json.loads((folder / "out.arrow.manifest.json").read_text())
    assert manifest["rows"]["in"] == 7
    assert manifest["rows"]["kept"] == 4
    assert manifest["rows"]["dropped"] == {
        "dedup: exact copy": 2,
        "dedup: near copy": 1,
        "select: not selected": 0,
    }
    facts = manifest["evidence"]["dedup"]
    assert facts["groups"] == 2
    assert facts["largest_groups"] == [{"kept": "row-0", "rows": 3}, {"kept": "row-1", "rows": 2}]
    assert pa.ipc.open_file(folder / "out.arrow").read_all().num_rows == 4


def test_files_of_numbers_have_one_for_each_row_of_the_input(folder: Path, rows: Path, build: Program) -> None:
    np.save(folder / "loss.npy", np.arange(7))
    vectors = np.eye(7, dtype=np.float32)
    vectors[6] = vectors[4] + 0.01 * vectors[6]
    np.save(folder / "vectors.npy", vectors)
    done = build(
        rows, "--dedup", "near", "--scores", "loss.npy", "--embeddings", "vectors.npy", "--id-column", "name",
        "--score-mode", "top", "--score-share", 1, "-k", 3,
    )  # fmt: skip
    assert done.code == 0, done.err
    report = told(folder)
    assert [row["duplicate_of"] for row in report] == [None, None, "row-0", None, None, "row-1", "row-4"]
    assert [row["sage_row_id"] for row in report if row["kept"]] == ["row-1", "row-3", "row-4"]
    assert [row["score"] for row in report] == [0, 1, None, 3, 4, None, None]


def test_a_column_of_scores_is_refused_by_the_row_of_the_input(folder: Path, rows: Path, build: Program) -> None:
    lines = rows.read_text().splitlines()
    lines[6] = json.dumps({**json.loads(lines[6]), "loss": None})
    rows.write_text("\n".join(lines) + "\n")
    done = build(rows, "--dedup", "exact", "--strategy", "loss_topk", "--score-column", "loss")
    assert done.code == 3
    assert "row 6" in done.err


def test_a_spec_and_its_options(folder: Path, rows: Path, build: Program) -> None:
    steps = [{"source": {"path": "rows.jsonl"}}, {"dedup": {"mode": "near", "threshold": 0.9}}]
    steps += [{"select": {"strategy": "random", "budget": "100%"}}, {"sink": {}}]
    (folder / "sage.yaml").write_text(json.dumps({"version": 1, "steps": steps}))
    near = build("--dedup-threshold", 0.8, "--json").json["manifest"]
    assert near["spec"]["steps"][2] == {"dedup": {"mode": "near", "threshold": 0.8}}
    assert near["rows"]["kept"] == 4
    assert build("--dedup-threshold", 0.8, "--json").json["cached"]
    (folder / "again.yaml").write_text(json.dumps(near["spec"]))
    assert build("--spec", "again.yaml", "--json").json["cached"]


def test_nothing_to_leave_out_is_said(folder: Path, build: Program) -> None:
    (folder / "rows.jsonl").write_text('{"text": "a"}\n{"text": "b"}\n')
    done = build("rows.jsonl", "--dedup", "exact", "--strategy", "random", "-k", 1)
    assert done.code == 0
    assert "left out  no row: each has something to train, and none is a copy of another" in done.err


def test_exact_copies_leave_unless_it_is_said_that_they_stay(folder: Path, rows: Path, build: Program) -> None:
    done = build(rows, "-k", "100%", "--id-column", "name")
    assert done.code == 0, done.err
    assert "left out  2 exact copies; copies lie in 2 groups" in done.err
    manifest = json.loads((folder / "out.arrow.manifest.json").read_text())
    assert manifest["rows"]["dropped"] == {"dedup: exact copy": 2, "select: not selected": 0}
    assert [row["duplicate_of"] for row in told(folder)] == [None, None, "row-0", None, None, "row-1", None]
    every = build(rows, "-k", "100%", "--dedup", "none", "--json", "-o", "all.arrow").json["manifest"]
    assert every["rows"] == {"in": 7, "kept": 7, "dropped": {"select: not selected": 0}, "reasons": {"diversity": 7}}
    # What the manifest says makes the same selection again.
    (folder / "again.yaml").write_text(json.dumps(every["spec"]))
    assert build("--spec", "again.yaml", "--json").json["cached"]
    over = build("--spec", "again.yaml", "--dedup", "exact", "-o", "few.arrow", "--json").json["manifest"]
    assert over["rows"]["kept"] == 5


ANSWERS = ["x", "", None, " \n", "y", "z", "w", "v", "u", "t"]


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_rows_with_nothing_to_train_take_no_place(suffix: str, folder: Path, build: Program) -> None:
    table = pa.table({"question": [f"question {row}" for row in range(10)], "answer": ANSWERS, "loss": range(10)})
    if suffix == "jsonl":
        (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()))
    elif suffix == "csv":
        pa.csv.write_csv(table, folder / "rows.csv")
    else:
        pyarrow.parquet.write_table(table, folder / "rows.parquet")
    np.save(folder / "s.npy", np.where(np.arange(10) == 2, np.nan, np.arange(10.0)))
    done = build(f"rows.{suffix}", "--scores", "s.npy", "--strategy", "loss_topk", "-k", "50%")
    assert done.code == 0, done.err
    assert "left out  3 rows (nothing to train)" in done.err
    assert "kept      3 rows: 3 by score (the hardest rows)" in done.err
    report = told(folder)
    assert [row["reason"] for row in report if row["stage"] == "source"] == ["nothing to train"] * 3
    assert [row["stage"] == "source" for row in report] == [not (answer or "").strip() for answer in ANSWERS]
    assert [row["score"] for row in report] == [0, None, None, None, *range(4, 10)]
    manifest = json.loads((folder / "out.arrow.manifest.json").read_text())
    assert manifest["rows"]["dropped"] == {"source: nothing to train": 3, "select: not selected": 4}
    table = pa.ipc.open_file(folder / "out.arrow").read_all()
    assert sorted(table["answer"].to_pylist()) == ["t", "u", "v"]
    refused = build(f"rows.{suffix}", "-k", 8, "-o", "more.arrow")
    assert refused.code == 2
    assert "10 rows were read, of which left: 3 nothing to train" in refused.err


def test_a_strategy_is_chosen_and_said(folder: Path, rows: Path, build: Program) -> None:
    done = build(rows, "-k", 2)
    assert "no scores given: rows are selected by diversity" in done.err
    assert "2 by diversity" in done.err
    assert "no scores given: rows are selected by diversity" in build(rows, "--explain").err
    scored = build(rows, "-k", 3, "--score-column", "loss", "-o", "s.arrow")
    assert "no scores given" not in scored.err
    assert "no rows that are out of line" in scored.err
    assert "3 by diversity" in scored.err
    words = build(rows, "-k", 3, "--strategy", "hybrid", "-o", "h.arrow")
    assert "no scores given: rows are scored by lexical difficulty" in words.err
    assert build(rows, "--score-share", 0.5, "-o", "n.arrow").code == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--dedup", "fuzzy"], "'exact', 'near' or 'none'"),
        (["--dedup", "near", "--dedup-threshold", 1], "less than 1"),
        (["--dedup", "near", "--dedup-threshold", "nan"], "finite"),
        (["--dedup", "exact", "--dedup-threshold", 0.9], "does not use --dedup-threshold"),
        (["--dedup-threshold", 0.9], "does not use --dedup-threshold"),
        (["--dedup", "exact", "-k", 6], "the budget of 6 rows is more than the 5 rows there are"),
    ],
)
def test_refused(options: list[object], words: str, folder: Path, rows: Path, build: Program) -> None:
    done = build(rows, *options)
    assert done.code == 2
    assert words in done.err
    assert not (folder / "out.arrow").exists()


def norm(text: str) -> str:
    return re.sub(r"\s+", " ", unicodedata.normalize("NFC", text)).strip()


@pytest.mark.real_data
def test_a_published_filtered_set_agrees(folder: Path, build: Program, shared_data: Path) -> None:
    source = shared_data / "toolformer"
    done = build(source / "all.jsonl.gz", "--dedup", "near", "--strategy", "random", "--json")
    assert done.json["manifest"]["rows"]["in"] == 7673

    def instructions(name: str) -> list[str]:
        with gzip.open(source / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
            return [norm(json.loads(line)["instruction"]) for line in file]

    published = set(instructions("similarity_0.9"))
    left = np.array([row["stage"] == "dedup" for row in told(folder)])
    out = np.array([text not in published for text in instructions("all")])
    assert 0.15 < left.mean() < 0.18
    # Of what was left out there more than half leaves here, of what was kept there one in twenty.
    assert left[out].mean() > 0.55
    assert left[~out].mean() < 0.06
    # Each leaves for a row that stays.
    report = told(folder)
    stay = {row["sage_row_id"] for row in report if row["stage"] != "dedup"}
    assert all(row["duplicate_of"] in stay and row["similarity"] >= 0.95 for row in report if row["stage"] == "dedup")


@pytest.mark.real_data
def test_copies_added_to_real_rows_are_all_found(folder: Path, build: Program, shared_data: Path) -> None:
    table = pyarrow.parquet.read_table(shared_data / "clinc150" / "train.parquet").slice(0, 2000)
    spaced = pa.table({"text": [f" {text}\n" for text in table["text"].slice(0, 500).to_pylist()]})
    whole = pa.concat_tables([pa.table({"text": table["text"].cast(pa.string())}), spaced])
    pyarrow.parquet.write_table(whole, folder / "rows.parquet")
    before = build("rows.parquet", "--dedup", "exact", "--strategy", "random", "-k", "100%", "--json").json["manifest"]
    assert before["rows"]["dropped"]["dedup: exact copy"] >= 500
    report = told(folder)
    assert all(row["stage"] == "dedup" for row in report[2000:])
