"""Plans: defaults filled in, explained, fingerprinted, without reading a row."""

from __future__ import annotations

import pytest

from sage_select.errors import UsageError
from sage_select.pipeline import Pipeline, Stage
from sage_select.pipeline.plan import explain, fingerprint, node_keys, resolve, schedule
from sage_select.stages import Dedup, Embed, Order, Score, Select, Sink, Source


def pipeline(*steps: Stage, seed: int = 0) -> Pipeline:
    return Pipeline(seed=seed, steps=(Source(path="absent.jsonl"), *steps))


def names(plan: Pipeline) -> list[str]:
    return [step.name for step in plan.steps]


def test_a_strategy_gets_what_it_needs() -> None:
    plain = resolve(pipeline(Select(), Sink()))
    assert names(plain) == ["source", "dedup", "embed", "select", "compare", "order", "sink"]
    assert (plain.step(Select).strategy.name, plain.step(Select).needs()) == ("auto", {"vectors"})
    scored = resolve(pipeline(Score(column="loss"), Select(), Sink()))
    assert (scored.step(Select).strategy.name, scored.step(Select).needs()) == ("auto", {"scores", "vectors"})
    assert resolve(scored) == scored
    chosen = resolve(pipeline(Score(column="loss"), Select(score_share=0.5), Sink()))
    assert chosen.step(Select).strategy.name == "hybrid"
    named = resolve(pipeline(Select(strategy="hybrid"), Sink()))
    assert names(named) == ["source", "dedup", "score", "embed", "select", "compare", "order", "sink"]
    random = resolve(pipeline(Select(strategy="random"), Sink()))
    assert names(random) == ["source", "dedup", "select", "compare", "order", "sink"]
    assert resolve(random) == random


def test_copies_leave_unless_it_is_said_that_they_stay() -> None:
    assert resolve(pipeline(Select(), Sink())).step(Dedup) == Dedup()
    kept = resolve(pipeline(Dedup(mode="none"), Select(), Sink()))
    assert kept.step(Dedup).idle
    assert "none: copies" in explain(kept)
    assert "dedup" not in [step.name for step in schedule(kept)]


def test_without_scores_no_option_of_theirs_is_passed_over() -> None:
    with pytest.raises(UsageError, match="does not use score_mode"):
        resolve(pipeline(Select(score_mode="top"), Sink()))
    resolve(pipeline(Score(file="s.npy"), Select(score_mode="top"), Sink()))
    assert (
        resolve(pipeline(Select(objective="mmr", mmr_lambda=0.2), Sink())).step(Select).settings()["mmr_lambda"] == 0.2
    )


@pytest.mark.parametrize(("objective", "scored"), [("facility", False), ("mmr", True), ("dpp", False)])
def test_an_objective_gets_what_it_needs(objective: str, scored: bool) -> None:
    plan = resolve(pipeline(Select(strategy="diversity", objective=objective), Sink()))
    assert (plan.find(Score) is not None) == scored
    assert plan.find(Embed) is not None


def test_what_is_given_stays() -> None:
    plan = resolve(pipeline(Score(column="loss"), Select(strategy="diversity"), Sink()))
    assert plan.step(Score).settings()["column"] == "loss"
    assert plan.find(Embed) == Embed()


def test_vectors_nobody_uses_are_refused() -> None:
    with pytest.raises(UsageError, match="no stage uses embeddings"):
        resolve(pipeline(Embed(file="v.npy"), Select(strategy="random"), Sink()))


@pytest.mark.parametrize("mode", ["exact", "near"])
def test_near_copies_need_vectors(mode: str) -> None:
    plan = resolve(pipeline(Dedup.make(mode=mode), Select(strategy="random"), Sink()))
    assert (plan.find(Embed) is not None) == (mode == "near")
    named = pipeline(Dedup.make(mode=mode), Embed(file="v.npy"), Select(strategy="random"), Sink())
    if mode == "near":
        assert resolve(named).step(Embed).settings()["file"] == "v.npy"
    else:
        with pytest.raises(UsageError, match="no stage uses embeddings"):
            resolve(named)


GIVEN = {"score": Score(file="s.npy"), "embed": Embed(file="v.npy")}


@pytest.mark.parametrize(
    ("mode", "given", "expected"),
    [
        ("none", "", "score embed"),
        ("none", "embed", "embed score"),
        ("exact", "", "exact score embed"),
        ("exact", "score embed", "score embed exact"),
        ("near", "", "exact embed near score"),
        ("near", "score", "score exact embed near"),
        ("near", "embed", "embed exact near score"),
    ],
)
def test_what_is_given_comes_first_and_what_is_costly_last(mode: str, given: str, expected: str) -> None:
    steps = [GIVEN[name] for name in given.split()]
    plan = resolve(pipeline(Dedup(mode=mode), *steps, Select(strategy="hybrid")))
    called = {"_Near": "near", "_ExactOfNear": "exact", "Dedup": "exact"}
    parts = [called.get(type(step).__name__, step.name) for step in schedule(plan)]
    assert parts == ["source", *expected.split(), "select", "compare", "order", "sink"]


