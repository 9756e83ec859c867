"""Laws of limits: whatever is asked for together, no selection breaks any of it, whichever strategy picks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rules import RULES, wanted

import sage_select
from sage_select import UsageError

N = 40
RNG = np.random.default_rng(11)
#: Rows in pairs of near copies, so that there are ties and near ties.
VECTORS = np.repeat(RNG.normal(size=(N // 2, 6)), 2, axis=0).astype(np.float32)
SCORES = RNG.integers(0, 9, N).astype(np.float32)


@st.composite
def limits(draw: st.DrawFn) -> dict[str, Any]:
    """Draw limits that some selection keeps: they are made around one."""
    rows = draw(st.lists(st.integers(0, N - 1), unique=True, min_size=1, max_size=N))
    groups = draw(st.lists(st.sampled_from("abc"), min_size=N, max_size=N))
    lengths = draw(st.lists(st.integers(1, 9), min_size=N, max_size=N))
    pinned = rows[: draw(st.integers(0, min(3, len(rows))))]
    others = [row for row in range(N) if row not in rows]
    counts = [sum(groups[row] == name for row in rows) for name in "abc"]
    kind = draw(st.sampled_from(["none", "stated", "balanced"]))
    asked: dict[str, Any] = {"pin": pinned, "exclude": others[: draw(st.integers(0, len(others)))]}
    if draw(st.booleans()):
        asked["budget"] = f"{sum(lengths[row] for row in rows)} tokens"
        asked["lengths"] = lengths
    else:
        asked["k"] = len(rows)
    if kind != "none":
        least, most = min(counts), max(counts)
        asked["groups"] = groups
        asked["quota"] = "letter" if kind == "balanced" else f"letter={least}:{most}"
    return asked


@pytest.mark.parametrize(("strategy", "objective"), RULES)
@given(asked=limits())
@settings(max_examples=40, deadline=None)
def test_no_limit_is_broken(strategy: str, objective: str | None, asked: dict[str, Any]) -> None:
    rule = {"strategy": strategy, "objective": objective, "scores": SCORES, "embeddings": VECTORS}
    chosen = sage_select.select(**rule, **wanted(strategy, VECTORS[:2], of=N), **asked)
    rows = chosen.indices.tolist()
    assert len(set(rows)) == len(rows)
    assert rows[: len(asked["pin"])] == asked["pin"]
    assert chosen.reasons[: len(asked["pin"])] == ["pinned"] * len(asked["pin"])
    assert not set(rows) & set(asked["exclude"])
    if "k" in asked:
        assert len(rows) == asked["k"]
    else:
        lengths, budget = asked["lengths"], int(asked["budget"].split()[0])
        spent = sum(lengths[row] for row in rows)
        assert spent <= budget
        left = [row for row in range(N) if row not in rows and row not in asked["exclude"]]
        # A threshold passes rows over, and k-center leaves outliers out.
        if "groups" not in asked and strategy != "threshold" and objective != "kcenter":
            assert all(lengths[row] > budget - spent for row in left), "a row that fits was passed over"
    if "groups" not in asked:
        return
    counts = {name: sum(asked["groups"][row] == name for row in rows) for name in "abc"}
    there = {
        name: sum(asked["groups"][row] == name for row in range(N) if row not in asked["exclude"]) for name in "abc"
    }
    held = {name: sum(asked["groups"][row] == name for row in asked["pin"]) for name in "abc"}
    if "=" in asked["quota"]:
        least, most = map(int, asked["quota"].split("=")[1].split(":"))
        assert all(min(least, there[name]) <= counts[name] <= most for name in "abc" if there[name])
    else:
        # What is below the level of another group has nothing more to give; what is above it is pinned.
        level = min((counts[name] for name in "abc" if counts[name] < there[name]), default=N)
        assert all(counts[name] <= max(level + 1, held[name]) for name in "abc")


@pytest.mark.parametrize(("strategy", "objective"), RULES)
@given(asked=limits())
@settings(max_examples=10, deadline=None)
def test_threads_do_not_matter_within_limits(strategy: str, objective: str | None, asked: dict[str, Any]) -> None:
    rule = {"strategy": strategy, "objective": objective, "scores": SCORES, "embeddings": VECTORS}
    rule |= wanted(strategy, VECTORS[:2], of=N) | asked
    one, other = (sage_select.select(**rule, threads=threads) for threads in (1, 3))
    assert one.table().equals(other.table())


@pytest.mark.parametrize(("strategy", "objective"), RULES)
def test_limits_that_hold_anyway_change_nothing(strategy: str, objective: str | None) -> None:
    rule = {"strategy": strategy, "objective": objective, "scores": SCORES, "embeddings": VECTORS, "k": 12}
    rule |= wanted(strategy, VECTORS[:2], of=N)
    free = sage_select.select(**rule)
    bound = sage_select.select(**rule, groups=["a", "b"] * (N // 2), quota="letter=0:40", pin=[], exclude=[])
    assert bound.indices.tolist() == free.indices.tolist()
    np.testing.assert_array_equal(bound.gains, free.gains)


@given(
    st.lists(st.sampled_from("abcd"), min_size=N, max_size=N),
    st.lists(st.integers(0, N - 1), unique=True, max_size=4),
    st.integers(0, N),
    st.integers(0, N),
)
@settings(max_examples=60, deadline=None)
def test_balanced_random_sets_are_nested(groups: list[str], pin: list[int], smaller: int, larger: int) -> None:
    smaller, larger = sorted((max(smaller, len(pin)), max(larger, len(pin))))
    few, many = (
        sage_select.select(scores=SCORES, strategy="random", groups=groups, pin=pin, k=k).indices.tolist()
        for k in (smaller, larger)
    )
    assert set(few) <= set(many)


def test_refusals_say_which_two_and_by_how_much() -> None:
    def refused(**asked: Any) -> str:
        with pytest.raises(UsageError) as error:
            sage_select.select(**{"scores": SCORES, "strategy": "random", **asked})
        return str(error.value)

    groups = ["a"] * 30 + ["b"] * 10
    assert "1 rows are pinned and excluded" in refused(k=9, pin=[3], exclude=[3])
    assert "row 3" in refused(k=9, pin=[3], exclude=[3])
    message = refused(k=2, pin=[1, 2, 3])
    assert "3 pinned rows are more than the budget" in message
    assert "at least 3 rows" in message
    message = refused(k=9, groups=groups, quota="kind=5:")
    assert "quota 'kind=5:' asks for more rows than the budget has" in message
    assert "at least 10 rows" in message
    message = refused(k=30, groups=groups, quota="kind=:12")
    assert "allows fewer rows than the budget" in message
    assert "at most 22 rows" in message
    message = refused(k=30, groups=groups, quota="kind=11:")
    assert "'b' has 10" in message
    assert "'b' has 8" in refused(k=30, groups=groups, quota="kind=10:", exclude=[30, 31])
    message = refused(k=9, groups=groups, quota="kind=:2", pin=[0, 1, 2])
    assert "'a' has 3 pinned" in message
    message = refused(budget="2 tokens", lengths=[5] * N)
    assert "no row is short enough for the budget" in message
    assert "at least 5 tokens, for row 0, the shortest" in message
    assert "pinned rows are longer" in refused(budget="9 tokens", lengths=[5] * N, pin=[1, 2])
    message = refused(budget="19 tokens", lengths=[5] * N, groups=groups, quota="kind=2:")
    assert "asks for more tokens than the budget has" in message
    assert "at least 20 tokens" in message
    assert "no row has the id '99'" in refused(k=9, pin=[1, 99])
    assert "the id '7' stands twice" in refused(k=9, exclude=[7, 7])
    assert "a budget in tokens needs rows" in refused(budget="9 tokens")
    assert "all 40 rows are excluded" in refused(budget="10%", exclude=list(range(N)))
    words = [{"text": f"number {row}"} for row in range(N)]
    rule = {"data": words, "scores": None, "strategy": "target", "k": 3}
    assert "made from their words" in refused(**rule, queries=np.ones((1, 384)))
    assert "queries have none" in refused(**rule, queries=words[:2], embeddings=VECTORS)
    assert "needs queries" in refused(k=3, strategy="target", embeddings=VECTORS)


def test_clamp_takes_what_there_is() -> None:
    groups = ["a"] * 30 + ["b"] * 10
    rule = {"scores": SCORES, "strategy": "random", "groups": groups, "clamp": True}
    assert len(sage_select.select(**rule, k=30, quota="kind=:12")) == 22
    chosen = sage_select.select(**rule, k=30, quota="kind=11:").indices
    assert sum(chosen >= 30) == 10
    near = sage_select.select(
        scores=SCORES, embeddings=VECTORS, k=30, strategy="threshold", threshold=0.999, clamp=True
    )
    assert len(near) == N // 2
    with pytest.raises(UsageError, match="too few rows are farther"):
        sage_select.select(scores=SCORES, embeddings=VECTORS, k=30, strategy="threshold", threshold=0.999)


def test_a_band_too_narrow_is_refused() -> None:
    with pytest.raises(UsageError, match=r"band 0:0\.1 of the scores has too few rows"):
        sage_select.select(scores=np.arange(N), k=9, strategy="loss_topk", score_mode="band", score_band="0:0.1")
    narrow = {"scores": np.arange(N), "score_mode": "band", "score_band": "0:0.1", "clamp": True}
    assert sage_select.select(**narrow, k=9, strategy="loss_topk").indices.tolist() == [3, 2, 1, 0]
    assert len(sage_select.select(**narrow, k=9, strategy="hybrid", embeddings=VECTORS, score_share=1.0)) == 9
    chosen = sage_select.select(scores=np.arange(N), k=4, strategy="loss_topk", score_mode="band", score_band="0:0.5")
    assert chosen.indices.tolist() == [19, 18, 17, 16]


def test_a_threshold_that_leaves_a_quota_short_is_refused() -> None:
    vectors = np.eye(3, dtype=np.float32)[[0, 0, 1, 2]]
    rule = {"scores": np.arange(4), "embeddings": vectors, "groups": ["a", "a", "b", "b"], "quota": "kind=2:"}
    with pytest.raises(UsageError, match=r"cannot keep the quota 'kind=2:'|too few rows are farther"):
        sage_select.select(**rule, k=4, strategy="threshold")
    with pytest.raises(UsageError, match="strategy 'threshold' cannot keep the quota 'kind=2:'"):
        sage_select.select(**rule, k=4, strategy="threshold", clamp=True)
