"""`sage-select replay`: buffers from the command line."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from programs import Done, Program

from sage_select import ReplayBuffer
from sage_select.cli import replay_rows, select
from sage_select.errors import ResourceError
from sage_select.replay.draws import DRAWS
from sage_select.replay.policies import POLICIES

Replay = Callable[..., Done]


def lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def week(number: int, count: int = 20, **more: Any) -> list[dict[str, Any]]:
    return [
        {
            "prompt": f"what is {i} plus {100 * number}?",
            "completion": f"it is {i + 100 * number}.",
            "loss": float(1 + i % 7),
            "topic": "abc"[i % 3],
            "vector": [float(i), 1.0, float(number)],
            "tokens": 5 + i % 3,
            **more,
        }
        for i in range(count)
    ]


@pytest.fixture
def replay(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    for number in (1, 2, 3):
        (folder / f"week{number}.jsonl").write_text(lines(week(number)))
    return Program("sage-select replay", select.main, capsys, monkeypatch)


def done(found: Done) -> Done:
    assert found.code == 0, found.err
    return found


def rows_of(path: str) -> pa.Table:
    return pa.ipc.open_file(path).read_all()


def test_a_buffer_from_its_beginning_to_its_end(replay: Replay, build: Program) -> None:
    assert replay("init", "buffer", "--capacity", "12", "--json").json["settings"]["capacity"] == 12
    assert replay("init", "buffer", "--capacity", "12").code == 0  # the same again is no other
    told = replay("update", "buffer", "week1.jsonl", "week2.jsonl", "--scores", "loss", "--groups", "topic", "--json")
    assert {name: told.json[name] for name in ("offered", "size", "commit")} == {"offered": 40, "size": 12, "commit": 1}
    stats = replay("stats", "buffer", "--json").json
    assert (stats["seen"], stats["size"], sum(stats["groups"].values())) == (40, 12, 12)
    assert "seen       " in done(replay("stats", "buffer")).out
    # Rows have the names that a build gives them.
    done(build("week1.jsonl", "week2.jsonl", "-k", "100%", "--strategy", "random", "-o", "all.arrow", "-q"))
    ids = set(ReplayBuffer.open("buffer").ids().to_pylist())
    assert ids < set(rows_of("all.arrow")["sage_row_id"].to_pylist())

    drawn = [json.loads(line) for line in done(replay("draw", "buffer", "25%")).out.splitlines()]
    assert len(drawn) == 3
    assert {row["sage_row_id"] for row in drawn} < ids
    mixed = replay("mix", "buffer", "week3.jsonl", "--ratio", "1/8", "-o", "mixed.arrow", "--interleave", "--json")
    assert (mixed.json["new"], mixed.json["replayed"]) == (20, 2)
    table = rows_of("mixed.arrow")
    assert table["sage_origin"].to_pylist().count("replay") == 2
    assert "replay" not in table["sage_origin"].to_pylist()[-1:]
    # Half a row is owed: the next 20 have three beside them.
    assert (
        replay("mix", "buffer", "week3.jsonl", "--ratio", "0.125", "-o", "more.arrow", "--json").json["replayed"] == 3
    )

    log = done(replay("log", "buffer")).out.splitlines()
    assert log[0].split() == ["commit", "event", "row_id", "reason", "replaced_by", "score", "group"]
    assert len(log) == 13
    one = sorted(ids)[0]
    assert [event["event"] for event in replay("log", "buffer", "--row", one, "--json").json["log"]] == ["entered"]
    done(replay("log", "buffer", "-o", "log.parquet"))
    assert pq.read_table("log.parquet").num_rows == 12

    assert replay("snapshot", "buffer", "--json").json["snapshot"] == 3
    listed = replay("commits", "buffer", "--json").json["commits"]
    assert [(one["commit"], one["snapshot"]) for one in listed] == [(n, n == 3) for n in range(5)]
    assert replay("resize", "buffer", "5", "--json").json["size"] == 5
    assert replay("rollback", "buffer", "3", "--json").json["size"] == 12
    receipt = replay("delete", "buffer", "--id", one, "--id", "nobody", "--json").json["receipt"]
    assert (len(receipt["deleted"]), len(receipt["absent"])) == (1, 1)
    assert replay("update", "buffer", "week1.jsonl", "week2.jsonl", "--json").json["forgotten"] == 1
    assert one not in ReplayBuffer.open("buffer").ids().to_pylist()
    assert not [file for file in Path("buffer").iterdir() if one.encode() in file.read_bytes()]
    done(replay("snapshot", "buffer"))
    held = replay("snapshot", "buffer", "--json").json["snapshot"]
    assert replay("snapshot", "buffer", "--release", held, "--json").json["held"] is False


@pytest.mark.parametrize("policy", list(POLICIES))
@pytest.mark.parametrize("draw", ["uniform"])
def test_every_policy_takes_and_gives_rows(replay: Replay, policy: str, draw: str) -> None:
    columns = ("--scores", "loss", "--groups", "topic", "--embeddings", "vector", "--lengths", "tokens")
    done(replay("init", "buffer", "--capacity", "8", "--policy", policy, "--draw", draw))
    for number in (1, 2):
        told = replay("update", "buffer", f"week{number}.jsonl", *columns, "--json").json
        assert told["size"] == 8
    assert replay("stats", "buffer", "--json").json["policy"] == policy
    assert len(done(replay("draw", "buffer", "3")).out.splitlines()) == 3


@pytest.mark.parametrize("draw", list(DRAWS))
def test_every_rule_draws_the_rows_of_a_step(replay: Replay, draw: str) -> None:
    done(replay("init", "buffer", "--draw", draw))
    done(replay("update", "buffer", "week1.jsonl", "--scores", "loss", "--groups", "topic"))
    first = done(replay("draw", "buffer", "6", "--step", "4")).out
    assert done(replay("draw", "buffer", "6", "--step", "4")).out == first
    assert done(replay("draw", "buffer", "6", "--step", "5")).out != first


def test_options_of_policies_reach_them(replay: Replay) -> None:
    made = replay(
        "init", "buffer", "--policy", "loss_topk", "--outlier-guard", "4", "--draw", "recency", "--json"
    ).json["settings"]
    assert (made["outlier_guard"], made["draw"]) == (4.0, "recency")
    core = replay(
        "init", "core", "--policy", "coreset", "--strategy", "diversity", "--objective", "kcenter",
        "--outlier-guard", "0.5", "--json",
    )  # fmt: skip
    assert core.json["settings"]["outlier_guard"] == 0.5
    for arguments, said in (
        (("--policy", "nope"), "reservoir"),
        (("--outlier-guard", "4"), "does not use outlier_guard; loss_topk and coreset do"),
        (("--policy", "loss_topk", "--outlier-guard", "-1"), "outlier_guard"),
        (("--capacity", "0"), "capacity"),
        (("--seed", "-1"), "seed"),
    ):
        found = replay("init", "other", *arguments)
        assert (found.code, said in found.err) == (2, True), found.err
        assert not Path("other").exists()
    another = replay("init", "buffer", "--capacity", "7")
    assert (another.code, "resize" in another.err) == (2, True)


@pytest.mark.parametrize("name", ["rows.parquet", "rows.arrow", "rows.csv", "rows.jsonl.gz", "out.arrow"])
def test_rows_are_read_from_any_file_and_named_alike(replay: Replay, build: Program, name: str) -> None:
    rows = [{"prompt": row["prompt"], "completion": row["completion"]} for row in week(1)]
    rows[3]["prompt"] = "was ist „drei“ + 😀?"
    Path("rows.jsonl").write_text(lines(rows))
    if name == "out.arrow":
        done(build("rows.jsonl", "-k", "100%", "--strategy", "random", "-o", "out.arrow", "-q"))
    elif name.endswith("gz"):
        Path(name).write_bytes(gzip.compress(Path("rows.jsonl").read_bytes()))
    elif name.endswith("csv"):
        done(replay("init", "plain"))
        done(replay("update", "plain", "rows.jsonl"))
        Path(name).write_text("prompt,completion\n" + "".join(f"{r['prompt']},{r['completion']}\n" for r in rows))
    else:
        table = pa.Table.from_pylist(rows)
        if name.endswith("parquet"):
            pq.write_table(table, name)
        else:
            with pa.ipc.new_file(name, table.schema) as writer:
                writer.write_table(table)
    done(replay("init", "buffer"))
    done(replay("update", "buffer", name))
    again = replay("update", "buffer", "rows.jsonl", "--json").json
    assert (again["repeated"], again["entered"]) == (20, 0)


def test_rows_of_other_kinds_need_ids(replay: Replay) -> None:
    Path("rows.jsonl").write_text(lines([{"name": f"n{i}", "label": i % 2, "x": i / 3} for i in range(9)]))
    done(replay("init", "buffer"))
    assert replay("update", "buffer", "rows.jsonl").code == 2
    assert replay("update", "buffer", "rows.jsonl", "--id-column", "name", "--json").json["entered"] == 9
    assert sorted(ReplayBuffer.open("buffer").ids().to_pylist())[0] == "n0"
    done(replay("init", "named", "--id-column", "name"))
    assert replay("update", "named", "rows.jsonl", "--json").json["entered"] == 9
    assert replay("update", "named", "rows.jsonl", "--json").json["repeated"] == 9
    Path("twice.jsonl").write_text(lines([{"name": "a", "label": 1}, {"name": "a", "label": 2}]))
    found = replay("update", "named", "twice.jsonl")
    assert found.code == 3
    assert "'a'" in found.err


def test_other_columns_are_an_error_that_names_them(replay: Replay) -> None:
    done(replay("init", "buffer"))
    done(replay("update", "buffer", "week1.jsonl"))
    Path("more.jsonl").write_text(lines(week(2, extra=1)))
    found = replay("update", "buffer", "more.jsonl")
    assert (found.code, "extra" in found.err) == (3, True)
    assert replay("update", "buffer", "more.jsonl", "--evolve", "--json").json["offered"] == 20
    Path("text.jsonl").write_text(lines(week(3, extra="text")))
    found = replay("update", "buffer", "text.jsonl", "--evolve")
    assert (found.code, "extra" in found.err) == (3, True)


def test_what_a_selection_said_of_rows_is_not_stored(replay: Replay, build: Program) -> None:
    done(build("week1.jsonl", "-k", "10", "--strategy", "loss_topk", "--score-column", "loss", "-o", "out.arrow", "-q"))
    done(replay("init", "buffer"))
    done(replay("update", "buffer", "out.arrow", "--scores", "sage_score"))
    stats = replay("stats", "buffer", "--json").json
    assert not [name for name in stats["columns"] if name.startswith("sage_") and name != "sage_row_id"]
    assert stats["scores"]["highest"] == 7
    done(replay("update", "buffer", "week2.jsonl"))
    out = Path("out.arrow").read_bytes()
    Path("out.arrow").write_bytes(out[:-200] + b"x" + out[-199:])
    assert replay("update", "buffer", "out.arrow").code == 3


def test_replayed_rows_are_no_new_ones(replay: Replay, build: Program) -> None:
    done(replay("init", "buffer"))
    done(replay("update", "buffer", "week1.jsonl", "--scores", "loss"))
    done(
        build(
            "week2.jsonl",
            "-k",
            "8",
            "--strategy",
            "loss_topk",
            "--score-column",
            "loss",
            "--replay",
            "buffer",
            "-o",
            "out.arrow",
            "-q",
        )
    )
    told = replay("update", "buffer", "out.arrow", "--scores", "sage_score", "--json").json
    assert (told["offered"], told["entered"]) == (8, 8)
    assert told["notices"] == ["2 rows left out: replayed before, and without a new score"]
    # Those that were scored anew are offered again.
    assert replay("update", "buffer", "out.arrow", "--scores", "loss", "--json").json["repeated"] == 10


def test_outputs_are_written_whole_or_not_and_never_over_others(replay: Replay, build: Program) -> None:
    done(replay("init", "buffer"))
    done(replay("update", "buffer", "week1.jsonl"))
    Path("mine.jsonl").write_text("mine\n")
    for command in (("draw", "buffer", "3"), ("mix", "buffer", "week2.jsonl"), ("log", "buffer")):
        found = replay(*command, "-o", "mine.jsonl", "--force")
        assert (found.code, "--overwrite-foreign" in found.err) == (4, True)
    assert Path("mine.jsonl").read_text() == "mine\n"
    assert ReplayBuffer.open("buffer").commit == 1, "a mixture that was not written is not counted"
    assert replay("draw", "buffer", "3", "-o", "buffer/drawn.jsonl").code == 2
    assert replay("mix", "buffer", "week2.jsonl", "-o", "week2.jsonl").code == 2
    assert replay("draw", "buffer", "3", "-o", "drawn.xyz").code == 2
    assert replay("draw", "buffer", "3", "-o", "nowhere/drawn.jsonl").code == 5
    assert replay("draw", "buffer", "3", "-o", "drawn.arrow", "--json").json["cached"] is False
    assert replay("draw", "buffer", "3", "-o", "drawn.arrow", "--json").json["cached"] is True
    assert replay("draw", "buffer", "4", "-o", "drawn.arrow").code == 4
    assert replay("draw", "buffer", "4", "-o", "drawn.arrow", "--force", "--json").json["rows"] == 4
    # What was drawn is read like any other output.
    done(build("drawn.arrow", "-k", "2", "--strategy", "random", "-o", "few.arrow", "-q"))
    assert replay("draw", "buffer", "3", "--json").code == 2


def test_a_mixture_that_cannot_be_written_is_owed_still(replay: Replay, monkeypatch: pytest.MonkeyPatch) -> None:
    done(replay("init", "buffer"))
    done(replay("update", "buffer", "week1.jsonl"))
    line = ("mix", "buffer", "week2.jsonl", "--ratio", "1/8", "-o", "mixed.arrow")

    def full(*_given: object, **_more: object) -> None:
        raise ResourceError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(replay_rows.io, "write", full)
        assert replay(*line).code == 5
    assert replay("stats", "buffer", "--json").json["replayed"] == 0
    # Two and a half are due: two now, as though nothing had been.
    assert replay(*line, "--json").json["replayed"] == 2


def test_rows_that_are_named_are_not_drawn(replay: Replay) -> None:
    done(replay("init", "buffer"))
    done(replay("update", "buffer", "week1.jsonl", "week2.jsonl"))
    drawn = [
        json.loads(line) for line in done(replay("draw", "buffer", "100%", "--exclude", "week1.jsonl")).out.splitlines()
    ]
    assert len(drawn) == 20
    assert {row["prompt"] for row in drawn} == {row["prompt"] for row in week(2)}
    Path("ids.txt").write_text("".join(row["sage_row_id"] + "\n" for row in drawn))
    found = done(replay("draw", "buffer", "100%", "--exclude", "ids.txt"))
    assert len(found.out.splitlines()) == 20
    assert "note: 40 rows to draw, and 20 there" in found.err


@pytest.mark.parametrize("number", ["-1", "120%", "2.5", "few", "", "x%", "1e400", "1e999999999", "nan"])
def test_numbers_of_rows_that_are_none(replay: Replay, number: str) -> None:
    done(replay("init", "buffer"))
    assert replay("draw", "buffer", "--", number).code == 2


def test_deleting_by_a_file_or_a_condition(replay: Replay) -> None:
    done(replay("init", "buffer"))
    done(replay("update", "buffer", "week1.jsonl", "week2.jsonl"))
    found = replay("delete", "buffer", "--where", "topic=a", "--json").json["receipt"]
    assert len(found["deleted"]) == 14
    assert replay("delete", "buffer", "week1.jsonl", "--json").json["receipt"]["commit"] == 3
    left = ReplayBuffer.open("buffer").table()
    assert set(left["topic"].to_pylist()) == {"b", "c"}
    assert not {row["prompt"] for row in week(1)} & set(left["prompt"].to_pylist())
    assert replay("delete", "buffer", "--where", "tokens=6", "--json").code == 0
    for arguments, said in (
        ((), "not said which"),
        (("--where", "topic"), "column=value"),
        (("--where", "topi=a"), "topic"),
        (("--where", "tokens=many"), "int64"),
        (("--id", "a", "--where", "topic=a"), "--id and --where"),
    ):
        found = replay("delete", "buffer", *arguments)  # type: ignore[assignment]
        assert (found.code, said in found.err) == (2, True), found.err  # type: ignore[attr-defined]


def test_errors_leave_with_the_code_of_their_class(replay: Replay) -> None:
    assert replay("update", "nothere", "week1.jsonl").code == 2
    assert replay("stats", "week1.jsonl").code == 2
    assert replay("init", "week1.jsonl").code == 4
    Path("full").mkdir()
    Path("full/mine.txt").write_text("mine")
    assert replay("init", "full").code == 4
    assert replay("init", "nowhere/buffer").code == 5
    done(replay("init", "buffer", "--policy", "balanced"))
    assert replay("update", "buffer", "week1.jsonl").code in (2, 3)  # no groups
    assert replay("update", "buffer", "week1.jsonl", "--groups", "topi").code == 2
    assert replay("update", "buffer", "nothere.jsonl").code == 2
    Path("bad.jsonl").write_text('{"prompt": "a", "completion": "b"}\n{"prompt"\n')
    assert replay("update", "buffer", "bad.jsonl").code == 3
    assert replay("rollback", "buffer", "9").code == 2
    assert replay("merge", "buffer", "buffer").code == 2
    assert replay("resize", "buffer", "0").code == 2
    assert replay("mix", "buffer", "week1.jsonl").code == 2
    assert replay("mix", "buffer", "week1.jsonl", "-o", "m.arrow", "--basis", "tokens").code == 2
    assert replay("mix", "buffer", "week1.jsonl", "-o", "m.arrow", "--ratio", "1", "--basis", "of_total").code == 2
    assert not Path("m.arrow").exists()
    assert replay("stats", "buffer", "--commit", "7").code == 2
    assert "did you mean 'update'" in replay("updat", "buffer").err


def test_bad_rows_may_be_dropped(replay: Replay) -> None:
    Path("bad.jsonl").write_text(lines(week(1)) + '{"prompt"\n' + lines([{"prompt": "and?", "completion": ""}]))
    done(replay("init", "buffer"))
    told = replay("update", "buffer", "bad.jsonl", "--on-bad-row", "drop", "--json")
    assert told.json["offered"] == 20
    assert len(told.json["notices"]) >= 2


def test_tokens_are_a_basis(replay: Replay) -> None:
    done(replay("init", "buffer"))
    done(replay("update", "buffer", "week1.jsonl", "--lengths", "tokens"))
    found = replay(
        "mix", "buffer", "week2.jsonl", "--ratio", "1/5", "--basis", "tokens_of_total", "--lengths", "tokens",
        "-o", "mixed.arrow", "--json",
    )  # fmt: skip
    table = rows_of("mixed.arrow")
    replayed = [row["tokens"] for row in table.to_pylist() if row["sage_origin"] == "replay"]
    assert len(replayed) == found.json["replayed"]
    assert abs(sum(replayed) - sum(row["tokens"] for row in week(2)) / 4) < 8


def test_a_build_replays_and_its_training_says_so(replay: Replay, build: Program, sage_train: Program) -> None:
    done(replay("init", "buffer"))
    done(replay("update", "buffer", "week1.jsonl"))
    line = (
        "week2.jsonl",
        "-k",
        "50%",
        "--strategy",
        "random",
        "--replay",
        "buffer",
        "--replay-ratio",
        "0.5",
        "-o",
        "out.arrow",
    )
    made = build(*line, "--json").json["manifest"]
    assert made["rows"]["added"] == {"replay: uniform": 5}
    assert (made["rows"]["kept"], made["evidence"]["replay"]["commit"]) == (15, 1)
    assert build(*line, "--json").json["cached"] is True
    assert "rows of buffer, 1/2 of the new rows" in done(build(*line, "--dry-run")).out
    why = Program("sage-select", select.main, build.capsys, build.monkeypatch)
    replayed = [row["sage_row_id"] for row in rows_of("out.arrow").to_pylist() if row["sage_origin"] == "replay"]
    assert "added by stage replay: uniform" in done(why("why", "out.arrow", replayed[0])).out
    top = why("top", "out.arrow", "5", "-o", "top.arrow")
    assert (top.code, "replay comes after the selection" in top.err) == (2, True)
    done(replay("update", "buffer", "week2.jsonl"))
    assert build(*line).code == 4  # another commit is another input
    assert build("week2.jsonl", "--replay", "buffer", "-o", "buffer/out.arrow").code == 2
    assert build("week2.jsonl", "--replay", "nothere", "-o", "x.arrow").code == 2
