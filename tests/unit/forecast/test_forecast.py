"""Forecasts: what they are made of, what does not fit, and what would."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from rules import RULES, wanted

import sage_select
from sage_select import demo
from sage_select.errors import DataError, OutputError, ResourceError, UsageError
from sage_select.forecast import Forecast, Limit, forecast, refuse_what_cannot_fit, report, values
from sage_select.forecast.costs import load_costs
from sage_select.forecast.fit import fit
from sage_select.forecast.look import look
from sage_select.forecast.predict import predict
from sage_select.forecast.select_stage import OBJECTIVE_COSTS
from sage_select.io import opened
from sage_select.ops import OBJECTIVES, STRATEGIES, Dedup, Embed, Op, Score, Select, Sink, Source
from sage_select.plan import resolve
from sage_select.spec import Pipeline

MIB = 1 << 20
ROWS = 30_000


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    texts = [f"what is number {i} of the list" for i in range(ROWS)]
    table = pa.table(
        {"text": texts, "loss": np.arange(ROWS) / 7, "v": pa.FixedSizeListArray.from_arrays(np.ones(4 * ROWS), 4)}
    )
    pa.parquet.write_table(table, tmp_path / "rows.parquet")
    return tmp_path / "rows.parquet"


def plan(source: Path | str, *steps: Op) -> Pipeline:
    return resolve(
        Pipeline(steps=(Source(path=str(source)), *steps, Sink(path=str(Path(source).parent / "out.arrow"))))
    )


def within(size: int) -> list[Limit]:
    return [Limit("a test", size)]


def outcome(source: Path, *steps: Op, size: int = 1 << 50) -> Forecast:
    return forecast(plan(source, *steps), within=within(size))


@pytest.mark.parametrize(("strategy", "objective"), RULES)
def test_every_strategy_has_a_forecast(strategy: str, objective: str | None, rows: Path) -> None:
    settings = {"objective": objective} if objective else {}
    settings |= wanted(strategy, str(rows))
    found = outcome(rows, Select(strategy=strategy, **settings))
    resolved = [step.name for step in found.work.plan.steps if step.name in ("score", "embed")]
    assert [stage.name for stage in found.prediction.stages] == [
        "read",
        "ids",
        "exact copies",
        *resolved,
        "select",
        "evidence",
        "write",
    ]
    assert all(stage.seconds is not None and stage.seconds > 0 for stage in found.prediction.stages)
    assert found.work.rows == ROWS
    assert found.work.kept == ROWS // 10
    held = 0 if found.work.vectors is None else 4 * ROWS * found.work.vectors.dimensions
    assert held < found.prediction.peak.memory < 8 * held + 512 * MIB
    assert found.fit is not None
    assert found.fit.fits
    assert found.advice == ()
    refuse_what_cannot_fit(found)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("mode", ["exact", "near"])
def test_copies_have_a_forecast(mode: str, strategy: str, rows: Path) -> None:
    select = Select(strategy=strategy, **wanted(strategy, str(rows)))
    plain = outcome(rows, Dedup(mode="none"), select)
    found = outcome(rows, Dedup.make(mode=mode), select)
    stages = [stage.name for stage in found.prediction.stages]
    assert stages[:3] == ["read", "ids", "exact copies"]
    assert ("near copies" in stages) == (mode == "near")
    assert sorted(stages) == sorted(["exact copies", *stages[3:], "read", "ids"])
    assert found.prediction.seconds > plain.prediction.seconds
    assert found.prediction.peak.memory >= plain.prediction.peak.memory
    assert "copies" in report(found)
    tight = outcome(
        rows, Dedup.make(mode=mode), Select(strategy="diversity"), size=int(1.05 * plain.prediction.peak.memory)
    )
    assert tight.fit is not None


def test_near_copies_of_very_many_rows_are_looked_for_in_cells(rows: Path) -> None:
    work, costs = look(plan(rows, Dedup(mode="near"), Select(strategy="random")), 1), load_costs()

    def seconds(count: int) -> float:
        stages = {stage.name: stage for stage in predict(work.with_rows(count), costs).stages}
        return stages["near copies"].seconds or 0.0

    # Pairs of all rows, and then those of near cells: 50 times as many rows take no square of that.
    assert seconds(200_000) > 15 * seconds(50_000)
    assert seconds(10_000_000) < 1000 * seconds(200_001)
    scaled = resolve(
        Pipeline(
            steps=(
                Source(path=str(rows)),
                Dedup(mode="near"),
                Select(strategy="diversity", objective="d2", metric="sqeuclidean"),
                Sink(path=str(rows.parent / "out.arrow")),
            )
        )
    )
    other = dataclasses.replace(work, plan=scaled)
    near, far = (
        {stage.name: stage.memory for stage in predict(of.with_rows(150_000), costs).stages}["near copies"]
        for of in (work, other)
    )
    assert far > near


def test_a_budget_in_tokens_is_about_so_many_rows(rows: Path) -> None:
    found = outcome(rows, Select(strategy="random", budget="600 tokens"))
    built = sage_select.select(str(rows), strategy="random", budget="600 tokens")
    assert 0.5 < found.work.kept / len(built) < 2
    assert "limits" in [stage.name for stage in found.prediction.stages]
    assert outcome(rows, Select(strategy="random", budget="900M tokens")).work.kept == ROWS


def test_every_objective_has_costs() -> None:
    assert OBJECTIVE_COSTS.keys() == OBJECTIVES.keys()


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_more_rows_and_dimensions_need_more(objective: str, rows: Path) -> None:
    work, costs = look(plan(rows, Select(strategy="diversity", objective=objective)), 1), load_costs()
    assert work.vectors is not None
    wider = dataclasses.replace(work, vectors=dataclasses.replace(work.vectors, dimensions=1024))
    small, *larger = (predict(other, costs) for other in (work, work.with_rows(2 * ROWS), wider))
    for large in larger:
        assert large.peak.memory > small.peak.memory
        assert large.addresses > small.addresses
        assert large.seconds > small.seconds


def test_threads_save_time_and_no_memory(rows: Path) -> None:
    work, costs = look(plan(rows, Select(strategy="diversity")), 1), load_costs()
    one, eight = (predict(dataclasses.replace(work, threads=threads), costs) for threads in (1, 8))
    assert eight.seconds < one.seconds
    assert eight.peak.memory == one.peak.memory


def test_all_pairs_are_held_up_to_a_limit(rows: Path) -> None:
    work, costs = look(plan(rows, Select(strategy="diversity")), 1), load_costs()
    dense, graph = (predict(work.with_rows(n), costs).peak.memory for n in (20_000, 20_001))
    assert dense > 4 * 20_000**2
    assert graph < dense / 2
    # An estimate slightly above the limit may turn out to be below it.
    near = dataclasses.replace(work, rows=20_500, exact=False)
    assert predict(near, costs).peak.memory > 4 * 20_000**2


def test_mapped_vectors_are_not_copied(rows: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opened, "MAPPED_BYTES", 1 << 10)
    np.save(rows.parent / "v.npy", np.ones((ROWS, 512), np.float32))
    embed = Embed(file=str(rows.parent / "v.npy"))
    size = 4 * ROWS * 512
    stages = [
        {
            stage.name: stage
            for stage in outcome(rows, embed, Select(strategy="diversity", metric=metric)).prediction.stages
        }
        for metric in ("cosine", "dot")
    ]
    assert stages[0]["embed"].memory - stages[1]["embed"].memory == pytest.approx(size, rel=0.05)


def test_vectors_are_told_by_their_origin(rows: Path, tmp_path: Path) -> None:
    def dimensions(embed: Embed) -> tuple[int, str]:
        vectors = outcome(rows, embed, Select(strategy="diversity")).work.vectors
        assert vectors is not None
        return vectors.dimensions, vectors.said

    np.save(tmp_path / "v.npy", np.ones((ROWS, 12), np.float16))
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text(json.dumps({"hidden_size": 96}))
    (model / "model.safetensors").write_bytes(b"0" * 1000)
    assert dimensions(Embed(dimensions=64)) == (64, "hashing encoder")
    assert dimensions(Embed(file=str(tmp_path / "v.npy"))) == (12, f"header of {tmp_path / 'v.npy'}")
    assert dimensions(Embed(column="v")) == (4, "column 'v'")
    assert dimensions(Embed(model=str(model))) == (96, f"configuration of {model}")
    assumed = dimensions(Embed(model="org/name"))
    assert assumed[0] == 768
    assert "assumed" in assumed[1]
    (model / "config.json").write_text("{}")
    with pytest.raises(DataError, match="no dimensions"):
        dimensions(Embed(model=str(model)))


def test_the_time_of_a_model_is_not_told(rows: Path) -> None:
    found = outcome(rows, Score(model=str(demo.model_path())), Select(strategy="loss_topk"))
    assert found.prediction.untold == ("score",)
    assert "without score, whose time is not known" in report(found)
    assert values(found)["stages"][3] == {**values(found)["stages"][3], "name": "score", "seconds": None}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("some words", True),
        ("a caf\u00e9 in which many words of plain English are said", True),
        ("\u6211\u4eca\u5929\u53bb", False),
    ],
)
def test_the_time_of_words_is_told_for_scripts_whose_speed_is_known(tmp_path: Path, text: str, told: bool) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"text": f"{text} {i} " * 9}) + "\n" for i in range(ROWS)))
    found = outcome(path, Score(), Embed(), Select())
    assert found.prediction.untold == (() if told else ("score", "embed"))
    assert ("whose time is not known" in report(found)) is not told


def test_headers_tell_the_rows_of_text(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"text": f"row {i} " * 20}) + "\n" for i in range(ROWS)))
    np.save(tmp_path / "s.npy", np.ones(ROWS - 1))
    assert not outcome(path, Select(strategy="random")).work.exact
    work = outcome(path, Score(file=str(tmp_path / "s.npy")), Select(strategy="loss_topk")).work
    assert (work.rows, work.exact) == (ROWS - 1, True)
    np.save(tmp_path / "v.npy", np.ones((ROWS, 2), np.float32))
    steps = Score(file=str(tmp_path / "s.npy")), Embed(file=str(tmp_path / "v.npy")), Select()
    with pytest.raises(DataError, match="differ in their number of rows"):
        outcome(path, *steps)


def test_what_a_build_would_refuse_is_refused(rows: Path) -> None:
    cases: list[tuple[tuple[Op, ...], type[Exception], str]] = [
        ((Select(budget=ROWS + 1),), UsageError, "more than the 30,000 rows"),
        ((Score(column="los"), Select()), UsageError, "did you mean 'loss'"),
        ((Score(column="text"), Select()), DataError, "not a number"),
        ((Embed(column="loss"), Select()), DataError, "embeddings are of the wrong type"),
        ((Embed(file="absent.npy"), Select()), UsageError, "no such file"),
    ]
    for steps, kind, said in cases:
        with pytest.raises(kind, match=said):
            outcome(rows, *steps)
    with pytest.raises(UsageError, match="no column 'nam'"):
        forecast(resolve(Pipeline(steps=(Source(path=str(rows), id_column="nam"), Select(), Sink()))), force=True)
    (rows.parent / "out.arrow").write_text("here")
    with pytest.raises(OutputError, match="exists already"):
        outcome(rows, Select())
    assert forecast(plan(rows, Select()), force=True, overwrite_foreign=True, within=[]).fit is None


def test_without_limits_nothing_is_refused(rows: Path) -> None:
    found = forecast(plan(rows, Select()), within=[])
    refuse_what_cannot_fit(found)
    assert "unknown" in report(found)
    assert values(found)["fits"] is None


def test_advice_is_true(rows: Path) -> None:
    np.save(rows.parent / "v.npy", np.ones((ROWS, 768), np.float32))
    plans = [
        plan(rows, Embed(file=str(rows.parent / "v.npy")), Select()),
        plan(rows, Select(strategy="hybrid", score_share=0.7)),
    ]
    costs = load_costs()
    for other in plans:
        peak = forecast(other, within=[]).prediction.peak.memory
        limit = within(int(0.9 * peak))
        found = forecast(other, within=limit)
        with pytest.raises(ResourceError) as refused:
            refuse_what_cannot_fit(found)
        assert refused.value.exit_code == 5
        assert found.advice
        assert all(one.bytes <= limit[0].bytes and one.text in str(refused.value) for one in found.advice)
        texts = [one.text for one in found.advice]
        assert {"--strategy random", "--strategy loss_topk"} <= set(texts)
        # What is advised for the strategy is what a forecast of that strategy says.
        random = forecast(plan(rows, Select(strategy="random")), within=[]).prediction.peak.memory
        assert next(one.bytes for one in found.advice if one.text == "--strategy random") == pytest.approx(random)
        # So many rows fit, and one more does not.
        count = int(texts[-1].split(" ")[0].replace(",", ""))
        assert fit(predict(found.work.with_rows(count), costs), limit).fits  # type: ignore[union-attr]
        assert not fit(predict(found.work.with_rows(count + 1), costs), limit).fits  # type: ignore[union-attr]


def test_where_nothing_fits_nothing_is_advised(rows: Path) -> None:
    found = outcome(rows, Select(), size=MIB)
    assert found.advice == ()
    with pytest.raises(ResourceError, match="nothing less would fit"):
        refuse_what_cannot_fit(found)


def test_options_of_another_objective_are_left_out_of_advice(rows: Path) -> None:
    select = Select(strategy="diversity", objective="mmr", mmr_lambda=0.3)
    found = outcome(rows, select, size=int(0.9 * outcome(rows, select).prediction.peak.memory))
    assert "--strategy random" in [one.text for one in found.advice]


def test_address_space_counts_mapped_files(rows: Path) -> None:
    np.save(rows.parent / "v.npy", np.ones((ROWS, 512), np.float32))
    steps = Embed(file=str(rows.parent / "v.npy")), Select(strategy="diversity", metric="dot", objective="mmr")
    mapped = outcome(rows, *steps).prediction
    assert mapped.mapped == 4 * ROWS * 512
    assert mapped.addresses > mapped.peak.memory + mapped.mapped
    limit = Limit("RLIMIT_AS", int(mapped.addresses) - 1, of_addresses=True)
    with pytest.raises(ResourceError, match="more address space than there is"):
        refuse_what_cannot_fit(forecast(plan(rows, *steps), within=[limit]))
