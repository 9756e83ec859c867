"""Auto: the rows that represent all others, without those whose score is out of line with the scores around them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import sage_select
from sage_select.kernels import Matrix, keyed_hashes
from sage_select.stages import Select
from sage_select.strategies import Groups, Picks, Pool, SelectionRequest
from sage_select.strategies.auto import Auto
from sage_select.strategies.cells import cells
from sage_select.strategies.diversity import Diversity
from sage_select.strategies.hybrid import Hybrid
from sage_select.strategies.out_of_line import OutOfLine, out_of_line

CLUSTERS, WIDTH = 40, 16
Scores = NDArray[np.float32]


def clustered(n: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return rows in clusters, and the cluster of each."""
    rng = np.random.default_rng(seed)
    cluster = rng.integers(0, CLUSTERS, n)
    vectors = rng.normal(size=(CLUSTERS, WIDTH))[cluster] + 0.3 * rng.normal(size=(n, WIDTH))
    return vectors.astype(np.float32), cluster


def losses(cluster: NDArray[np.int64], wrong: NDArray[np.bool_], seed: int) -> Scores:
    """Return losses that differ by cluster and by row; those of wrong labels are high in any."""
    rng = np.random.default_rng(seed)
    own = rng.gamma(1.0, 1.0, CLUSTERS)[cluster] * rng.gamma(3.0, 0.3, len(cluster))
    return np.where(wrong, 4 + rng.gamma(2.0, 1.0, len(cluster)), own).astype(np.float32)


def pool(vectors: NDArray[np.float32], scores: Scores | None, **more: Any) -> Pool:
    n = len(vectors)
    given = {"seed": 0, "hashes": lambda key: keyed_hashes(key, n), **more}
    return Pool(n=n, difficulty=scores, matrix=Matrix.from_array(vectors), **given)


def pick(rows: Pool, k: int, strategy: str = "auto", **options: Any) -> Picks:
    return Select.make(budget=k, strategy=strategy, **options).pick(rows)


N = 4200
VECTORS, CLUSTER = clustered(N, 1)
WRONG = np.random.default_rng(2).random(N) < 0.2
DIRTY = losses(CLUSTER, WRONG, 3)
CLEAN = losses(CLUSTER, np.zeros(N, bool), 3)


def plain(rows: Pool) -> tuple[float, list[int]]:
    """Return the surplus and the rows to leave out, by the definition."""
    n = rows.n
    difficulty, hashes = rows.need_difficulty(), rows.hashes(_key(rows))
    by_rank = sorted(range(n), key=lambda row: (difficulty[row], hashes[row]))
    rank = {row: place for place, row in enumerate(by_rank)}
    regions = out_of_line(rows).regions
    median = {cell: float(np.median([rank[row] for row in range(n) if regions[row] == cell])) for cell in set(regions)}
    above = {row: rank[row] - median[regions[row]] for row in range(n)}
    far, near = sum(gap > n / 2 for gap in above.values()), sum(gap < -n / 2 for gap in above.values())
    surplus = (far - near) / n
    if surplus < max(0.018, 4 * (far + near) ** 0.5 / n):
        return surplus, []
    return surplus, sorted(above, key=lambda row: (-above[row], -rank[row]))[: int(min(0.4, 10 * surplus) * n)]


def _key(rows: Pool) -> int:
    from sage_select.seeds import stage_key

    return stage_key(rows.seed, "equal scores")


@given(n=st.integers(1, 700), seed=st.integers(0, 2**32), share=st.floats(0, 0.5), levels=st.sampled_from([0, 3, 50]))
@settings(max_examples=25, deadline=None)
def test_it_is_what_it_says(n: int, seed: int, share: float, levels: int) -> None:
    vectors, cluster = clustered(n, seed)
    scores = losses(cluster, np.random.default_rng(seed).random(n) < share, seed)
    if levels:
        scores = np.digitize(scores, np.quantile(scores, np.linspace(0, 1, levels))).astype(np.float32)
    rows = pool(vectors, scores)
    found = out_of_line(rows)
    surplus, expected = plain(rows)
    assert found.surplus == pytest.approx(surplus)
    assert found.rows.tolist() == expected


@pytest.mark.parametrize("turn", [np.sqrt, lambda x: x**3, lambda x: 1e3 * x - 7, lambda x: -1 / (1 + x)])
def test_any_rising_function_of_the_scores_gives_the_same_rows(turn: Callable[[Scores], Scores]) -> None:
    found = out_of_line(pool(VECTORS, DIRTY))
    assert len(found.rows)
    assert np.array_equal(found.rows, out_of_line(pool(VECTORS, turn(DIRTY.astype(float)).astype(np.float32))).rows)


