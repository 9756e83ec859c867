"""The ledger of a run as a table: what it holds, that it is what training said, and what a selection makes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from training_runs import Chats, Runner

from sage_select import select
from sage_select.errors import DataError, UsageError

pytestmark = [pytest.mark.train, pytest.mark.usefixtures("interruptible")]


@pytest.fixture
def run(tiny_model: Path, tmp_path: Path, chats: Chats) -> Runner:
    return Runner(tiny_model, tmp_path, chats(7))


def read(path: Path) -> pa.Table:
    return pa.ipc.open_file(path).read_all()


def test_the_ledger_is_what_training_recorded_of_each_row(run: Runner) -> None:
    result = run("run")
    table = read(result.output_dir / "ledger.arrow")
    schedule = read(result.output_dir / "schedule.arrow")
    assert table.column_names == ["row_id", "example", "pass", "phase", "step", "loss", "entropy", "tokens"]
    for name in ("row_id", "example", "step", "phase"):
        assert table[name].equals(schedule[name]), name
    steps = run.steps()
    for name, key in (("row_id", "rows"), ("loss", "losses"), ("entropy", "entropies"), ("tokens", "tokens")):
        assert table[name].to_pylist() == [one for step in steps for one in step[key]]
    assert table["pass"].to_pylist() == [1] * 7 + [2] * 7 + [3] * 7
    # A freshly made model guesses: its entropy is near that of the whole vocabulary.
    entropy = table["entropy"].to_numpy()
    assert np.isfinite(entropy).all()
    assert 0.8 * np.log(320) < entropy[:4].mean() <= np.log(320) + 1e-5
    again = run("again")
    assert (again.output_dir / "ledger.arrow").read_bytes() == (result.output_dir / "ledger.arrow").read_bytes()


def test_entropies_are_those_of_the_model(run: Runner) -> None:
    from transformers import AutoModelForCausalLM

    from sage_select.render.quiet import quiet_libraries
    from sage_select.train import TrainConfig
    from sage_select.train.base_model import open_renderer
    from sage_select.train.data import tokenise
    from sage_select.train.selection import load_selection

    result = run("run", max_steps=1, lora_dropout=0.0)
    entropies = read(result.output_dir / "ledger.arrow")["entropy"].to_pylist()
    config = TrainConfig(model=str(run.model))
    with quiet_libraries():
        model = AutoModelForCausalLM.from_pretrained(run.model, dtype=torch.float32).eval()
    table = tokenise(load_selection(run.rows, config), open_renderer(config)).table
    for place, found in enumerate(entropies):
        ids, labels = (torch.tensor(table[name][place].as_py()) for name in ("input_ids", "labels"))
        with torch.no_grad():
            logs = model(ids[None]).logits[0, :-1].log_softmax(-1)
        plain = -(logs.exp() * logs).sum(-1)[labels[1:] != -100].mean().item()
        assert found == pytest.approx(plain, rel=1e-4)


def ledger(rows: list[tuple[str, int, float, int]]) -> pa.Table:
    names = ("row_id", "pass", "loss", "tokens")
    return pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))


ROWS = [("a", 1, 3.0, 1), ("b", 1, 2.0, 4), ("a", 1, 1.0, 3), ("b", 2, 2.5, 4), ("a", 2, 1.0, 2), ("b", 3, 2.6, 4)]


@pytest.mark.parametrize(
    ("figure", "expected"),
    [
        ("mean_loss", {"a": (3.0 + 3.0 + 2.0) / 6, "b": (2.0 + 2.5 + 2.6) / 3}),
        ("last_loss", {"a": 1.0, "b": 2.6}),
        ("forgetting", {"a": 0.0, "b": 2.0}),
    ],
)
def test_a_selection_is_scored_by_a_ledger(tmp_path: Path, figure: str, expected: dict[str, float]) -> None:
    path = tmp_path / "ledger.parquet"
    pa.parquet.write_table(ledger(ROWS), path)
    rows: list[dict[str, Any]] = [{"id": name, "prompt": f"say {name}", "completion": name} for name in ("b", "a")]
    found = select(rows, strategy="loss_topk", id_column="id", budget=2, ledger=str(path), ledger_score=figure).table()
    assert dict(zip(found["sage_row_id"].to_pylist(), found["sage_score"].to_pylist(), strict=True)) == pytest.approx(
        expected
    )


def test_forgetting_by_a_loss_up_to_which_rows_are_known(tmp_path: Path) -> None:
    losses = {"never": [3, 2, 4], "always": [1, 0.5, 1.5], "once": [1, 2, 3], "twice": [1, 2, 1, 3], "learned": [3, 1]}
    path = tmp_path / "ledger.parquet"
    rows = [(name, number, loss, 2) for name, own in losses.items() for number, loss in enumerate(own, start=1)]
    pa.parquet.write_table(ledger(rows), path)
    found = select(
        [{"id": name, "prompt": f"say {name}", "completion": name} for name in losses],
        strategy="loss_topk",
        id_column="id",
        budget=5,
        ledger=str(path),
        ledger_score="forgetting",
        forgetting_loss=1.5,
    ).table()
    counts = dict(zip(found["sage_row_id"].to_pylist(), found["sage_score"].to_pylist(), strict=True))
    assert counts == {"never": 4, "always": 0, "once": 1, "twice": 2, "learned": 0}
    with pytest.raises(UsageError, match="does not use forgetting_loss"):
        select([{"text": "a"}], strategy="loss_topk", budget=1, ledger="l", forgetting_loss=1.0)


def test_rows_that_a_ledger_does_not_know_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "ledger.parquet"
    pa.parquet.write_table(ledger(ROWS), path)
    rows: list[dict[str, Any]] = [{"id": name, "prompt": f"say {name}", "completion": name} for name in ("b", "a", "c")]
    with pytest.raises(DataError, match=r"1 row of 3 are not in the ledger(.|\n)*ids c"):
        select(rows, strategy="loss_topk", id_column="id", budget=2, ledger=str(path))
    for end, figure in (("lowest", 8 / 6), ("highest", 7.1 / 3)):
        known = {"ledger": str(path), "ledger_unknown": end}
        found = select(rows, strategy="loss_topk", budget=3, id_column="id", **known)
        scores = dict(zip(*(found.table()[name].to_pylist() for name in ("sage_row_id", "sage_score")), strict=True))
        assert scores["c"] == pytest.approx(figure)
        assert any("1 row of 3 are not in the ledger" in text for text in found.notices)
    with pytest.raises(DataError, match="no entropy"):
        select(rows[:2], strategy="loss_topk", id_column="id", budget=2, ledger=str(path), ledger_score="entropy")
    pa.parquet.write_table(ledger(ROWS).drop_columns("pass"), path)
    with pytest.raises(DataError, match=r"this is no ledger(.|\n)*no pass"):
        select(rows[:2], strategy="loss_topk", id_column="id", budget=2, ledger=str(path))
    with pytest.raises(UsageError):
        select(rows[:2], strategy="loss_topk", id_column="id", budget=2, ledger_score="forgetting")


def test_a_run_s_ledger_scores_its_own_selection(run: Runner) -> None:
    result = run("run")
    rows = run.rows.rename_columns(["messages", "id"])
    found = select(
        rows, strategy="loss_topk", id_column="id", budget=3, ledger=str(result.output_dir / "ledger.arrow")
    ).table()
    assert found.num_rows == 3
