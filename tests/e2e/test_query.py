"""`sage-select query`: the next rows to label, round after round, from files to files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
from programs import Program

import sage_select
from sage_select import Pipeline, UsageError
from sage_select.cli import select

pytest.importorskip("sklearn", reason="the classifier needs the embed extra")

KINDS = {"weather": "will it rain or snow", "money": "what is my balance at the bank", "food": "cook rice with beans"}
TEXTS = [f"{words} number {at} {'please' * (at % 2)}" for at in range(20) for words in KINDS.values()]
LABELS = list(KINDS) * 20


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def pool(of: range = range(60)) -> list[dict[str, Any]]:
    return [{"text": TEXTS[row]} for row in of]


def labelled(rows: list[int]) -> list[dict[str, Any]]:
    return [{"text": TEXTS[row], "kind": LABELS[row]} for row in rows]


def read(path: Path) -> pa.Table:
    with pa.memory_map(str(path)) as source:
        return pa.ipc.open_file(source).read_all().sort_by("sage_rank")


@pytest.fixture
def query(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    write(folder / "pool.jsonl", pool())
    write(folder / "a.jsonl", labelled([0, 1, 2, 3, 4, 5]))
    return Program("sage-select query", select.main, capsys, monkeypatch)


BADGE = ("--strategy", "badge")
LEARNED = ("--labelled", "a.jsonl", "--label-column", "kind", "--strategy", "badge")


def test_rounds_never_ask_for_a_row_twice_and_the_same_again_is_cached(folder: Path, query: Program) -> None:
    files: list[str] = ["--labelled", "a.jsonl"]
    seen = set(TEXTS[:6])
    for number in range(3):
        arguments = ("pool.jsonl", *files, "--label-column", "kind", "--strategy", "badge", "-k", 5)
        arguments = (*arguments, "-o", f"next{number}.arrow")
        done = query(*arguments, "--json")
        assert done.json["cached"] is False
        assert done.json["manifest"]["rows"]["dropped"]["labelled: labelled already"] == len(seen)
        assert query(*arguments, "--json").json["cached"] is True
        batch = read(folder / f"next{number}.arrow")
        assert batch["sage_reason"].to_pylist() == ["badge"] * 5
        assert batch["sage_gain"].null_count == 0
        texts = batch["text"].to_pylist()
        assert not seen & set(texts)
        seen |= set(texts)
        kinds = [LABELS[TEXTS.index(text)] for text in texts]
        # What a user does: the batch with a column more, whatever sage_ columns it has.
        pq.write_table(batch.append_column("kind", pa.array(kinds)), folder / f"round{number}.parquet")
        files += ["--labelled", f"round{number}.parquet"]
    facts = json.loads((folder / "next2.arrow.manifest.json").read_text())["evidence"]
    assert facts["labelled"]["labels"] == 3
    assert [one["rows"] for one in facts["labelled"]["files"]] == [6, 5, 5]
    assert facts["predictor"]["rows"] == 16


@pytest.mark.parametrize("measure", ["entropy", "margin", "least_confidence"])
def test_uncertain_rows_have_their_measure_as_score(measure: str, folder: Path, query: Program) -> None:
    done = query("pool.jsonl", *LEARNED, "--strategy", "uncertainty", "--measure", measure, "-k", 8)
    assert done.code == 0, done.err
    table = read(folder / "next.arrow")
    scores = table["sage_score"].to_pylist()
    assert scores == sorted(scores, reverse=measure != "margin")
    assert table["sage_reason"].to_pylist() == ["uncertainty"] * 8


def test_the_order_of_pool_and_labelled_rows_does_not_matter(folder: Path, query: Program) -> None:
    picks = []
    for turn in (1, -1):
        write(folder / "pool.jsonl", pool()[::turn])
        write(folder / "a.jsonl", labelled([0, 1, 2, 3, 4, 5])[::turn])
        assert query("pool.jsonl", *LEARNED, "-k", 10, "--force").code == 0
        picks.append(read(folder / "next.arrow")["text"].to_pylist())
    assert picks[0] == picks[1]


def test_labelled_rows_leave_by_id_as_well(folder: Path, query: Program) -> None:
    write(folder / "pool.jsonl", [{"id": f"r{row}", "text": TEXTS[row]} for row in range(60)])
    write(folder / "a.jsonl", [{"id": f"r{row}", "text": "in other words " + TEXTS[row]} for row in range(10)])
    done = query("pool.jsonl", "--id-column", "id", "--labelled", "a.jsonl", "--strategy", "random", "-k", "100%")
    assert done.code == 0, done.err
    assert "10 rows (labelled already)" in done.err
    assert sorted(read(folder / "next.arrow")["id"].to_pylist()) == sorted(f"r{row}" for row in range(10, 60))


@pytest.mark.parametrize("objective", ["kcenter", "facility"])
def test_diversity_begins_from_the_labelled_rows(objective: str, folder: Path, query: Program) -> None:
    """The picks are those beside the same rows in the pool, named as selected already."""
    arguments = (
        "--strategy",
        "diversity",
        "--objective",
        objective,
        "-k",
        6,
        "--dedup",
        "none",
        "--encoder",
        "hashing",
    )
    guard = ("--outlier-guard", 0) if objective == "kcenter" else ()
    write(folder / "rest.jsonl", pool(range(6, 60)))
    assert query("rest.jsonl", "--labelled", "a.jsonl", *arguments, *guard).code == 0
    beside = read(folder / "next.arrow")["text"].to_pylist()
    write(folder / "ids.txt", [])
    write(folder / "all.jsonl", [{"id": str(row), "text": TEXTS[row]} for row in [*range(6, 60), *range(6)]])
    (folder / "ids.txt").write_text("".join(f"{row}\n" for row in range(6)))
    done = query("all.jsonl", "--id-column", "id", "--preselected", "ids.txt", *arguments, *guard, "-o", "ids.arrow")
    assert done.code == 0, done.err
    assert read(folder / "ids.arrow")["text"].to_pylist() == beside
    alone = query("rest.jsonl", *arguments, *guard, "-o", "alone.arrow")
    assert alone.code == 0
    assert read(folder / "alone.arrow")["text"].to_pylist() != beside


def test_rows_need_no_answer_and_blank_ones_are_not_asked_for(folder: Path, query: Program) -> None:
    chats = [{"messages": [{"role": "user", "content": text}]} for text in [*TEXTS[:8], "  "]]
    write(folder / "chats.jsonl", chats)
    done = query("chats.jsonl", "--strategy", "random", "-k", "100%")
    assert done.code == 0, done.err
    assert "1 row (nothing to label)" in done.err
    assert len(read(folder / "next.arrow")) == 8
    first = read(folder / "next.arrow").slice(0, 3).to_pylist()
    answered = [
        {
            "sage_row_id": row["sage_row_id"],
            "messages": [*row["messages"], {"role": "assistant", "content": "It depends."}],
        }
        for row in first
    ]
    write(folder / "answered.jsonl", answered)
    again = query("chats.jsonl", "--strategy", "random", "-k", "100%", "--labelled", "answered.jsonl", "--force")
    assert again.code == 0, again.err
    assert len(read(folder / "next.arrow")) == 5


ASKED = [f"{text}?" for text in TEXTS[:12]]
SHAPES: dict[str, Any] = {
    "prompt": (lambda one: {"prompt": one, "completion": None}, lambda one: {"prompt": one, "completion": "It is."}),
    "sharegpt": (
        lambda one: {"conversations": [{"from": "human", "value": one}]},
        lambda one: {"conversations": [{"from": "human", "value": one}, {"from": "gpt", "value": "It is."}]},
    ),
}


@pytest.mark.parametrize("labelled_as", SHAPES)
@pytest.mark.parametrize("pool_as", SHAPES)
def test_rows_that_were_answered_are_known_by_what_they_ask(
    pool_as: str, labelled_as: str, folder: Path, query: Program
) -> None:
    write(folder / "pool.jsonl", [SHAPES[pool_as][0](one) for one in ASKED])
    answered = [{**SHAPES[labelled_as][1](one), "kind": str(at % 2)} for at, one in enumerate(ASKED[:6])]
    write(folder / "a.jsonl", answered)
    done = query("pool.jsonl", *LEARNED, "-k", "100%")
    assert done.code == 0, done.err
    assert "6 rows (labelled already)" in done.err
    # Answers have no part in the vectors of labelled rows beside a pool without any.
    before = read(folder / "next.arrow")["sage_gain"].to_pylist()
    said = (folder / "a.jsonl").read_text().replace("It is.", "Quite another answer, of other words.")
    (folder / "a.jsonl").write_text(said)
    assert query("pool.jsonl", *LEARNED, "-k", "100%", "--force").code == 0
    after = read(folder / "next.arrow")["sage_gain"].to_pylist()
    assert after == pytest.approx(before, abs=1e-4)


def test_the_same_words_under_another_system_turn_are_another_question(folder: Path, query: Program) -> None:
    def chat(system: str, *answer: str) -> dict[str, Any]:
        turns = [("system", system), ("user", "Which one?"), *(("assistant", one) for one in answer)]
        return {"messages": [{"role": role, "content": content} for role, content in turns]}

    write(folder / "pool.jsonl", [chat("You sell cars."), chat("You sell ships.")])
    write(folder / "a.jsonl", [chat("You sell ships.", "The long one.")])
    done = query("pool.jsonl", "--labelled", "a.jsonl", "--strategy", "random", "-k", "100%")
    assert done.code == 0, done.err
    assert [row[0]["content"] for row in read(folder / "next.arrow")["messages"].to_pylist()] == ["You sell cars."]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--labelled", "a.jsonl", *BADGE), 2, "no column of the labelled rows is named"),
        (BADGE, 2, "learns from labelled rows, and none are named"),
        (("--labelled", "a.jsonl", "--label-column", "sort"), 2, "there is no column 'sort'"),
        (("--label-column", "kind"), 2, "no labelled rows are named"),
        (("--labelled", "one.jsonl", "--label-column", "kind", *BADGE), 3, "all labelled rows have the same label"),
        (("--labelled", "null.jsonl", "--label-column", "kind"), 3, "have no value"),
        (("--labelled", "none.jsonl", "--label-column", "kind"), 2, "none.jsonl"),
        (("--labelled", "empty.jsonl", "--label-column", "kind"), 3, "empty.jsonl: has no rows"),
        (("--labelled", "pool.jsonl", "--label-column", "kind"), 2, "the labelled rows are the input itself"),
        (("--labelled", "all.jsonl", "--label-column", "kind"), 3, "every row is labelled already"),
        ((*LEARNED, "-k", 55), 2, "more than the 54 rows"),
        ((*LEARNED, "--measure", "margin"), 2, "strategy 'badge' does not use --measure"),
        ((*LEARNED, "--predictions", "p.npy", "--head-c", 1), 2, "does not use --head-c"),
        (("--predictions", "short.npy", *BADGE), 3, "60 rows"),
        (("--predictions", "off.npy", *BADGE), 3, "off.npy, row 7: this row has no probabilities"),
        ((*LEARNED, "--predictions", "p.npy"), 3, "there are more labels than classes"),
        (("--predictions", "p.npy", "--strategy", "random"), 2, "no stage uses predictions"),
        (("--predictions", "p.npy"), 2, "no stage uses predictions"),
        ((*LEARNED, "--embeddings", "v.npy"), 2, "the labelled rows have none"),
        (("--labelled", "a.jsonl", "--embeddings", "v.npy"), 2, "the labelled rows have none"),
        ((*LEARNED, "--strategy", "uncertainty", "--measure", "mnlp"), 2, "--generate-model"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_written(
    arguments: tuple[Any, ...], code: int, words: str, folder: Path, query: Program
) -> None:
    write(folder / "one.jsonl", [{**row, "kind": "same"} for row in labelled([0, 1])])
    write(folder / "null.jsonl", [*labelled([0, 1]), {"text": TEXTS[2], "kind": None}])
    write(folder / "empty.jsonl", [])
    write(folder / "all.jsonl", [*labelled(list(range(60))), {"text": "one more", "kind": "food"}])
    even = np.full((60, 2), 0.5, np.float32)
    np.save(folder / "p.npy", even)
    np.save(folder / "v.npy", np.ones((60, 3), np.float32))
    np.save(folder / "short.npy", even[:59])
    even[7] = 0.6
    np.save(folder / "off.npy", even)
    done = query("pool.jsonl", *arguments)
    assert done.code == code, done.err
    assert words in done.err
    assert not list(folder.glob("next.arrow*"))


def test_probabilities_of_a_column_and_of_a_file_are_those_of_an_array(folder: Path, query: Program) -> None:
    odds = np.random.default_rng(0).gamma(1, size=(60, 4))
    probabilities = (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32)
    np.save(folder / "p.npy", probabilities)
    write(folder / "with.jsonl", [{**row, "p": p.tolist()} for row, p in zip(pool(), probabilities, strict=True)])
    rule = ("--strategy", "uncertainty", "-k", 7)
    assert query("pool.jsonl", "--predictions", "p.npy", *rule).code == 0
    assert query("with.jsonl", "--prediction-column", "p", *rule, "-o", "with.arrow").code == 0
    picks = sage_select.select(pool(), probabilities=probabilities, strategy="uncertainty", k=7)
    expected = [TEXTS[row] for row in picks.indices]
    assert read(folder / "next.arrow")["text"].to_pylist() == expected
    assert read(folder / "with.arrow")["text"].to_pylist() == expected


def test_python_a_spec_and_the_command_line_are_one(folder: Path, query: Program, build: Program) -> None:
    assert query("pool.jsonl", *LEARNED, "-k", 6).code == 0
    expected = read(folder / "next.arrow")["text"].to_pylist()
    chosen = sage_select.select(
        "pool.jsonl", labelled=labelled([0, 1, 2, 3, 4, 5]), label_column="kind", strategy="badge", k=6
    )
    assert chosen.table().sort_by("sage_rank")["text"].to_pylist() == expected
    (folder / "sage.yaml").write_text(
        "version: 1\nsteps:\n- source: {path: pool.jsonl}\n- labelled: {path: a.jsonl, column: kind}\n"
        "- select: {strategy: badge, budget: 6}\n- sink: {path: spec.arrow}\n"
    )
    assert query("--spec", "sage.yaml").code == 0
    assert read(folder / "spec.arrow")["text"].to_pylist() == expected
    piped = Pipeline.read("pool.jsonl").labelled("a.jsonl", column="kind").select("badge", budget=6).run()
    assert piped.table().sort_by("sage_rank")["text"].to_pylist() == expected


@pytest.mark.parametrize("last", ["badge", "uncertainty", "diversity"])
@pytest.mark.parametrize("first", ["random", "diversity"])
def test_a_pool_may_be_thinned_before(first: str, last: str, query: Program) -> None:
    start = Pipeline.read("pool.jsonl")
    thinned = start.labelled("a.jsonl", column="kind").dedup("near").select(first, budget=30).select(last, budget=4)
    assert len(thinned.run()) == 4
    late = start.select("diversity", budget=30).labelled("a.jsonl", column="kind").select(last, budget=4)
    with pytest.raises(UsageError, match="put the step 'labelled' before the first selection"):
        late.run()
    assert len(start.select("random", budget=30).labelled("a.jsonl", column="kind").select(last, budget=4).run()) == 4


def test_labels_that_contradict_each_other_are_told(folder: Path, query: Program) -> None:
    write(folder / "b.jsonl", [{"text": TEXTS[0], "kind": "money"}])
    done = query("pool.jsonl", "--labelled", "a.jsonl", "--labelled", "b.jsonl", *LEARNED[2:], "-k", 2)
    assert done.code == 0, done.err
    assert "1 labelled rows stand there again with another label" in done.err


def test_the_first_of_a_batch_are_the_batch_of_a_smaller_budget(folder: Path, query: Program) -> None:
    assert query("pool.jsonl", *LEARNED, "-k", 12).code == 0
    assert query("pool.jsonl", *LEARNED, "-k", 5, "-o", "five.arrow").code == 0
    top = Program("sage-select", select.main, query.capsys, query.monkeypatch)
    done = top("top", "next.arrow", 5, "-o", "top.arrow")
    assert done.code == 0, done.err
    assert read(folder / "top.arrow")["text"].to_pylist() == read(folder / "five.arrow")["text"].to_pylist()


def test_a_plan_says_what_would_be_done(folder: Path, query: Program) -> None:
    done = query("pool.jsonl", *LEARNED, "-k", 5, "--dry-run")
    assert done.code == 0, done.err
    for words in ("rows of a.jsonl (labels: 'kind') leave the pool", "logistic regression", "badge, 5 rows"):
        assert words in done.out + done.err


@pytest.mark.train
def test_a_model_that_writes_is_asked_and_held(folder: Path, query: Program, shared_model: Path) -> None:
    arguments = ("pool.jsonl", "--generate-model", shared_model, "--max-new-tokens", 4)
    arguments = (*arguments, "--strategy", "uncertainty", "--measure", "mnlp", "-k", 4, "--json")
    first = query(*arguments)
    states = {one["stage"]: one["state"] for one in first.json["stages"]}
    assert states["predict"] == "ran"
    table = read(folder / "next.arrow")
    scores = table["sage_score"].to_pylist()
    # The lowest mean log-probability is the most uncertain.
    assert scores == sorted(scores)
    assert max(scores) < 0
    again = query(*arguments, "-o", "other.arrow", "-k", 6)
    assert {one["stage"]: one["state"] for one in again.json["stages"]}["predict"] == "cached"
    assert read(folder / "other.arrow")["text"].to_pylist()[:4] == table["text"].to_pylist()
    refused = query("pool.jsonl", "--generate-model", shared_model, *BADGE, "-o", "third.arrow")
    assert (refused.code, "needs probabilities of classes" in refused.err) == (2, True)
