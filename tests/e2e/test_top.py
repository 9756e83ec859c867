"""`sage-select top`: the first rows of a selection are what a smaller build picks, byte for byte, or why not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet
import pytest
from programs import Program
from rules import probabilities

from sage_select.cli import select
from sage_select.strategies import STRATEGIES
from sage_select.strategies.objectives import OBJECTIVES

N = 60


@pytest.fixture
def top(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    """Return `sage-select top`."""
    return Program("sage-select top", select.main, capsys, monkeypatch)


@pytest.fixture(autouse=True)
def rows(folder: Path) -> None:
    made = [
        {"id": f"q{i}", "text": f"number {i} of {i % 9} {'and more ' * (i % 4)}", "kind": "abc"[i % 3], "loss": i % 11}
        for i in range(N)
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in made))
    vectors = np.random.default_rng(2).normal(size=(N, 8)).astype(np.float32)
    np.save(folder / "vectors.npy", vectors)
    np.save(folder / "queries.npy", vectors[:3])
    np.save(folder / "predictions.npy", probabilities(N))
    (folder / "pin.txt").write_text("q5\nq50\n")
    (folder / "exclude.txt").write_text("q7\n")


VECTORS = ["--embeddings", "vectors.npy"]
NESTED: dict[str, list[str]] = {
    "random": ["--strategy", "random"],
    "loss_topk": ["--strategy", "loss_topk", "--score-column", "loss"],
    "band": ["--strategy", "loss_topk", "--score-mode", "band", "--score-column", "loss"],
    **{
        objective: ["--strategy", "diversity", "--objective", objective, *VECTORS]
        for objective in OBJECTIVES
        if objective not in ("kmeans", "mmr")
    },
    "mmr": ["--strategy", "diversity", "--objective", "mmr", "--score-column", "loss", *VECTORS],
    "target": ["--strategy", "target", "--queries", "queries.npy", *VECTORS],
    "target max": ["--strategy", "target", "--queries", "queries.npy", "--target-rule", "max", *VECTORS],
    "target mean": ["--strategy", "target", "--queries", "queries.npy", "--target-rule", "mean", *VECTORS],
    "threshold": ["--strategy", "threshold", "--threshold", "1.5", "--score-column", "loss", *VECTORS],
    "uncertainty": ["--strategy", "uncertainty", "--predictions", "predictions.npy"],
    "badge": ["--strategy", "badge", "--predictions", "predictions.npy", *VECTORS],
    "limits": [
        "--strategy",
        "diversity",
        *VECTORS,
        "--pin",
        "pin.txt",
        "--exclude",
        "exclude.txt",
        "--quota",
        "kind=:9",
    ],
    "dedup": ["--strategy", "diversity", "--dedup", "near", "--dedup-threshold", "0.6", *VECTORS],
}


def test_every_strategy_that_nests_is_here() -> None:
    assert STRATEGIES.keys() - {"auto", "hybrid", "diversity"} <= NESTED.keys()


@pytest.mark.parametrize("case", NESTED)
@pytest.mark.parametrize("k", [0, 2, 11, 20])
def test_the_first_rows_are_a_smaller_build(case: str, k: int, folder: Path, build: Program, top: Program) -> None:
    common = ["rows.jsonl", "--id-column", "id", *NESTED[case]]
    if case == "limits" and k == 0:
        k = 3
    assert build(*common, "-k", "20", "-o", "large.arrow").code == 0
    done = build(*common, "-k", str(k), "-o", "small.arrow")
    assert done.code == 0, done.err
    found = top("large.arrow", str(k), "-o", "top.arrow", "--json").json
    assert (folder / "top.arrow").read_bytes() == (folder / "small.arrow").read_bytes()
    report, expected = (pyarrow.parquet.read_table(folder / f"{name}.arrow.rows.parquet") for name in ("top", "small"))
    # Of rows whose nearest pick is not among the first nothing is known; the others' is the same.
    known = pc.is_valid(report["nearest_pick"])
    nearest = ["nearest_pick", "nearest_similarity", "nearest_distance"]
    assert report.filter(known).select(nearest).equals(expected.filter(known).select(nearest))
    assert report.drop_columns(nearest).equals(expected.drop_columns(nearest))
    small = json.loads((folder / "small.arrow.manifest.json").read_text())
    manifest = found["manifest"]
    assert manifest["rows"] == small["rows"]
    assert manifest["plan"] == small["plan"]
    assert manifest["spec"]["steps"][:-1] == small["spec"]["steps"][:-1]
    if k:  # for no picks no outliers are looked for
        assert small["evidence"] | manifest["evidence"] == small["evidence"]
    assert manifest["first_of"]["rows"] == 20
    assert "metrics" not in manifest
    assert top("large.arrow", str(k), "-o", "top.arrow", "--json").json["cached"]


UNNESTED: dict[str, tuple[list[str], str]] = {
    "hybrid": (["--strategy", "hybrid", "--score-column", "loss", *VECTORS], "divides its budget"),
    "kmeans": (["--strategy", "diversity", "--objective", "kmeans", *VECTORS], "as many cells"),
    "stratified": (
        ["--strategy", "loss_topk", "--score-mode", "stratified", "--score-column", "loss", *VECTORS],
        "as many regions",
    ),
    "balanced": (["--strategy", "random", "--balance", "kind"], "keeps room for the fewest rows"),
    "minimum": (["--strategy", "random", "--quota", "kind=2:"], "keeps room for the fewest rows"),
}


@pytest.mark.parametrize("case", UNNESTED)
def test_what_depends_on_the_budget_is_refused(case: str, folder: Path, build: Program, top: Program) -> None:
    arguments, words = UNNESTED[case]
    assert build("rows.jsonl", "-k", "20", *arguments).code == 0
    done = top("out.arrow", "9", "-o", "top.arrow")
    assert done.code == 2
    assert words in done.err
    assert "build again with --budget 9" in done.err
    assert not (folder / "top.arrow").exists()
    # All of it is what it is.
    assert top("out.arrow", "20", "-o", "all.arrow").code == 0


def test_tokens_and_outliers_depend_on_the_budget(folder: Path, build: Program, top: Program) -> None:
    assert build("rows.jsonl", "--strategy", "random", "--budget", "50 tokens").code == 0
    assert "budget in tokens" in top("out.arrow", "2", "-o", "top.arrow").err
    assert "counted in rows" in top("out.arrow", "9 tokens", "-o", "top.arrow").err
    kcenter = ["--strategy", "diversity", "--objective", "kcenter", *VECTORS]
    assert build("rows.jsonl", *kcenter, "-k", str(N - 1), "--force").code == 0
    assert "more outliers" in top("out.arrow", "9", "-o", "top.arrow").err


def test_mistakes(folder: Path, build: Program, top: Program) -> None:
    assert build("rows.jsonl", "--strategy", "random", "-k", "10", "--pin", "pin.txt", "--id-column", "id").code == 0
    assert "only 10 rows" in top("out.arrow", "11", "-o", "top.arrow").err
    assert "only 10 rows" in top("out.arrow", "50%", "-o", "top.arrow").err
    assert "2 pinned rows" in top("out.arrow", "1", "-o", "top.arrow").err
    assert top("nothing.arrow", "1", "-o", "top.arrow").code == 2
    assert "no selection with a manifest" in top("rows.jsonl", "1", "-o", "top.arrow").err
    assert top("out.arrow", "5", "-o", "out.arrow").code == 2
    assert top("out.arrow", "10%", "-o", "share.parquet", "--json").json["manifest"]["rows"]["kept"] == 6
    table = pa.ipc.open_file(folder / "out.arrow").read_all()
    with pa.ipc.new_file(folder / "out.arrow", table.schema) as writer:
        writer.write_table(table.slice(1))
    done = top("out.arrow", "5", "-o", "top.arrow")
    assert done.code == 3
    assert "changed or damaged" in done.err


def test_lines_of_json_lose_no_types_on_the_way(folder: Path, build: Program, top: Program) -> None:
    common = ["rows.jsonl", "--strategy", "random"]
    assert build(*common, "-k", "20", "-o", "large.jsonl").code == 0
    assert build(*common, "-k", "9", "-o", "small.arrow").code == 0
    assert top("large.jsonl", "9", "-o", "top.arrow").code == 0
    assert (folder / "top.arrow").read_bytes() == (folder / "small.arrow").read_bytes()
    # Without rows they have no columns either.
    assert top("large.jsonl", "0", "-o", "none.jsonl").code == 0
    assert top("none.jsonl", "0", "-o", "none.arrow").code == 0
    assert pa.ipc.open_file(folder / "none.arrow").schema.field("sage_weight").type == pa.float32()


def test_all_rows_stay_what_they_were(folder: Path, build: Program, top: Program) -> None:
    assert build("rows.jsonl", "--strategy", "random", "--budget", "50 tokens").code == 0
    kept = json.loads((folder / "out.arrow.manifest.json").read_text())["rows"]["kept"]
    steps = top("out.arrow", kept, "-o", "all.arrow", "--json").json["manifest"]["spec"]["steps"]
    assert next(step["select"] for step in steps if "select" in step)["budget"] == "50 tokens"
    # A smaller one of these is none of the budget in tokens either.
    assert "budget in tokens" in top("all.arrow", kept - 1, "-o", "top.arrow").err


def test_evidence_of_the_larger_selection_is_not_told_of_the_smaller(
    folder: Path, build: Program, top: Program
) -> None:
    assert build("rows.jsonl", *NESTED["target"], "-k", "20").code == 0
    evidence = top("out.arrow", "1", "-o", "top.arrow", "--json").json["manifest"]["evidence"]
    assert evidence["queries"] == 3
    assert "queries_with_a_row" not in evidence


def test_a_report_of_other_rows_is_refused(folder: Path, build: Program, top: Program) -> None:
    for seed in "01":
        assert build("rows.jsonl", "--strategy", "random", "--seed", seed, "-o", f"{seed}.arrow").code == 0
    (folder / "1.arrow.rows.parquet").replace(folder / "0.arrow.rows.parquet")
    done = top("0.arrow", "2", "-o", "top.arrow")
    assert done.code == 3
    assert "0.arrow.rows.parquet: has been changed or damaged since it was written" in done.err
    assert top("1.arrow", "2", "-o", "top.arrow").code == 0
    assert not (folder / "top.arrow.rows.parquet").exists()
