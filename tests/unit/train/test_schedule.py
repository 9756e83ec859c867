"""The schedule: all rows in order in every pass, or as a file says, and the file that is left of it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from training_rows import training_rows

from sage_select.errors import DataError, SageError, UsageError
from sage_select.train import TrainConfig
from sage_select.train.data import TrainingRows
from sage_select.train.packing import Layout
from sage_select.train.schedule import Schedule
from sage_select.train.schedule_file import SCHEMA, read_schedule, write_schedule
from sage_select.train.selection import OrderedRows, read_selection


def rows(n: int, **facts: list[Any]) -> TrainingRows:
    """Return rows of 1, 2, 3, ... tokens, 1 again after 5."""
    ids = pa.array([[3] * (1 + number % 5) for number in range(n)], pa.large_list(pa.int32()))
    names = [f"r{number}" for number in range(n)]
    return training_rows(pa.table({"input_ids": ids, "labels": ids}), **{"row_id": names, **facts})


def schedule_of(n: int, **settings: Any) -> Schedule:
    return Schedule.of(rows(n), TrainConfig(model="m", **settings))


@settings(deadline=None)
@given(n=st.integers(1, 60), batch=st.integers(1, 7), accumulation=st.integers(1, 5), passes=st.integers(1, 4))
def test_whole_passes_take_every_row_in_order_once_a_pass(n: int, batch: int, accumulation: int, passes: int) -> None:
    schedule = schedule_of(n, batch_size=batch, gradient_accumulation=accumulation, epochs=passes)
    assert schedule.places.tolist() == [place for step in schedule for place in step] == list(range(n)) * passes
    assert schedule.steps == passes * math.ceil(n / (batch * accumulation))
    assert all(0 < len(step) <= batch * accumulation for step in schedule)
    assert schedule.passes(schedule.steps) == passes


@settings(deadline=None)
@given(n=st.integers(1, 60), steps=st.integers(1, 50), batch=st.integers(1, 9))
def test_max_steps_wins_over_epochs(n: int, steps: int, batch: int) -> None:
    schedule = schedule_of(n, max_steps=steps, batch_size=batch)
    plain: list[list[int]] = []
    while len(plain) < steps:
        plain += [list(range(n))[start : start + 4 * batch] for start in range(0, n, 4 * batch)]
    assert list(schedule) == plain[:steps]
    # A run that ends within its first pass has examples that it never consumes.
    assert schedule.agreement() == (1.0 if steps > 1 and n > 4 * batch else None)


def test_a_run_that_would_never_end_is_refused() -> None:
    with pytest.raises(UsageError, match=r"too many rows(.|\n)*80,000,000,000 in"):
        schedule_of(8, max_steps=10**10)


def test_another_order_is_noticed() -> None:
    schedule = schedule_of(3, batch_size=2, gradient_accumulation=1, max_steps=2)
    schedule.verify([["a", "b"], ["c"]], ["a", "b", "c"])
    for wrong in ([["b", "a"], ["c"]], [["a", "b"]], [["a", "b"], ["c"], ["a", "b"]], []):
        with pytest.raises(AssertionError):
            schedule.verify(wrong, ["a", "b", "c"])


@pytest.mark.parametrize(
    ("n", "settings", "passes"),
    [
        (1, {"epochs": 2}, 2),
        (5, {"epochs": 3, "batch_size": 2, "gradient_accumulation": 1}, 3),
        (16, {"max_steps": 1}, 1),
    ],
)
def test_passes_are_rows_consumed_a_row(n: int, settings: dict[str, Any], passes: float) -> None:
    schedule = schedule_of(n, **settings)
    assert schedule.passes(schedule.steps) == passes


def test_checkpoints_come_about_ten_times_a_run_unless_steps_are_given() -> None:
    schedule = schedule_of(40, max_steps=231)
    assert schedule.save_interval(TrainConfig(model="m")) == 23
    assert schedule.save_interval(TrainConfig(model="m", save_steps=200)) == 200
    assert schedule_of(4, max_steps=3).save_interval(TrainConfig(model="m")) == 1


def test_the_digest_tells_schedules_apart() -> None:
    facts: list[dict[str, list[Any]]] = [
        {},
        {"weight": [1.0, 0.5, 1.0]},
        {"phase": [0, 0, 1]},
        {"origin": ["core", "core", "replayed"]},
        {"parent_id": [None, None, "r0"]},
    ]
    config = TrainConfig(model="m", batch_size=2, gradient_accumulation=1)
    digests = [Schedule.of(rows(3, **one), config).digest("order") for one in facts]
    digests += [schedule_of(3, batch_size=1).digest("order"), Schedule.of(rows(3), config).digest("other")]
    assert len(set(digests)) == len(digests)
    assert Schedule.of(rows(3), config).digest("order") == digests[0]
    # Tasks train nothing: a run of another name for the same rows is the same.
    assert Schedule.of(rows(3, task=["a", "b", None]), config).digest("order") == digests[0]


# Files


SELECTION: dict[str, list[Any]] = {
    "text": ["a", "b", "c", "d"],
    "sage_row_id": ["r0", "r1", "r2", "r3"],
    "sage_weight": [1.0, 2.0, 1.0, 0.5],
    "sage_origin": ["selected", "selected", "augmented", "selected"],
    "sage_parent_id": [None, None, "r0", None],
    "sage_phase": [0, 0, 1, 1],
}


def tokenised(selection: OrderedRows, ids: list[str] | None = None) -> TrainingRows:
    """Return an example of each row, or of these in order."""
    all_ids = selection.row_ids()
    ids = all_ids if ids is None else ids
    numbers = np.array([all_ids.index(one) for one in ids])
    facts = selection.facts(numbers).to_pydict()
    weights = [SELECTION["sage_weight"][number] for number in numbers]
    return rows(len(ids), row_id=ids, weight=weights, **facts)


@pytest.fixture
def chosen() -> OrderedRows:
    return read_selection(pa.table({**SELECTION, "sage_phase": pa.array(SELECTION["sage_phase"], pa.int32())}))


Read = Callable[..., Schedule]


@pytest.fixture
def read(chosen: OrderedRows, tmp_path: Path) -> Read:
    """Return what writes lines of JSON and reads them as a schedule."""

    def go(
        *lines: dict[str, Any], ids: list[str] | None = None, told: list[str] | None = None, **settings: Any
    ) -> Schedule:
        path = tmp_path / "schedule.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        config = TrainConfig(
            **{"model": "m", "batch_size": 2, "gradient_accumulation": 1, "schedule_file": path, **settings}
        )
        notice = (lambda _: None) if told is None else told.append
        return read_schedule(path, tokenised(chosen, ids), chosen, config, notice)

    return go


def test_a_schedule_that_was_written_is_read_as_it_was(chosen: OrderedRows, tmp_path: Path) -> None:
    examples = tokenised(chosen, ["r0", "r1", "r1", "r2", "r3"])
    config = TrainConfig(model="m", batch_size=2, gradient_accumulation=1, epochs=2, seed=5)
    schedule = Schedule.of(examples, config)
    layout = Layout.by_length(schedule.starts, examples.lengths[schedule.places], per_pass=2)
    for name in ("one.arrow", "two.arrow"):
        write_schedule(tmp_path / name, schedule, layout, examples, seed=5)
    assert (tmp_path / "one.arrow").read_bytes() == (tmp_path / "two.arrow").read_bytes()
    table = pa.ipc.open_file(str(tmp_path / "one.arrow")).read_all()
    assert table.schema == SCHEMA
    assert table.slice(0, 5).to_pydict() == {
        "step": [1, 1, 2, 2, 3],
        "slot": [0, 1, 0, 1, 0],
        "row_id": ["r0", "r1", "r1", "r2", "r3"],
        "example": [0, 0, 1, 0, 0],
        "origin": ["core", "core", "core", "augmented", "core"],
        "parent_id": [None, None, None, "r0", None],
        "task": [None] * 5,
        "phase": [0, 0, 0, 1, 1],
        "weight": [1.0, 2.0, 2.0, 1.0, 0.5],
        "seed": [5] * 5,
        "bin": [1, 0, 1, 0, 0],
    }
    again = read_schedule(tmp_path / "one.arrow", examples, chosen, config, pytest.fail)
    assert again.digest("order") == schedule.digest("order")
    with pytest.raises(DataError, match=r"another seed(.|\n)*expected: 0(.|\n)*--seed"):
        read_schedule(tmp_path / "one.arrow", examples, chosen, TrainConfig(model="m"), pytest.fail)


def test_rows_are_consumed_as_a_file_says(read: Read) -> None:
    told: list[str] = []
    schedule = read(
        {"row_id": "r3", "step": 2, "slot": 1, "weight": 3.0, "origin": "replayed", "phase": 4, "task": "maths"},
        {"row_id": "r1", "step": 2, "slot": 0, "weight": 0, "origin": "core", "phase": None},
        {"row_id": "r3", "step": 1, "slot": 7, "weight": 1, "origin": None, "phase": 3},
        told=told,
    )
    assert list(schedule) == [[3], [1, 3]]
    assert schedule.weights.tolist() == [1.0, 0.0, 3.0]
    assert schedule.phases.tolist() == [3, -1, 4]
    assert schedule.origins.to_pylist() == ["core", "core", "replayed"]
    assert schedule.tasks.to_pylist() == [None, None, "maths"]
    assert schedule.agreement() == -1.0
    assert told == ["the schedule leaves out 2 of 4 rows that could be trained"]


def test_without_steps_rows_are_taken_as_they_lie(read: Read) -> None:
    schedule = read({"row_id": "r2"}, {"row_id": "r0"}, {"row_id": "r2"})
    assert list(schedule) == [[2, 0], [2]]
    assert schedule.weights.tolist() == [1.0, 1.0, 1.0]
    assert schedule.phases.tolist() == [1, 0, 1]
    assert schedule.origins.to_pylist() == ["augmented", "core", "augmented"]
    assert schedule.parents.to_pylist() == ["r0", None, "r0"]


def test_a_row_is_consumed_with_all_of_its_examples_unless_one_is_named(read: Read) -> None:
    ids = ["r0", "r1", "r1", "r2"]
    assert list(read({"row_id": "r1"}, {"row_id": "r0"}, ids=ids)) == [[1, 2], [0]]
    assert list(read({"row_id": "r1", "example": 1}, {"row_id": "r0", "example": 0}, ids=ids)) == [[2, 0]]
    with pytest.raises(DataError, match=r"row r1 has no such example(.|\n)*expected: 0 to 1(.|\n)*got: 2"):
        read({"row_id": "r1", "example": 2}, ids=ids)


def test_rows_that_have_nothing_to_train_are_left_out_and_told(read: Read) -> None:
    told: list[str] = []
    lines = [{"row_id": f"r{number}", "step": number + 1} for number in range(4)]
    assert list(read(*lines, ids=["r0", "r2", "r3"], told=told)) == [[0], [1], [2]]
    assert told == [
        "left out, since they have nothing to train: 1 row of the schedule",
        "left out, since they would train nothing: 1 step of the schedule",
    ]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ([{"row": "r1"}], r"a schedule has no column 'row'(.|\n)*did you mean 'row_id'"),
        ([{"step": 1}], r"names the rows by their ids"),
        (
            [{"row_id": "r9"}, {"row_id": "r1"}, {"row_id": "x"}],
            r"row 0, line 1: (.|\n)*does not have 2 rows(.|\n)*r9, x",
        ),
        ([{"row_id": None}], r"an id is missing"),
        ([{"row_id": "r1", "sage_row_id": "r1"}], r"two columns say the row_id"),
        ([{"row_id": "r1", "step": 2}], r"without gaps(.|\n)*no step 1"),
        ([{"row_id": "r1", "step": 1}, {"row_id": "r1", "step": 3}], r"no step 2"),
        ([{"row_id": "r1", "step": 0}], r"below 1"),
        ([{"row_id": "r1", "step": 1.5}], r"not whole"),
        ([{"row_id": "r1", "step": "x"}], r"x"),
        ([{"row_id": "r1", "weight": -1}], r"below 0"),
        ([{"row_id": "r1", "weight": 1e300}], r"too large"),
        ([{"row_id": "r1", "phase": -2}], r"below 0"),
        ([{"row_id": "r1", "example": None}, {"row_id": "r2", "example": 0}], r"example"),
        ([{"row_id": "r1", "weight": None}, {"row_id": "r2", "weight": 1}], r"weight"),
        ([{"row_id": "r1", "step": 1, "slot": 2}, {"row_id": "r2", "step": 1, "slot": 2}], r"slot 2 of step 1"),
        ([{"row_id": "r1", "seed": 3}], r"another seed"),
        ([{"row_id": "r1", "slot": 3}], r"a slot is a place in a step"),
        ([{"row_id": "r1", "parent_id": {"a": 1}}], r"not one of text"),
    ],
)
def test_what_is_wrong_with_a_schedule_is_said(read: Read, lines: list[dict[str, Any]], says: str) -> None:
    with pytest.raises(SageError, match=says):
        read(*lines)


def test_settings_that_a_schedule_leaves_without_effect_are_refused() -> None:
    with pytest.raises(UsageError, match="epochs and max_steps would do nothing"):
        TrainConfig(model="m", schedule_file="s.arrow", epochs=2, max_steps=3)


def test_ids_that_are_not_unique_cannot_be_scheduled(tmp_path: Path) -> None:
    twice = read_selection(pa.table({"text": ["a", "b"], "sage_row_id": ["r", "r"]}))
    (tmp_path / "s.jsonl").write_text('{"row_id": "r"}\n')
    with pytest.raises(DataError, match="not unique"):
        read_schedule(tmp_path / "s.jsonl", rows(2, row_id=["r", "r"]), twice, TrainConfig(model="m"), pytest.fail)
