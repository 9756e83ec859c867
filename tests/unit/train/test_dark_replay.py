"""Dark experience replay: what is stored of a trained model, beside which rows, and the loss that is made of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from model_classes import VOCABULARY, make_model
from training_rows import training_rows
from training_runs import SETTINGS

from sage_select import ReplayBuffer, select
from sage_select.errors import DataError, UsageError
from sage_select.render.quiet import quiet_libraries
from sage_select.train import TrainConfig, TrainResult, train
from sage_select.train.data import TrainingRows
from sage_select.train.distilling.row_logits import TYPE, ReplayedLogits, row_logits
from sage_select.train.distilling.vocabulary import vocabulary_digest
from sage_select.train.replaying import ending
from sage_select.train.replaying.recorded import read_replayed

pytestmark = [pytest.mark.train, pytest.mark.usefixtures("interruptible")]

#: The last examples are of rows that are replayed; d has two of them.
IDS = ["a", "b", "c", "d", "d", "e", "f"]
WIDTHS = {"c": 5, "d": VOCABULARY - 1, "e": 9}
WEIGHTS = (1.0, 0.5, 2.0, 1.0, 1.0, 0.25, 1.0)


class Words:
    """A tokenizer of which only the tokens are asked for."""

    def __init__(self, first: str = "w0") -> None:
        self.first = first

    def get_vocab(self) -> dict[str, int]:
        return {self.first: 0, **{f"w{number}": number for number in range(1, VOCABULARY)}}


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    pytest.importorskip("trl")
    with quiet_libraries():
        yield


@pytest.fixture(scope="module")
def rows() -> TrainingRows:
    draw = np.random.default_rng(1)
    ids = [draw.integers(3, VOCABULARY, length).tolist() for length in (9, 12, 5, 12, 3, 7, 6)]
    labels = [[-100] * 2 + row[2:] for row in ids]
    lists = pa.large_list(pa.int32())
    table = pa.table({"input_ids": pa.array(ids, lists), "labels": pa.array(labels, lists)})
    return training_rows(table, weight=list(WEIGHTS), row_id=IDS)


def asked(model: Any, rows: TrainingRows, widths: dict[str, int]) -> pa.Array:
    """Return what a model says of rows, of each so many tokens as is said."""
    from sage_select.train.distilling.examples import examples_of
    from sage_select.train.distilling.log_probs import LogProbs

    model.get_base_model = lambda: model
    found = []
    for row_id, k in widths.items():
        examples = [one for one in examples_of(rows) if one.row_id == row_id]
        ask = LogProbs(model, examples[0].ids.tolist(), k=k, known=VOCABULARY, temperatures=(1.0,), batch_size=2)
        found.append(row_logits([row_id], examples, ask(examples), vocabulary_digest(Words())))
    return pa.concat_arrays(found)


def held_of(rows: TrainingRows, logits: pa.Array, tokenizer: Any = None) -> ReplayedLogits:
    held = {row_id: place for place, row_id in enumerate([*WIDTHS, "f"])}
    return ReplayedLogits(rows, held, pa.concat_arrays([logits, pa.nulls(1, TYPE)]), tokenizer or Words())


def plain(student: Any, teacher: Any, rows: TrainingRows, alpha: float, beta: float) -> Any:
    """Return the formula in float64, token by token, from all logits of both models."""
    import torch

    total, tokens = torch.zeros((), dtype=torch.float64), 0
    columns = (rows.table[name].to_pylist() for name in ("input_ids", "labels", "weight"))
    for row_id, ids, labels, weight in zip(rows.row_ids, *columns, strict=True):
        ours, theirs = (one(torch.tensor([ids]), use_cache=False).logits[0, :-1] for one in (student, teacher))
        for at, label in enumerate(labels[1:]):
            if label == -100:
                continue
            tokens += 1
            own = -ours[at].log_softmax(-1)[label]
            if row_id not in WIDTHS:
                total = total + weight * own
                continue
            log_q, p = ours[at, :VOCABULARY].log_softmax(-1), theirs[at, :VOCABULARY].softmax(-1).detach()
            top = p.topk(WIDTHS[row_id]).indices
            rest = torch.ones(VOCABULARY, dtype=torch.bool)
            rest[top] = False
            kl = (p[top] * (p[top].log() - log_q[top])).sum()
            kl = kl + p[rest].sum() * (p[rest].sum().log() - log_q[rest].logsumexp(0))
            total = total + weight * (alpha * kl + beta * own)
    return total / tokens


@pytest.mark.parametrize(("alpha", "beta"), [(0.5, 0.5), (2.0, 0.0), (0.1, 1.0)])
@pytest.mark.parametrize("packed", [False, True])
def test_loss_and_gradient_are_those_of_the_formula(
    alpha: float, beta: float, packed: bool, rows: TrainingRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sage_select.train.collate import StepCollator
    from sage_select.train.distilling import objective as module
    from sage_select.train.distilling.divergences import forward_kl
    from sage_select.train.distilling.head import Head
    from sage_select.train.packing import Layout
    from sage_select.train.schedule import Schedule

    monkeypatch.setattr(module, "_CHUNK", 4)
    student, teacher = make_model("llama").eval(), make_model("llama", hidden_size=64, vocab_size=72).eval()
    found = held_of(rows, asked(teacher, rows, WIDTHS))
    assert (found.taught, found.without) == (3, {"without": 1})
    exact = deepcopy(student).double()
    expected = plain(exact, deepcopy(teacher).double(), rows, alpha, beta)
    expected.backward()
    objective = module.Distilled(
        Head(student, [3, 4, 5]), found.teacher(), alpha=alpha, temperature=1.0, divergence=forward_kl, own=beta
    )
    config = TrainConfig(model="m", batch_size=2, gradient_accumulation=4, max_steps=1)
    schedule = Schedule.of(rows, config)
    lengths = rows.lengths[schedule.places]
    layout = (
        Layout.packing(schedule.starts, lengths, schedule.phases, per_pass=2, lookback=4)
        if packed
        else Layout.by_length(schedule.starts, lengths, per_pass=2)
    )
    passes = StepCollator(rows.table, schedule, layout, 0)([{"step": 0}])["passes"]
    tokens = sum(int((one["labels"][:, 1:] != -100).sum()) for one in passes)
    loss: Any = 0.0
    for one in passes:
        inputs = dict(one)
        place, _, weight = (inputs.pop(name) for name in ("place", "slot", "weight"))
        loss = loss + (objective(student, inputs, place).sums * weight).sum() / tokens
    loss.backward()
    # What is stored is rounded to 16 bits.
    assert loss.item() == pytest.approx(expected.item(), rel=2e-4)
    gradients = {name: weight.grad for name, weight in exact.named_parameters()}
    largest = max(one.abs().max().item() for one in gradients.values())
    for name, weight in student.named_parameters():
        assert (weight.grad.double() - gradients[name]).abs().max().item() < 2e-3 * largest, name


def test_what_is_stored_of_other_tokens_is_told_and_not_used(rows: TrainingRows) -> None:
    logits = asked(make_model("llama").eval(), rows, WIDTHS)
    other = held_of(rows, logits, Words("another"))
    assert (other.taught, other.without) == (0, {"of another tokenizer": 3, "without": 1})
    columns = {name: rows.table[name].to_pylist() for name in ("input_ids", "labels")}
    for column in columns.values():
        column[4] = [*column[4][:2], 7]  # the second example of d
    lists = pa.large_list(pa.int32())
    table = pa.table({name: pa.array(column, lists) for name, column in columns.items()})
    changed = held_of(training_rows(table, row_id=IDS), logits)
    assert changed.taught == 2
    assert "of 4 rows to replay 2 have stored logits" in changed.told()
    assert "1 of other tokens" in changed.told()
    broken = logits.to_pylist()
    broken[0]["tails"].pop()
    with pytest.raises(DataError, match=r"row 'c'.*damaged"):
        held_of(rows, pa.array(broken, TYPE))
    with pytest.raises(DataError, match="of another kind"):
        ReplayedLogits(rows, {}, pa.array([1]), Words())


# Runs


def chats(name: str, n: int) -> pa.Table:
    messages = [
        [
            {"role": "user", "content": f"find {name} {number}"},
            {"role": "assistant", "content": f"{name} " * (1 + number % 4) + str(number)},
        ]
        for number in range(n)
    ]
    return pa.table({"messages": messages, "sage_row_id": [f"{name}-{number}" for number in range(n)]})


class Runs:
    """Training runs on one buffer."""

    def __init__(self, model: Path, folder: Path) -> None:
        self.model, self.folder, self.buffer = model, folder, folder / "buffer"
        self.notices: list[str] = []

    def __call__(self, table: Any, name: str, *, stop_at: int | None = None, **settings: Any) -> TrainResult:
        class Stage:
            def __init__(self, label: str) -> None:
                self.label = label

            def __enter__(self) -> Callable[..., None]:
                return self.step

            def __exit__(self, *_: object) -> None:
                pass

            def step(self, done: int, *_: object) -> None:
                if self.label == "training" and done == stop_at:
                    raise KeyboardInterrupt

        base = {**SETTINGS, "model": str(self.model), "output_dir": self.folder / name, "replay": self.buffer}
        config = TrainConfig(**{**base, "lora_dropout": 0.0, "epochs": 1, **settings})
        return train(table, config, stages=Stage, notice=self.notices.append)

    def losses(self, name: str) -> dict[str, float]:
        first = json.loads((self.folder / name / "logs/consumed.jsonl").read_text().splitlines()[0])
        return dict(zip(first["rows"], first["losses"], strict=True))

    def open(self) -> ReplayBuffer:
        return ReplayBuffer.open(self.buffer, create=False)

    def told(self, text: str) -> bool:
        return any(text in one for one in self.notices)


@pytest.fixture
def runs(tiny_model: Path, tmp_path: Path) -> Runs:
    return Runs(tiny_model, tmp_path)


#: A run that replays as many rows as it has new ones, all in one step, and leaves the buffer as it is.
AFTER: dict[str, Any] = {"replay_ratio": 1, "replay_update": False, "batch_size": 9, "method": "dark_replay"}


def test_what_was_learned_is_stored_and_replayed(runs: Runs) -> None:
    first = runs(chats("old", 6), "first", replay_logits=8)
    assert first.replay is not None
    assert first.replay["update"]["logits"]["rows"] == 6
    stored = runs.open().logits()
    assert stored is not None
    trained = sum(len(one["tails"]) for one in stored.to_pylist())
    # A name, a digest of 16 bytes, offsets: the rest are 6 bytes for each of 8 tokens and 4.
    assert 0 < first.replay["update"]["logits"]["bytes"] - trained * (6 * 8 + 4) < 6 * 128
    assert runs.told("stored what the model says of 6 rows that came into the replay buffer: ")
    about = {**AFTER, "from_adapter": runs.folder / "first", "packing": True}
    runs(chats("new", 6), "dark", dark_alpha=0.7, dark_beta=0.25, **about)
    assert runs.told("of 6 rows to replay 6 have stored logits")
    runs(chats("new", 6), "plain", **{**about, "method": "sft"})
    dark, plain = runs.losses("dark"), runs.losses("plain")
    assert {*dark} == {*plain} == {f"{name}-{number}" for name in ("old", "new") for number in range(6)}
    # Before its first step the model says what it said, so that nothing but the tokens is left.
    for row_id, loss in plain.items():
        assert dark[row_id] == pytest.approx(loss * (0.25 if row_id.startswith("old") else 1), rel=1e-4, abs=1e-5)
    runs(chats("new", 6), "other", dark_alpha=0.7, dark_beta=0, **{**about, "from_adapter": None})
    assert all(loss > 1e-3 for row_id, loss in runs.losses("other").items() if row_id.startswith("old"))
    # What does not go by it holds none of it, and nobody else sees it.
    assert read_replayed(runs.folder / "dark" / "replayed.arrow").logits is not None
    assert read_replayed(runs.folder / "plain" / "replayed.arrow").logits is None
    assert runs.open().table().column_names == ["messages", "sage_row_id"]
    built = select(chats("week", 4), strategy="random", k=4, replay=str(runs.buffer), replay_ratio=0.5).table()
    assert built.num_rows == 6
    assert not [name for name in built.column_names if name.startswith("sage_replay")]


@pytest.mark.parametrize("adapter", ["lora", "full"])
def test_a_run_that_was_cut_off_before_it_stored_them_makes_up_for_it(
    runs: Runs, adapter: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"replay_logits": 5, "adapter": adapter, "learning_rate": 1e-3}
    if adapter == "full":
        settings |= {"lora_dropout": 0.05, "lora_r": 64}
    runs(chats("old", 5), "whole", **settings)
    straight = runs.open().logits()
    shutil.rmtree(runs.buffer)

    def dies(*_: Any) -> Any:
        raise SystemExit(9)

    with monkeypatch.context() as patch:
        patch.setattr(ending, "offer", dies)
        with pytest.raises(SystemExit):
            runs(chats("old", 5), "run", **settings)
    assert runs(chats("old", 5), "run", **settings).cached
    assert runs.open().logits().equals(straight)  # type: ignore[union-attr]
    assert runs.open().stats()["updates"] == 1


def test_a_run_goes_on_to_the_same_weights_though_the_buffer_is_gone(runs: Runs) -> None:
    runs(chats("old", 7), "first", replay_logits=4)
    about = {"replay_ratio": 1, "replay_update": False, "method": "dark_replay", "save_steps": 1, "lora_dropout": 0.1}
    whole = runs(chats("new", 7), "whole", **about)
    with pytest.raises(KeyboardInterrupt):
        runs(chats("new", 7), "run", stop_at=2, **about)
    shutil.rmtree(runs.buffer)
    resumed = runs(chats("new", 7), "run", resume=True, **about)
    assert resumed.resumed_from > 0
    assert (resumed.adapter_digest, resumed.fingerprint) == (whole.adapter_digest, whole.fingerprint)
    for name in ("schedule.arrow", "replayed.arrow", "ledger.arrow"):
        assert (runs.folder / "run" / name).read_bytes() == (runs.folder / "whole" / name).read_bytes()


def test_only_rows_that_come_in_are_asked_about_and_rows_without_are_trained_plainly(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sage_select.train.distilling.log_probs import LogProbs

    own, seen = LogProbs.__call__, list[str]()

    def noted(self: Any, examples: Any) -> Any:
        seen.extend(one.row_id for one in examples)
        return own(self, examples)

    monkeypatch.setattr(LogProbs, "__call__", noted)
    # Earlier rows have none.
    ReplayBuffer.open(runs.buffer, 6).update(chats("before", 6))
    result = runs(chats("old", 12), "first", replay_ratio=0, replay_logits=3)
    there = [one for one in runs.open().ids().to_pylist() if one.startswith("old")]
    assert result.replay is not None
    assert sorted(seen) == sorted(there)
    assert 0 < result.replay["update"]["logits"]["rows"] == len(there) < 6
    # None comes in: no model is asked.
    seen.clear()
    again = runs(chats("old", 12), "again", replay_ratio=0, replay_logits=3)
    assert again.replay is not None
    assert not seen
    assert "logits" not in again.replay["update"]
    runs(chats("new", 6), "dark", **AFTER)
    assert runs.told(f"of 6 rows to replay {len(there)} ha"), runs.notices
    assert runs.told(f"{6 - len(there)} without")
    # Longer rows than there may be now have other tokens.
    runs(chats("new", 6), "cut", **{**AFTER, "max_length": 16, "on_long_row": "keep_end"})
    assert runs.told("of other tokens: another template, or another way to cut rows")
    runs.open().delete(runs.open().ids())
    runs(chats("new", 6), "none", **AFTER)
    assert runs.told("no row is replayed: all are trained on their own tokens")


def test_a_buffer_that_is_changed_while_the_model_is_asked_has_what_fits(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sage_select.train.replaying.model_logits import ModelLogits

    own = ModelLogits.__call__

    def beside(self: Any, row_ids: Any) -> Any:
        # Earlier rows come in as well, about which nobody was asked, and one of the four never does.
        assert row_ids == [f"old-{number}" for number in range(2, 6)]
        ReplayBuffer.open(runs.buffer).resize(5)
        ReplayBuffer.open(runs.buffer).delete(["old-3"])
        return own(self, row_ids)

    monkeypatch.setattr(ModelLogits, "__call__", beside)
    ReplayBuffer.open(runs.buffer, 4, policy="fifo")
    result = runs(chats("old", 6), "first", replay_logits=3)
    assert result.replay is not None
    update = result.replay["update"]
    found = runs.open()
    assert found.ids().to_pylist() == ["old-0", "old-1", "old-2", "old-4", "old-5"]
    stored = dict(zip(found.ids().to_pylist(), found.logits().is_valid().to_pylist(), strict=True))  # type: ignore[union-attr]
    assert {name for name, there in stored.items() if there} == {"old-2", "old-4", "old-5"}
    assert update["logits"]["rows"] == 3


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"replay": None, "method": "dark_replay"}, "--method dark_replay is for rows that are replayed"),
        ({"replay": None, "replay_logits": 4}, "replay_logits is for replay"),
        ({"replay_logits": 4, "replay_update": False}, "replay_logits would do nothing"),
        ({"replay_logits": -1}, "at least 0, got -1"),
        ({"dark_alpha": 0.5}, "method 'sft' does not use dark_alpha; dark_replay does"),
        ({"method": "dark_replay", "dark_alpha": 0}, "more than 0, got 0"),
        ({"method": "dark_replay", "dark_beta": -1}, "at least 0, got -1"),
    ],
)
def test_settings_that_do_not_go_together(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        TrainConfig(**{"model": "m", "replay": Path("b"), **settings})


def test_more_tokens_than_there_are_cannot_be_stored(runs: Runs) -> None:
    with pytest.raises(UsageError, match=r"there are only \d+ tokens(.|\n)*--replay-logits \d+ or less"):
        runs(chats("old", 4), "first", replay_logits=100_000)
    assert not (runs.folder / "first" / "run.json").exists()
