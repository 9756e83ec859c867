"""Plans: defaults filled in, explained, fingerprinted, without reading a row."""

from __future__ import annotations

import pytest

from sage_select.errors import UsageError
from sage_select.ops import Dedup, Embed, Op, Score, Select, Sink, Source
from sage_select.plan import explain, fingerprint, resolve, working_order
from sage_select.spec import Pipeline


def pipeline(*steps: Op, seed: int = 0) -> Pipeline:
    return Pipeline(seed=seed, steps=(Source(path="absent.jsonl"), *steps))


def test_a_strategy_gets_what_it_needs() -> None:
    plain = resolve(pipeline(Select(), Sink()))
    assert [step.name for step in plain.steps] == ["source", "dedup", "embed", "select", "sink"]
    assert plain.step(Select).strategy == "diversity"
    scored = resolve(pipeline(Score(column="loss"), Select(), Sink()))
    assert scored.step(Select).strategy == "hybrid"
    named = resolve(pipeline(Select(strategy="hybrid"), Sink()))
    assert [step.name for step in named.steps] == ["source", "dedup", "score", "embed", "select", "sink"]
    random = resolve(pipeline(Select(strategy="random"), Sink()))
    assert [step.name for step in random.steps] == ["source", "dedup", "select", "sink"]
    assert resolve(random) == random


def test_copies_leave_unless_it_is_said_that_they_stay() -> None:
    assert resolve(pipeline(Select(), Sink())).step(Dedup) == Dedup()
    kept = resolve(pipeline(Dedup(mode="none"), Select(), Sink()))
    assert kept.step(Dedup).idle
    assert "none: copies" in explain(kept)
    assert working_order(kept.step(Dedup), scores_given=False, vectors_given=False) == ["score", "embed"]


def test_without_scores_no_option_of_theirs_is_passed_over() -> None:
    with pytest.raises(UsageError, match="does not use score_mode"):
        resolve(pipeline(Select(score_mode="top"), Sink()))
    resolve(pipeline(Score(file="s.npy"), Select(score_mode="top"), Sink()))
    assert resolve(pipeline(Select(objective="mmr", mmr_lambda=0.2), Sink())).step(Select).mmr_lambda == 0.2


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


@pytest.mark.parametrize("mode", ["exact", "near"])
def test_near_copies_need_vectors(mode: str) -> None:
    plan = resolve(pipeline(Dedup.make(mode=mode), Select(strategy="random"), Sink()))
    assert (plan.find(Embed) is not None) == (mode == "near")
    named = pipeline(Dedup.make(mode=mode), Embed(file="v.npy"), Select(strategy="random"), Sink())
    if mode == "near":
        assert resolve(named).step(Embed).file == "v.npy"
    else:
        with pytest.raises(UsageError, match="does not use embeddings"):
            resolve(named)


@pytest.mark.parametrize(
    ("dedup", "scores", "vectors", "expected"),
    [
        (None, False, False, ["score", "embed"]),
        (None, False, True, ["embed", "score"]),
        (Dedup(), False, False, ["exact copies", "score", "embed"]),
        (Dedup(), True, True, ["score", "embed", "exact copies"]),
        (Dedup(mode="near"), False, False, ["exact copies", "embed", "near copies", "score"]),
        (Dedup(mode="near"), True, False, ["score", "exact copies", "embed", "near copies"]),
    ],
)
def test_what_is_given_comes_first_and_what_is_costly_last(
    dedup: Dedup | None, scores: bool, vectors: bool, expected: list[str]
) -> None:
    assert working_order(dedup, scores_given=scores, vectors_given=vectors) == expected


def test_explain_has_a_line_a_step() -> None:
    lines = explain(resolve(pipeline(Select(), Sink()))).splitlines()
    assert [line.split()[0] for line in lines] == ["source", "dedup", "embed", "select", "order", "sink", "plan"]


def test_the_fingerprint_follows_the_meaning() -> None:
    base = fingerprint(resolve(pipeline(Select(), Sink())))
    assert base == fingerprint(resolve(pipeline(Select(), Sink(path="elsewhere.parquet"))))
    assert base == fingerprint(resolve(pipeline(Dedup(), Select(strategy="diversity"), Sink())))
    others = [
        fingerprint(resolve(pipeline(Select(budget="11%"), Sink()))),
        fingerprint(resolve(pipeline(Select(), Sink(), seed=1))),
        fingerprint(resolve(pipeline(Score(column="loss"), Select(), Sink()))),
        fingerprint(resolve(pipeline(Dedup(mode="none"), Select(), Sink()))),
        fingerprint(resolve(pipeline(Dedup(mode="near"), Select(), Sink()))),
        fingerprint(resolve(pipeline(Dedup(mode="near", threshold=0.9), Select(), Sink()))),
        fingerprint(resolve(pipeline(Select(), Sink())), {"source": "digest"}),
        fingerprint(resolve(pipeline(Select(), Sink())), version="0.2"),
    ]
    assert len({base, *others}) == 9
