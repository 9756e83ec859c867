"""Ops are frozen values that refuse what cannot be meant."""

from __future__ import annotations

import pytest

from sage_select.errors import UsageError
from sage_select.ops import OPS, Embed, Op, Score, Select, Sink, Source


@pytest.mark.parametrize(
    ("op", "settings", "message"),
    [
        (Select, {"strategy": "diversty"}, "did you mean 'diversity'"),
        (Select, {"strategy": "random", "objective": "kcenter"}, "'random' does not use objective"),
        (Select, {"strategy": "diversity", "score_share": 0.5}, "does not use score_share"),
        (Select, {"score_mode": "top", "score_quantile": 0.5}, "does not use score_quantile"),
        (Select, {"metric": "sqeuclidean"}, "needs metric cosine or dot"),
        (Select, {"objective": "kcenter", "metric": "dot"}, "needs metric cosine or sqeuclidean"),
        (Select, {"score_share": 1.5}, "score_share"),
        (Select, {"budget": "many"}, "no budget"),
        (Select, {"stratgy": "random"}, "stratgy"),
        (Score, {"file": "a.npy", "column": "loss"}, "at most one of"),
        (Score, {"higher_is_harder": False}, "needs a file"),
        (Embed, {"file": "a.npy", "model": "m"}, "at most one of"),
        (Embed, {"file": "a.npy", "dimensions": 64}, "hashing encoder only"),
        (Source, {}, "either a path"),
        (Source, {"path": "a", "demo": True}, "either a path"),
    ],
)
def test_refused(op: type[Op], settings: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        op.make(**settings)


SOME = [
    Source(path="a.jsonl", prompt_column="q", completion_column="a"),
    Source(demo=True),
    Score(),
    Score(column="loss", higher_is_harder=False),
    Embed(),
    Embed(dimensions=64),
    Embed(file="v.npy"),
    Select(),
    Select(strategy="random", budget="3"),
    Select(strategy="diversity", objective="kcenter"),
    Select(score_mode="top"),
    Sink(path="x.parquet", rows=False),
]


@pytest.mark.parametrize("op", SOME, ids=repr)
def test_settings_make_the_same_op_again(op: Op) -> None:
    assert type(op).make(**op.settings()) == op


def test_every_op_describes_itself() -> None:
    assert {op.name for op in SOME} == OPS.keys()
    for op in SOME:
        assert op.describe()
        assert "\n" not in op.describe()


def test_ops_never_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Sink().path = "other"
