"""Rows in other words from every door: command line, spec, Python, `why`, `top`, and the trainer's held-out check."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from programs import Program
from writers import make_writer

import sage_select
from sage_select import Pipeline, UsageError, io
from sage_select.cli import select
from sage_select.evaluate import find_overlap
from sage_select.render import detect_shape, to_example
from sage_select.rewriting import violation
from sage_select.train import TrainConfig
from sage_select.train.selection import load_selection

N = 40
WORDS = ["cheap", "good", "pretty", "near", "distant", "small"]
BUILD = ["rows.jsonl", "--strategy", "random", "-k", "20", "--augment", "rules"]


@pytest.fixture
def run(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    """Return `sage-select`."""
    return Program("sage-select", select.main, capsys, monkeypatch)


@pytest.fixture(autouse=True)
def rows(folder: Path) -> list[dict[str, Any]]:
    made = [
        {
            "messages": [
                {"role": "system", "content": "Help the guest."},
                {"role": "user", "content": f"Could you please find the cheapest hotel number {row} in Rome tomorrow?"},
                {
                    "role": "assistant",
                    "tool_calls": [{"function": {"name": "find_hotel", "arguments": {"city": "Rome", "row": row}}}],
                },
                {"role": "tool", "content": f"hotel {row}"},
                {"role": "assistant", "content": f"Hotel {row} is the cheapest one that there is."},
            ],
            "topic": "ab"[row % 2],
            "loss": row / 7,
        }
        for row in range(N)
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in made))
    return made


def table(path: str | Path) -> list[dict[str, Any]]:
    return list(io.decode_rows(io.read(path).table))


def families(made: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield each row that was made of another, and that."""
    by_id = {row["sage_row_id"]: row for row in made}
    assert len(by_id) == len(made)
    for row in made:
        if row["sage_origin"] == "augmented":
            yield row, by_id[row["sage_parent_id"]]


@pytest.mark.parametrize("output", ["out.arrow", "out.jsonl", "out.parquet"])
def test_rows_manifest_report_and_summary_tell_the_same(output: str, folder: Path, run: Program) -> None:
    done = run("build", *BUILD, "--augment-factor", "1.5", "-o", output)
    assert done.code == 0, done.err
    made = table(output)
    manifest = json.loads((folder / f"{output}.manifest.json").read_text())
    counted = manifest["rows"]
    added = Counter(row["sage_origin"] for row in made)["augmented"]
    left_out = sum(count for cause, count in counted["dropped"].items() if cause.startswith("augment:"))
    assert counted["added"] == {"augment: rules": 30}
    assert added == 30 - left_out > 20
    assert counted["in"] + 30 - sum(counted["dropped"].values()) == counted["kept"] == len(made)
    assert counted["reasons"] == {"random": 20, "rules": added}
    assert manifest["evidence"]["augment"]["added"] == added
    assert f"augment   {added} rows added" in done.err
    for row, parent in families(made):
        assert (row["sage_reason"], row["sage_rank"]) == ("rules", parent["sage_rank"])
        assert row.get("sage_score") is None
        assert [one for one in row["messages"] if one["role"] != "user"] == [
            one for one in parent["messages"] if one["role"] != "user"
        ]
        assert row["topic"] == parent["topic"]
    report = pq.read_table(folder / f"{Path(output).name}.rows.parquet").to_pylist()
    assert len(report) == N + 30
    assert [one["origin"] for one in report] == ["selected"] * N + ["augmented"] * 30
    assert all(one["stage"] == "augment" and one["file"] is None and one["first_words"] for one in report[N:])
    assert sorted(one["sage_row_id"] for one in report if one["kept"]) == sorted(row["sage_row_id"] for row in made)
    assert {one["parent"] for one in report[N:]} <= {one["sage_row_id"] for one in report[:N] if one["kept"]}
    # The same again is there already; another factor is another result.
    assert "cached" in run("build", *BUILD, "--augment-factor", "1.5", "-o", output).err
    assert run("build", *BUILD, "-o", output).code == 4


def test_why_tells_of_whom_a_row_was_made(folder: Path, run: Program) -> None:
    assert run("build", *BUILD, "-o", "out.arrow").code == 0
    row, parent = next(families(table("out.arrow")))
    out = run("why", "out.arrow", row["sage_row_id"]).out
    assert "row      no row of the input" in out
    assert f"made of  {parent['sage_row_id']}: Could you please find" in out
    assert "outcome  added by stage augment: rules" in out
    assert "made of" not in run("why", "out.arrow", parent["sage_row_id"]).out
    assert "selected by random" in run("why", "out.arrow", parent["sage_row_id"]).out


