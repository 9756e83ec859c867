"""The stage that replays rows of a buffer beside a selection."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sage_select import DataError, Pipeline, ReplayBuffer, Selection, UsageError, select
from sage_select.columns import COLUMNS
from sage_select.replay.draws import DRAWS
from sage_select.stages import Replay


def texts(first: int, count: int, **more: list[Any]) -> pa.Table:
    return pa.table({"text": [f"row number {i} of many" for i in range(first, first + count)], **more})


def named(table: pa.Table) -> pa.Table:
    """Return rows named as a build names them."""
    made = select(table, k=table.num_rows, strategy="random").table()
    return made.select([name for name in made.column_names if name not in COLUMNS or name == "sage_row_id"])


def filled(path: Path, table: pa.Table, capacity: int = 100, **options: Any) -> ReplayBuffer:
    known = {name: options.pop(name) for name in ("scores", "groups", "embeddings") if name in options}
    buffer = ReplayBuffer.open(path, capacity=capacity, **options)
    buffer.update(named(table), **known)
    return buffer


def origins(chosen: Selection) -> dict[str, int]:
    counted = pc.value_counts(chosen.table()["sage_origin"]).to_pylist()
    return {one["values"]: one["counts"] for one in counted}


def test_rows_come_behind_the_picks_and_are_known_as_replayed(tmp_path: Path) -> None:
    filled(tmp_path / "buffer", texts(100, 30))
    chosen = select(texts(0, 40), k=20, strategy="random", replay=tmp_path / "buffer", replay_ratio="1/4")
    table = chosen.table().sort_by("sage_rank")
    assert origins(chosen) == {"selected": 20, "replay": 5}
    assert table["sage_rank"].to_pylist() == list(range(25))
    assert table["sage_origin"].to_pylist() == ["selected"] * 20 + ["replay"] * 5
    replayed = table.slice(20)
    for name in ("sage_score", "sage_gain", "sage_parent_id", "sage_phase"):
        assert replayed[name].null_count == 5
    assert replayed["sage_weight"].to_pylist() == [1.0] * 5
    assert set(replayed["sage_reason"].to_pylist()) == {"uniform"}
    # The order places them: they are not all at the end.
    assert sorted(table["sage_position"].to_pylist()) == list(range(25))
    assert min(replayed["sage_position"].to_pylist()) < 20
    told = chosen.evidence["replay"]
    assert (told["due"], told["added"], told["commit"], told["policy"]) == (5, 5, 1, "reservoir")
    assert len(chosen.indices) == 20
    assert chosen.table_indices.tolist().count(-1) == 5


@settings(deadline=None, max_examples=50)
@given(new=st.integers(1, 30), ratio=st.fractions(0, 3, max_denominator=9), total=st.booleans())
def test_as_many_come_as_the_ratio_says(
    tmp_path_factory: pytest.TempPathFactory, new: int, ratio: Fraction, total: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "ratios"
    if not path.exists():
        filled(path, texts(1000, 60))
    if total:
        ratio /= 4
    chosen = select(
        texts(0, new), k=new, strategy="random", replay=path, replay_ratio=str(ratio),
        replay_basis="of_total" if total else "of_new",
    )  # fmt: skip
    due = int(new * (ratio / (1 - ratio) if total else ratio))
    assert len(chosen) == new + min(due, 60)
    told = chosen.evidence["replay"]
    assert (told["due"], told["added"]) == (due, min(due, 60))
    assert any("to replay" in notice for notice in chosen.notices) == (due > 60)


def test_a_build_that_is_repeated_replays_the_same_rows_and_changes_nothing(tmp_path: Path) -> None:
    buffer = filled(tmp_path / "buffer", texts(100, 30))
    before = {file.name: file.read_bytes() for file in (tmp_path / "buffer").iterdir()}

    def replayed(seed: int = 0) -> list[str]:
        table = select(texts(0, 8), k=8, strategy="random", seed=seed, replay=tmp_path / "buffer", replay_ratio=1)
        return sorted(table.table().filter(pc.field("sage_origin") == "replay")["sage_row_id"].to_pylist())

    first = replayed()
    assert replayed() == first
    assert replayed(seed=1) != first
    assert {file.name: file.read_bytes() for file in (tmp_path / "buffer").iterdir()} == before
    # Another commit draws other rows, even where it has the same.
    buffer.snapshot()
    assert replayed() != first


@pytest.mark.parametrize("threads", [1, 3])
def test_neither_the_order_of_rows_nor_threads_matter(tmp_path: Path, threads: int) -> None:
    filled(tmp_path / "buffer", texts(100, 30))
    rows = texts(0, 12)
    chosen = [
        select(table, k=12, strategy="random", threads=threads, replay=tmp_path / "buffer", replay_ratio=1).table()
        for table in (rows, rows.take(list(range(11, -1, -1))))
    ]
    names = ["text", "sage_row_id", "sage_origin", "sage_position"]
    assert chosen[0].select(names).equals(chosen[1].select(names))
    assert chosen[0]["sage_origin"].to_pylist().count("replay") == 12


def test_no_row_comes_twice(tmp_path: Path) -> None:
    """Rows of the input are not replayed, whatever became of them, nor what says the same under another id."""
    filled(tmp_path / "buffer", texts(0, 30))
    chosen = select(texts(0, 20), k=5, strategy="random", replay=tmp_path / "buffer", replay_ratio=10)
    ids = chosen.table()["sage_row_id"].to_pylist()
    assert len(chosen) == 15
    assert len(set(ids)) == 15
    assert chosen.evidence["replay"]["left_out"] == {"row of the input": 20}
    other = ReplayBuffer.open(tmp_path / "other", id_column="name")
    other.update(texts(0, 30, name=[f"row {i}" for i in range(30)]))
    chosen = select(texts(0, 20), k=20, strategy="random", replay=tmp_path / "other", replay_ratio=10)
    assert len(chosen) == 30
    assert chosen.evidence["replay"]["left_out"] == {"says the same as a selected row": 20}


def test_held_out_rows_do_not_come_back(tmp_path: Path) -> None:
    filled(tmp_path / "buffer", texts(100, 30))
    held_out = tmp_path / "held.jsonl"
    held_out.write_text("".join(json.dumps({"text": f"row number {i} of many"}) + "\n" for i in range(100, 110)))
    chosen = select(texts(0, 40), k=40, strategy="random", holdout=held_out, replay=tmp_path / "buffer", replay_ratio=1)
    assert not {f"row number {i} of many" for i in range(100, 110)} & set(chosen.table()["text"].to_pylist())
    assert sum(chosen.evidence["replay"]["left_out"].values()) == 10
    assert len(chosen) == 60


def test_rows_that_cannot_be_trained_are_left_out_and_counted(tmp_path: Path) -> None:
    buffer = ReplayBuffer.open(tmp_path / "buffer")
    buffer.update(
        pa.table(
            {
                "sage_row_id": ["good", "blank", "null"],
                "prompt": ["what?", "how?", "why?"],
                "completion": ["this", "  ", None],
            }
        )
    )
    new = pa.table({"prompt": ["who?"] * 3, "completion": ["a", "b", "c"]})
    chosen = select(new, k=3, strategy="random", replay=tmp_path / "buffer", replay_ratio=1)
    assert [one for one in chosen.table()["sage_row_id"].to_pylist() if len(one) < 32] == ["good"]
    assert sum(chosen.evidence["replay"]["left_out"].values()) == 2
    with pytest.raises(UsageError, match=r"3 rows to replay, and 1 there.*nothing to train"):
        select(new, k=3, strategy="random", replay=tmp_path / "buffer", replay_ratio=1, replay_shortfall="error")


def test_columns_of_both_are_there_and_null_where_there_are_none(tmp_path: Path) -> None:
    tool = {"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}
    chat = [{"role": "user", "content": "add"}, {"role": "assistant", "content": "done"}]
    other = [{"role": "user", "content": "take"}, {"role": "assistant", "content": "taken"}]
    buffer = ReplayBuffer.open(tmp_path / "buffer")
    buffer.update([{"sage_row_id": "old", "messages": chat, "tools": [tool], "week": 1}])
    chosen = select(
        [{"messages": other, "loss": 1.5}, {"messages": [*other, *chat], "loss": 2.5}],
        k=2, strategy="random", replay=tmp_path / "buffer", replay_ratio="50%",
    )  # fmt: skip
    rows = {row["sage_origin"]: row for row in chosen.table().to_pylist()}
    assert json.loads(rows["replay"]["tools"]) == [tool]
    assert (rows["replay"]["week"], rows["replay"]["loss"]) == (1, None)
    assert (rows["selected"]["week"], rows["selected"]["tools"]) == (None, None)
    chosen.write(tmp_path / "out.jsonl")
    # Whoever trains on them reads the tools as well.
    manifest = json.loads((tmp_path / "out.jsonl.manifest.json").read_text())
    assert manifest["shape"]["columns"] == ["messages", "tools"]


def test_a_column_of_another_type_isnamed(tmp_path: Path) -> None:
    filled(tmp_path / "buffer", texts(100, 3, week=[1, 2, 3]))
    with pytest.raises(DataError, match="week") as caught:
        select(texts(0, 4, week=["a"] * 4), k=4, strategy="random", replay=tmp_path / "buffer", replay_ratio=1)
    assert caught.value.where is not None
    assert caught.value.where.column == "week"
    # Whole numbers of two widths are no other type.
    narrow = texts(0, 4).append_column("week", pa.array([1] * 4, pa.int8()))
    assert len(select(narrow, k=4, strategy="random", replay=tmp_path / "buffer", replay_ratio="1/2")) == 6


def test_rows_of_another_shape_are_refused(tmp_path: Path) -> None:
    filled(tmp_path / "buffer", texts(100, 3))
    with pytest.raises(DataError, match="another shape"):
        select([{"prompt": "a", "completion": "b"}] * 2, k=1, strategy="random", replay=tmp_path / "buffer")


def test_an_empty_buffer_replays_nothing_and_says_so(tmp_path: Path) -> None:
    ReplayBuffer.open(tmp_path / "buffer")
    chosen = select(texts(0, 8), k=8, strategy="random", replay=tmp_path / "buffer")
    assert len(chosen) == 8
    assert "replay: 2 rows to replay, and 0 there: the buffer has 0" in chosen.notices
    with pytest.raises(UsageError, match="2 rows to replay"):
        select(texts(0, 8), k=8, strategy="random", replay=tmp_path / "buffer", replay_shortfall="error")


def test_less_than_one_row_is_told(tmp_path: Path) -> None:
    filled(tmp_path / "buffer", texts(100, 3))
    chosen = select(texts(0, 3), k=3, strategy="random", replay=tmp_path / "buffer")
    assert len(chosen) == 3
    assert "replay: 1/4 of 3 new rows is less than one row" in chosen.notices
    assert chosen.evidence["replay"]["rounded_down"] == "3/4"


def test_parents_of_an_earlier_run_are_told_on(tmp_path: Path) -> None:
    buffer = ReplayBuffer.open(tmp_path / "buffer")
    buffer.update(named(texts(100, 2)).append_column("sage_parent_id", pa.array(["first", None])))
    chosen = select(texts(0, 2), k=2, strategy="random", replay=tmp_path / "buffer", replay_ratio=1)
    table = chosen.table().filter(pc.field("sage_origin") == "replay")
    assert sorted(table["sage_parent_id"].to_pylist(), key=str) == [None, "first"]


@pytest.mark.parametrize("draw", list(DRAWS))
def test_rows_are_drawn_by_the_rule_of_the_buffer(tmp_path: Path, draw: str) -> None:
    filled(
        tmp_path / "buffer",
        texts(100, 30),
        draw=draw,
        groups=["a", "b", "c"] * 10,
        scores=[float(i) for i in range(30)],
    )
    chosen = select(texts(0, 12), k=12, strategy="random", replay=tmp_path / "buffer", replay_ratio="1/2")
    assert origins(chosen) == {"selected": 12, "replay": 6}
    assert chosen.evidence["replay"]["draw"] == draw


def test_two_buffers_replay_beside_the_new_rows_alone(tmp_path: Path) -> None:
    filled(tmp_path / "one", texts(100, 30))
    filled(tmp_path / "two", texts(110, 30), seed=1)
    pipeline = (
        Pipeline.read(tmp_path / "rows.jsonl")
        .select("random", budget=20)
        .replay(tmp_path / "one", ratio=0.5)
        .replay(tmp_path / "two", ratio=0.5)
    )
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in texts(0, 20).to_pylist()))
    chosen = pipeline.run()
    assert isinstance(chosen, Selection)
    assert origins(chosen) == {"selected": 20, "replay": 20}
    assert len(set(chosen.table()["sage_row_id"].to_pylist())) == 40
    assert (chosen.evidence["replay_1"]["due"], chosen.evidence["replay_2"]["due"]) == (10, 10)


def test_the_commit_names_the_result(tmp_path: Path) -> None:
    buffer = filled(tmp_path / "buffer", texts(100, 30))
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in texts(0, 20).to_pylist()))
    pipeline = (
        Pipeline.read(tmp_path / "rows.jsonl").select("random", budget=20).replay(tmp_path / "buffer", ratio="1/4")
    ).write(tmp_path / "out.arrow")
    first = pipeline.run()
    again = pipeline.run()
    assert (first.cached, again.cached) == (False, True)  # type: ignore[union-attr]
    assert set(first.manifest["inputs"]) == {"source", "replay.buffer"}  # type: ignore[union-attr]
    assert first.manifest["evidence"]["replay"]["manifest"] == first.manifest["inputs"]["replay.buffer"]  # type: ignore[union-attr]
    counted = first.manifest["rows"]  # type: ignore[union-attr]
    assert counted["in"] + sum(counted["added"].values()) - sum(counted["dropped"].values()) == counted["kept"] == 25
    buffer.update(named(texts(200, 5)))
    other = pipeline.run(force=True)
    assert not other.cached  # type: ignore[union-attr]
    assert other.manifest["fingerprint"] != first.manifest["fingerprint"]  # type: ignore[union-attr]


def test_a_commit_that_was_made_meanwhile_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the inputs tell of the buffer is what is replayed, though another process goes on."""
    buffer = filled(tmp_path / "buffer", texts(100, 30))
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in texts(0, 20).to_pylist()))
    pipeline = Pipeline.read(tmp_path / "rows.jsonl").select("random", budget=20).replay(tmp_path / "buffer", ratio=1)
    before = Replay.prepare

    def prepare(self: Replay, data: Any, run: Any) -> Any:
        buffer.update(named(texts(200, 60)))
        return before(self, data, run)

    monkeypatch.setattr(Replay, "prepare", prepare)
    made = pipeline.write(tmp_path / "out.arrow").run()
    assert made.manifest["evidence"]["replay"]["commit"] == 1  # type: ignore[union-attr]
    assert made.manifest["evidence"]["replay"]["manifest"] == made.manifest["inputs"]["replay.buffer"]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("given_settings", "message"),
    [
        ({"replay_ratio": "1/2"}, "no replay buffer is named"),
        ({"replay": "b", "replay_ratio": "much"}, "is no ratio"),
        ({"replay": "b", "replay_ratio": -1}, "out of range"),
        ({"replay": "b", "replay_ratio": True}, "is no ratio"),
        ({"replay": "b", "replay_ratio": "1/0"}, "is no ratio"),
        ({"replay": "b", "replay_ratio": "1e999999999"}, "is no ratio"),
        ({"replay": "b", "replay_ratio": "nan"}, "is no ratio"),
        ({"replay": "b", "replay_ratio": 1, "replay_basis": "of_total"}, "below 1"),
        ({"replay": "b", "replay_basis": "tokens"}, "of_new"),
        ({"replay": "nothere"}, "there is no replay buffer"),
    ],
)
def test_settings_that_mean_nothing_are_refused(tmp_path: Path, given_settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        select(texts(0, 4), k=4, strategy="random", **given_settings)


def test_replay_stands_between_selection_and_order(tmp_path: Path) -> None:
    filled(tmp_path / "buffer", texts(100, 30))
    read = Pipeline.read("rows.jsonl")
    buffer = tmp_path / "buffer"
    names = [step.name for step in read.select("random", budget=4).replay(buffer).write("out.arrow").plan().steps]
    assert names.index("select") < names.index("replay") < names.index("order")
    with pytest.raises(UsageError, match="replay comes after order"):
        read.select("random", budget=4).order("random").replay(buffer).plan()
    with pytest.raises(UsageError, match="select comes after replay"):
        read.replay(buffer).select("random", budget=4).plan()
    with pytest.raises(UsageError, match="needs scores"):
        read.score().select("loss_topk", budget=4).replay(buffer).order("easy_to_hard").plan()
    read.score().select("loss_topk", budget=4).replay(buffer).score().order("easy_to_hard").plan()
    with pytest.raises(UsageError, match="only arrays"):
        select(scores=[1.0, 2.0], k=1, strategy="loss_topk", replay=buffer)


def test_the_spec_says_the_same(tmp_path: Path) -> None:
    pipeline = Pipeline.read("rows.jsonl").select("random", budget=4).replay("buffer", ratio=0.25)
    (tmp_path / "sage.yaml").write_text(pipeline.to_yaml())
    loaded = Pipeline.load(tmp_path / "sage.yaml").find(Replay)
    assert loaded is not None
    # The buffer lies beside the spec.
    assert (loaded.ratio, loaded.buffer) == ("1/4", str(tmp_path / "buffer"))
    assert {Replay.make(buffer="b", ratio=one) for one in (0.25, "1/4", "25%", "0.250")} == {Replay.make(buffer="b")}
