"""Strategies: the shares, the reasons, and what each rule promises."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from sage_select.errors import UsageError
from sage_select.kernels import Limits, Matrix, Request, facility_location, keyed_hashes
from sage_select.stages import Select
from sage_select.strategies import Groups, Picks, Pool, SelectionRequest
from sage_select.strategies.cells import cells
from sage_select.strategies.objectives import OBJECTIVES

N = 200
RNG = np.random.default_rng(3)
CENTRES = RNG.normal(size=(8, 16))
VECTORS = (CENTRES[np.arange(N) % 8] + 0.05 * RNG.normal(size=(N, 16))).astype(np.float32)
DIFFICULTY = RNG.permutation(N).astype(np.float32)


def pool(**changes: object) -> Pool:
    settings = {
        "n": N,
        "seed": 0,
        "hashes": lambda key: keyed_hashes(key, N),
        "difficulty": DIFFICULTY,
        "matrix": Matrix.from_array(VECTORS),
    }
    return Pool(**{**settings, **changes})  # type: ignore[arg-type]


def pick(rows: Pool, select: Select) -> Picks:
    return select.pick(rows)


def picks(k: int, **settings: object) -> Picks:
    return pick(pool(), Select.make(budget=k, **settings))


@pytest.mark.parametrize(
    ("k", "share", "by_score"),
    [(10, 0.6, 6), (5, 0.5, 3), (1, 0.6, 1), (1, 0.4, 0), (7, 1.0, 7), (7, 0.0, 0), (15, 0.1, 2)],
)
def test_hybrid_shares_are_rounded_half_up(k: int, share: float, by_score: int) -> None:
    chosen = picks(k, score_share=share)
    assert dict(chosen.reasons).get("score", 0) == by_score
    assert sum(count for _, count in chosen.reasons) == k
    assert np.isnan(chosen.gains[:by_score]).all()
    assert not np.isnan(chosen.gains[by_score:]).any()


def test_hybrid_top_takes_the_hardest() -> None:
    chosen = picks(10, score_mode="top")
    assert set(chosen.indices[:6]) == set(np.argsort(-DIFFICULTY)[:6])


def test_hybrid_stratified_takes_from_every_region_not_the_hardest() -> None:
    chosen = picks(16, score_share=0.5)
    assert len(set(chosen.indices[:8] % 8)) >= 6
    assert set(chosen.indices[:8]) != set(np.argsort(-DIFFICULTY)[:8])


def test_the_quantile_decides_between_easy_and_hard() -> None:
    low, high = (DIFFICULTY[picks(20, score_quantile=q).indices[:12]].mean() for q in (0.0, 1.0))
    assert low < high


def test_the_diverse_part_knows_the_score_part() -> None:
    chosen = picks(20)
    scored, diverse = chosen.indices[:12], chosen.indices[12:]
    aware = facility_location(pool().need_matrix(), Request(8, scored))
    assert diverse.tolist() == aware.indices.tolist()
    assert chosen.gains[12:].tolist() == aware.gains.tolist()
    unaware = facility_location(pool().need_matrix(), Request(8, excluded=scored))
    assert diverse.tolist() != unaware.indices.tolist()


def test_diversity_covers_every_cluster_first() -> None:
    for objective in ("facility", "graph_cut", "kcenter", "dpp"):
        assert len(set(picks(8, strategy="diversity", objective=objective).indices % 8)) == 8


def test_k_center_leaves_outliers_out() -> None:
    vectors = VECTORS.copy()
    vectors[17] = -5 * vectors[17]
    strange = pool(matrix=Matrix.from_array(vectors))

    def chosen(**settings: object) -> Picks:
        return pick(strange, Select.make(budget=8, strategy="diversity", objective="kcenter", **settings))

    guarded, free = chosen(), chosen(outlier_guard=0.0)
    assert 17 in free.indices
    assert 17 not in guarded.indices
    assert guarded.evidence["outliers_left_out"] == 10
    assert chosen(start=17).indices[0] == 17
    everything = pick(strange, Select.make(budget=N, strategy="diversity", objective="kcenter"))
    assert sorted(everything.indices) == list(range(N))
    with pytest.raises(UsageError, match="start names no row"):
        chosen(start=N)
    with pytest.raises(UsageError, match="does not use start"):
        Select.make(strategy="hybrid", objective="kcenter", start=3)


def test_k_center_keeps_the_outlier_that_alone_is_short_enough_for_a_quota() -> None:
    vectors = VECTORS.copy()
    vectors[17] = -5 * vectors[17]
    lengths = np.full(N, 10)
    lengths[17] = 1
    groups = Groups((np.arange(N) % 10 == 7).astype(np.int64), ("many", "few"))
    strange = pool(matrix=Matrix.from_array(vectors), lengths=lengths, groups=groups)
    rule = {"strategy": "diversity", "objective": "kcenter", "quota": "kind=1:"}
    chosen = pick(strange, Select.make(budget="11 tokens", **rule))
    assert 17 in chosen.indices
    assert len(chosen.indices) == 2
    # Where another will do, it is left out.
    assert 17 not in pick(strange, Select.make(budget="20 tokens", **rule)).indices


def test_mmr_goes_from_the_hardest_to_the_least_alike() -> None:
    hardest = np.argsort(-DIFFICULTY)
    only_hard = picks(20, strategy="diversity", objective="mmr", mmr_lambda=1.0)
    assert only_hard.indices.tolist() == hardest[:20].tolist()
    unlike = picks(8, strategy="diversity", objective="mmr", mmr_lambda=0.0)
    assert unlike.indices[0] == hardest[0]
    assert len(set(unlike.indices % 8)) == 8
    both = picks(20, strategy="diversity", objective="mmr")
    assert len(set(both.indices % 8)) > len(set(only_hard.indices[:5] % 8)) / 2
    assert DIFFICULTY[both.indices].mean() > DIFFICULTY[picks(20, strategy="random").indices].mean()


def test_mmr_heeds_the_order_of_scores_not_their_scale() -> None:
    select = Select.make(strategy="diversity", objective="mmr", budget=20)
    base = pick(pool(), select)
    scaled = pick(pool(difficulty=np.exp(DIFFICULTY / 20).astype(np.float32)), select)
    assert scaled.indices.tolist() == base.indices.tolist()
    np.testing.assert_array_equal(scaled.gains, base.gains)
    equal = pick(pool(difficulty=np.full(N, 7, np.float32)), select)
    assert equal.indices[0] == 0
    assert equal.gains[0] == 0


def test_dpp_takes_scores_where_there_are_any() -> None:
    select = Select.make(strategy="diversity", objective="dpp", budget=40)
    scored, plain = pick(pool(), select), pick(pool(difficulty=None), select)
    assert plain.indices[0] == 0
    assert scored.indices[0] == DIFFICULTY.argmax()
    assert DIFFICULTY[scored.indices].mean() > DIFFICULTY[plain.indices].mean()


def test_the_ridge_says_how_soon_likes_come_again() -> None:
    strict, lax = (picks(16, strategy="diversity", objective="dpp", dpp_eps=eps).indices % 8 for eps in (1e-3, 1e6))
    assert len(set(strict[:8])) == 8
    assert len(set(lax[:8])) < 8


def test_a_large_lambda_lets_graph_cut_crowd() -> None:
    apart, crowded = (picks(16, strategy="diversity", objective="graph_cut", cut_lambda=x).indices for x in (0.05, 50))
    assert len(set(crowded % 8)) < len(set(apart % 8)) == 8


def test_herding_keeps_the_mean_of_all_rows() -> None:
    def off(chosen: NDArray[np.int64]) -> float:
        vectors = VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True)
        return float(np.linalg.norm(vectors[chosen].mean(axis=0) - vectors.mean(axis=0)))

    herded = picks(20, strategy="diversity", objective="herding").indices
    assert off(herded) < 0.5 * off(picks(20, strategy="random").indices)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_objective_knows_the_score_part(objective: str) -> None:
    chosen = picks(N, objective=objective)
    assert sorted(chosen.indices.tolist()) == list(range(N))
    assert chosen.evidence["objective"] == objective
    gains = chosen.gains[N * 6 // 10 :]
    assert np.isfinite(gains).all()
    # What the picks owe to the mean may grow again; d2 draws; kmeans fills up from large cells again.
    if objective not in {"herding", "d2", "kmeans"}:
        assert (np.diff(gains) <= 0).all()


@pytest.mark.parametrize(("objective", "most", "least"), [("d2", 8, 7.5), ("kmeans", 8, 7.5), (None, 6, 4)])
def test_d2_and_kmeans_miss_few_clusters_and_random_many(objective: str | None, most: float, least: float) -> None:
    strategy = "random" if objective is None else "diversity"
    select = Select.make(strategy=strategy, objective=objective, budget=8)
    met = [len(set((pick(pool(seed=seed), select).indices % 8).tolist())) for seed in range(20)]
    assert least < np.mean(met) <= most


def test_d2_is_drawn_anew_with_every_seed_and_far_from_the_rows_given() -> None:
    select = Select.make(strategy="diversity", objective="d2", budget=8)
    first, again, other = (pick(pool(seed=seed), select) for seed in (0, 0, 1))
    assert first.indices.tolist() == again.indices.tolist() != other.indices.tolist()
    assert np.isnan(first.gains[0])
    # Within a cluster squared distances are below 0.02, between clusters above 0.2: a second row of one is rare.
    assert (first.gains[1:] > 0.2).all()
    hybrid = Select.make(objective="d2", score_share=0.5, budget=8)
    chosen = [pick(pool(seed=seed), hybrid).indices for seed in range(20)]
    assert np.mean([_repeats(rows) - _repeats(rows[:4]) for rows in chosen]) < 0.5


def _repeats(rows: NDArray[np.int64]) -> int:
    return len(rows) - len(set((rows % 8).tolist()))


def test_kmeans_takes_the_middle_of_every_cluster_the_largest_first() -> None:
    rows = np.concatenate([VECTORS, VECTORS[:100:8] + 1e-3])  # cluster 0 has 13 rows more
    matrix = Matrix.from_array(rows)
    wide = pool(n=len(rows), hashes=lambda key: keyed_hashes(key, len(rows)), matrix=matrix, difficulty=None)
    chosen = pick(wide, Select.make(strategy="diversity", objective="kmeans", budget=8))
    clusters = np.concatenate([np.arange(N) % 8, np.zeros(13, int)])
    assert sorted(clusters[chosen.indices]) == list(range(8))
    assert chosen.gains.tolist() == [38.0] + [25.0] * 7
    assert clusters[chosen.indices[0]] == 0
    units = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    for row in chosen.indices:
        own = np.flatnonzero(clusters == clusters[row])
        assert row == own[np.square(units[own] - units[own].mean(axis=0)).sum(axis=1).argmin()]
    assert chosen.evidence["objective_method"] == "cells"
    assert chosen.evidence["kmeans_cells"] == 8
    assert chosen.evidence["kmeans_fills"] == 0


def test_kmeans_leaves_out_the_cells_of_rows_chosen_before() -> None:
    given = np.array([0, 9, 18], np.int64)  # of clusters 0, 1 and 2
    request = SelectionRequest(5, 5, given)
    greedy, facts = OBJECTIVES["kmeans"]().pick(request, pool())
    assert sorted(greedy.indices % 8) == [3, 4, 5, 6, 7]
    assert facts["kmeans_cells"] == 8
    assert facts["kmeans_fills"] == 0


def test_kmeans_fills_up_where_cells_have_no_row_to_give() -> None:
    rows = np.repeat(np.eye(3, dtype=np.float32), [5, 3, 2], axis=0)
    copies = pool(n=10, hashes=lambda key: keyed_hashes(key, 10), matrix=Matrix.from_array(rows), difficulty=None)
    chosen = pick(copies, Select.make(strategy="diversity", objective="kmeans", budget=6))
    assert chosen.indices.tolist() == [0, 5, 8, 1, 6, 9]
    assert chosen.gains.tolist() == [5, 3, 2, 5, 3, 2]
    assert chosen.evidence["kmeans_fills"] == 3


def test_kmeans_of_no_rows_trains_nothing() -> None:
    chosen = pick(pool(), Select.make(strategy="diversity", objective="kmeans", budget=0))
    assert len(chosen.indices) == 0
    assert "kmeans_cells" not in chosen.evidence


def test_loss_topk_is_by_difficulty() -> None:
    assert picks(4, strategy="loss_topk").indices.tolist() == np.argsort(-DIFFICULTY)[:4].tolist()


def test_random_depends_on_the_seed_alone() -> None:
    select = Select.make(strategy="random", budget=20)
    first, again, other = (pick(pool(seed=seed), select).indices.tolist() for seed in (0, 0, 1))
    assert first == again != other


def test_cells_are_the_same_each_time_and_at_any_thread_count() -> None:
    one, two = (cells(pool(threads=threads), 8) for threads in (1, 2))
    np.testing.assert_array_equal(one, two)
    assert one.dtype == np.int32
    assert 0 <= one.min() <= one.max() < 8


def test_what_is_missing_is_said() -> None:
    with pytest.raises(UsageError, match="needs scores"):
        pick(pool(difficulty=None), Select.make(strategy="loss_topk"))
    with pytest.raises(UsageError, match="needs embeddings"):
        pick(pool(matrix=None), Select.make(strategy="diversity"))
    with pytest.raises(UsageError, match="needs scores"):
        pick(pool(difficulty=None), Select.make(strategy="diversity", objective="mmr"))


def test_no_row_can_be_left_out_where_no_other_fits() -> None:
    costs = np.array([9, 9, 9, 2])
    for budget, removable in ((8, []), (9, [3])):
        request = SelectionRequest(4, 1, limits=Limits(costs=costs, budget=budget))
        assert request.removable(np.array([3])).tolist() == removable
    request = SelectionRequest(3, 1, np.array([0]), limits=Limits(costs=costs, budget=12))
    assert request.removable(np.array([3])).tolist() == []
