"""The quality benchmark spoils rows as it says, tells what holds, and says so where its data are missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="the benchmarks need the bench extra")

from benches.quality.arms import ARMS, AUTO, DIVERSITY, EXACT, HYBRID, OURS, OURS_UNSCORED, RANDOM
from benches.quality.cases import CASES, CLEAN, WRONG
from benches.quality.classifier import accuracy, proxy_losses
from benches.quality.data import Task
from benches.quality.interval import estimate
from benches.quality.outcomes import Outcome, Outcomes
from benches.quality.report import report
from benches.quality.required import REQUIRED, verdicts
from benches.quality.spoil import Pool, duplicated, mislabelled, outlying, pool_of


@pytest.fixture
def task() -> Task:
    """Return 4 classes of 50 rows each, one in each direction."""
    rng = np.random.default_rng(0)
    labels = np.arange(200) % 4
    vectors = (np.eye(4)[labels] + 0.2 * rng.standard_normal((200, 4))).astype(np.float32)
    texts = np.array([f"row {row}" for row in range(200)], object)
    return Task(texts, vectors, labels, vectors[:0], labels[:0], 4)


def test_a_tenth_of_the_rows_is_copied_until_the_share_is_reached(task: Task) -> None:
    pool = duplicated(pool_of(task), 0.3, np.random.default_rng(1))
    copies = pool.origin[200:]
    assert len(copies) == 86
    assert len(np.unique(copies)) <= 20
    np.testing.assert_array_equal(pool.vectors[200:], task.vectors[copies])
    assert pool.sound(np.arange(286)) == 200 / 286


def test_wrong_labels_are_wrong_and_known(task: Task) -> None:
    pool = mislabelled(pool_of(task), 0.2, 4, np.random.default_rng(1))
    np.testing.assert_array_equal(pool.labels != task.labels, pool.wrong)
    assert pool.wrong.sum() == 40
    assert set(pool.labels) == {0, 1, 2, 3}
    assert pool.sound(np.arange(200)) == 0.8


def test_outliers_lie_elsewhere(task: Task) -> None:
    pool = outlying(pool_of(task), 0.05, 4, np.random.default_rng(1))
    moved = (pool.vectors != task.vectors).any(axis=1)
    np.testing.assert_array_equal(moved, pool.wrong)
    assert moved.sum() == 10
    np.testing.assert_allclose(np.linalg.norm(pool.vectors[moved], axis=1), 1, rtol=1e-6)
    assert not {text for text in pool.texts[moved] if text.startswith("row")}


def test_rows_are_held_out_by_their_text_alone(task: Task) -> None:
    cut = task.held_out("key")
    assert len(cut.labels) + len(cut.test_labels) == 200
    assert 20 < len(cut.test_labels) < 60
    again = Task(*(field[::-1] for field in task[:5]), 4).held_out("key")
    assert set(again.texts) == set(cut.texts)
    assert set(task.held_out("other").texts) != set(cut.texts)


def test_losses_are_finite_and_higher_where_labels_are_wrong(task: Task) -> None:
    rng = np.random.default_rng(2)
    pool: Pool = mislabelled(pool_of(task), 0.2, 5, rng)
    losses = proxy_losses(pool.vectors, pool.labels, 5, rng)
    assert np.isfinite(losses).all()
    assert losses[pool.wrong].mean() > losses[~pool.wrong].mean() + 1


def test_a_classifier_that_saw_every_class_is_right(task: Task) -> None:
    assert accuracy(task.vectors[:40], task.labels[:40], task.vectors[40:], task.labels[40:]) > 0.9


def test_intervals_are_students() -> None:
    assert str(estimate([0.5, 0.52, 0.54])) == "52.0 ± 5.0"
    assert str(estimate([0.123])) == "12.3"


def outcomes(better: float) -> Outcomes:
    arms = {RANDOM: 0.5, DIVERSITY: 0.5 + better, EXACT: 0.6}
    return Outcomes(
        Outcome(CLEAN, 2, arm, seed, accuracy + seed / 100, 1.0) for arm, accuracy in arms.items() for seed in range(2)
    )


@pytest.mark.parametrize(("better", "words"), [(0.15, ["holds", "holds"]), (0.05, ["**fails**", "**fails**"])])
def test_the_record_tells_what_holds(better: float, words: list[str]) -> None:
    found = outcomes(better)
    assert [line.rsplit(": ", 1)[1] for line in verdicts(found)] == words
    text = report(found, "test", 2, "today")
    assert f"| {DIVERSITY} | {50.5 + 100 * better:.1f} ± 6.4 | {100 * better:.1f} ± 0.0 |" in text


@pytest.mark.parametrize(("auto", "verdict"), [(0.696, "holds"), (0.694, "**fails**")])
def test_auto_is_compared_with_the_best_of_the_others(auto: float, verdict: str) -> None:
    arms = {RANDOM: 0.9, HYBRID: 0.6, DIVERSITY: 0.7, AUTO: auto}
    found = Outcomes(Outcome(WRONG, 1, arm, seed, value, 1.0) for arm, value in arms.items() for seed in range(3))
    (line,) = verdicts(found)
    assert f"{AUTO} less {DIVERSITY}, the best of our other rules" in line
    assert line.endswith(verdict)
    assert {*OURS, *OURS_UNSCORED} <= set(ARMS)


def test_what_is_required_names_cases_and_arms_that_exist() -> None:
    assert len(REQUIRED) > 10
    assert {case for case, *_ in REQUIRED} <= set(CASES)
    assert {arm for requirement in REQUIRED for arm in (requirement.arm, requirement.other)} <= set(ARMS)


def test_without_data_it_says_what_is_missing(root: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benches.quality", "--seeds", "1", "--cases", CLEAN]
    environment = {**os.environ, "SAGE_DATA": str(tmp_path)}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "Skipped: clinc150/train.parquet is missing (SAGE_DATA names the data folder)\n"