def test_the_rows_are_the_same_in_any_order() -> None:
    order = np.random.default_rng(5).permutation(N)

    def found(rows: NDArray[np.int64]) -> OutOfLine:
        # Many equal scores, told apart by the hashes of ids.
        scores = np.round(DIRTY[rows])
        return out_of_line(pool(VECTORS[rows], scores, hashes=lambda key: keyed_hashes(key, N)[rows], has_ids=True))

    straight, shuffled = found(np.arange(N)), found(order)
    assert len(straight.rows)
    assert np.array_equal(straight.rows, order[shuffled.rows])


def test_of_wrong_labels_few_are_picked_and_all_regions_are() -> None:
    found = out_of_line(pool(VECTORS, DIRTY))
    assert 0.2 <= len(found.rows) / N <= 0.4
    for k in (CLUSTERS, 200):
        before, after = (pick(pool(VECTORS, DIRTY), k, strategy).indices for strategy in ("diversity", "auto"))
        assert WRONG[after].mean() <= WRONG[before].mean() / 4
        assert len(np.unique(CLUSTER[after])) == len(np.unique(CLUSTER[before])) == CLUSTERS


# Numbers that know nothing of labels: of any distribution, of few values, or following from where a row lies.
RNG = np.random.default_rng(7)
MEANINGLESS: dict[str, NDArray[Any]] = {
    "clean losses": CLEAN,
    "uniform": RNG.random(N),
    "heavy": RNG.standard_cauchy(N),
    "one value": np.ones(N),
    "flags": RNG.random(N) < 0.2,
    "rare flags": RNG.random(N) < 0.01,
    "ratings": RNG.choice([1, 2, 5], N, p=[0.7, 0.2, 0.1]),
    "a coordinate": VECTORS[:, 0],
    "one row": np.arange(N) == 5,
    "the number of the row": np.arange(N),
    "the wrong way round": -DIRTY,
}


@pytest.mark.parametrize("name", MEANINGLESS)
@pytest.mark.parametrize("k", [30, 400])
def test_scores_that_tell_nothing_cost_nothing(name: str, k: int) -> None:
    chosen = pick(pool(VECTORS, MEANINGLESS[name].astype(np.float32)), k)
    assert chosen.evidence["out_of_line_left_out"] == 0
    assert "no rows that are out of line" in chosen.notice
    without = pick(pool(VECTORS, None), k)
    assert np.array_equal(chosen.indices, without.indices)
    assert not without.notice
    # Where a pick stands for many rows it is `diversity` over their nearest neighbours, else `diversity`.
    diverse = pick(pool(VECTORS, None), k, "diversity")
    assert np.array_equal(chosen.indices, diverse.indices) == (k == 400)
    assert chosen.evidence["objective_method"] == ("dense" if k == 400 else "graph")


@pytest.mark.parametrize("n", [1, 2, 30, 100, 400])
def test_random_scores_of_few_rows_show_nothing(n: int) -> None:
    vectors, _ = clustered(n, 11)
    for seed in range(60):
        assert not len(out_of_line(pool(vectors, np.random.default_rng(seed).random(n).astype(np.float32))).rows)


def test_as_many_are_left_out_as_the_budget_allows() -> None:
    found = out_of_line(pool(VECTORS, DIRTY))
    most = N - len(found.rows)
    for k in (most, most + 1, N - 10, N):
        chosen = pick(pool(VECTORS, DIRTY), k)
        assert len(chosen.indices) == k
        assert chosen.evidence["out_of_line_left_out"] == N - max(k, most)
        # Those farthest out of line stay out longest.
        assert not np.isin(found.rows[: N - k], chosen.indices).any()
    assert len(pick(pool(VECTORS, DIRTY), 0).indices) == 0


def test_pinned_rows_stay_and_count() -> None:
    rows = out_of_line(pool(VECTORS, DIRTY)).rows
    pinned, excluded = np.sort(rows[:3]), np.sort(rows[3:6])
    chosen = pick(pool(VECTORS, DIRTY, pinned=pinned, excluded=excluded), 60)
    assert chosen.indices[:3].tolist() == pinned.tolist()
    assert not np.isin(chosen.indices[3:], rows).any()
    assert chosen.evidence["out_of_line"] == chosen.evidence["out_of_line_left_out"] == len(rows) - 6


def test_a_quota_of_wrong_rows_is_kept() -> None:
    # All rows of one value are out of line.
    rows = out_of_line(pool(VECTORS, DIRTY)).rows
    of = np.zeros(N, np.int64)
    of[rows[:20]] = 1
    groups = Groups(of, ("right", "wrong"))
    chosen = pick(pool(VECTORS, DIRTY, groups=groups), 60, quota="kind=10:50")
    assert np.bincount(of[chosen.indices], minlength=2).tolist() == [50, 10]


