"""The record of consumed rows."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sage_select.errors import DataError
from sage_select.train.json_lines import JsonLines
from sage_select.train.ledger import Ledger, Step, read_steps

IDS = ["a", "b", "ü\n"]


def fill(path: Path, steps: int) -> None:
    ledger = Ledger(path, IDS, after=0)
    ledger.open()
    for step in range(steps):
        ledger.add([0, 1], [1.0, 2.0], [3, 4], [0.5, None])
        ledger.add([2], [0.5], [1])
        assert ledger.end_step().step == step + 1
    ledger.close()


def test_a_step_holds_its_rows_in_order(tmp_path: Path) -> None:
    fill(tmp_path / "l", 2)
    step = Step(1, ["a", "b", "ü\n"], [1.0, 2.0, 0.5], [3, 4, 1], [0.5, None, None])
    assert list(read_steps(tmp_path / "l")) == [step, Step(2, step.rows, step.losses, step.tokens, step.entropies)]


def test_resuming_cuts_off_what_came_after_the_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "l"
    fill(path, 5)
    before = path.read_text().splitlines()
    with path.open("a") as file:
        file.write('{"step": 6, "rows": ["a"')
    ledger = Ledger(path, IDS, after=3)
    ledger.add([1], [1.0], [1])
    assert len(path.read_text().splitlines()) == 6, "nothing is cut off before a step has been taken"
    ledger.open()
    ledger.end_step()
    ledger.close()
    steps = list(read_steps(path))
    assert [step.step for step in steps] == [1, 2, 3, 4]
    assert steps[3].rows == ["b"]
    assert path.read_text().splitlines()[:3] == before[:3]


def test_a_ledger_that_is_too_short_is_refused(tmp_path: Path) -> None:
    fill(tmp_path / "l", 2)
    with pytest.raises(DataError, match="does not reach the checkpoint"):
        Ledger(tmp_path / "l", IDS, after=3)


@pytest.mark.parametrize("tail", ["\0" * 40 + "\n", '{"step": 3, "ro\n', "{}\n\n", '{"step"'])
def test_what_follows_the_checkpoint_may_be_damaged(tmp_path: Path, tail: str) -> None:
    fill(tmp_path / "l", 2)
    before = (tmp_path / "l").read_text()
    with (tmp_path / "l").open("a") as file:
        file.write(tail)
    ledger = Ledger(tmp_path / "l", IDS, after=2)
    ledger.open()
    ledger.close()
    assert (tmp_path / "l").read_text() == before


def test_a_damaged_ledger_is_refused_with_its_line(tmp_path: Path) -> None:
    fill(tmp_path / "l", 1)
    with (tmp_path / "l").open("a") as file:
        file.write("{}\n")
    with pytest.raises(DataError, match="line 2"):
        list(read_steps(tmp_path / "l"))


@pytest.mark.parametrize(
    "line",
    [
        "[]",
        "5",
        '{"step": "1", "rows": [], "losses": [], "tokens": []}',
        '{"step": 1, "rows": 5, "losses": [], "tokens": []}',
        '{"step": 1, "rows": ["a"], "losses": ["x"], "tokens": [1]}',
        '{"step": 1, "rows": ["a"], "losses": [1.0], "tokens": []}',
        '{"step": 1, "rows": [[]], "losses": [1.0], "tokens": [1]}',
        "[" * 100_000,
    ],
    ids=lambda line: line[:40],
)
def test_a_line_that_is_no_step_is_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "l").write_text(line + "\n")
    with pytest.raises(DataError, match=r"line 1(.|\n)*--force"):
        list(read_steps(tmp_path / "l"))
    with pytest.raises(DataError):
        Ledger(tmp_path / "l", IDS, after=1)


def test_steps_that_come_twice_are_no_record_of_a_run(tmp_path: Path) -> None:
    fill(tmp_path / "l", 2)
    first = (tmp_path / "l").read_text().splitlines()[0]
    (tmp_path / "l").write_text(f"{first}\n{first}\n")
    with pytest.raises(DataError, match="does not reach the checkpoint"):
        Ledger(tmp_path / "l", IDS, after=2)


def test_the_old_record_stands_until_the_new_one_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path / "l", 3)
    before = (tmp_path / "l").read_text()

    def killed(self: JsonLines, values: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(JsonLines, "write", killed)
    with pytest.raises(KeyboardInterrupt):
        Ledger(tmp_path / "l", IDS, after=2).open()
    assert (tmp_path / "l").read_text() == before


def test_a_record_that_is_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "l")
    with pytest.raises(DataError, match="does not reach the checkpoint"):
        Ledger(tmp_path / "l", IDS, after=1)
