"""Estimates of whole builds: what they are made of, what does not fit, and what would."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from rules import RULES, wanted

import sage_select
from sage_select import demo
from sage_select.cli.estimate import refuse_what_cannot_fit, report, values
from sage_select.engine.local.estimate import Estimate, estimate
from sage_select.errors import DataError, OutputError, ResourceError, UsageError
from sage_select.io.guards.memory import Limit
from sage_select.io.source import opened
from sage_select.orders import ORDERS
from sage_select.pipeline import Pipeline, Stage
from sage_select.pipeline.plan import resolve
from sage_select.stages import Dedup, Embed, Order, Predict, Score, Select, Sink, Source
from sage_select.strategies import STRATEGIES, Picks, Pool, SelectionRequest, Strategy

MIB = 1 << 20
ROWS = 30_000


class Odd(Stage):
    """A stage of somebody who says nothing of its cost."""

    name: ClassVar[str] = "odd"


class OddRule(Strategy):
    """A rule of somebody who says nothing of its cost."""

    name: ClassVar[str] = "odd_rule"

    def pick(self, request: SelectionRequest, pool: Pool) -> Picks:
        """Pick what random would."""
        return STRATEGIES["random"]().pick(request, pool)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    texts = [f"what is number {i} of the list" for i in range(ROWS)]
    table = pa.table(
        {"text": texts, "loss": np.arange(ROWS) / 7, "v": pa.FixedSizeListArray.from_arrays(np.ones(4 * ROWS), 4)}
    )
    folder = tmp_path_factory.mktemp("rows")
    pa.parquet.write_table(table, folder / "rows.parquet")
    return folder / "rows.parquet"


def plan(source: Path, *steps: Stage) -> Pipeline:
    return resolve(
        Pipeline(steps=(Source(path=str(source)), *steps, Sink(path=str(source.parent / "out.arrow")))), lambda _: None
    )


def outcome(source: Path, *steps: Stage, size: int | None = None) -> Estimate:
    return estimate(plan(source, *steps), within=[] if size is None else [Limit("a test", size)])


def beyond(found: Estimate) -> float:
    """Return the bytes at the height beyond those of this process."""
    return (found.peak.memory or 0.0) - found.base


def names(found: Estimate) -> list[str]:
    return [stage.name for stage in found.stages]


@pytest.mark.parametrize(("strategy", "objective"), RULES)
def test_every_rule_has_an_estimate(strategy: str, objective: str | None, rows: Path) -> None:
    settings = wanted(strategy, str(rows), of=ROWS) | ({"objective": objective} if objective else {})
    predictions = settings.pop("probabilities", None)
    steps: list[Stage] = []
    if predictions is not None:
        np.save(rows.parent / "predictions.npy", predictions)
        steps.append(Predict(file=str(rows.parent / "predictions.npy")))
    found = outcome(rows, *steps, Select(strategy=strategy, **settings), size=1 << 50)
    assert names(found)[0] == "source"
    assert names(found)[-4:] == ["select", "compare", "order", "sink"]
    assert found.unknown == []
    assert (found.seconds is None) == (strategy == "target")
    assert (found.size.n, found.kept, found.fits, found.advice) == (ROWS, ROWS // 10, True, ())
    refuse_what_cannot_fit(found)


@pytest.mark.parametrize("name", ORDERS)
def test_every_order_has_an_estimate(name: str, rows: Path) -> None:
    order = Order(order=name, **({"order_by": "text"} if name == "interleave" else {}))
    found = outcome(rows, Select(strategy="random"), order, size=1 << 50)
    assert found.unknown == []
    assert found.seconds is not None
    assert ("score" in names(found)) == ("scores" in order.needs())
    shuffled = outcome(rows, Select(strategy="random"))
    assert beyond(found) >= beyond(shuffled) > 0


def test_chains_of_stages(rows: Path) -> None:
    found = outcome(rows, Select(strategy="random", budget="50%"), Dedup(mode="near"), Odd(), Select(budget=300))
    assert names(found).count("select") == names(found).count("select 2") == 1
    assert {"odd", "embed", "dedup"} <= set(names(found))
    assert found.kept == 300
    assert found.unknown == ["odd"]
    assert found.seconds is None
    said = report(found)
    assert "without odd (not known)" in said
    assert next(one for one in values(found)["stages"] if one["name"] == "odd") == {
        "name": "odd",
        "memory_bytes": None,
        "seconds": None,
    }
    # The second selection works on the rows that the first has left.
    whole = outcome(rows, Select(strategy="diversity", objective="kcenter", budget=300))
    half = outcome(rows, Select(strategy="random", budget="50%"), Select(strategy="diversity", objective="kcenter"))
    seconds = [{stage.name: stage.seconds or 0.0 for stage in one.stages} for one in (whole, half)]
    assert seconds[1]["embed"] <= seconds[0]["embed"]


def test_a_rule_that_says_nothing_of_its_cost(rows: Path) -> None:
    found = outcome(rows, Select(strategy=OddRule(), budget=300))
    assert found.unknown == ["select"]
    assert found.kept == 300
    assert "not known" in report(found)


def test_near_copies_cost_more_than_exact_ones(rows: Path) -> None:
    exact, near = (outcome(rows, Dedup(mode=mode), Select(strategy="random")) for mode in ("exact", "near"))
    assert beyond(near) > beyond(exact)
    assert (near.seconds or 0.0) > (exact.seconds or 0.0)


def test_a_budget_in_tokens_is_about_so_many_rows(rows: Path) -> None:
    found = outcome(rows, Select(strategy="random", budget="600 tokens"))
    built = sage_select.select(str(rows), strategy="random", budget="600 tokens")
    assert 0.5 < found.kept / len(built) < 2
    assert outcome(rows, Select(strategy="random", budget="900M tokens")).kept == ROWS
    assert not found.kept_exact
    assert f", about {found.kept:,} kept" in report(found)
    assert outcome(rows, Select(strategy="random", budget="10%")).kept_exact


def test_mapped_vectors_are_not_copied(rows: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(opened, "MAPPED_BYTES", 1 << 10)
    size = 4 * ROWS * 256
    ones = np.ones((ROWS, 256), np.float32)
    np.save(tmp_path / "long.npy", ones)
    np.save(tmp_path / "unit.npy", ones / 16)

    def mmr(file: str, metric: str) -> Estimate:
        select = Select(strategy="diversity", metric=metric, objective="mmr")
        return outcome(rows, Embed(file=str(tmp_path / file)), select)

    scaled, unit, dot = mmr("long.npy", "cosine"), mmr("unit.npy", "cosine"), mmr("long.npy", "dot")
    assert beyond(scaled) - beyond(dot) == pytest.approx(size, rel=0.1)
    assert beyond(unit) == pytest.approx(beyond(dot), abs=MIB)
    assert dot.addresses - (dot.peak.memory or 0.0) > scaled.addresses - (scaled.peak.memory or 0.0) - size


def test_rows_and_words_beyond_the_budget_are_mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"text": f"row {i} " * 40}) + "\n" for i in range(20_000)))
    text, select = path.stat().st_size, Select(strategy="random", budget=100)
    held = outcome(path, Dedup(mode="none"), select)
    monkeypatch.setenv("SAGE_MEMORY", "1MB")
    mapped = outcome(path, Dedup(mode="none"), select)
    ends = [(found.stages[-1].memory or 0.0) - found.base for found in (held, mapped)]
    assert ends[0] - ends[1] == pytest.approx(2 * text, rel=0.2)


def test_the_width_of_vectors_is_told_by_their_origin(rows: Path, tmp_path: Path) -> None:
    def grown(embed: Embed) -> float:
        return beyond(outcome(rows, embed, Select(strategy="diversity", objective="kcenter")))

    np.save(tmp_path / "v.npy", np.ones((ROWS, 1024), np.float16))
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text(json.dumps({"hidden_size": 2048}))
    (model / "model.safetensors").write_bytes(b"0" * 1000)
    widths = [grown(Embed(column="v")), grown(Embed(dimensions=256)), grown(Embed(file=str(tmp_path / "v.npy")))]
    assert widths == sorted(widths)
    assert grown(Embed(model=str(model))) > 4 * 2048 * ROWS
    far = outcome(rows, Embed(model="org/name"), Select(strategy="diversity"))
    assert far.unknown == ["embed", "select"]
    (model / "config.json").write_text("{}")
    with pytest.raises(DataError, match="no dimensions"):
        grown(Embed(model=str(model)))


def test_the_time_of_a_model_is_not_known(rows: Path) -> None:
    found = outcome(rows, Score(model=str(demo.model_path())), Select(strategy="loss_topk"))
    assert found.seconds is None
    assert found.unknown == []
    assert "without score (not known)" in report(found)


def test_headers_tell_rows_of_text_that_was_not_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"text": f"row {i} " * 20}) + "\n" for i in range(9_000)))
    np.save(tmp_path / "scores.npy", np.arange(9_000.0))
    select = Select(strategy="loss_topk", budget=9_001)
    guessed = outcome(path, select)
    assert not guessed.size.exact
    assert 8_000 < guessed.size.n < 10_000
    known = outcome(path, Score(file=str(tmp_path / "scores.npy")), Select(strategy="loss_topk"))
    assert (known.size.n, known.size.exact, known.kept) == (9_000, True, 900)
    assert "9,000 (from the header of" in report(known)
    with pytest.raises(UsageError, match=r"9,001|9001"):
        outcome(path, Score(file=str(tmp_path / "scores.npy")), select)


def test_what_a_build_would_refuse(rows: Path) -> None:
    np.save(rows.parent / "short.npy", np.ones(5))
    np.save(rows.parent / "zero.npy", np.zeros((ROWS, 3), np.float32))
    cases: list[tuple[tuple[Stage, ...], type[Exception], str]] = [
        ((Score(column="absent"), Select(strategy="loss_topk")), UsageError, "absent"),
        ((Score(column="text"), Select(strategy="loss_topk")), DataError, "text"),
        ((Score(file=str(rows.parent / "short.npy")), Select(strategy="loss_topk")), DataError, "number of rows"),
        ((Embed(column="loss"), Select(strategy="diversity")), DataError, "loss"),
        ((Embed(file=str(rows.parent / "zero.npy")), Select(strategy="diversity")), DataError, "zero"),
        ((Select(budget=ROWS + 1),), UsageError, r"30,001|30001"),
        ((Select(quota="absent"),), UsageError, "absent"),
    ]
    for steps, kind, said in cases:
        with pytest.raises(kind, match=said):
            outcome(rows, *steps)
    out = rows.parent / "out.arrow"
    out.write_text("here")
    try:
        with pytest.raises(OutputError, match="exists already"):
            outcome(rows, Select())
        assert estimate(plan(rows, Select()), force=True, overwrite_foreign=True, within=[]).fits is None
    finally:
        out.unlink()


def test_without_limits_nothing_is_refused(rows: Path) -> None:
    found = outcome(rows, Select())
    refuse_what_cannot_fit(found)
    assert "available  not known" in report(found)
    assert values(found)["fits"] is None


def test_advice_is_true(rows: Path) -> None:
    select = Select(strategy="hybrid", score_share=0.7)
    free = outcome(rows, select)
    limit = int(free.base + 0.9 * beyond(free))
    found = outcome(rows, select, size=limit)
    with pytest.raises(ResourceError) as refused:
        refuse_what_cannot_fit(found)
    assert refused.value.exit_code == 5
    assert {"--strategy random", "--strategy loss_topk"} <= set(found.advice)
    assert all(text.split(" ")[-1] in str(refused.value) for text in found.advice)
    assert found.advice[-1] in ("27,000 rows like these (90%)", "22,500 rows like these (75%)")
    for text in found.advice[:-1]:
        flag, name = text.removeprefix("--").split(" ")
        kept = {"strategy": "hybrid", "score_share": 0.7} if flag == "objective" else {}
        assert outcome(rows, Select(**{**kept, flag: name}), size=limit + MIB).fits, text


def test_where_nothing_fits_nothing_is_advised(rows: Path) -> None:
    found = outcome(rows, Select(), size=MIB)
    assert found.advice == ()
    with pytest.raises(ResourceError, match="more memory"):
        refuse_what_cannot_fit(found)


def test_address_space_counts_what_is_mapped(rows: Path) -> None:
    found = outcome(rows, Select())
    limit = Limit("RLIMIT_AS", int(found.addresses) - MIB * 10, of_addresses=True)
    with pytest.raises(ResourceError, match="more address space than there is"):
        refuse_what_cannot_fit(estimate(plan(rows, Select()), within=[limit]))
