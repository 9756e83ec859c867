"""Runs that replay rows of a buffer: what they train, what they hold, and what becomes of the buffer."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from training_runs import SETTINGS

from sage_select import ReplayBuffer
from sage_select.errors import DataError, OutputError, SageError, UsageError
from sage_select.io.commit.lock import locked
from sage_select.train import TrainConfig, TrainResult, preflight, train
from sage_select.train.base_model import open_renderer
from sage_select.train.data import tokenise_as
from sage_select.train.describe import describe
from sage_select.train.replaying import ending, known_rows
from sage_select.train.replaying.offer import offered_rows
from sage_select.train.replaying.recorded import read_replayed
from sage_select.train.selection import load_selection, read_selection

pytestmark = [pytest.mark.train, pytest.mark.usefixtures("interruptible")]


def rows(name: str, n: int, key: str = "seen", **more: list[Any]) -> pa.Table:
    """Return chats of a data set, whose turns have another key besides."""
    messages = [
        [
            {"role": "user", "content": f"find {name} {number}", key: True},
            {"role": "assistant", "content": f"{name} " * (1 + number % 4) + str(number)},
        ]
        for number in range(n)
    ]
    return pa.table({"messages": messages, "sage_row_id": [f"{name}-{number}" for number in range(n)], **more})


class Runs:
    """Training runs on one buffer."""

    def __init__(self, model: Path, folder: Path) -> None:
        self.model, self.folder, self.buffer = model, folder, folder / "buffer"
        self.notices: list[str] = []

    def config(self, name: str, **settings: Any) -> TrainConfig:
        base = {**SETTINGS, "model": str(self.model), "output_dir": self.folder / name, "replay": self.buffer}
        return TrainConfig(**{**base, **settings})

    def __call__(
        self,
        table: Any,
        name: str,
        *,
        at: int | None = None,
        then: Callable[[], None] = lambda: None,
        eval_data: Any = None,
        **settings: Any,
    ) -> TrainResult:
        """Train; once a step has been taken do something `then`."""

        class Stage:
            def __init__(self, label: str) -> None:
                self.label = label

            def __enter__(self) -> Callable[..., None]:
                return self.step

            def __exit__(self, *_: object) -> None:
                pass

            def step(self, done: int, *_: object) -> None:
                if self.label == "training" and done == at:
                    then()

        config = self.config(name, **settings)
        return train(table, config, eval_data=eval_data, stages=Stage, notice=self.notices.append)

    def schedule(self, name: str) -> list[dict[str, Any]]:
        with pa.ipc.open_file(self.folder / name / "schedule.arrow") as file:
            return file.read_all().to_pylist()  # type: ignore[no-any-return]

    def open(self) -> ReplayBuffer:
        return ReplayBuffer.open(self.buffer, create=False)

    def told(self, text: str) -> bool:
        return any(text in one for one in self.notices)


@pytest.fixture
def runs(tiny_model: Path, tmp_path: Path) -> Runs:
    return Runs(tiny_model, tmp_path)


def interrupt() -> None:
    raise KeyboardInterrupt


def files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_three_data_sets_in_sequence(runs: Runs) -> None:
    results = []
    for number, name in enumerate("abc"):
        more = {"from_adapter": runs.folder / "ab"[number - 1]} if number else {}
        results.append(runs(rows(name, 6, key=name), name, epochs=2, replay_ratio="1/3", replay_task=name, **more))
    assert runs.told("no replay buffer in")
    assert [one.replay["times"] for one in results if one.replay] == [0, 4, 4]
    for number, name in enumerate("abc"):
        entries = runs.schedule(name)
        new = [one["row_id"] for one in entries if one["origin"] == "core"]
        assert new == [f"{name}-{place}" for place in range(6)] * 2
        replayed = 0
        for place, one in enumerate(entries, 1):
            replayed += one["origin"] == "replayed"
            if number and (place == len(entries) or entries[place]["origin"] == "core"):
                assert replayed == (place - replayed) // 3
        assert {one["row_id"][0] for one in entries if one["origin"] == "replayed"} <= set("abc"[:number])
        assert [one["task"] for one in entries] == [one["row_id"][0] for one in entries]
        consumed = [json.loads(line) for line in (runs.folder / name / "logs/consumed.jsonl").read_text().splitlines()]
        assert [row for step in consumed for row in step["rows"]] == [one["row_id"] for one in entries]
    assert results[1].schedule["passes"] == 2
    last = runs.open()
    assert last.stats()["groups"] == {"a": 6, "b": 6, "c": 6}
    with pa.ipc.open_file(runs.folder / "c" / "ledger.arrow") as file:
        losses = {one["row_id"]: one["loss"] for one in file.read_all().to_pylist() if one["pass"] == 2}
    members = {one["row_id"]: one for one in last.members().to_pylist()}
    assert all(members[f"c-{number}"]["score"] == pytest.approx(losses[f"c-{number}"]) for number in range(6))
    assert results[2].replay is not None
    assert sum(members[f"c-{number}"]["tokens"] for number in range(6)) * 2 == results[2].replay["new_tokens"]
    # The same again changes nothing, and says what it did.
    again = runs(
        rows("c", 6, key="c"), "c", epochs=2, replay_ratio="1/3", replay_task="c", from_adapter=runs.folder / "b"
    )
    assert again.cached
    assert again.replay == results[2].replay
    assert runs.open().commit == last.commit == 3
    shown = describe(runs.folder / "c")["replay"]
    assert (shown["commit"], shown["times"], shown["new_times"], shown["update"]) == (2, 4, 12, 3)


@pytest.mark.parametrize("killed", [False, True])
def test_a_run_goes_on_though_its_buffer_has_changed_or_is_gone(runs: Runs, killed: bool) -> None:
    ReplayBuffer.open(runs.buffer, 9).update(rows("old", 9))
    settings = {"replay_update": False, "replay_ratio": 1}
    whole = runs(rows("new", 7), "whole", **settings)
    for _ in range(2):
        assert len({one["row_id"] for one in runs.schedule("whole") if one["origin"] == "replayed"}) == 9
    left = runs.folder / "left"
    if killed:
        runs(rows("new", 7), "run", at=3, then=lambda: shutil.copytree(runs.folder / "run", left), **settings)
        shutil.rmtree(runs.folder / "run")
        left.rename(runs.folder / "run")
    else:
        with pytest.raises(KeyboardInterrupt):
            runs(rows("new", 7), "run", at=3, then=interrupt, **settings)
    planned = (runs.folder / "run" / "replayed.arrow").read_bytes()
    assert planned == (runs.folder / "whole" / "replayed.arrow").read_bytes()
    buffer = runs.open()
    buffer.delete(["old-1", "old-2"])
    buffer.update(rows("newer", 30))
    if killed:
        shutil.rmtree(runs.buffer)
    resumed = runs(rows("new", 7), "run", resume=True, **settings)
    assert resumed.resumed_from > 0
    assert resumed.adapter_digest == whole.adapter_digest
    assert resumed.fingerprint == whole.fingerprint
    for name in ("schedule.arrow", "replayed.arrow", "ledger.arrow"):
        assert (runs.folder / "run" / name).read_bytes() == (runs.folder / "whole" / name).read_bytes()


@pytest.fixture(params=["before", "after"])
def dying(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have the program end before, or just after, rows are offered to the buffer."""
    offer = ending.offer

    def dies(*given: Any) -> Any:
        if request.param == "after":
            offer(*given)
        raise SystemExit(9)

    monkeypatch.setattr(ending, "offer", dies)
    yield
    monkeypatch.setattr(ending, "offer", offer)