def test_a_budget_in_tokens_is_kept() -> None:
    lengths = np.random.default_rng(8).integers(1, 40, N)
    chosen = pick(pool(VECTORS, DIRTY, lengths=lengths), "500 tokens")  # type: ignore[arg-type]
    assert 440 < lengths[chosen.indices].sum() <= 500
    assert WRONG[chosen.indices].mean() < 0.05


@pytest.mark.parametrize("metric", ["cosine", "dot"])
def test_metrics(metric: str) -> None:
    rows = Pool(N, 0, lambda key: keyed_hashes(key, N), DIRTY, Matrix.from_array(VECTORS, metric=metric))  # type: ignore[arg-type]
    assert WRONG[pick(rows, 80, metric=metric).indices].mean() < 0.05


def test_what_it_stands_for() -> None:
    assert Auto().resolved(scored=True).needs() == {"scores", "vectors"}
    unscored = Auto().resolved(scored=False)
    assert unscored.needs() == {"vectors"}
    # What was decided stays: scores that come later are for something else.
    assert unscored.resolved(scored=True) is unscored
    assert "out_of_line" not in unscored.pick(SelectionRequest.of(5), pool(VECTORS, DIRTY)).evidence
    assert type(Auto(score_share=0.3).resolved(scored=True)) is Hybrid
    assert type(Auto(objective="kcenter").resolved(scored=True)) is Hybrid
    assert type(Auto(objective="kcenter").resolved(scored=False)) is Diversity
    assert type(Auto(k_nn=5).resolved(scored=False)) is Diversity


def test_smaller_budgets() -> None:
    def first(large: int, small: int, scores: Scores | None) -> bool:
        whole, part = (pick(pool(VECTORS, scores), k) for k in (large, small))
        if reason := Auto().not_first_reason(N, small, whole.evidence):
            assert reason.startswith("with a")
            return False
        assert np.array_equal(whole.indices[:small], part.indices)
        return True

    assert first(30, 10, None)
    assert first(30, 10, DIRTY)
    assert first(200, 100, None)
    assert first(200, 100, DIRTY)
    assert not first(200, 30, None)
    assert not first(N - 5, N - 9, DIRTY)


def test_select_tells_what_it_found() -> None:
    table = pa.table({"text": [f"row {row}" for row in range(N)]})
    given = {"embeddings": VECTORS, "k": 50, "dedup": "none"}
    with pytest.warns(sage_select.SageWarning, match=r"% more rows are far harder .* the \d+% hardest for their place"):
        dirty = sage_select.select(table, scores=DIRTY, **given)
    assert WRONG[dirty.indices].mean() < 0.05
    with pytest.warns(sage_select.SageWarning, match="no rows that are out of line"):
        sage_select.select(table, scores=CLEAN, **given)
    with pytest.warns(sage_select.SageWarning, match="no scores given"):
        sage_select.select(table, **given)


def test_hybrid_says_that_words_are_no_help() -> None:
    table = pa.table({"text": [f"row {row}" for row in range(N)]})
    given = {"embeddings": VECTORS, "k": 50, "dedup": "none", "strategy": "hybrid"}
    advice = "'diversity' serves better"
    assert any(advice in notice for notice in sage_select.select(table, **given).notices)
    assert any(advice in notice for notice in sage_select.select(table, scorer="lexical", **given).notices)
    assert not any(advice in notice for notice in sage_select.select(table, scores=DIRTY, **given).notices)
    assert not any(advice in notice for notice in sage_select.select(table, score_share=0, **given).notices)


def test_scores_of_the_words_are_not_looked_at() -> None:
    table = pa.table({"text": [f"row {row} " + "more " * (row % 7) for row in range(N)]})
    given = {"embeddings": VECTORS, "k": 400, "dedup": "none"}
    words = sage_select.select(table, scorer="lexical", **given)
    assert any("do not tell right rows from wrong ones" in notice for notice in words.notices)
    assert words.indices.tolist() == sage_select.select(table, **given).indices.tolist()
    assert "out_of_line" not in words.evidence


def test_regions_are_those_of_the_comparison() -> None:
    chosen = pick(pool(VECTORS, DIRTY), 50)
    assert chosen.regions is not None
    assert len(np.unique(chosen.regions)) <= N // 16
    assert not np.array_equal(chosen.regions, cells(pool(VECTORS, None), 50))


@pytest.mark.parametrize("scored", [True, False])
def test_what_a_manifest_says_of_it_makes_it_again(scored: bool) -> None:
    decided = Auto(metric="dot").resolved(scored=scored)
    assert decided.settings() == {"objective": "facility", "metric": "dot"}
    assert Auto(**decided.settings()).resolved(scored=scored) == decided
