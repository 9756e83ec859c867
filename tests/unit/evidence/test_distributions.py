"""Scores, lengths and groups of a selection beside all rows and random subsets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sage_select import kernels
from sage_select.evidence import Comparison, measure
from sage_select.evidence.distributions import rows_measured
from sage_select.evidence.random_subsets import random_subsets
from sage_select.strategies import Groups

N = 200


def comparison(picks: Any, n: int = N, **known: Any) -> Comparison:
    return Comparison(n=n, picks=np.array(picks), seed=0, hashes=lambda key: kernels.keyed_hashes(key, n), **known)


def mean_of(values: np.ndarray[Any, Any], chosen: Comparison) -> dict[str, Any]:
    means = [values[rows].mean() for rows in random_subsets(chosen)]
    expected = {
        "selected": values[chosen.picks].mean(),
        "random": {"mean": np.mean(means), "least": min(means), "most": max(means)},
    }
    return {name: pytest.approx(value, rel=1e-5) for name, value in expected.items()}


def test_scores_by_deciles_of_all() -> None:
    scores = np.random.default_rng(0).permutation(N).astype(np.float32)
    hardest = np.flatnonzero(scores >= N - 30)
    chosen = comparison(hardest, scores=scores)
    found = measure(chosen)["scores"]
    assert found["mean"] == mean_of(scores, chosen)
    assert found["histogram"]["edges"] == [19, 39, 59, 79, 99, 119, 139, 159, 179]
    assert found["histogram"]["all"] == [0.1] * 10
    assert found["histogram"]["selected"] == pytest.approx([0] * 8 + [1 / 3, 2 / 3], abs=1e-6)
    random = found["histogram"]["random"]
    assert sum(random["mean"]) == pytest.approx(1, abs=1e-5)
    assert all(a <= b <= c for a, b, c in zip(random["least"], random["mean"], random["most"], strict=True))


def test_scores_that_are_equal_share_a_bin() -> None:
    scores = np.repeat(np.float32([1, 2]), [150, 50])
    found = measure(comparison([0, 199], scores=scores))["scores"]["histogram"]
    assert found["edges"] == [1, 2]
    assert found["all"] == [0.75, 0.25, 0]
    assert found["selected"] == [0.5, 0.5, 0]
    same = measure(comparison([0, 5], scores=np.ones(N, np.float32)))["scores"]["histogram"]
    assert (same["edges"], same["selected"]) == ([1], [1, 0])


def test_lengths_by_powers_of_two() -> None:
    lengths = np.arange(N)
    chosen = comparison([0, 1, 2, 3, 4, 5, 8, 9, 128, 199], lengths=lambda rows: lengths[rows], unit="tokens")
    found = measure(chosen)["lengths"]
    assert found["unit"] == "tokens"
    assert found["total"]["selected"] == sum(chosen.picks)
    assert found["mean"] == mean_of(lengths, chosen)
    assert found["total"]["random"]["most"] == max(lengths[rows].sum() for rows in random_subsets(chosen))
    assert found["histogram"]["edges"] == [0, 1, 2, 4, 8, 16, 32, 64, 128]
    assert found["histogram"]["selected"] == [0.1, 0.1, 0.1, 0.2, 0.2, 0.1, 0, 0, 0.1, 0.1]
    assert found["histogram"]["all"] == [0.005, 0.005, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.355]
    nothing = measure(comparison([0], lengths=lambda rows: np.zeros(len(rows), np.int64)))["lengths"]
    assert nothing["histogram"]["edges"] == [0]
    assert nothing["histogram"]["selected"] == [1, 0]


def test_few_rows_tell_the_lengths_of_many() -> None:
    n = 60_000
    lengths = np.random.default_rng(1).integers(1, 99, n)
    asked: list[int] = []

    def measured(rows: Any) -> Any:
        asked.append(len(rows))
        return lengths[rows]

    chosen = comparison(np.arange(6000), n=n, lengths=measured)
    found = measure(chosen)["lengths"]
    # Every pick, 5,000 rows of each random subset, 20,000 of all.
    assert asked == [6000 + 5 * 5000 + 20_000] == [rows_measured(n, 6000)]
    assert found["total"]["selected"] == lengths[:6000].sum()
    exact = np.mean([lengths[rows].sum() for rows in random_subsets(chosen)])
    assert found["total"]["random"]["mean"] == pytest.approx(exact, rel=0.02)


def test_groups_are_counted() -> None:
    codes = np.repeat([0, 1, 2], [20, 150, 30])
    chosen = comparison(range(25), groups=Groups(codes, ("few", "many", "some")))
    found = measure(chosen)["groups"]
    assert (found["groups"], found["without_picks"]) == (3, 1)
    assert list(found["counts"]) == ["many", "some", "few"]
    assert {name: group["all"] for name, group in found["counts"].items()} == {"many": 150, "some": 30, "few": 20}
    assert {name: group["selected"] for name, group in found["counts"].items()} == {"many": 5, "some": 0, "few": 20}
    of_subsets = [np.count_nonzero(codes[rows] == 2) for rows in random_subsets(chosen)]
    assert found["counts"]["some"]["random"] == {
        "mean": pytest.approx(np.mean(of_subsets)),
        "least": min(of_subsets),
        "most": max(of_subsets),
    }


def test_the_largest_groups_are_told_where_there_are_many() -> None:
    codes = np.r_[np.arange(150), np.full(50, 149)]
    found = measure(comparison(range(10), groups=Groups(codes, tuple(f"g{code}" for code in range(150)))))["groups"]
    assert found["groups"] == 150
    assert found["without_picks"] == 140
    assert list(found["counts"]) == ["g149", *(f"g{code}" for code in range(99))]