@pytest.mark.parametrize("resume", [False, True])
def test_what_was_cut_off_is_made_up_for_and_done_once(
    runs: Runs, dying: None, monkeypatch: pytest.MonkeyPatch, resume: bool
) -> None:
    ReplayBuffer.open(runs.buffer, 3, policy="fifo")
    with pytest.raises(SystemExit):
        runs(rows("a", 5), "run", epochs=1)
    monkeypatch.undo()
    made = runs(rows("a", 5), "run", epochs=1, resume=resume)
    assert made.cached
    assert made.replay is not None
    assert made.replay["update"]["done"]
    # Those that came last: offered once more, the first two would have come in again.
    assert runs.open().ids().to_pylist() == ["a-2", "a-3", "a-4"]
    assert runs.open().stats()["updates"] == 1
    assert runs(rows("a", 5), "run", epochs=1).replay == made.replay


def test_a_buffer_that_is_locked_at_the_end_is_told_and_made_up_for(runs: Runs) -> None:
    ReplayBuffer.open(runs.buffer)
    busy = OutputError("busy")
    with locked(runs.buffer / ".lock", busy=busy), pytest.raises(OutputError, match="another process is writing"):
        runs(rows("a", 5), "run", epochs=1)
    assert not (runs.folder / "run" / "run.json").exists()
    lock = locked(runs.buffer / ".lock", busy=busy)
    result = runs(rows("a", 5), "run", at=2, then=lock.__enter__, epochs=1)
    lock.__exit__(None, None, None)
    assert (result.output_dir / "lora_weights" / "adapter_model.safetensors").is_file()
    assert runs.told("the same command again makes up for it")
    assert len(runs.open()) == 0
    assert runs(rows("a", 5), "run", epochs=1).cached
    assert len(runs.open()) == 5


