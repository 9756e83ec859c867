"""Plans: defaults filled in, explained, fingerprinted, without reading a row."""

from __future__ import annotations

import pytest

from sage_select.errors import UsageError
from sage_select.ops import Embed, Op, Score, Select, Sink, Source
from sage_select.plan import explain, fingerprint, resolve
from sage_select.spec import Pipeline


def pipeline(*steps: Op, seed: int = 0) -> Pipeline:
    return Pipeline(seed=seed, steps=(Source(path="absent.jsonl"), *steps))


def test_a_strategy_gets_what_it_needs() -> None:
    hybrid = resolve(pipeline(Select(), Sink()))
    assert [step.name for step in hybrid.steps] == ["source", "score", "embed", "select", "sink"]
    random = resolve(pipeline(Select(strategy="random"), Sink()))
    assert [step.name for step in random.steps] == ["source", "select", "sink"]


@pytest.mark.parametrize(("objective", "scored"), [("facility", False), ("mmr", True), ("dpp", False)])
def test_an_objective_gets_what_it_needs(objective: str, scored: bool) -> None:
    plan = resolve(pipeline(Select(strategy="diversity", objective=objective), Sink()))
    assert (plan.find(Score) is not None) == scored
    assert plan.find(Embed) is not None


def test_what_is_given_stays() -> None:
    plan = resolve(pipeline(Score(column="loss"), Select(strategy="diversity"), Sink()))
    assert plan.step(Score).column == "loss"
    assert plan.find(Embed) == Embed()


def test_vectors_nobody_uses_are_refused() -> None:
    with pytest.raises(UsageError, match="does not use embeddings"):
        resolve(pipeline(Embed(file="v.npy"), Select(strategy="random"), Sink()))


def test_explain_has_a_line_a_step() -> None:
    lines = explain(resolve(pipeline(Select(), Sink()))).splitlines()
    assert [line.split()[0] for line in lines] == ["source", "score", "embed", "select", "order", "sink", "plan"]


def test_the_fingerprint_follows_the_meaning() -> None:
    base = fingerprint(resolve(pipeline(Select(), Sink())))
    assert base == fingerprint(resolve(pipeline(Select(), Sink(path="elsewhere.parquet"))))
    others = [
        fingerprint(resolve(pipeline(Select(budget="11%"), Sink()))),
        fingerprint(resolve(pipeline(Select(), Sink(), seed=1))),
        fingerprint(resolve(pipeline(Score(column="loss"), Select(), Sink()))),
        fingerprint(resolve(pipeline(Select(), Sink())), {"source": "digest"}),
        fingerprint(resolve(pipeline(Select(), Sink())), version="0.2"),
    ]
    assert len({base, *others}) == 6
