"""Strategies that pick rows to label: which end wins, what is picked again, and what a selection begins with."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sage_select
from sage_select.errors import DataError, UsageError

#: Certain, torn between two classes, unsure of all, and nearly certain.
ROWS = np.array([[1, 0, 0], [0.5, 0.5, 0], [1 / 3, 1 / 3, 1 / 3], [0.9, 0.06, 0.04], [0.5, 0.5, 0]], np.float32)


@pytest.mark.parametrize(
    ("measure", "order"),
    [
        ("entropy", [2, 1, 4, 3, 0]),
        ("margin", [1, 2, 4, 3, 0]),
        ("least_confidence", [2, 1, 4, 3, 0]),
    ],
)
def test_the_most_uncertain_row_comes_first_and_ties_go_to_the_lowest(measure: str, order: list[int]) -> None:
    chosen = sage_select.select(probabilities=ROWS, strategy="uncertainty", measure=measure, k=5)
    assert chosen.indices.tolist() == order
    assert chosen.reasons == ["uncertainty"] * 5
    table = chosen.table().sort_by("sage_rank")
    scores = table["sage_score"].to_pylist()
    expected = {
        "entropy": [np.log(3), np.log(2), np.log(2)],
        "margin": [0.0, 0.0, 0.0],
        "least_confidence": [2 / 3, 0.5, 0.5],
    }[measure]
    assert scores[:3] == pytest.approx(expected)
    assert table["sage_gain"].null_count == 5


@pytest.mark.parametrize("strategy", ["uncertainty", "badge"])
def test_logits_and_probabilities_pick_alike(strategy: str) -> None:
    rng = np.random.default_rng(1)
    logits = (8 * rng.standard_normal((50, 6))).astype(np.float32)
    odds = np.exp(logits.astype(float) - logits.max(axis=1, keepdims=True))
    given: dict[str, Any] = {"embeddings": rng.standard_normal((50, 4))} if strategy == "badge" else {}
    one = sage_select.select(
        probabilities=(odds / odds.sum(axis=1, keepdims=True)), strategy=strategy, k=10, seed=3, **given
    )
    other = sage_select.select(probabilities=logits, predictions_are="logits", strategy=strategy, k=10, seed=3, **given)
    assert one.indices.tolist() == other.indices.tolist()


@pytest.mark.parametrize(
    ("probabilities", "words"),
    [
        ([[0.5, 0.5], [0.5, 0.6]], r"probabilities, row 1: this row has no probabilities.*a sum of 1.1.*logits"),
        ([[0.5, 0.5], [1.5, -0.5]], r"probabilities, row 1: this row has no probabilities.*-0.5"),
        ([[0.5, 0.5], [np.nan, 0.5]], "probabilities, row 1: the value is NaN"),
        ([[0.5, 0.5], [1.0]], "probabilities, row 1: rows differ in width"),
        ([[1.0], [1.0]], "two classes or more"),
        ([0.5, 0.5], "2 dimensions"),
    ],
)
def test_what_are_no_probabilities_is_refused_with_the_row(probabilities: Any, words: str) -> None:
    with pytest.raises(DataError, match=f"(?s){words}"):
        sage_select.select(probabilities=probabilities, strategy="uncertainty", k=1)


def test_rows_that_are_labelled_are_never_picked_and_shares_are_of_the_others() -> None:
    vectors = np.random.default_rng(0).standard_normal((40, 5)).astype(np.float32)
    odds = np.exp(vectors[:, :3])
    probabilities = odds / odds.sum(axis=1, keepdims=True)
    for strategy in ("random", "uncertainty", "badge", "diversity"):
        given = {
            "random": {"embeddings": vectors},
            "uncertainty": {"probabilities": probabilities},
            "badge": {"probabilities": probabilities, "embeddings": vectors},
            "diversity": {"embeddings": vectors},
        }[strategy]
        chosen = sage_select.select(strategy=strategy, preselected=list(range(20)), budget="50%", **given)
        assert len(chosen) == 10, strategy
        assert chosen.indices.min() >= 20, strategy
        rest = sage_select.select(strategy=strategy, preselected=list(range(20)), budget="100%", **given)
        assert sorted(rest.indices.tolist()) == list(range(20, 40)), strategy


@given(seed=st.integers(0, 50), objective=st.sampled_from(["kcenter", "facility", "graph_cut", "d2", "herding"]))
@settings(max_examples=25, deadline=None)
def test_picks_after_labelled_rows_are_the_picks_that_pinned_ones_would_lead_to(seed: int, objective: str) -> None:
    """Rows selected before count as rows selected now do, but for the budget."""
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((60, 4)).astype(np.float32)
    before = rng.choice(60, 7, replace=False).tolist()
    rule: dict[str, Any] = {"embeddings": vectors, "strategy": "diversity", "objective": objective, "seed": seed}
    rule |= {"outlier_guard": 0.0} if objective == "kcenter" else {}
    after = sage_select.select(preselected=before, k=9, **rule)
    pinned = sage_select.select(pin=before, k=16, **rule)
    assert after.indices.tolist() == pinned.indices.tolist()[7:]


def test_k_center_begins_far_from_what_is_labelled() -> None:
    line = np.arange(10, dtype=np.float32)[:, None]
    chosen = sage_select.select(
        embeddings=line, strategy="diversity", objective="kcenter", metric="sqeuclidean", outlier_guard=0,
        preselected=[0, 9], k=3,
    )  # fmt: skip
    assert chosen.indices.tolist() == [4, 2, 6]


def test_quotas_and_budgets_do_not_count_labelled_rows() -> None:
    vectors = np.random.default_rng(2).standard_normal((30, 4)).astype(np.float32)
    groups = ["a", "b", "c"] * 10
    for objective in ("kcenter", "facility"):
        chosen = sage_select.select(
            embeddings=vectors, strategy="diversity", objective=objective, groups=groups, quota="group=2:2",
            preselected=[0, 3, 6, 9], k=6,
        )  # fmt: skip
        assert sorted(groups[row] for row in chosen.indices) == ["a", "a", "b", "b", "c", "c"]
        tokens = sage_select.select(
            embeddings=vectors, strategy="diversity", objective=objective, lengths=[10] * 30,
            preselected=[0, 3, 6, 9], budget="50 tokens",
        )  # fmt: skip
        assert len(tokens) == 5


def test_badge_takes_the_longest_gradient_first_and_knows_nothing_of_labelled_rows() -> None:
    rng = np.random.default_rng(4)
    vectors = rng.standard_normal((30, 4)).astype(np.float32)
    odds = np.exp(rng.standard_normal((30, 3)))
    probabilities = odds / odds.sum(axis=1, keepdims=True)
    errors = probabilities.copy()
    errors[np.arange(30), errors.argmax(axis=1)] -= 1
    lengths = (errors**2).sum(axis=1) * (vectors.astype(float) ** 2).sum(axis=1)
    given: dict[str, Any] = {"probabilities": probabilities, "embeddings": vectors, "strategy": "badge", "k": 5}
    free = sage_select.select(**given)
    assert free.indices[0] == lengths.argmax()
    assert free.gains[0] == pytest.approx(lengths.max(), rel=1e-5)
    # Rows that are labelled and would not have been picked change nothing, near as they may be.
    others = [row for row in range(30) if row not in free.indices][:3]
    near = vectors.copy()
    assert sage_select.select(**{**given, "embeddings": near}, exclude=others).indices.tolist() == (
        sage_select.select(**given, preselected=others).indices.tolist()
    )


def test_vectors_of_any_length_are_taken_as_they_are() -> None:
    vectors = np.array([[3.0, 0], [0, 1], [0, 2]], np.float32)
    chosen = sage_select.select(
        embeddings=vectors, probabilities=np.full((3, 2), 0.5), strategy="badge", k=1, dedup="none"
    )
    assert chosen.indices.tolist() == [0]


def test_few_rows_and_none() -> None:
    for n in (0, 1):
        rows, vectors = np.full((n, 2), 0.5), np.ones((n, 3), np.float32)
        for strategy, beside in (("uncertainty", {}), ("badge", {"embeddings": vectors})):
            chosen = sage_select.select(probabilities=rows, strategy=strategy, budget="100%", **beside)
            assert chosen.indices.tolist() == list(range(n))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"preselected": [0], "pin": [0]}, "1 rows are pinned, and are among those selected already"),
        ({"preselected": [9]}, "preselected: no row has the id '9'"),
        ({"preselected": [0, 1, 2, 3, 4], "k": None, "budget": "10%"}, "nothing to pick"),
        ({"preselected": [0], "k": 5}, "more than the 4 rows"),
        ({"scores": np.ones(5), "strategy": "loss_topk"}, "no stage uses predictions"),
        ({"measure": "mnlp"}, "measures what a model writes"),
        ({"probabilities": None, "embeddings": np.ones((5, 2))}, "learns from labelled rows, and none are named"),
        ({"strategy": "random", "measure": "margin"}, "does not use measure"),
        ({"head_c": 2.0}, "does not use head_c"),
        ({"labelled": [{"text": "a"}]}, "only arrays"),
    ],
)
def test_what_cannot_be_is_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        sage_select.select(**{"probabilities": ROWS, "strategy": "uncertainty", "k": 1, **arguments})