def test_rows_that_were_deleted_are_not_replayed_and_never_come_back(runs: Runs) -> None:
    old = rows("old", 8)
    runs.buffer.parent.mkdir(exist_ok=True)
    ReplayBuffer.open(runs.buffer).update(old)
    gone = [f"old-{number}" for number in range(6)]
    runs.open().delete(gone)
    result = runs(rows("a", 6), "a", epochs=1, replay_ratio=1)
    assert result.replay is not None
    assert (result.replay["rows"], result.replay["times"], result.replay["most"]) == (2, 6, 3)
    assert runs.told("none again before all others")
    drawn = [one["row_id"] for one in runs.schedule("a") if one["origin"] == "replayed"]
    assert all({*drawn[at : at + 2]} == {"old-6", "old-7"} for at in (0, 2, 4))
    runs(old, "again", epochs=1)
    assert not {*runs.open().ids().to_pylist()} & {*gone}


def test_a_replayed_row_is_trained_as_if_it_were_of_the_selection(runs: Runs) -> None:
    old = rows("old", 1, sage_weight=[0.5], sage_parent_id=["ancestor"], sage_phase=[7], sage_origin=["augmented"])
    ReplayBuffer.open(runs.buffer).update(old)
    settings = {"max_steps": 1, "lora_dropout": 0.0, "replay_update": False}
    runs(rows("a", 3), "both", replay_ratio="1/3", **settings)
    runs(old, "alone", replay_ratio=0, **settings)
    both, alone = (json.loads((runs.folder / name / "logs/consumed.jsonl").read_text()) for name in ("both", "alone"))
    assert both["rows"][-1] == "old-0"
    assert both["losses"][-1] == pytest.approx(alone["losses"][0], rel=1e-5)
    assert both["tokens"][-1] == alone["tokens"][0]
    last = runs.schedule("both")[-1]
    assert (last["origin"], last["weight"], last["parent_id"], last["phase"]) == ("replayed", 0.5, "ancestor", None)


def test_rows_of_the_selection_are_not_replayed_and_a_commit_makes_another_run(runs: Runs) -> None:
    buffer = ReplayBuffer.open(runs.buffer)
    buffer.update(rows("a", 6))
    before = files(runs.folder)
    first = preflight(rows("a", 4), runs.config("x"), notice=runs.notices.append)
    assert first.replay is not None
    assert (first.replay["of_the_selection"], first.replay["rows"]) == (4, 2)
    assert runs.told("are of the selection, and not replayed")
    # Looking writes nothing, and the same is the same.
    assert files(runs.folder) == before
    assert preflight(rows("a", 4), runs.config("x")).prepared.fingerprint == first.prepared.fingerprint
    for settings in ({"seed": 1}, {"replay_ratio": "1/2"}, {"replay_basis": "tokens_of_total"}):
        assert preflight(rows("a", 4), runs.config("x", **settings)).prepared.identity != first.prepared.identity
    buffer.update(rows("b", 1))
    other = preflight(rows("a", 4), runs.config("x")).prepared.identity
    assert other["replay buffer"] != first.prepared.identity["replay buffer"]
    assert {name for name, value in other.items() if value != first.prepared.identity[name]} <= {
        "replay buffer",
        "schedule of the steps",
    }


