"""Scores, vectors and budgets at the edges: each is refused by class and row, or gives a valid selection."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from rules import RULES, VECTOR_RULES, paired, used, wanted

import sage_select
from sage_select import DataError, SageError, Selection, UsageError
from sage_select.strategies import STRATEGIES

N = 12
SCORES = np.arange(N, dtype=np.float32)
VECTORS = np.random.default_rng(0).normal(size=(N, 4)).astype(np.float32)
PAIRS = [[float(row), 1.0] for row in range(N)]


def select(strategy: str, objective: str | None, metric: str | None = None, **arguments: Any) -> Selection:
    settings: dict[str, Any] = {"scores": SCORES, "embeddings": VECTORS, "k": 3, **arguments}
    vectors = settings["embeddings"]
    if strategy == "target" and "queries" not in settings:
        width = getattr(vectors, "shape", (0, 2))[-1] if getattr(vectors, "ndim", 0) == 2 else 2
        settings["queries"] = np.ones((2, max(width, 1)), np.float32)
    settings = {**wanted(strategy, None, metric, of=N), **settings}
    return sage_select.select(strategy=strategy, objective=objective, metric=metric, **used(strategy, settings))


def assert_valid(chosen: Selection, k: int, n: int = N) -> None:
    """Assert that it has `k` of the `n` rows, none twice, with gains and figures that are numbers or absent."""
    assert len(set(chosen.indices.tolist())) == len(chosen.indices) == k
    assert all(0 <= row < n for row in chosen.indices)
    assert len(chosen.gains) == len(chosen.reasons) == chosen.table().num_rows == k
    assert not np.isinf(chosen.gains).any()
    # Strict JSON has no infinity and no NaN.
    assert json.dumps(chosen.metrics, allow_nan=False)


def changed(array: Any, place: Any, value: float, dtype: str) -> np.ndarray:
    made = np.array(array, dtype)
    made[place] = value
    return made


BAD_VALUES = list(itertools.product([np.nan, np.inf, -np.inf], ["f2", "f4", "f8"]))

BAD_SCORES: dict[str, tuple[Any, str]] = {
    **{f"{bad} {dtype}": (changed(SCORES, 5, bad, dtype), "row 5") for bad, dtype in BAD_VALUES},
    "null in a list": ([*SCORES[:5].tolist(), None, *SCORES[6:].tolist()], "row 5"),
    "null in an array": (pa.array([*SCORES[:5].tolist(), None, *SCORES[6:].tolist()]), "row 5"),
    "null among whole numbers": (pa.array([*range(5), None, *range(6)]), "row 5"),
    "beyond float32": (changed(SCORES, 5, 1e39, "f8"), "row 5"),
    "one too few": (SCORES[1:], "11"),
    "two a row": (np.ones((N, 2)), "shape"),
    "words": (["high"] * N, "numbers expected"),
    "no number": ([*SCORES[:5].tolist(), object(), *SCORES[6:].tolist()], "row 5"),
    "yes or no": (SCORES > 3, "numbers expected"),
}


@pytest.mark.parametrize(("case", "strategy", "objective"), paired(list(BAD_SCORES), RULES))
def test_bad_scores(case: str, strategy: str, objective: str | None) -> None:
    scores, words = BAD_SCORES[case]
    # Without data the scores say how many rows there are, so the table does.
    table = pa.table({"text": [f"row {row}" for row in range(N)]})
    with pytest.raises(DataError) as refused:
        select(strategy, objective, data=table, scores=scores)
    assert str(refused.value).startswith("scores")
    assert words in str(refused.value)


#: Scores at the ends of float32.
EXTREMES = {
    "largest": np.float32(3.4e38) * np.linspace(-1, 1, N),
    "subnormal": np.linspace(0, 1e-44, N),
    "zero": np.zeros(N),
}


@pytest.mark.parametrize(
    ("case", "dtype", "strategy", "objective"), paired(list(itertools.product(EXTREMES, ["f4", "f8"])), RULES)
)
def test_scores_at_the_ends_of_float32(case: str, dtype: str, strategy: str, objective: str | None) -> None:
    for higher_is_harder in (True, False):
        chosen = select(strategy, objective, scores=EXTREMES[case].astype(dtype), higher_is_harder=higher_is_harder)
        assert_valid(chosen, 3)


BAD_VECTORS: dict[str, tuple[Any, str]] = {
    **{
        f"{bad} {dtype}": (changed(VECTORS, (7, 2), bad, dtype), "row 7: the value is NaN") for bad, dtype in BAD_VALUES
    },
    "NaN in chunks": (pa.chunked_array([PAIRS[:7], [[1.0, np.nan]], PAIRS[8:]]), "row 7: the value is NaN"),
    "null in a list": ([*PAIRS[:7], [1.0, None], *PAIRS[8:]], "row 7"),
    "null for a list": ([*PAIRS[:7], None, *PAIRS[8:]], "row 7"),
    "null in an array": (pa.array([*PAIRS[:7], [1.0, None], *PAIRS[8:]]), "row 7"),
    "null for an array": (pa.array([*PAIRS[:7], None, *PAIRS[8:]]), "row 7"),
    "null in chunks": (pa.chunked_array([PAIRS[:7], [[1.0, None]], PAIRS[8:]]), "row 7"),
    "shorter": ([*PAIRS[:7], [1.0], *PAIRS[8:]], "row 7"),
    "shorter in an array": (pa.array([*PAIRS[:7], [1.0], *PAIRS[8:]]), "row 7"),
    "longer in chunks": (pa.chunked_array([PAIRS[:7], [[1.0] * 3], PAIRS[8:]]), "row 7"),
    "empty": (np.empty((N, 0), np.float32), "d at least 1"),
    "empty lists": (pa.array([[]] * N, pa.list_(pa.float32())), "no dimensions"),
    "too few": (VECTORS[1:], "11"),
    "too few in an array": (pa.array(PAIRS[1:]), "11 rows"),
    "flat": (SCORES, "shape"),
    "flat array": (pa.array(SCORES), "wrong type"),
    "whole numbers": (np.ones((N, 2), int), "int64"),
    "whole numbers in an array": (pa.array([[1, 2]] * N), "wrong type"),
    "words": ([["a", "b"]] * N, "numbers expected"),
    "complex": (np.ones((N, 2), complex), "complex128"),
    "beyond float32": (changed(VECTORS, (7, 2), 1e39, "f8"), "row 7: the values are too large"),
    "beyond float32 in chunks": (pa.chunked_array([PAIRS[:7], [[1.0, 1e39]], PAIRS[8:]]), "row 7: the values are too"),
}


@pytest.mark.parametrize(("case", "strategy", "objective", "metric"), paired(list(BAD_VECTORS), VECTOR_RULES))
def test_bad_vectors(case: str, strategy: str, objective: str, metric: str) -> None:
    vectors, words = BAD_VECTORS[case]
    with pytest.raises(DataError) as refused:
        select(strategy, objective, metric, embeddings=vectors)
    assert str(refused.value).startswith("embeddings")
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("strategy", "objective"), [rule for rule in RULES if "vectors" not in STRATEGIES[rule[0]].needs_always]
)
def test_vectors_that_a_strategy_does_not_need_are_not_looked_at(strategy: str, objective: str | None) -> None:
    for vectors, _words in BAD_VECTORS.values():
        chosen = select(strategy, objective, embeddings=vectors)
        assert chosen.indices.tolist() == select(strategy, objective).indices.tolist()


@pytest.mark.parametrize(
    ("dtype", "lowest", "strategy", "objective", "metric"),
    paired(list(itertools.product(["f2", "f4", "f8"], [0, 1e-60])), VECTOR_RULES),
)
def test_a_row_without_direction(dtype: str, lowest: float, strategy: str, objective: str, metric: str) -> None:
    """Numbers below all of float32 are zeros: cosine refuses a row of them, the other metrics take it as it is."""
    vectors = VECTORS.astype(dtype)
    vectors[7] = lowest
    if metric == "cosine":
        with pytest.raises(DataError, match="embeddings, row 7: the row is all zeros in float32"):
            select(strategy, objective, metric, embeddings=vectors)
    else:
        assert_valid(select(strategy, objective, metric, embeddings=vectors), 3)


#: The lengths of the longest rows; float32 distances of rows a little longer than the first could overflow.
LONG = {"within": 6.5e18, "beyond": 6.6e18, "near the end of float32": 3.4e38}


@pytest.mark.parametrize(("case", "strategy", "objective", "metric"), paired(list(LONG), VECTOR_RULES))
def test_rows_near_the_overflow_of_float32(case: str, strategy: str, objective: str, metric: str) -> None:
    lengths = np.linalg.norm(VECTORS.astype(float), axis=1, keepdims=True)
    vectors = (VECTORS / lengths * LONG[case]).astype(np.float32)
    options: dict[str, Any] = {"dpp_eps": 1e30} if objective == "dpp" and metric == "dot" else {}
    if metric == "cosine":
        chosen = select(strategy, objective, metric, embeddings=vectors)
        assert chosen.indices.tolist() == select(strategy, objective, metric).indices.tolist()
    elif case == "within" and not options:
        assert_valid(select(strategy, objective, metric, embeddings=vectors), 3)
    elif case == "within":
        # The largest ridge there is would be lost beside such lengths.
        with pytest.raises(UsageError, match=r"^eps must be from"):
            select(strategy, objective, metric, embeddings=vectors, **options)
    else:
        with pytest.raises(DataError, match="embeddings, row 0: the values are too large"):
            select(strategy, objective, metric, embeddings=vectors)


@pytest.mark.parametrize(("size", "strategy", "objective", "metric"), paired([1e-40, 1e-44], VECTOR_RULES))
def test_rows_of_subnormal_numbers(size: float, strategy: str, objective: str, metric: str) -> None:
    vectors = (np.sign(VECTORS) * np.ceil(np.abs(VECTORS)) * size).astype(np.float32)
    assert np.abs(vectors).min() > 0
    chosen = select(strategy, objective, metric, embeddings=vectors)
    assert_valid(chosen, 3)
    if metric == "cosine":
        larger = (vectors.astype(float) * 2.0**140).astype(np.float32)
        assert chosen.indices.tolist() == select(strategy, objective, metric, embeddings=larger).indices.tolist()


@pytest.mark.parametrize(("strategy", "objective", "metric"), VECTOR_RULES)
def test_rows_of_very_different_lengths(strategy: str, objective: str, metric: str) -> None:
    vectors = (VECTORS * np.logspace(-40, 2, N)[:, None]).astype(np.float32)
    assert_valid(select(strategy, objective, metric, embeddings=vectors), 3)


@pytest.mark.parametrize(("k", "strategy", "objective", "metric"), paired([1, 5, N], VECTOR_RULES))
def test_rows_that_are_all_the_same(k: int, strategy: str, objective: str, metric: str) -> None:
    chosen = select(strategy, objective, metric, k=k, scores=np.ones(N), embeddings=np.full((N, 4), 0.3, np.float32))
    assert_valid(chosen, k)
    if strategy == "diversity":
        # D2 draws its first row.
        drawn = chosen.indices[:1].tolist() if objective == "d2" else []
        others = [row for row in range(N) if row not in drawn]
        assert chosen.indices.tolist() == [*drawn, *others][:k], "ties go to the lowest row"


@pytest.mark.parametrize(("d", "strategy", "objective", "metric"), paired([1, 65_536], VECTOR_RULES))
def test_the_fewest_and_the_most_dimensions(d: int, strategy: str, objective: str, metric: str) -> None:
    vectors = np.random.default_rng(3).normal(size=(N, d)).astype(np.float32) / np.float32(np.sqrt(d))
    assert_valid(select(strategy, objective, metric, k=6, embeddings=vectors), 6)


@pytest.mark.parametrize(("strategy", "objective", "metric"), VECTOR_RULES)
def test_one_row_and_none(strategy: str, objective: str, metric: str) -> None:
    one = {"scores": SCORES[:1], "embeddings": VECTORS[:1]}
    assert_valid(select(strategy, objective, metric, k=1, **one), 1, n=1)
    assert_valid(select(strategy, objective, metric, k=0, **one), 0, n=1)
    none = {"scores": SCORES[:0], "embeddings": VECTORS[:0]}
    for budget in ({"k": 0}, {"k": None, "budget": "10%"}, {"k": 7, "clamp": True}):
        assert_valid(select(strategy, objective, metric, **none, **budget), 0, n=0)
    with pytest.raises(UsageError, match="more than the 0 rows"):
        select(strategy, objective, metric, k=1, **none)


#: Budgets of 12 rows: how many rows they are, or what the error says.
BUDGETS: list[tuple[Any, bool, int | str]] = [
    (0, False, 0),
    (1, False, 1),
    (N, False, N),
    (N + 1, False, "13 rows is more than the 12 rows"),
    (N + 1, True, N),
    (2**63, False, "more than the 12 rows"),
    (2**63, True, N),
    (10**5000, False, "no budget"),
    (10**5000, True, "no budget"),
    ("9" * 5000, False, "no budget"),
    ("9" * 5000 + "%", False, "no budget"),
    (-1, False, "no budget"),
    (-1, True, "no budget"),
    (-(2**63), False, "no budget"),
    ("0%", False, 0),
    (0.0, False, 0),
    (1e-9, False, 1),
    ("100%", False, N),
    (1.0, False, N),
    (1.0000001, False, "no budget"),
    (1.5, True, "no budget"),
    ("101%", False, "no budget"),
    (-0.1, False, "no budget"),
    (float("nan"), False, "no budget"),
    (float("inf"), False, "no budget"),
    (float("-inf"), True, "no budget"),
    (True, False, "no budget"),
]


@pytest.mark.parametrize(("case", "strategy", "objective"), paired(range(len(BUDGETS)), RULES))
def test_budgets(case: int, strategy: str, objective: str | None) -> None:
    budget, clamp, result = BUDGETS[case]
    name = "k" if isinstance(budget, int) and not isinstance(budget, bool) else "budget"
    arguments = {"k": None, name: budget, "clamp": clamp}
    if isinstance(result, int):
        assert_valid(select(strategy, objective, **arguments), result)
        return
    with pytest.raises(SageError, match=result) as refused:
        select(strategy, objective, **arguments)
    assert refused.value.exit_code == 2