def test_a_chain_runs_in_its_order() -> None:
    plan = resolve(
        pipeline(
            Score(file="a.npy"),
            Select(strategy="loss_topk", budget="50%"),
            Dedup(mode="near"),
            Score(),
            Select(strategy="hybrid", budget="10%"),
        )
    )
    assert names(plan) == ["source", "score", "select", "embed", "dedup", "score", "select", "compare", "order", "sink"]
    parts = [step.name for step in schedule(plan)]
    assert parts == [
        "source",
        "score",
        "select",
        "dedup",
        "embed",
        "dedup",
        "score",
        "select",
        "compare",
        "order",
        "sink",
    ]
    assert resolve(plan) == plan


def test_a_pipeline_without_a_selection_is_one() -> None:
    plan = resolve(pipeline(Dedup()))
    assert names(plan) == ["source", "dedup", "order", "sink"]


def test_explain_has_a_line_a_step() -> None:
    lines = explain(resolve(pipeline(Select(), Sink()))).splitlines()
    assert [line.split()[0] for line in lines] == [
        "source",
        "dedup",
        "embed",
        "select",
        "compare",
        "order",
        "sink",
        "seed",
        "plan",
    ]


def test_a_shuffle_that_is_named_is_that_by_default_and_every_other_order_is_another_plan() -> None:
    base = fingerprint(resolve(pipeline(Select(strategy="random"), Sink())))
    assert base == fingerprint(resolve(pipeline(Select(strategy="random"), Order(), Sink())))
    assert base == fingerprint(resolve(pipeline(Select(strategy="random"), Order(order="random"), Sink())))
    others = [
        Order(order="length"),
        Order(order="length", length_first="longest"),
        Order(order_by="a"),
        Order(order_by="b"),
        Order(order="easy_to_hard"),
        Order(order="self_paced", rounds=5),
    ]
    plans = [fingerprint(resolve(pipeline(Select(strategy="random"), order, Sink()))) for order in others]
    assert len({base, *plans}) == 7


def test_an_order_that_needs_scores_has_them_after_the_selection() -> None:
    plan = resolve(pipeline(Select(strategy="random"), Order(order="competence")))
    assert names(plan) == ["source", "dedup", "select", "compare", "score", "order", "sink"]
    assert [step.name for step in schedule(plan)] == ["source", "dedup", "select", "compare", "score", "order", "sink"]
    given = resolve(pipeline(Score(file="s.npy"), Select(strategy="random"), Order(order="competence")))
    assert [step.name for step in schedule(given)] == ["source", "score", "dedup", "select", "compare", "order", "sink"]
    assert resolve(plan) == plan


def test_the_fingerprint_follows_the_meaning() -> None:
    base = fingerprint(resolve(pipeline(Select(), Sink())))
    assert base == fingerprint(resolve(pipeline(Select(), Sink(path="elsewhere.parquet"))))
    assert base == fingerprint(resolve(pipeline(Dedup(), Select(strategy="auto"), Sink())))
    others = [
        fingerprint(resolve(pipeline(Select(budget="11%"), Sink()))),
        fingerprint(resolve(pipeline(Select(), Sink(), seed=1))),
        fingerprint(resolve(pipeline(Score(column="loss"), Select(), Sink()))),
        fingerprint(resolve(pipeline(Dedup(mode="none"), Select(), Sink()))),
        fingerprint(resolve(pipeline(Dedup(mode="near"), Select(), Sink()))),
        fingerprint(resolve(pipeline(Dedup(mode="near", threshold=0.9), Select(), Sink()))),
    ]
    assert len({base, *others}) == 7


def keys(*steps: Stage, version: str = "1", seed: int = 0, **inputs: str) -> list[str | None]:
    plan = resolve(pipeline(*steps, seed=seed))
    return [key for _, key in node_keys(plan, {name.replace("__", "."): one for name, one in inputs.items()}, version)]


def test_a_key_names_all_that_a_result_comes_from_and_no_place() -> None:
    base = keys(Score(column="loss"), Select(strategy="loss_topk"), Sink(), source="a")
    assert len(set(base)) == len(base) == 7
    assert base == keys(Score(column="loss"), Select(strategy="loss_topk"), Sink(path="other.parquet"), source="a")
    same = {
        "the seed": keys(Score(column="loss"), Select(strategy="loss_topk"), Sink(), source="a", seed=1),
        "the version": keys(Score(column="loss"), Select(strategy="loss_topk"), Sink(), source="a", version="2"),
        "the input": keys(Score(column="loss"), Select(strategy="loss_topk"), Sink(), source="b"),
    }
    for what, other in same.items():
        assert not set(base) & set(other), what
    changed = keys(Score(column="loss"), Select(strategy="loss_topk", budget=3), Sink(), source="a")
    alike = [one == other for one, other in zip(base, changed, strict=True)]
    assert alike == [True, True, True, False, False, False, False]


def test_names_of_inputs_are_no_part_of_a_key_but_the_kind_of_text_they_tell() -> None:
    def of(path: str | list[str], scores: str = "s.npy") -> list[str | None]:
        plan = resolve(Pipeline(steps=(Source(path=path), Score(file=scores), Select(), Sink())))
        return [key for _, key in node_keys(plan, {"source": "a", "score.file": "b"}, "1")]

    assert of("a.jsonl") == of("/elsewhere/b.jsonl") == of("c.jsonl", "/elsewhere/other.npy")
    assert of("a.jsonl") != of("a.csv")
    assert of("a.jsonl.gz") != of("a.csv.gz")