def test_an_unfinished_run_is_not_taken_for_one_with_another_ratio_or_length(runs: Runs) -> None:
    ReplayBuffer.open(runs.buffer).update(rows("old", 9))
    with pytest.raises(KeyboardInterrupt):
        runs(rows("a", 7), "run", at=2, then=interrupt, lr_schedule="constant", warmup=0)
    with pytest.raises(OutputError, match=r"replay_ratio: 1/4 of_new before, 1/2 of_new now"):
        runs(rows("a", 7), "run", resume=True, replay_ratio="1/2", lr_schedule="constant", warmup=0)
    with pytest.raises(UsageError, match="what it replays was settled"):
        runs(rows("a", 7), "run", resume=True, epochs=4, lr_schedule="constant", warmup=0)
    with pytest.raises(OutputError, match="what is replayed is settled when a run begins"):
        runs(rows("a", 8), "run", resume=True, allow_change=("all",), lr_schedule="constant", warmup=0)


def test_held_out_rows_that_are_replayed_are_named_and_not_evaluated(runs: Runs) -> None:
    ReplayBuffer.open(runs.buffer).update(rows("old", 4))
    held_out = pa.concat_tables([rows("old", 2), rows("old", 20).slice(10)])
    result = runs(rows("a", 4), "a", epochs=1, replay_ratio=1, eval_data=held_out, eval_steps=1)
    assert result.held_out is not None
    assert result.held_out["rows"] == 10
    assert runs.told("of rows that are replayed: 2 of 12 held-out rows are among the trained rows")
    # A part of the selection that is held out is not replayed either, nor does the buffer get it.
    split = runs(rows("old", 12), "split", epochs=1, replay_ratio=1, eval_split=0.2)
    assert split.replay is not None
    assert (split.replay["of_the_selection"], split.replay["update"]["offered"]) == (4, 10)


def test_without_a_ratio_the_buffer_is_only_filled_and_rows_without_ids_get_those_of_a_build(runs: Runs) -> None:
    table = [{"text": f"say {number % 3}"} for number in range(4)]
    result = runs(table, "a", epochs=1, replay_ratio=0)
    assert result.replay is not None
    assert (result.replay["times"], result.replay["update"]["entered"]) == (0, 4)
    ids = runs.open().ids().to_pylist()
    assert all(len(one) == 32 for one in ids[:3])
    assert ids[3] == f"{ids[0]}-1"
    # The same data set again is known.
    assert preflight(table, runs.config("b"), notice=runs.notices.append).replay["rows"] == 0  # type: ignore[index]
    # What a run did not come to is not offered.
    some = runs([{"text": f"tell {number}"} for number in range(6)], "c", max_steps=1)
    assert some.replay is not None
    assert some.replay["update"]["offered"] == 4
    assert runs.told("2 rows of the selection were not trained")


def test_rows_of_another_shape_are_read_as_what_they_are(runs: Runs) -> None:
    other = pa.table({"prompt": ["one", "two"], "completion": ["eins", "zwei"], "sage_row_id": ["x", "y"]})
    ReplayBuffer.open(runs.buffer).update(other)
    seen = preflight(rows("a", 8), runs.config("a", replay_update=False))
    assert seen.replay is not None
    assert seen.replay["rows"] == 2
    with pytest.raises(DataError, match=r"another shape(.|\n)*messages"):
        preflight(rows("a", 8), runs.config("a"))


@pytest.mark.parametrize("read", [{"text_column": "body"}, {"template": "it says {body}"}])
def test_rows_are_read_as_those_of_the_selection_are(runs: Runs, read: dict[str, Any]) -> None:
    ReplayBuffer.open(runs.buffer).update(pa.table({"body": ["one", "two"], "sage_row_id": ["x", "y"]}))
    selection = [{"body": f"row {number}"} for number in range(4)]
    replay = preflight(selection, runs.config("a", **read)).prepared.replay
    assert replay is not None
    assert replay.replayed is not None
    assert replay.replayed.shape.options == replay.trained.shape.options
    with pytest.raises(DataError, match="no shape that is known"):
        preflight(rows("a", 4), runs.config("a", replay_update=False))