def test_top_serves_no_smaller_budget_where_rows_were_added(folder: Path, run: Program) -> None:
    assert run("build", *BUILD, "-o", "out.arrow").code == 0
    done = run("top", "out.arrow", "5", "-o", "few.arrow")
    assert (done.code, "augment comes after the selection" in done.err) == (2, True)
    assert run("build", *BUILD[:-1], "none", "-o", "plain.arrow").code == 0
    assert run("top", "plain.arrow", "5", "-o", "few.arrow").code == 0


def test_rows_do_not_depend_on_the_order_of_the_input(folder: Path, run: Program, rows: list[dict[str, Any]]) -> None:
    assert run("build", *BUILD, "-o", "out.jsonl", "--augment-factor", "0.5").code == 0
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[::-1]))
    assert run("build", *BUILD, "-o", "turned.jsonl", "--augment-factor", "0.5").code == 0
    assert table("out.jsonl") == table("turned.jsonl")


def test_every_door_makes_the_same_rows(folder: Path, run: Program) -> None:
    more = [
        "--augment-factor",
        "2",
        "--augment-cap",
        "50%",
        "--augment-rate",
        "0.2",
        "--order",
        "easy_to_hard",
        "--score-column",
        "loss",
    ]
    assert run("build", *BUILD, *more, "-o", "out.jsonl").code == 0
    pipeline = (
        Pipeline.read("rows.jsonl")
        .score(column="loss")
        .select("random", budget="20")
        .order("easy_to_hard")
        .augment("rules", factor=2, cap="50%", rate=0.2)
        .write("python.jsonl")
    )
    pipeline.run()
    (folder / "sage.yaml").write_text(pipeline.to_yaml().replace("python.jsonl", "spec.jsonl"))
    assert run("build").code == 0
    (folder / "again.toml").write_text(pipeline.to_toml().replace("python.jsonl", "toml.jsonl"))
    assert run("build", "--spec", "again.toml").code == 0
    made = table("out.jsonl")
    assert table("python.jsonl") == table("spec.jsonl") == table("toml.jsonl") == made
    chosen = sage_select.select(
        "rows.jsonl",
        strategy="random",
        k=20,
        scores="loss",
        order="easy_to_hard",
        augment="rules",
        augment_factor=2,
        augment_cap="50%",
        augment_rate=0.2,
    )
    assert chosen.table()["sage_row_id"].to_pylist() == [row["sage_row_id"] for row in made]
    assert len(chosen) == len(made)
    assert len(chosen.indices) == len(chosen.gains) == len(chosen.reasons) == 20
    numbers = chosen.table_indices
    assert [number < 0 for number in numbers] == [row["sage_origin"] == "augmented" for row in made]
    assert chosen.lineage().num_rows == N + chosen.evidence["augment"]["tried"]
    assert repr(chosen) == f"Selection(20 of {N} rows and {len(made) - 20} added)"
    with pytest.raises(UsageError, match="augment comes after the selection"):
        chosen.top(3)
    # Those that were easy are trained first, and what was made of them near them.
    loss = {row["sage_row_id"]: row["sage_score"] for row in made if row["sage_origin"] == "selected"}
    assert list(loss.values()) == sorted(loss.values())


def test_options_win_over_a_spec_and_none_switches_it_off(folder: Path, run: Program) -> None:
    pipeline = Pipeline.read("rows.jsonl").select("random", budget=5).augment("rules", factor=2, edits=["typo"])
    (folder / "sage.yaml").write_text(pipeline.write("out.arrow").to_yaml())
    assert "3 tried for each row" in run("build", "--augment-factor", "3", "--explain").out
    assert "augment  no rows are added" in run("build", "--augment", "none", "--explain").out
    done = run("build", "--augment", "none", "--augment-edit", "case", "--explain")
    assert (done.code, "augmenter 'none' does not use --augment-edit; rules does" in done.err) == (2, True), done.err
    assert run("build", "--augment", "none", "-o", "none.arrow").code == 0
    assert len(table("none.arrow")) == 5


def test_dry_run_and_explain_tell_of_it(folder: Path, run: Program) -> None:
    out = run("build", *BUILD, "--augment-factor", "2", "--dry-run").out
    assert "augment  2 tried for each row; the user's words by rules: 0.1 of the words edited" in out
    assert "about 60 kept" in out
    assert "\naugment " in out.partition("stage")[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--augment", "rules", "--augment-model", "m"),
            "augmenter 'rules' does not use --augment-model; paraphrase does",
        ),
        (("--augment", "paraphrase"), "needs --augment-model"),
        (("--augment", "paraphrase", "--augment-model", "./gone"), "there is no such model folder"),
        (("--augment", "none", "--augment-factor", "2"), "augment 'none' does not use"),
        (("--augment", "poetry"), "unknown augmenter 'poetry', known are rules, paraphrase, back_translation, none"),
        (
            (
                "--augment-cap",
                "100%",
            ),
            "cap is a number of rows",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: tuple[str, ...], message: str, run: Program) -> None:
    done = run("build", "rows.jsonl", *arguments, "-o", "never.arrow")
    assert (done.code, message in done.err) == (2, True), done.err
    assert not Path("never.arrow").exists()


