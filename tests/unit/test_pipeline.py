"""Pipelines from Python: values that are built, written, read back, explained and run."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import sage_select
from sage_select import Pipeline, Selection
from sage_select.engine import Outcome
from sage_select.errors import UsageError

N = 240
RANDOM = np.random.default_rng(5)
TABLE = pa.table(
    {
        "text": [f"row {i} of {i % 7} and {'more ' * (i % 5)}words {i * 3}" for i in [n % 200 for n in range(N)]],
        "loss": RANDOM.random(N),
        "wit": RANDOM.random(N),
    }
)


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in TABLE.to_pylist()))
    return path


CHAIN = (
    Pipeline.read("rows.jsonl", seed=3)
    .score(column="loss")
    .select("loss_topk", budget="50%")
    .dedup("near", threshold=0.9)
    .score(column="wit", higher_is_harder=False)
    .select("hybrid", budget="10%", objective="kcenter", outlier_guard=0.1)
)


def test_equal_by_value_in_every_spelling(rows: Path) -> None:
    again = Pipeline.read("rows.jsonl", seed=3).score(column="loss")
    assert again == Pipeline.read("rows.jsonl", seed=3).score(column="loss", scorer="column")
    assert again != Pipeline.read("rows.jsonl", seed=4).score(column="loss")
    for pipeline in (CHAIN, again, CHAIN.write("out.parquet"), CHAIN.plan()):
        (rows.parent / "x.yaml").write_text(pipeline.to_yaml())
        (rows.parent / "x.toml").write_text(pipeline.to_toml())
        # Paths of a spec are relative to its folder, which is the current one here.
        assert Pipeline.load("x.yaml").to_dict() == pipeline.to_dict() == Pipeline.load("x.toml").to_dict()
        assert Pipeline.load("x.yaml").explain() == pipeline.explain()


def test_a_chain_of_selections_runs_as_it_stands(rows: Path) -> None:
    chosen = CHAIN.run()
    assert isinstance(chosen, Selection)
    half = sage_select.select(TABLE, strategy="loss_topk", scores="loss", budget="50%", dedup="none")
    hard = set(half.indices.tolist())
    assert set(chosen.indices.tolist()) <= hard
    report = chosen.lineage()
    counts: dict[tuple[str, str], int] = {}
    for stage, reason in zip(report["stage"].to_pylist(), report["reason"].to_pylist(), strict=True):
        counts[stage, reason] = counts.get((stage, reason), 0) + 1
    assert counts["select 1", "not selected"] == N - len(hard)
    near = sum(count for (stage, _), count in counts.items() if stage == "dedup")
    assert near > 0
    # The second selection is a tenth of what the dedup left.
    assert len(chosen) == (len(hard) - near) // 10
    assert counts["select 2", "not selected"] == len(hard) - near - len(chosen)
    assert sum(counts.values()) == N
    # What a row's score is, is what the last selection went by.
    table = chosen.table()
    assert len(set(table["sage_rank"].to_pylist())) == len(chosen)
    scores = table["sage_score"].to_pylist()
    columns = zip(table["wit"].to_pylist(), scores, strict=True)
    assert all(abs(value - score) < 1e-6 for value, score in columns)
    assert chosen.metrics["random_subsets"] == 5


def test_what_leaves_after_a_selection_leaves_its_ranks_dense(rows: Path) -> None:
    before = Pipeline.read("rows.jsonl").dedup("none").select("random", budget=120)
    after = before.dedup("exact").run()
    assert isinstance(after, Selection)
    all_picks = sage_select.select(TABLE, strategy="random", budget=120, dedup="none").indices.tolist()
    assert len(after) < 120
    assert after.table().sort_by("sage_rank")["sage_rank"].to_pylist() == list(range(len(after)))
    # In the order of the picks, without the copies.
    texts, seen, expected = TABLE["text"].to_pylist(), set(), []
    first = {text: min(i for i in all_picks if texts[i] == text) for text in {texts[i] for i in all_picks}}
    for row in all_picks:
        if first[texts[row]] == row and texts[row] not in seen:
            seen.add(texts[row])
            expected.append(row)
    assert after.indices.tolist() == expected


def test_without_a_selection_every_row_is_in(rows: Path) -> None:
    whole = Pipeline.read("rows.jsonl").dedup("exact").run()
    assert isinstance(whole, Selection)
    assert len(whole) == len(set(TABLE["text"].to_pylist()))
    assert set(whole.reasons) == {"all"}
    assert whole.metrics == {}
    with pytest.raises(UsageError, match="the pipeline selects 0 times"):
        whole.top(3)
    assert whole.write("whole.arrow").exists()


def test_a_written_pipeline_is_a_build(rows: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pipeline = Pipeline.read("rows.jsonl").dedup("near").select("hybrid", budget="10%").write("out.arrow")
    done = pipeline.run()
    assert isinstance(done, Outcome)
    assert not done.cached
    assert isinstance(again := pipeline.run(), Outcome)
    assert again.cached
    chosen = Pipeline(seed=0, steps=pipeline.steps[:-1]).run()
    assert isinstance(chosen, Selection)
    assert chosen.table().equals(pa.ipc.open_file("out.arrow").read_all())
    two = Pipeline.read("rows.jsonl").select("random", budget=50).select("random", budget=9).run()
    assert isinstance(two, Selection)
    with pytest.raises(UsageError, match="the pipeline selects 2 times"):
        two.top(3)


def test_objects_stand_for_the_source(rows: Path) -> None:
    pipeline = Pipeline.read("rows.jsonl").select("random", budget=5)
    from_file, from_table = pipeline.run(), pipeline.run(TABLE)
    assert isinstance(from_file, Selection)
    assert isinstance(from_table, Selection)
    assert from_file.indices.tolist() == from_table.indices.tolist()
    assert pipeline.write("t.arrow").run(TABLE)
    assert os.path.exists("t.arrow")  # noqa: PTH110


def test_several_sources_are_one_pool(rows: Path) -> None:
    (rows.parent / "more.jsonl").write_text('{"text": "another", "loss": 1.0, "wit": 2.0}\n')
    both = Pipeline.read("rows.jsonl").source("more.jsonl").select("random", budget="100%")
    assert len([step for step in both.plan().steps if step.name == "source"]) == 1
    chosen = both.run()
    assert isinstance(chosen, Selection)
    assert set(chosen.table()["sage_source"].to_pylist()) == {"rows.jsonl", "more.jsonl"}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Pipeline.read("a").source("b", id_column="x").plan(), "sources differ in id_column"),
        (lambda: Pipeline.read("a").select("random").source("b"), "source stands at the beginning"),
        (lambda: Pipeline.read("a").write("b").dedup(), "a sink stands once, at the end"),
        (lambda: Pipeline.read("a").embed(column="v").select("random").plan(), "no stage uses embeddings"),
        (lambda: Pipeline.read("a").select("target").plan(), "needs queries"),
        (lambda: Pipeline.read("a").select("random", score_share=0.3), "does not use score_share; auto and hybrid do"),
        (lambda: Pipeline.read("a").dedup("near", "exact"), "takes one setting without a name"),
        (lambda: Pipeline.read([]), "names no input"),
    ],
)
def test_what_cannot_work_is_refused_at_once(make: Any, message: str) -> None:
    with pytest.raises((UsageError, ValueError), match=message):
        make()


def test_a_stage_that_there_is_not_is_named_with_the_nearest() -> None:
    with pytest.raises(AttributeError, match="no stage 'selct'; did you mean 'select'"):
        Pipeline.read("a").selct("random")
    assert {"dedup", "select", "write", "run"} <= set(dir(Pipeline.read("a")))
    assert "strategy" in (Pipeline.read("a").select.__doc__ or "")


def test_equal_stages_are_two(rows: Path) -> None:
    pipeline = Pipeline.read("rows.jsonl")
    for _ in range(2):
        pipeline = pipeline.score(column="loss").select("loss_topk", budget="50%")
    twice = pipeline.run()
    once = sage_select.select(str(rows), strategy="loss_topk", scores="loss", budget="25%")
    assert isinstance(twice, Selection)
    # Half of a half, rounded down twice.
    assert twice.indices.tolist() == once.indices.tolist()[: len(twice)]
    assert len(once) - len(twice) <= 1


@pytest.mark.parametrize("setting", ["pin", "exclude"])
def test_values_of_a_program_are_not_passed_over_where_its_spec_runs_without_them(rows: Path, setting: str) -> None:
    chosen = sage_select.select(str(rows), k=5, strategy="random", **{setting: [3]})
    spec = json.loads((chosen.write("given.arrow").parent / "given.arrow.manifest.json").read_text())["spec"]
    (rows.parent / "again.json.yaml").write_text(json.dumps(spec))
    with pytest.raises(UsageError, match="<given>"):
        Pipeline.load("again.json.yaml").run(force=True)


def test_which_end_is_hard_chooses_no_scores() -> None:
    plain = sage_select.select(TABLE, k=9)
    assert sage_select.select(TABLE, k=9, higher_is_harder=True).indices.tolist() == plain.indices.tolist()
    vectors = RANDOM.random((30, 4)).astype(np.float32)
    assert len(sage_select.select(embeddings=vectors, k=3, strategy="diversity", higher_is_harder=True)) == 3
    with pytest.raises(UsageError, match="higher_is_harder = false needs a file"):
        sage_select.select(TABLE, k=9, higher_is_harder=False)
