"""The benchmark of replay trains domain after domain as it says, and tells what every policy held."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

pytest.importorskip("scipy", reason="the benchmarks need the bench extra")

from benches.continual import ARMS, Domains, Rows, report, scores_of

from sage_select.evaluate.continual import METRICS, ScoreMatrix


@pytest.fixture
def domains() -> Domains:
    """Return three domains of two intents each, whose vectors are noisy directions, the domains not far apart."""
    rng = np.random.default_rng(0)
    middles = rng.standard_normal((6, 8)).astype(np.float32)

    def rows(domain: int, n: int) -> Rows:
        labels = 2 * domain + np.arange(n) % 2
        vectors = middles[labels] + 0.3 * rng.standard_normal((n, 8)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return Rows(pa.array([f"{domain}/{n}/{row}" for row in range(n)]), vectors, labels)

    names = ("a", "b", "c")
    return Domains(names, tuple(rows(one, 96) for one in range(3)), tuple(rows(one, 40) for one in range(3)), 6)


def test_every_arm_is_measured_and_replay_forgets_less_than_none(domains: Domains) -> None:
    found = {(arm, 24): [ScoreMatrix.of(scores_of(domains, arm, 24, seed)) for seed in (0, 1)] for arm in ARMS}
    forgetting = next(one for one in METRICS if one.name == "forgetting (first)")
    lost = {arm: np.mean([forgetting.value(one) for one in matrices]) for (arm, _), matrices in found.items()}
    assert lost["no replay"] > 0.05
    assert lost["reservoir"] < lost["no replay"]
    assert lost["herding"] < lost["no replay"]
    said = report(found, "Then and there.")
    assert all(f"| {arm} |" in said for arm in ARMS)
    assert all(one.formula in said for one in METRICS)


def test_the_same_seed_is_the_same_run(domains: Domains) -> None:
    assert scores_of(domains, "reservoir", 24, 1) == scores_of(domains, "reservoir", 24, 1)
    assert scores_of(domains, "reservoir", 24, 1) != scores_of(domains, "reservoir", 24, 2)