def test_a_selection_after_it_chooses_among_all(folder: Path, run: Program) -> None:
    pipeline = Pipeline.read("rows.jsonl").augment(factor=2).select("loss_topk", budget="50%", quota="topic")
    (folder / "sage.yaml").write_text(pipeline.write("out.arrow").to_yaml())
    done = run("build")
    assert done.code == 0, done.err
    made = table("out.arrow")
    assert {row["sage_reason"] for row in made} == {"score"}
    assert sorted(row["sage_rank"] for row in made) == list(range(len(made)))
    assert {row["sage_origin"] for row in made} == {"selected", "augmented"}
    assert all(row["sage_score"] is not None for row in made)
    counts = Counter(row["topic"] for row in made)
    assert abs(counts["a"] - counts["b"]) <= 1
    report = pq.read_table(folder / "out.arrow.rows.parquet").to_pylist()
    assert {one["stage"] for one in report if one["kept"]} == {"select"}
    assert {one["origin"] for one in report if one["kept"]} == {"selected", "augmented"}


def test_no_row_is_made_of_a_held_out_row_and_training_finds_what_was(
    folder: Path, run: Program, rows: list[dict[str, Any]]
) -> None:
    assert run("build", *BUILD, "--augment-rate", "0.5", "-o", "out.jsonl").code == 0
    made = table("out.jsonl")
    row, parent = next(families(made))
    config = TrainConfig(model="m")

    def found(held_out: list[dict[str, Any]], trained: list[dict[str, Any]]) -> list[str]:
        return [
            one.kind
            for one in find_overlap(load_selection(held_out, config), load_selection(trained, config)).overlapping
        ]

    child_alone = [one for one in made if one["sage_row_id"] == row["sage_row_id"]]
    # By the ids of a build, and by content where the held-out row never was in one.
    assert found([parent], child_alone) == ["augmented"]
    plain = {"messages": parent["messages"]}
    assert found([plain], child_alone) in (["augmented"], ["near"])
    assert found([row], [parent]) == ["augmented"]
    stranger = {
        **parent,
        "sage_row_id": "other",
        "messages": [*rows[0]["messages"][:2], {"role": "assistant", "content": "Never."}],
    }
    assert found([stranger], child_alone) == []
    # The stage holdout drops what the trainer would name.
    Path("held.jsonl").write_text(json.dumps({"messages": parent["messages"]}) + "\n")
    done = run(
        "build", "out.jsonl", "--holdout", "held.jsonl", "-k", "100%", "--strategy", "random", "-o", "apart.jsonl"
    )
    assert done.code == 0, done.err
    apart = table("apart.jsonl")
    assert {parent["sage_row_id"], row["sage_row_id"]}.isdisjoint(one["sage_row_id"] for one in apart)
    assert found([{"messages": parent["messages"]}], apart) == []
    # Of rows made in an earlier run it is told on whom they were made of.
    assert (
        sum(one.get("sage_parent_id") is not None for one in apart)
        == sum(one["sage_origin"] == "augmented" for one in made) - 1
    )


def test_models_say_it_in_other_words(folder: Path, run: Program, tiny_model: Path) -> None:
    there = make_writer("marian", tiny_model, folder / "there")
    back = make_writer("bart", tiny_model, folder / "back")
    (folder / "plain.jsonl").write_text(
        "".join(json.dumps({"prompt": f"find the {word} hotel", "completion": word}) + "\n" for word in WORDS)
    )
    common = ["plain.jsonl", "--strategy", "random", "-k", "100%"]
    models = {
        "paraphrase": ["--augment-model", tiny_model, "--augment-prompt", "{text}"],
        "back_translation": ["--augment-there", there, "--augment-back", back, "--augment-temperature", "0.8"],
    }
    for name, more in models.items():
        done = run("build", *common, "--augment", name, *more, "-o", f"{name}.jsonl")
        assert done.code == 0, done.err
        manifest = json.loads((folder / f"{name}.jsonl.manifest.json").read_text())
        facts = manifest["evidence"]["augment"]
        assert facts["tried"] == 6 == facts["added"] + sum(facts["left_out"].values())
        pinned = [value["revision"] for key, value in manifest["evidence"].items() if key.startswith("augment_")]
        assert len(pinned) == len(more) // 2 - 1
        assert {key for key in manifest["inputs"] if key.startswith("augment.")} == (
            {"augment.model"} if name == "paraphrase" else {"augment.there", "augment.back"}
        )
        assert "cached" in run("build", *common, "--augment", name, *more, "-o", f"{name}.jsonl").err
    shutil.rmtree(there)
    assert (
        run("build", *common, "--augment", "back_translation", *models["back_translation"], "-o", "never.jsonl").code
        == 2
    )


