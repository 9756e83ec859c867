"""Ops are frozen values that refuse what cannot be meant."""

from __future__ import annotations

import pytest

from sage_select.errors import UsageError
from sage_select.pipeline import STAGES, Stage
from sage_select.stages import (
    Augment,
    Compare,
    Dedup,
    Embed,
    Holdout,
    Labelled,
    Mix,
    Order,
    Predict,
    Replay,
    Score,
    Select,
    Sink,
    Source,
)
from sage_select.strategies import STRATEGIES
from sage_select.strategies.objectives import OBJECTIVES


@pytest.mark.parametrize(
    ("op", "settings", "message"),
    [
        (Select, {"strategy": "diversty"}, "did you mean 'diversity'"),
        (Select, {"strategy": "random", "objective": "kcenter"}, "'random' does not use objective"),
        (Select, {"strategy": "diversity", "score_share": 0.5}, "does not use score_share"),
        (Select, {"strategy": "random", "metric": "cosine"}, "'random' does not use metric"),
        (Select, {"strategy": "random", "objective": "facility"}, "'random' does not use objective"),
        (Select, {"score_mode": "top", "score_quantile": 0.25}, "score_mode 'top' does not use score_quantile"),
        (Select, {"objective": "kcenter", "k_nn": 64}, "objective 'kcenter' does not use k_nn"),
        (Dedup, {"threshold": 0.95}, "mode 'exact' does not use threshold"),
        (Holdout, {"path": "dev.jsonl", "mode": "exact", "share": 0.8}, "mode 'exact' does not use share"),
        (Holdout, {"path": "dev.jsonl", "threshold": 0.9}, "mode 'ngrams' does not use threshold"),
        (Holdout, {"path": "-"}, "is standard input"),
        (Holdout, {"path": "hf://a/b.jsonl"}, "is a URL"),
        (Holdout, {"path": ["a", "b", "a"]}, "names a twice"),
        (Holdout, {"path": []}, "names no file"),
        (Holdout, {"mode": "near"}, "path"),
        (Mix, {"size": 5}, "shares"),
        (Mix, {"shares": "task"}, "this is no mixture"),
        (Embed, {"file": "a.npy", "dimensions": 384}, "encoder 'file' does not use dimensions"),
        (Select, {"score_mode": "top", "score_quantile": 0.5}, "score_mode 'top' does not use score_quantile"),
        (Select, {"score_band": "0:0.5"}, "score_mode 'stratified' does not use score_band"),
        (Select, {"strategy": "loss_topk", "score_band": "0:0.5"}, "score_mode 'top' does not use score_band"),
        (Select, {"strategy": "loss_topk", "metric": "dot"}, "score_mode 'top' does not use metric"),
        (Select, {"strategy": "diversity", "score_mode": "band"}, "'diversity' does not use score_mode"),
        (Select, {"score_mode": "band", "score_band": "0.9:0.1"}, "no band of scores"),
        (Select, {"score_mode": "band", "score_band": "0.5"}, "no band of scores"),
        (Select, {"score_mode": "band", "score_band": ":"}, "no band of scores"),
        (Select, {"queries": "q.jsonl"}, "'auto' does not use queries; target does"),
        (
            Select,
            {"strategy": "target", "queries": "q.jsonl", "query_column": "q"},
            "at most one of queries and query_column",
        ),
        (Select, {"strategy": "target", "target_rule": "median"}, "target_rule"),
        (Select, {"strategy": "target", "objective": "kcenter"}, "'target' does not use objective"),
        (Select, {"threshold": 0.5}, "'auto' does not use threshold"),
        (Select, {"strategy": "threshold", "metric": "sqeuclidean"}, "needs a threshold under metric 'sqeuclidean'"),
        (Select, {"quota": "intent=5"}, "no quota"),
        (Select, {"quota": "=1:2"}, "no quota"),
        (Select, {"quota": "intent=:"}, "no quota"),
        (Select, {"quota": "intent=9:2"}, "asks for more rows than it allows"),
        (Select, {"metric": "sqeuclidean"}, "needs metric cosine or dot"),
        (Select, {"objective": "kcenter", "metric": "dot"}, "needs metric cosine or sqeuclidean"),
        (Select, {"objective": "d2", "metric": "dot"}, "needs metric cosine or sqeuclidean"),
        (Select, {"objective": "kmeans", "metric": "dot"}, "needs metric cosine or sqeuclidean"),
        (Select, {"objective": "mmr", "metric": "sqeuclidean"}, "needs metric cosine or dot"),
        (Select, {"objective": "dpp", "metric": "sqeuclidean"}, "needs metric cosine or dot"),
        (Select, {"objective": "herding", "metric": "sqeuclidean"}, "needs metric cosine or dot"),
        (Select, {"mmr_lambda": 0.3}, "objective 'facility' does not use mmr_lambda; mmr does"),
        (Select, {"objective": "mmr", "dpp_eps": 1}, "objective 'mmr' does not use dpp_eps; dpp does"),
        (Select, {"strategy": "random", "mmr_lambda": 0.3}, "'random' does not use mmr_lambda"),
        (Select, {"objective": "dpp", "dpp_eps": 0.2, "score_mode": "top", "mmr_lambda": 0}, "does not use mmr_lambda"),
        (Select, {"objective": "mmr", "cut_lambda": 1}, "objective 'mmr' does not use cut_lambda; graph_cut does"),
        (
            Select,
            {"objective": "kcenter", "k_nn": 32},
            "objective 'kcenter' does not use k_nn; facility and graph_cut do",
        ),
        (Select, {"strategy": "random", "neighbors": "faiss"}, "'random' does not use neighbors"),
        (Select, {"neighbors": "hnsw"}, "neighbors"),
        (Select, {"k_nn": 0}, "k_nn"),
        (Select, {"objective": "graph_cut", "cut_lambda": -1}, "cut_lambda"),
        (Select, {"objective": "graph_cut", "metric": "sqeuclidean"}, "needs metric cosine or dot"),
        (Select, {"objective": "mmr", "mmr_lambda": 1.5}, "mmr_lambda"),
        (Select, {"objective": "dpp", "dpp_eps": 0}, "dpp_eps"),
        (Select, {"score_share": 1.5}, "score_share"),
        (Select, {"budget": "many"}, "no budget"),
        (Select, {"stratgy": "random"}, "stratgy"),
        (Score, {"file": "a.npy", "column": "loss"}, "at most one of"),
        (Score, {"higher_is_harder": False}, "needs a file"),
        (Embed, {"file": "a.npy", "model": "m"}, "at most one of"),
        (Embed, {"file": "a.npy", "dimensions": 64}, "encoder 'file' does not use dimensions; hashing does"),
        (Source, {}, "either a path"),
        (Source, {"path": "a", "demo": True}, "at most one of path and demo"),
    ],
)
def test_refused(op: type[Stage], settings: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        op.make(**settings)


SOME = [
    Source(path="a.jsonl", prompt_column="q", completion_column="a"),
    Replay(buffer="seen"),
    Replay(buffer="seen", ratio="30%", basis="of_total", shortfall="error"),
    Source(demo=True),
    Score(),
    Score(column="loss", higher_is_harder=False),
    Embed(),
    Embed(dimensions=64),
    Embed(file="v.npy"),
    Dedup(),
    Dedup(mode="near", threshold=0.9),
    Select(),
    Select(strategy="random", budget="3"),
    Select(strategy="diversity", objective="kcenter"),
    Select(strategy="diversity", objective="mmr", mmr_lambda=0.3, metric="dot"),
    Select(objective="dpp", dpp_eps=1),
    Select(score_mode="top"),
    Select(strategy="loss_topk", score_mode="band", score_band="0.25:0.75"),
    Select(strategy="loss_topk", score_mode="stratified", score_quantile=0.5, metric="dot"),
    Select(strategy="target", queries="q.npy", target_rule="max", metric="sqeuclidean"),
    Select(strategy="target", query_column="wanted"),
    Select(strategy="threshold", threshold=0.8),
    Select(budget="1.5M tokens", quota="a=b=2:10", pin="keep.txt", exclude="leak.txt", tokenizer="./model"),
    Select(quota="source"),
    Select(quota="source=:3"),
    Holdout(path="dev.jsonl"),
    Holdout(path=["dev.jsonl", "test/*.parquet"], mode="near", ngram=5, share=0.5, threshold=0.9),
    Labelled(),
    Labelled(path=["a.jsonl", "b.jsonl"], column="intent"),
    Predict(),
    Predict(head_c=1),
    Predict(file="p.npy", predictions_are="logits"),
    Predict(model="m", max_new_tokens=9),
    Select(strategy="uncertainty", measure="mnlp", preselected="labelled.txt"),
    Select(strategy="badge"),
    Mix(shares="sage"),
    Mix(shares='"a=b"="c,d":0.5', size="10%", by="tokens", short="shrink"),
    Mix(shares="source=a:7,*:3", size="200k tokens", short="fill"),
    Compare(),
    Compare(subsets=9),
    Compare(against="none"),
    Order(),
    Order(order="length", length_first="longest"),
    Order(order_by="kind"),
    Order(order="competence", competence_root=1, full_competence_at=0.25),
    Order(order="self_paced", rounds=9),
    Augment(),
    Augment(augment="rules", rate=0.2, edits=["typo"], factor=0.5, cap="10%", part="all"),
    Augment(augment="paraphrase", model="m", prompt="again: {text}", temperature=0),
    Augment(augment="back_translation", there="m", back="n"),
    Augment(augment="none"),
    Sink(path="x.parquet", rows=False),
]


@pytest.mark.parametrize("op", SOME, ids=repr)
def test_settings_make_the_same_op_again(op: Stage) -> None:
    assert type(op).make(**op.settings()) == op


def test_every_op_describes_itself() -> None:
    assert {op.name for op in SOME} == {*STAGES}
    for op in SOME:
        assert op.describe()
        assert "\n" not in op.describe()


def test_ops_never_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Sink().path = "other"


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_an_objective_needs_scores_only_where_it_is_used(strategy: str, objective: str) -> None:
    if "objective" in STRATEGIES[strategy].model_fields:
        needed = strategy in {"hybrid", "auto"} or objective == "mmr"
        metric = OBJECTIVES[objective].metrics[0]
        assert ("scores" in Select(strategy=strategy, objective=objective, metric=metric).needs()) == needed
    else:
        assert ("scores" in Select(strategy=strategy).needs()) == (strategy in {"loss_topk", "threshold"})
