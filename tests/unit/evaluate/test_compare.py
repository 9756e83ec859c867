"""Two models beside each other: the figures, and how sure they are."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from sage_select.errors import OutputError, UsageError
from sage_select.evaluate import Evaluation, Prediction, check_result_path, compare, write_comparison


def evaluation(losses: list[float], tokens: list[int], correct: list[bool]) -> Evaluation:
    return Evaluation(
        row_ids=tuple(f"r{i}" for i in range(len(losses))),
        row_losses=tuple(losses),
        row_tokens=tuple(tokens),
        predictions=tuple(
            Prediction(f"r{i}", ("search",), ("search",) if right else (), 0, "") for i, right in enumerate(correct)
        ),
        truncated_rows=1,
        tokens_cut=5,
        dropped=("d",),
    )


BASE = evaluation([4.0, 6.0, 9.0], [2, 2, 3], [False, False, True])
TUNED = evaluation([2.0, 6.0, 3.0], [2, 2, 3], [True, False, True])


def test_the_figures() -> None:
    result = compare(BASE, TUNED)
    assert result["rows"] == result["rows_with_answer"] == 3
    assert result["tokens"] == 7
    assert (result["rows_dropped"], result["rows_truncated"]) == (1, 1)
    assert result["loss_base"] == pytest.approx(19 / 7)
    assert result["loss_tuned"] == pytest.approx(11 / 7)
    assert result["loss_difference"] == pytest.approx(-8 / 7)
    assert result["accuracy_base"] == pytest.approx(1 / 3)
    assert result["accuracy_tuned"] == pytest.approx(2 / 3)
    assert result["accuracy_difference"] == pytest.approx(1 / 3)


def test_the_interval_holds_the_difference_and_comes_again() -> None:
    generator = np.random.default_rng(1)
    base, tuned = (
        evaluation(generator.uniform(1, 9, 30).tolist(), [2] * 30, (generator.random(30) < 0.5).tolist())
        for _ in range(2)
    )
    result = compare(base, tuned, seed=3)
    for name in ("loss", "accuracy"):
        low, high = result[f"{name}_interval"]
        assert low < result[f"{name}_difference"] < high
    assert result == compare(base, tuned, seed=3)
    assert result["loss_interval"] != compare(base, tuned, seed=4)["loss_interval"]


def test_equal_models_differ_by_nothing() -> None:
    result = compare(BASE, BASE)
    assert result["loss_interval"] == [0, 0]
    assert result["accuracy_interval"] == [0, 0]


def test_the_interval_is_as_wide_as_theory_says() -> None:
    generator = np.random.default_rng(0)
    n = 400
    change = generator.normal(-0.5, 1.0, n)
    result = compare(evaluation([5.0] * n, [1] * n, []), evaluation((5.0 + change).tolist(), [1] * n, []))
    half = 1.96 * change.std() / np.sqrt(n)
    assert result["loss_interval"] == pytest.approx([change.mean() - half, change.mean() + half], abs=0.01)


def test_a_difference_shared_by_all_rows_is_certain_however_much_rows_differ() -> None:
    losses = np.random.default_rng(0).uniform(1, 100, 50)
    result = compare(evaluation(losses.tolist(), [1] * 50, []), evaluation((losses - 1).tolist(), [1] * 50, []))
    assert result["loss_interval"] == pytest.approx([-1, -1])


def test_rows_without_answers_have_no_accuracy() -> None:
    result = compare(evaluation([1.0], [1], []), evaluation([1.0], [1], []))
    assert result["accuracy_base"] is result["accuracy_tuned"] is result["accuracy_interval"] is None


def test_different_rows_cannot_be_compared() -> None:
    with pytest.raises(UsageError, match="different rows"):
        compare(BASE, evaluation([1.0], [1], [True]))
    with pytest.raises(UsageError, match="different rows"):
        compare(BASE, evaluation([4.0, 6.0, 9.0], [2, 2, 4], [True] * 3))


def test_the_file_is_whole_json_and_replaces_an_older_result(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    result = compare(BASE, TUNED)
    write_comparison(path, compare(BASE, BASE))
    write_comparison(path, result)
    written = json.loads(path.read_text())
    assert written["format"] == "sage-select evaluation"
    assert result.items() <= written.items()
    assert [file.name for file in tmp_path.iterdir()] == ["result.json"]


@pytest.mark.parametrize("content", ["", "{}", '{"rows": 3}', '[{"format": "sage-select evaluation"}]', "a,b\n1,2\n"])
def test_whatever_is_no_result_is_never_replaced(tmp_path: Path, content: str) -> None:
    path, link = tmp_path / "mine", tmp_path / "link.json"
    path.write_text(content)
    link.symlink_to(path)
    for name in (path, link):
        with pytest.raises(OutputError, match="never replaced"):
            write_comparison(name, {})
    assert path.read_text() == content
    assert sorted(file.name for file in tmp_path.iterdir()) == ["link.json", "mine"]


def test_a_result_goes_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "run").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for path, error in (
        (tmp_path / "model" / "r.json", UsageError),
        (tmp_path / "model", UsageError),
        (tmp_path / "pipe", UsageError),
        (tmp_path / "run", UsageError),
        (tmp_path / "run" / "run.json", OutputError),
        (tmp_path / "run" / "logs" / "r.json", UsageError),
        (tmp_path / "absent" / "r.json", UsageError),
    ):
        with pytest.raises(error):
            check_result_path(path, inputs=[tmp_path / "model"], folder=tmp_path / "run")
    check_result_path(tmp_path / "run" / "r.json", inputs=[tmp_path / "model"], folder=tmp_path / "run")


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        write_comparison(tmp_path / "absent" / "result.json", {})


@pytest.mark.parametrize(
    ("expected", "predicted", "failures", "right"),
    [
        (("a", "b"), ("a", "b"), 0, True),
        ((), (), 0, True),
        (("a",), (), 0, False),
        ((), ("a",), 0, False),
        (("a",), ("a", "b"), 0, False),
        ((), (), 1, False),
    ],
)
def test_right_is_exactly_the_expected_set(
    expected: tuple[str, ...], predicted: tuple[str, ...], failures: int, right: bool
) -> None:
    assert Prediction("r", expected, predicted, failures, "").correct is right