@pytest.mark.parametrize(
    ("file", "more"),
    [
        ("gsm8k/train.jsonl.gz", ["--order", "easy_to_hard"]),
        ("sgd_chat/dev.jsonl.gz", ["--augment-factor", "2"]),
        ("toolformer/similarity_0.6.jsonl.gz", ["--order", "competence"]),
        ("chat_formats/glaive_sharegpt.json", ["-k", "100%"]),
        ("chat_formats/v1_messages.jsonl", ["--augment-part", "all"]),
    ],
)
def test_real_rows_keep_what_matters(file: str, more: list[str], shared_data: Path, run: Program) -> None:
    done = run("build", shared_data / file, "--strategy", "random", "--augment", "rules", *more, "-o", "out.arrow")
    assert done.code == 0, done.err
    found = io.read("out.arrow").table
    shape = detect_shape(found.schema)
    values = {row["sage_row_id"]: row for row in found.to_pylist()}
    whole = "all" in more
    count = 0
    for row, parent in families(list(values.values())):
        one, other = to_example(row, shape), to_example(parent, shape)
        assert one.tools == other.tools
        assert len(one.messages) == len(other.messages)
        for turn, before in zip(one.messages, other.messages, strict=True):
            assert {**turn, "content": ""} == {**before, "content": ""}
            if turn["role"] == "user" or (whole and turn["role"] == "assistant"):
                assert violation(before["content"], turn["content"]) is None
            else:
                assert turn["content"] == before["content"]
        count += one.messages != other.messages
    assert count > 20
    assert found["sage_position"].to_pylist() == list(range(found.num_rows))


@pytest.mark.train
def test_training_consumes_such_a_selection_as_it_stands(
    folder: Path, run: Program, sage_train: Program, tiny_model: Path
) -> None:
    (folder / "plain.jsonl").write_text(
        "".join(
            json.dumps({"prompt": f"find the {word} hotel", "completion": f"the {word} one"}) + "\n" for word in WORDS
        )
    )
    assert (
        run("build", "plain.jsonl", "--strategy", "random", "-k", "100%", "--augment", "rules", "-o", "out.arrow").code
        == 0
    )
    made = [row["sage_row_id"] for row in table("out.arrow")]
    assert len(made) > 8
    fast = ("--lora-r", "4", "--batch-size", "2", "--gradient-accumulation", "1", "--no-gradient-checkpointing")
    done = sage_train("--selection", "out.arrow", "--model", tiny_model, "--output-dir", "run", "--epochs", "1", *fast)
    assert done.code == 0, done.err
    lines = Path("run/logs/consumed.jsonl").read_text().splitlines()
    assert [row for line in lines for row in json.loads(line)["rows"]] == made


def test_arrays_and_frames_are_told_what_they_cannot_have(rows: list[dict[str, Any]]) -> None:
    with pytest.raises(UsageError, match="no rows to augment, only arrays"):
        sage_select.select(scores=[1.0, 2.0, 3.0], k=2, strategy="loss_topk", augment="rules")
    polars = pytest.importorskip("polars")
    import_module("sage_select.polars")
    frame = polars.DataFrame(
        {"question": [f"where is the great hotel number {row}?" for row in range(9)], "answer": ["here"] * 9}
    )
    with pytest.raises(UsageError, match="others came to them"):
        frame.sage.select(k=3, strategy="random", augment="rules")
    made = frame.sage.selection(k=3, strategy="random", augment="rules")
    assert made.to_polars().height == len(made) > 3
    assert isinstance(pa.table(made), pa.Table)


@pytest.mark.parametrize("value", [["a"], 1.5, {"a": 1}, 7, None])
def test_a_column_of_that_name_that_is_none_of_ours_says_nothing(value: Any, rows: list[dict[str, Any]]) -> None:
    given = [{**row, "sage_parent_id": value} for row in rows]
    made = sage_select.select(given, k=5, strategy="random", augment="rules")
    # A whole number may be the id of a row: it stays, and such a row is not augmented again.
    parents = [row["sage_parent_id"] for row in made]
    assert (parents == ["7"] * 5) if value == 7 else (len(parents) == 10 and parents.count(None) == 5)