def test_rows_that_cannot_be_trained_are_told_and_never_drawn(runs: Runs) -> None:
    table = pa.table({"prompt": ["a", "b", "c"], "completion": ["x", "", "z"], "sage_row_id": ["1", "2", "3"]})
    ReplayBuffer.open(runs.buffer).update(table)
    selection = pa.table({"prompt": ["d"] * 8, "completion": ["e"] * 8, "sage_row_id": list("abcdefgh")})
    seen = preflight(selection, runs.config("a"), notice=runs.notices.append)
    assert seen.replay is not None
    assert (seen.replay["unusable"], seen.replay["rows"]) == (1, 2)
    assert runs.told("rows that cannot be trained: 1 x")
    runs.open().delete(["1", "3"])
    none = preflight(selection, runs.config("a"), notice=runs.notices.append)
    assert none.replay is not None
    assert (none.replay["unusable"], none.replay["times"], none.replay["missing"]) == (1, 0, 6)
    assert runs.told("6 rows fewer than --replay-ratio says")


def damaged(runs: Runs, pattern: str) -> None:
    ReplayBuffer.open(runs.buffer).update(rows("old", 3))
    path = sorted(runs.buffer.glob(pattern))[-1]
    path.write_bytes(path.read_bytes()[:-9] + b"x" * 9)


