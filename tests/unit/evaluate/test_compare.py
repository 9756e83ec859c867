"""Two models beside each other: the figures, and how sure they are."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sage_select.cli.measure import measured_facts
from sage_select.errors import OutputError, UsageError
from sage_select.evaluate import Evaluation, HeldOut, Parsed, Prediction, check_result_path, compare, write_comparison
from sage_select.evaluate.held_out import ToolTurns
from sage_select.evaluate.readers import Reader
from sage_select.render.tokens import Encoded


def held_out(rows: int, calling: int, other: int = 0) -> HeldOut:
    return HeldOut(
        row_ids=tuple(f"r{i}" for i in range(rows)),
        examples=tuple(Encoded([1, 2], [-100, 2], 1, 5 * (i == 0)) for i in range(rows)),
        owners=tuple(range(rows)),
        questions=(),
        tools=ToolTurns(calling + 4, other, {"too long": 4}, 0, None if calling else "no turn calls a tool"),
        reader=Reader("ours", lambda text, prompt: Parsed()),
        stops=frozenset(),
        inside=frozenset(),
        max_new_tokens=9,
        dropped=("d",),
        tokenizer=None,
        notices=(),
    )


def prediction(row: int, expected: str, predicted: str, message: int = 1) -> Prediction:
    return Prediction(f"r{row}", message, tuple(expected.split()), tuple(predicted.split()), 0, False, "text")


def evaluation(losses: list[float], tokens: list[int], correct: list[bool]) -> Evaluation:
    predictions = tuple(prediction(i, "search", "search" if right else "") for i, right in enumerate(correct))
    return Evaluation(held_out(len(losses), len(correct)), tuple(losses), tuple(tokens), predictions)


BASE = evaluation([4.0, 6.0, 9.0], [2, 2, 3], [False, False, True])
TUNED = evaluation([2.0, 6.0, 3.0], [2, 2, 3], [True, False, True])


def test_the_figures() -> None:
    result = compare(BASE, TUNED)
    assert result["rows"] == result["turns_calling_judged"] == 3
    assert (result["turns_calling"], result["turns_left_out"]) == (7, {"too long": 4})
    assert result["tokens"] == 7
    assert (result["rows_dropped"], result["rows_truncated"]) == (1, 1)
    assert result["loss_base"] == pytest.approx(19 / 7)
    assert result["loss_tuned"] == pytest.approx(11 / 7)
    assert result["loss_difference"] == pytest.approx(-8 / 7)
    assert result["accuracy_base"] == pytest.approx(1 / 3)
    assert result["accuracy_tuned"] == pytest.approx(2 / 3)
    assert result["accuracy_difference"] == pytest.approx(1 / 3)
    assert result["false_calls_base"] is None


def test_few_rows_have_no_interval_and_say_so() -> None:
    result = compare(BASE, TUNED)
    for name in ("loss", "accuracy"):
        assert result[f"{name}_interval"] is None
        assert result[f"{name}_interval_none"] == "too few rows for an interval (3 of at least 10)"


def test_calls_and_no_calls_are_apart() -> None:
    pairs = [("search", ""), ("search book", "search"), ("book", "book"), ("", ""), ("", "search")]
    never = Evaluation(
        held_out(5, 3, 2), (1.0,) * 5, (1,) * 5, tuple(prediction(i, e, "") for i, (e, _) in enumerate(pairs))
    )
    some = replace(never, predictions=tuple(prediction(i, e, p) for i, (e, p) in enumerate(pairs)))
    result = compare(never, some)
    assert (result["accuracy_base"], result["false_calls_base"]) == (0, 0)
    assert result["accuracy_tuned"] == pytest.approx(1 / 3)
    assert result["false_calls_tuned"] == 0.5
    assert (result["turns_calling_judged"], result["turns_other_judged"]) == (3, 2)
    assert result["turns"][1] == {
        "row_id": "r1",
        "message": 1,
        "expected": ["search", "book"],
        "base": {"predicted": [], "failures": 0, "at_limit": False, "text": "text"},
        "tuned": {"predicted": ["search"], "failures": 0, "at_limit": False, "text": "text"},
    }


def test_turns_of_one_row_are_one_unit() -> None:
    def of(rows: int, turns: int, right: bool) -> Evaluation:
        predictions = tuple(
            prediction(i, "a", "a" if right and i % 2 else "", m) for i in range(rows) for m in range(turns)
        )
        return Evaluation(held_out(rows, rows * turns), (1.0,) * rows, (1,) * rows, predictions)

    one, many = (compare(of(20, turns, False), of(20, turns, True)) for turns in (1, 8))
    assert many["accuracy_interval"] == pytest.approx(one["accuracy_interval"])


def test_equal_models_are_told_so() -> None:
    result = compare(BASE, BASE)
    assert result["loss_interval"] is result["accuracy_interval"] is None
    assert result["loss_interval_none"] == "the two are the same on every row"
    assert result["accuracy_interval_none"] == "the two are equal on every row"


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


def test_rows_without_calls_have_no_figure_of_tools() -> None:
    result = compare(evaluation([1.0], [1], []), evaluation([1.0], [1], []))
    assert result["accuracy_base"] is result["accuracy_tuned"] is result["accuracy_interval"] is None
    assert result["no_tool_figure"] == "no turn calls a tool"
    assert "no figures: no turn calls a tool" in measured_facts(result)["tools"]


def test_the_summary_says_which_end_is_good_and_what_is_certain() -> None:
    generator = np.random.default_rng(1)
    losses = generator.uniform(1, 9, 40)
    right = [bool(value) for value in generator.random(40) < 0.2]
    base = evaluation(losses.tolist(), [2] * 40, right)
    tuned = evaluation((losses - generator.uniform(0, 1, 40)).tolist(), [2] * 40, [True] * 40)
    facts = measured_facts(compare(base, tuned))
    assert "], better; nats a trained token (less is better)" in str(facts["loss"])
    assert "], better; of 40 of 44 turns that call tools name exactly the row's tools (more is better)" in str(
        facts["tools right"]
    )
    assert "4 turns: too long" in str(facts["not judged"])
    assert "], worse; nats" in str(measured_facts(compare(tuned, base))["loss"])
    noise = evaluation((losses + generator.normal(0, 1, 40)).tolist(), [2] * 40, right)
    facts = measured_facts(compare(base, noise))
    assert "no clear difference; nats" in str(facts["loss"])
    assert "the two are equal on every row; of" in str(facts["tools right"])


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
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    (tmp_path / "rows.jsonl").write_text("{}")
    os.mkfifo(tmp_path / "pipe")
    os.link(tmp_path / "rows.jsonl", tmp_path / "hard.json")
    (tmp_path / "linked").symlink_to(tmp_path / "model")
    (tmp_path / "also").symlink_to(tmp_path / "run")
    inputs = {"model": tmp_path / "model", "selection": tmp_path / "rows.jsonl", "chat_template": None}
    for path, error, said in (
        (tmp_path / "model" / "r.json", UsageError, "lies inside"),
        (tmp_path / "linked" / "r.json", UsageError, "lies inside"),
        (tmp_path / "model", UsageError, "the same as"),
        (tmp_path / "hard.json", UsageError, r"the same as .* \(selection\)"),
        (tmp_path / "pipe", UsageError, "this is none"),
        (tmp_path / "run", UsageError, "this is none"),
        (tmp_path / "run" / "run.json", OutputError, "of its own"),
        (tmp_path / "also" / "run.json", OutputError, "of its own"),
        (tmp_path / "run" / "checkpoints" / "r.json", OutputError, "of its own"),
        (tmp_path / "run" / "logs" / "r.json", UsageError, "does not exist"),
        (tmp_path / "absent" / "r.json", UsageError, "does not exist"),
    ):
        with pytest.raises(error, match=said):
            check_result_path(path, inputs=inputs, folder=tmp_path / "run")
    for name in ("r.json", "checkpoints.json"):
        check_result_path(tmp_path / "run" / name, inputs=inputs, folder=tmp_path / "run")
    # Names that stand beside an output of `build` are free here.
    (tmp_path / "r.json.rows.parquet").write_text("rows")
    check_result_path(tmp_path / "r.json", inputs={"eval_data": tmp_path / "r.json.rows.parquet"})


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
    assert Prediction("r", 1, expected, predicted, failures, False, "").correct is right
