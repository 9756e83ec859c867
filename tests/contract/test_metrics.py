"""Every strategy is shown beside random rows, in plain values that threads do not change."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from rules import RULES, VECTOR_RULES, paired, used, wanted

import sage_select
from sage_select.strategies import STRATEGIES

N, K = 400, 40
RANDOM = np.random.default_rng(8)
TABLE = pa.table({"text": [" ".join(RANDOM.choice(["a", "b", "c"], size)) for size in RANDOM.integers(1, 30, N)]})
SCORES = RANDOM.normal(size=N).astype(np.float32)
VECTORS = RANDOM.normal(size=(N, 10)).astype(np.float32)


def chosen(strategy: str, objective: str | None, **arguments: Any) -> sage_select.Selection:
    settings: dict[str, Any] = {"scores": SCORES, "embeddings": VECTORS, "k": K, "dedup": "none", **arguments}
    settings |= wanted(strategy, VECTORS[:3], settings.get("metric"), of=N)
    return sage_select.select(strategy=strategy, objective=objective, **used(strategy, {"data": TABLE, **settings}))


def figures(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every number that is told of the selection and of random subsets."""
    if isinstance(value, dict):
        if isinstance(value.get("selected"), float):
            yield value
        for part in value.values():
            yield from figures(part)


@pytest.mark.parametrize(("strategy", "objective"), RULES)
def test_every_strategy_is_compared(strategy: str, objective: str | None) -> None:
    metrics = chosen(strategy, objective).metrics
    assert json.loads(json.dumps(metrics, allow_nan=False)) == metrics
    assert metrics["random_subsets"] == 5
    assert (metrics["coverage"] is not None) == ("vectors" in STRATEGIES[strategy].needs_always)
    assert metrics["scores"] is not None
    assert metrics["lengths"]["unit"] == "words"
    assert metrics["groups"] is None
    told = list(figures(metrics))
    assert len(told) >= 3
    for figure in told:
        assert figure["random"]["least"] <= figure["random"]["mean"] <= figure["random"]["most"]
    assert metrics["verdict"]["text"]
    assert metrics == chosen(strategy, objective, threads=1).metrics


@pytest.mark.parametrize(("strategy", "objective", "metric"), VECTOR_RULES)
def test_every_metric_has_its_figures(strategy: str, objective: str, metric: str) -> None:
    covered = chosen(strategy, objective, metric=metric).metrics["coverage"]
    assert covered["metric"] == metric
    assert ("coverage" in covered["figures"]) == (metric != "sqeuclidean")
    assert ("radius" in covered["figures"]) == (metric != "dot")
    assert {"duplicates"} < covered["figures"].keys()


@pytest.mark.parametrize(("k", "strategy", "objective"), paired([0, 1, 2, N - 1, N], RULES))
def test_any_budget_can_be_compared(k: int, strategy: str, objective: str | None) -> None:
    metrics = chosen(strategy, objective, k=k).metrics
    assert metrics["verdict"]["text"]
    assert metrics["random_subsets"] == (5 if 0 < k < N else 0)
    assert (metrics["lengths"] is None) == (k == 0)
    if k:
        counted = [
            len(text.as_py().split()) for text in TABLE["text"].take(pa.array(chosen(strategy, objective, k=k).indices))
        ]
        assert metrics["lengths"]["total"]["selected"] == sum(counted)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_budgets_in_tokens_are_compared_with_as_many(strategy: str) -> None:
    metrics = chosen(strategy, None, k=None, budget="600 tokens").metrics
    total = metrics["lengths"]["total"]
    # A row more would be too much: none has 30 words.
    assert total["selected"] - 30 < total["random"]["least"] <= total["random"]["most"] <= total["selected"] <= 600


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_groups_of_a_quota_are_counted(strategy: str) -> None:
    table = TABLE.append_column("kind", pa.array(["many"] * 300 + ["few"] * 100))
    settings: dict[str, Any] = {
        "data": table,
        "scores": SCORES,
        "embeddings": VECTORS,
        "dedup": "none",
        **wanted(strategy, VECTORS[:3], of=N),
    }
    metrics = sage_select.select(k=K, strategy=strategy, quota="kind", **used(strategy, settings)).metrics
    counts = metrics["groups"]["counts"]
    assert {name: (group["all"], group["selected"]) for name, group in counts.items()} == {
        "many": (300, K / 2),
        "few": (100, K / 2),
    }
    assert counts["few"]["random"]["most"] < K / 2 < counts["many"]["random"]["least"]


def test_random_subsets_follow_the_ids_of_their_rows() -> None:
    """Rows in another order are the same rows: what random subsets are like does not change."""
    order = np.random.default_rng(1).permutation(N)
    table = pa.table({"text": [f"row {row} {'x ' * (row % 9)}" for row in range(N)]})
    one = sage_select.select(table, embeddings=VECTORS, k=K, strategy="diversity").metrics
    two = sage_select.select(table.take(order), embeddings=VECTORS[order], k=K, strategy="diversity").metrics
    assert one == two