@pytest.mark.parametrize(
    ("make", "settings", "says"),
    [
        (lambda runs: runs.buffer.write_text("x"), {}, "a replay buffer is a folder"),
        (lambda runs: (runs.buffer.mkdir(), (runs.buffer / "a").touch()), {}, "something is there"),
        (lambda runs: damaged(runs, "manifest-*"), {}, "manifest"),
        (lambda runs: damaged(runs, "rows-*"), {}, "damaged"),
        (lambda runs: ReplayBuffer.open(runs.buffer, id_column="name"), {}, r"another column(.|\n)*sage_row_id"),
        (lambda runs: ReplayBuffer.open(runs.buffer, policy="balanced"), {}, "--replay-task"),
        (lambda runs: ReplayBuffer.open(runs.buffer, policy="herding"), {}, "vectors"),
        (lambda runs: ReplayBuffer.open(runs.buffer), {"replay_shortfall": "error"}, "fewer rows to replay"),
        (
            lambda runs: ReplayBuffer.open(runs.buffer).update(rows("old", 3, user=[1, 2, 3])),
            {},
            "column 'user': a column has another type",
        ),
        (lambda runs: ReplayBuffer.open(runs.buffer), {"replay_ratio": 10**9}, "too many rows"),
        (lambda runs: None, {"selection": rows("a", 2).take([0, 1, 0])}, "stands twice"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_trained(
    runs: Runs, make: Callable[[Runs], Any], settings: dict[str, Any], says: str
) -> None:
    make(runs)
    table = settings.pop("selection", rows("a", 4, user=["u"] * 4))
    before = files(runs.folder)
    with pytest.raises(SageError, match=says):
        preflight(table, runs.config("run", **settings))
    assert files(runs.folder) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for this user")
def test_a_buffer_that_cannot_be_written_is_read_where_it_is_left_alone(runs: Runs) -> None:
    ReplayBuffer.open(runs.buffer).update(rows("old", 3))
    runs.buffer.chmod(0o500)
    try:
        with pytest.raises(SageError, match="cannot be written"):
            runs(rows("a", 4), "a", epochs=1)
        assert runs(rows("a", 4), "a", epochs=1, replay_update=False).replay is not None
    finally:
        runs.buffer.chmod(0o700)


@pytest.mark.parametrize(("buffer", "run"), [("run", "run"), ("run/checkpoints", "run"), ("buffer", "buffer/run")])
def test_a_buffer_is_no_run(runs: Runs, buffer: str, run: str) -> None:
    with pytest.raises(UsageError, match="cannot share a folder"):
        runs(rows("a", 4), run, replay=runs.folder / buffer)


def test_a_damaged_record_of_replayed_rows_is_told(runs: Runs) -> None:
    ReplayBuffer.open(runs.buffer).update(rows("old", 3))
    result = runs(rows("a", 4), "a", epochs=1)
    path = result.output_dir / "replayed.arrow"
    assert read_replayed(path).drawn == [0]
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DataError, match=r"replayed.arrow(.|\n)*--force"):
        runs(rows("a", 4), "a", epochs=1)
    assert not runs(rows("a", 4), "a", epochs=1, force=True).cached


@pytest.mark.parametrize(
    "name", ["chat_formats/glaive_sharegpt.json", "chat_formats/v1_messages.jsonl", "sgd_chat/dev.jsonl.gz"]
)
def test_real_rows_come_back_from_a_buffer_token_for_token(name: str, shared_data: Path, tiny_model: Path) -> None:
    config = TrainConfig(model=str(tiny_model), on_bad_row="drop", max_bad=1, on_long_row="keep_end")
    rows = known_rows(load_selection(shared_data / name, config)).at(np.arange(60))
    buffer = ReplayBuffer.open(None)
    buffer.update(offered_rows(rows, None))
    back = read_selection(buffer.table())
    before, after = (tokenise_as(config, one, open_renderer(config), lambda *_: None) for one in (rows, back))
    assert before.digest == after.digest
    assert before.row_ids == after.row_ids


def test_a_buffer_takes_objects_as_it_holds_them(runs: Runs) -> None:
    table = rows("a", 2, user=pa.array(["x", "y"]), number=pa.array([1, 2], pa.int32()))
    selection = read_selection(table)
    plain = offered_rows(selection, None)
    assert pa.types.is_string(plain.schema.field("messages").type)
    assert json.loads(plain["messages"][0].as_py())[0] == {"role": "user", "content": "find a 0", "seen": True}
    held = pa.schema([table.schema.field("messages"), pa.field("number", pa.int64()), pa.field("gone", pa.string())])
    fitted = offered_rows(selection, held)
    assert fitted.schema.field("messages").type == table.schema.field("messages").type
    assert fitted["number"].type == pa.int64()
    # What is about the selection alone stays behind.
    more = table.append_column("sage_position", pa.array([1, 0])).append_column("sage_weight", pa.array([1.0, 2.0]))
    offered = offered_rows(read_selection(more), None)
    assert offered.column_names == ["messages", "sage_row_id", "user", "number", "sage_weight"]
    assert offered["sage_row_id"].to_pylist() == ["a-1", "a-0"]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"replay": None, "replay_ratio": 0.5}, "replay_ratio is for replay"),
        ({"replay_ratio": "much"}, "replay_ratio: no ratio"),
        ({"replay_ratio": -1}, "out of range"),
        ({"replay_ratio": 1, "replay_basis": "of_total"}, "below 1"),
        ({"schedule_file": Path("s.arrow")}, "--schedule-file"),
        ({"curriculum": "self_paced"}, "--curriculum self_paced"),
    ],
)
def test_settings_that_do_not_go_together(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        TrainConfig(**{"model": "m", "replay": Path("b"), **settings})


def test_ratios_are_kept_as_they_are_written() -> None:
    assert TrainConfig(model="m", replay=Path("b"), replay_ratio=0.1).replay_ratio == "0.1"
    assert TrainConfig(model="m", replay=Path("b"), replay_ratio="1/3").replay_ratio == "1/3"


def test_the_rule_of_the_buffer_draws(runs: Runs) -> None:
    scores = [1.0] * 40
    scores[7] = scores[11] = 1e9
    ReplayBuffer.open(runs.buffer, draw="prioritised").update(rows("old", 40), scores=scores)
    seen = preflight(rows("a", 8), runs.config("a", epochs=1)).prepared.replay
    assert seen is not None
    assert seen.replayed is not None
    assert set(seen.replayed.row_ids()) == {"old-7", "old-11"}
    assert pc.all(pc.equal(seen.rows.facts["origin"].slice(8), "replayed")).as_py()
