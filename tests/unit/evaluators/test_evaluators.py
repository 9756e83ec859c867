"""Evaluators: to which rows each applies, what it asks, and what is wrong with what it is told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from sage_select.errors import DataError, UsageError
from sage_select.evaluate import HeldOut, Limits, prepare_held_out
from sage_select.evaluate.asked_model import Answer
from sage_select.evaluate.evaluator import EVALUATORS, chosen_evaluators
from sage_select.evaluate.figures import difference_of, figure_of
from sage_select.evaluate.labels import LabelRecord, read_labels
from sage_select.evaluators.loss import LossRecord
from sage_select.train import TrainConfig

pytestmark = pytest.mark.train

INTENTS = [{"prompt": f"{text} {day}", "completion": text} for text in ("book", "weather", "find") for day in "abcd"]
SUMS = [
    {"question": "a table and a table?", "answer": "1 + 1 = 2\n#### 2"},
    {"question": "which day?", "answer": "day 3\n#### 1,003"},
]
CALLS: list[dict[str, Any]] = [
    {
        "messages": [
            {"role": "user", "content": "weather"},
            {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "weather", "arguments": {}}}]},
        ]
    }
]


class Scored:
    """A model that finds the label of a script the likeliest, and says what a script says."""

    def __init__(self, scores: list[list[float]] | None = None, answers: list[str] | None = None) -> None:
        self.scores, self.said = scores, answers
        self.prompts: list[Any] = []
        self.completions: list[Any] = []

    def likelihoods(self, prompts: Any, completions: Any, progress: Any, wanted: Any) -> Any:
        del progress, wanted
        self.prompts, self.completions = list(prompts), list(completions)
        return self.scores

    def answers(self, questions: Any, **_: Any) -> Any:
        self.prompts = [one.prompt for one in questions]
        return [Answer(one, at_limit=False) for one in self.said or []]


def prepared(model: Path, rows: Any, evaluators: Any = "auto", limits: Limits | None = None) -> HeldOut:
    return prepare_held_out(rows, TrainConfig(model=str(model)), evaluators=evaluators, limits=limits)


def asked(held_out: HeldOut, name: str) -> Any:
    return next(one for one in held_out.asked if one.evaluator == name)


def silent(_label: str) -> Any:
    from sage_select.train.stages import silent_stages

    return silent_stages(_label)


def decoded(model: Path, tokens: Any) -> str:
    from transformers import AutoTokenizer

    return str(AutoTokenizer.from_pretrained(model).decode(list(tokens)))


@pytest.mark.parametrize(
    ("rows", "names"),
    [
        (INTENTS, ["loss", "classification"]),
        (SUMS, ["loss", "exact_answer"]),
        (CALLS, ["loss", "tool_calls"]),
        ([{"text": "book a table"}], ["loss"]),
    ],
)
def test_auto_takes_all_that_apply_and_says_of_each_why(tiny_model: Path, rows: Any, names: list[str]) -> None:
    held_out = prepared(tiny_model, rows)
    assert [one.evaluator for one in held_out.asked] == names
    assert sorted([*names, *held_out.without]) == sorted(EVALUATORS)
    assert all("\n" not in why and why for why in (*held_out.without.values(), *(one.why for one in held_out.asked)))


def test_one_that_is_named_and_does_not_apply_is_refused(tiny_model: Path) -> None:
    with pytest.raises(DataError, match="evaluator exact_answer has nothing to judge") as error:
        prepared(tiny_model, INTENTS, "exact_answer")
    assert "no answer of these rows has a number behind ####" in str(error.value)
    with pytest.raises(DataError, match="evaluator tool_calls has nothing to judge"):
        prepared(tiny_model, CALLS, ["tool_calls"], Limits(max_turns=0))


def test_evaluators_are_chosen_by_name_with_their_options() -> None:
    one, other = chosen_evaluators("loss, tool_calls", {"ranks": "1,5", "labels": None})
    assert (one.name, other.name, other.settings()) == ("loss", "tool_calls", {"ranks": "1,5"})
    assert [one.name for one in chosen_evaluators()] == list(EVALUATORS)
    for names, options, said in (
        ("tool_cals", {}, "did you mean 'tool_calls'"),
        ("loss,loss", {}, "named twice"),
        ("auto,loss", {}, "auto stands for all"),
        ("loss", {"labels": "x"}, "none of the evaluators uses labels"),
        ("loss", {"lables": "x"}, "none of the evaluators uses lables"),
    ):
        with pytest.raises(UsageError, match=said):
            chosen_evaluators(names, options)


def test_ranks_are_numbers(tiny_model: Path) -> None:
    for text in ("0", "1,x", "", "-1"):
        with pytest.raises(UsageError, match="--tool-ranks are no ranks"):
            prepared(tiny_model, CALLS, chosen_evaluators("tool_calls", {"ranks": text}))


def test_labels_are_scored_as_the_template_writes_them(tiny_model: Path) -> None:
    held_out = prepared(tiny_model, INTENTS)
    task = asked(held_out, "classification")
    labels = task.facts["labels"]
    assert labels == ["book", "find", "weather"]
    model = Scored([[float(label == row["completion"]) for label in labels] for row in INTENTS])
    records = task.answer(model, silent, "a model")
    assert [decoded(tiny_model, one) for one in model.completions] == [f"{label}<|im_end|>" for label in labels]
    assert decoded(tiny_model, model.prompts[0]).endswith("book a<|im_end|>\n<|im_start|>assistant\n")
    assert [(one.expected, one.predicted) for one in records] == [(row["completion"],) * 2 for row in INTENTS]
    assert [figure_of(one, records).value for one in task.metrics] == [1.0, 1.0]
    wrong = [LabelRecord(one.row_id, one.message, one.expected, "nothing") for one in records]
    assert [figure_of(one, wrong).value for one in task.metrics] == [0.0, 0.0]


def test_of_equally_likely_labels_the_first_counts(tiny_model: Path) -> None:
    task = asked(prepared(tiny_model, INTENTS), "classification")
    records = task.answer(Scored([[-2.0, -1.0, -1.0]] * len(INTENTS)), silent, "a model")
    assert {(one.predicted, one.tied, one.log_probability) for one in records} == {("find", 2, -1.0)}
    assert [one.log_probability_expected for one in records] == [-2.0] * 4 + [-1.0] * 8


def test_a_label_that_begins_another_is_told_apart_by_the_token_that_ends_it(tiny_model: Path) -> None:
    rows = [{"prompt": f"{text} {i}", "completion": text} for text in ("book", "book a table") for i in range(3)]
    task = asked(prepared(tiny_model, rows), "classification")
    model = Scored([[0.0, 1.0]] * 6)
    task.answer(model, silent, "a model")
    short, long = model.completions
    assert short[-1] == long[-1]
    assert long[: len(short)] != short


def test_labels_of_a_file_or_a_column(tiny_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_text("weather\nfind\n\nbook\npay\n")
    held_out = prepared(tiny_model, INTENTS, chosen_evaluators("classification", {"labels": str(path)}))
    assert held_out.asked[0].facts["labels"] == ["weather", "find", "book", "pay"]
    rows = [{**row, "label": row["completion"]} for row in INTENTS]
    held_out = prepared(tiny_model, rows, chosen_evaluators("classification", {"label_column": "label"}))
    assert held_out.asked[0].facts["labels"] == ["book", "find", "weather"]
    with pytest.raises(UsageError, match="--label-column is no column") as error:
        prepared(tiny_model, rows, chosen_evaluators("classification", {"label_column": "labels"}))
    assert "did you mean 'label'" in str(error.value)
    path.write_text("weather\nbook\n")
    with pytest.raises(DataError, match="the answer of a row is none of the labels"):
        prepared(tiny_model, INTENTS, chosen_evaluators("classification", {"labels": str(path)}))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the label set is empty"),
        (b" \n\n", "the label set is empty"),
        (b"a\na\n", "twice"),
        (b"\xff", "not UTF-8"),
    ],
)
def test_files_of_labels_that_are_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=said):
        read_labels(str(path))


def test_labels_may_hold_other_line_ends_than_a_line_feed(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes("a\u2028b\nc\r\n".encode())
    assert read_labels(str(path)) == ("a\u2028b", "c")
    with pytest.raises(UsageError, match="no such file of labels"):
        read_labels(str(tmp_path / "none.txt"))


def test_answers_are_compared_by_the_number_behind_the_mark(tiny_model: Path) -> None:
    task = asked(prepared(tiny_model, SUMS), "exact_answer")
    records = task.answer(Scored(answers=["so\n#### 2.0<|im_end|>", "I say #### 1,003."]), silent, "a model")
    assert figure_of(task.metrics[0], records).value == 1
    records = task.answer(Scored(answers=["#### 3", "none"]), silent, "a model")
    assert figure_of(task.metrics[0], records).value == 0


def test_rows_whose_loss_is_known_give_figures_with_intervals() -> None:
    from sage_select.evaluators.loss import _LOSS, _Perplexity

    base = [LossRecord(f"r{i}", 4.0 + i % 3, 2) for i in range(30)]
    tuned = [LossRecord(f"r{i}", 2.0 + i % 3 + (i % 5 - 2) / 10, 2) for i in range(30)]
    assert figure_of(_LOSS, base).value == pytest.approx(2.5)
    assert figure_of(_Perplexity(), base).value == pytest.approx(2.718281828**2.5)
    change = difference_of(_LOSS, [tuned], [base])
    assert change.value == pytest.approx(-1)
    # Student's t over rows: differences of 1 with a deviation of .0719.
    assert change.interval.bounds == pytest.approx((-1.027, -0.973), abs=1e-3)
    with pytest.raises(UsageError, match="not measured on the same rows"):
        difference_of(_LOSS, [tuned], [base[1:]])
    assert figure_of(_LOSS, base[:4]).interval.why_none == "too few rows for an interval (4 of at least 10)"


def test_any_of_the_possible_answers_of_a_bfcl_case_is_right(tiny_model: Path, tmp_path: Path) -> None:
    from sage_select.evaluate.bfcl import Case, row_of

    longer = shutil.copytree(tiny_model, tmp_path / "longer")  # tools take more tokens than the model has
    for name, key in (("config.json", "max_position_embeddings"), ("tokenizer_config.json", "model_max_length")):
        content = json.loads((longer / name).read_text())
        (longer / name).write_text(json.dumps({**content, key: 1024}))
    schema = {"type": "dict", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    tool = {"name": "find", "description": "", "parameters": schema}
    case = Case("simple_0", ({"role": "user", "content": "find"},), (tool,), ({"find": {"n": [5, 6]}},))
    task = asked(prepared(longer, [row_of(case)]), "tool_calls")
    exact = next(one for one in task.metrics if one.name == "calls_exact")
    for number, value in ((5, 1), (6, 1), (7, 0)):
        said = f'<tool_call>{{"name": "find", "arguments": {{"n": {number}}}}}</tool_call><|im_end|>'
        records = task.answer(Scored(answers=[said]), silent, "a model")
        assert figure_of(exact, records).value == value
