"""Laws of the order of rows: where rows have ids, another order changes no more than a rule says of itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rules import RULES, probabilities, wanted

import sage_select
from sage_select.strategies.objectives import OBJECTIVES

WIDTH = 6
few = settings(max_examples=10, deadline=None)


def data(rows: int, seed: int) -> tuple[pa.Table, np.ndarray, np.ndarray]:
    """Return rows with ids of their own, and scores and vectors of which none tie."""
    generator = np.random.default_rng(seed)
    vectors = generator.normal(size=(rows, WIDTH)).astype(np.float32)
    scores = generator.permutation(rows).astype(np.float32)
    return pa.table({"text": [f"row {row}" for row in range(rows)]}), vectors, scores


def picked(table: pa.Table, vectors: np.ndarray, scores: np.ndarray | None, rule: dict[str, Any]) -> list[str]:
    if "probabilities" in rule:
        rule = {**rule, "probabilities": probabilities(vectors)}
    found = sage_select.select(
        table,
        **({} if scores is None else {"scores": scores}),
        **({} if rule["strategy"] in ("random", "loss_topk", "uncertainty") else {"embeddings": vectors}),
        **rule,
    )
    return [table["text"][row].as_py() for row in found.indices.tolist()]


def covered(vectors: np.ndarray, picks: list[str]) -> np.ndarray:
    """Return how like each row its most similar pick is."""
    unit = vectors.astype(np.float64) / np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    return (unit @ unit[[int(text.split()[1]) for text in picks]].T).max(axis=1)


# Above 256 rows kernels work in several blocks.
@pytest.mark.parametrize(("strategy", "objective"), RULES)
@given(rows=st.sampled_from([40, 400]), seed=st.integers(0, 2**32), share=st.floats(0.05, 0.5), scored=st.booleans())
@few
def test_rows_are_picked_wherever_they_stand(
    strategy: str, objective: str | None, rows: int, seed: int, share: float, scored: bool
) -> None:
    table, vectors, scores = data(rows, seed)
    needed = strategy in ("loss_topk", "hybrid", "threshold") or objective == "mmr"
    given_scores = scores if needed or (scored and (objective == "dpp" or strategy == "auto")) else None
    order = np.random.default_rng(seed + 1).permutation(rows)
    queries = vectors[:3].copy()
    rule = {"strategy": strategy, "objective": objective, "k": int(share * rows), "seed": seed}
    rule |= wanted(strategy, queries, of=vectors)
    straight = picked(table, vectors, given_scores, rule)
    moved = None if given_scores is None else given_scores[order]
    shuffled = picked(table.take(order), vectors[order], moved, rule)
    # Of two rows that make up a cell of k-means, both are as near to its middle.
    ties = objective == "kmeans" or (objective is not None and "nearly" in OBJECTIVES[objective].another_order)
    if not ties:
        assert shuffled == straight
    elif rule["k"]:
        # One of a few picks may be another row of its cell.
        assert np.isclose(covered(vectors, straight).mean(), covered(vectors, shuffled).mean(), atol=0.1)


@pytest.mark.parametrize("objective", ["kcenter", "d2", "kmeans", "dpp"])
def test_another_seed_starts_from_another_row(objective: str) -> None:
    table, vectors, _ = data(200, 5)
    rule = {"strategy": "diversity", "objective": objective, "k": 10}
    firsts = {picked(table, vectors, None, {**rule, "seed": seed})[0] for seed in range(8)}
    assert len(firsts) > 1


@pytest.mark.parametrize("objective", ["kcenter", "dpp"])
def test_rows_without_ids_start_from_the_lowest(objective: str) -> None:
    _, vectors, _ = data(200, 5)
    options = {"outlier_guard": 0.0} if objective == "kcenter" else {}
    unit = vectors / np.abs(vectors).max(axis=1, keepdims=True)
    same = np.concatenate([np.eye(WIDTH, dtype=np.float32), unit])
    found = sage_select.select(embeddings=same, k=5, strategy="diversity", objective=objective, **options)
    assert found.indices[0] == 0
