"""The row report names rows so that a person finds them, and `why` tells of one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet
import pytest
from programs import Program

import sage_select
from sage_select.cli.select import main

TEXTS = [
    "play some jazz",
    "",
    "book a table",
    " play  some jazz",
    "what is the weather",
    "send a mail\x1b[31m",
    "wake me up",
]
VECTORS = np.array([[1, 0, 0], [1, 1, 1], [0, 1, 0], [1, 0, 0], [0, 0.9, 0.1], [0, 0, 1], [0.6, 0, 0.8]], np.float32)


@pytest.fixture
def built(folder: Path, build: Program) -> Path:
    np.save(folder / "v.npy", VECTORS)
    (folder / "rows.jsonl").write_text(
        "".join(
            json.dumps({"text": text, "name": f"row-{row}", "loss": row}) + "\n\n" for row, text in enumerate(TEXTS)
        )
    )
    done = build("rows.jsonl", "--embeddings", "v.npy", "--score-column", "loss", "--id-column", "name", "-k", 2)
    assert done.code == 0, done.err
    return folder


@pytest.fixture
def why(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    return Program("sage-select why", main, capsys, monkeypatch)


def test_rows_are_named_so_that_they_are_found(built: Path) -> None:
    report = pyarrow.parquet.read_table(built / "out.arrow.rows.parquet").to_pylist()
    assert [row["sage_row_id"] for row in report] == [f"row-{row}" for row in range(7)]
    assert {row["file"] for row in report} == {"rows.jsonl"}
    assert [row["row"] for row in report] == list(range(7))
    assert [row["line"] for row in report] == list(range(1, 14, 2))
    assert [row["first_words"] for row in report[:5]] == [
        "play some jazz", "", "book a table", "play some jazz", "what is the weather"
    ]  # fmt: skip
    picks = [place for place, row in enumerate(report) if row["kept"]]
    unit = VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True)
    for place, row in enumerate(report):
        if place in (1, 3) or place in picks:
            assert row["nearest_pick"] is None
            continue
        near = unit[place] @ unit[picks].T
        assert row["nearest_pick"] == f"row-{picks[int(near.argmax())]}"
        assert row["nearest_similarity"] == pytest.approx(near.max(), abs=1e-6)
        assert row["nearest_distance"] is None
    # One row of two is taken by score, from a cell.
    assert [row["region"] is None for row in report] == [row["stage"] != "select" for row in report]
    assert report[1]["stage"] == "source"
    assert report[3]["duplicate_of"] == "row-0"


def test_why_tells_of_one_row(built: Path, why: Program) -> None:
    same = [why("out.arrow", name).out for name in ("row-3", "3", "rows.jsonl:7")]
    assert len(set(same)) == 1
    assert "row 3 of the input; rows.jsonl, line 7" in same[0]
    assert "not selected; stage dedup: exact copy" in same[0]
    assert "copy of  row-0, similarity 1: play some jazz" in same[0]
    assert "stage source: nothing to train" in why("out.arrow", "row-1").out
    report = pyarrow.parquet.read_table(built / "out.arrow.rows.parquet").to_pylist()
    for row in report:
        out = why("out.arrow", row["sage_row_id"]).out
        assert ("selected by" in out) == row["kept"]
        assert ("nearest pick" in out) == (row["nearest_pick"] is not None)
        assert "\x1b" not in out
    # Of the five scored rows four are lower.
    assert "score" in why("out.arrow", "row-6").out
    facts = why("out.arrow", "row-6", "--json").json["row"]
    assert facts["score_percentile"] == 1
    assert facts["score"] == 6
    assert facts["row_number"] == 6


@pytest.mark.parametrize(
    ("row", "words"),
    [("row-33", "did you mean 'row-3'?"), ("9", "below 7"), ("rows.jsonl:2", "no row"), ("other.jsonl:1", "no row")],
)
def test_rows_that_are_not_there(row: str, words: str, built: Path, why: Program) -> None:
    done = why("out.arrow", row)
    assert done.code == 2
    assert words in done.err


def test_without_a_report_there_is_nothing_to_tell(built: Path, build: Program, why: Program) -> None:
    assert build("rows.jsonl", "-k", 2, "--no-rows", "-o", "o.arrow").code == 0
    done = why("o.arrow", "1")
    assert done.code == 2
    assert "no row report" in done.err
    assert why("rows.jsonl", "1").code == 2


def test_rows_that_could_not_be_used_are_named_as_well(folder: Path, build: Program, why: Program) -> None:
    turns = [
        [{"role": "user", "content": f"question {row}"}, {"role": "assistant", "content": "yes"}] for row in range(30)
    ]
    turns[7][0]["role"] = "nobody"
    turns[20][1]["content"] = " "
    lines = [json.dumps({"messages": row}) for row in turns]
    lines[3] = "no JSON"
    (folder / "rows.jsonl").write_text("\n".join(lines) + "\n")
    done = build("rows.jsonl", "--on-bad-row", "drop", "--max-bad", "10%", "-k", 3)
    assert done.code == 0, done.err
    assert "1 row (nothing to train)" in done.err
    report = pyarrow.parquet.read_table(folder / "out.arrow.rows.parquet").to_pylist()
    assert [row["line"] for row in report] == list(range(1, 31))
    assert [place for place, row in enumerate(report) if row["stage"] == "source"] == [3, 7, 20]
    words = [row["first_words"] for row in report]
    assert words[6] == "question 6 yes"
    assert words[7] is None
    assert "stage source: " in why("out.arrow", "rows.jsonl:4").out
    assert json.loads((folder / "out.arrow.manifest.json").read_text())["rows"]["in"] == 30


def test_from_python_it_is_the_same_table(built: Path) -> None:
    options = {"embeddings": VECTORS, "scores": "loss", "id_column": "name", "k": 2}
    chosen = sage_select.select("rows.jsonl", **options)  # type: ignore[arg-type]
    report = pyarrow.parquet.read_table(built / "out.arrow.rows.parquet")
    assert chosen.lineage().to_pydict() == report.to_pydict()
    # Row numbers join the table to the input, whatever its order.
    rows = pl.DataFrame({"number": range(7), "name": [f"row-{row}" for row in range(7)]})
    joined = pl.DataFrame(chosen).with_columns(number=pl.Series(chosen.table_indices)).join(rows, on="number")
    assert (joined["name"] == joined["name_right"]).all()
    assert sorted(chosen.table_indices.tolist()) == sorted(chosen.indices.tolist())
    ranks = pl.DataFrame(chosen)["sage_rank"].to_list()
    assert [chosen.indices[rank] for rank in ranks] == chosen.table_indices.tolist()
    arrays = sage_select.select(embeddings=VECTORS, k=2, metric="sqeuclidean", objective="kcenter").lineage()
    assert arrays["file"].null_count == 7
    assert arrays["nearest_distance"].null_count == 2
    assert arrays["nearest_similarity"].null_count == 7


def test_what_nearest_picks_take_is_bounded(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"embeddings": VECTORS, "k": 2, "dedup": "none"}
    every = sage_select.select("rows.jsonl", **options).lineage()  # type: ignore[arg-type]
    assert every["nearest_pick"].null_count == 3
    monkeypatch.setattr("sage_select.engine.local.row_report._WORK", 2 * 3 * 2)
    some = sage_select.select("rows.jsonl", **options).lineage()  # type: ignore[arg-type]
    assert some["nearest_pick"].null_count == 5
    found = [(row["nearest_pick"], row["nearest_similarity"]) for row in some.to_pylist() if row["nearest_pick"]]
    assert set(found) <= {(row["nearest_pick"], row["nearest_similarity"]) for row in every.to_pylist()}
