"""`sage-train compare` and `sage-train methods` from the shell: what is wrong is told before anything is trained."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from programs import Program

from sage_select import demo
from sage_select.errors import UsageError
from sage_select.methods import MethodSpec, known_methods

HOW = ("--model", demo.model_path(), "--max-length", 128, "--evaluators", "loss", "--seeds", 1, "--tokens", 100)
EVALUATED = (*HOW, "--eval-data", "held.jsonl")


def written(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def asked(number: int, subject: str) -> dict[str, Any]:
    said = [("user", f"how many {subject} are {number}?"), ("assistant", f"{number} {subject} are many of them.")]
    return {"messages": [{"role": role, "content": content} for role, content in said], "week": number % 2}


@pytest.fixture
def rows(folder: Path) -> Path:
    written(folder / "held.jsonl", [asked(number, "stones by the sea") for number in range(12)])
    (folder / "mine.yaml").write_text("summary: mine\nsteps:\n  - select: {strategy: loss_topk, budget: 5}\n")
    return written(folder / "rows.jsonl", [asked(number, "birds") for number in range(30)])


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ("", 2, "nothing is named to compare"),
        ("rows.jsonl --methods ,", 2, "nothing is named to compare"),
        ("rows.jsonl --methods b3", 2, "did you mean 'B3_coreset_hybrid'?"),
        ("rows.jsonl --methods nosuch", 2, "unknown method 'nosuch'"),
        ("rows.jsonl --methods mine", 2, "unknown method 'mine'"),
        ("rows.jsonl --methods A", 2, "there is nothing to compare"),
        ("rows.jsonl --methods B3 --quick --full", 2, "--quick and --full exclude each other"),
        ("rows.jsonl --methods B3 --tokens 0", 2, "--tokens is no number of tokens"),
        ("rows.jsonl --methods B3 --tokens nan", 2, "--tokens is no number of tokens"),
        ("rows.jsonl --methods B3 --seeds 0", 2, "--seeds: expected at least 1"),
        ("rows.jsonl --methods B3 --budget some", 2, "this is no budget"),
        ("rows.jsonl --methods B3 --budget 200%", 2, "this is no budget"),
        ("rows.jsonl --methods B3 --budget 0", 2, "a budget of no rows trains nothing"),
        ("rows.jsonl --methods B3 --balance wek", 2, "--balance: the rows to choose from have no column 'wek'"),
        ("rows.jsonl --methods C --task-column wek", 2, "did you mean 'week'?"),
        ("rows.jsonl --methods B3 --eval-data rows.jsonl", 2, "the held-out rows are the input itself"),
        ("rows.jsonl --methods B3 --eval-data none", 2, "there are no rows to evaluate on"),
        ("rows.jsonl --methods B3 --eval-data gone.jsonl", 2, "there are no such held-out rows"),
        ("rows.jsonl --methods B3 --evaluators nosuch", 2, "unknown evaluator 'nosuch'"),
        ("rows.jsonl --methods B3 --evaluators tool_calls", 3, "no turn of these rows calls a tool"),
        ("rows.jsonl --methods B3 --model gone", 2, "no model repository of this name could be read"),
        ("rows.jsonl --methods B3 --output-dir rows.jsonl", 4, "this is a file, not a folder"),
        ("rows.jsonl --methods B3 --output-dir .", 4, "something that is not a comparison"),
        ("rows.jsonl --methods B3 --config mine.yaml", 2, "there is no such setting"),
        ("rows.jsonl --methods B3 --method-file gone.yaml", 2, "gone.yaml: cannot read the method"),
        ("gone.jsonl --methods B3", 2, "gone.jsonl: no such file"),
        ("empty.jsonl --methods B3", 3, "empty.jsonl: has no rows"),
        ("gone.yaml --methods B3", 2, "gone.yaml: cannot read the spec"),
        ("mine.yaml --methods B3", 2, "mine.yaml: version: expected 1"),
        ("--selection gone.arrow", 2, "there is no such selection"),
        ("--selection rows.jsonl", 2, "the selection has no manifest"),
    ],
)
def test_what_is_wrong_is_told_and_nothing_is_written(
    arguments: str, code: int, said: str, rows: Path, folder: Path, sage_train: Program
) -> None:
    (folder / "empty.jsonl").touch()
    done = sage_train("compare", *EVALUATED, *arguments.split())
    assert done.code == code, done.err
    assert said in done.err, done.err
    assert not (folder / "comparison").exists()


def test_a_selection_has_to_be_of_the_rows_that_its_control_is_drawn_from(
    rows: Path, folder: Path, build: Program, sage_train: Program
) -> None:
    assert build("rows.jsonl", "-k", "5").code == 0
    more = [asked(number, "birds") for number in range(31)]
    written(rows, more)
    changed = sage_train("compare", "--selection", "out.arrow", *EVALUATED)
    assert changed.code == 2
    assert "the rows that the selection was made of have changed since" in changed.err
    rows.unlink()
    gone = sage_train("compare", "--selection", "out.arrow", *EVALUATED)
    assert gone.code == 2
    assert "not where they were" in gone.err
    assert not (folder / "comparison").exists()


@pytest.mark.train
def test_a_selection_is_read_by_the_columns_that_it_was_made_with(
    folder: Path, rows: Path, build: Program, sage_train: Program
) -> None:
    odd = [{"frage": f"what is {i}?", "antwort": f"{i} it is", "text": "nothing to learn"} for i in range(30)]
    written(folder / "odd.jsonl", [*odd, {"frage": "what of it?", "antwort": "nothing", "text": "nothing"}])
    written(folder / "held.jsonl", [{"prompt": f"what is {i}?", "completion": f"{i} it is"} for i in range(2, 14)])
    columns = ("--prompt-column", "frage", "--completion-column", "antwort")
    assert build("odd.jsonl", *columns, "-k", "20", "-o", "odd.arrow").code == 0
    done = sage_train("compare", "--selection", "odd.arrow", *EVALUATED, "--json")
    said = done.json
    assert [(arm["name"], arm["control"]) for arm in said["arms"]] == [
        ("random_subset", None),
        ("selection", "random_subset"),
    ]
    assert "12 of the rows to choose from repeat rows to evaluate on" in done.err
    own = folder / "comparison" / "arms" / "selection" / "seed-0" / "selection.arrow"
    manifest = json.loads(own.with_name("selection.arrow.manifest.json").read_text())
    assert manifest["shape"]["prompt_column"] == "frage"
    repeated = manifest["rows"]["dropped"]["comparison: repeats a row to evaluate on"]
    table = pa.ipc.open_file(own).read_all()
    assert repeated > 0
    assert len(table) == manifest["rows"]["kept"] == 20 - repeated
    assert "has no manifest" not in done.err
    assert len(said["cells"]) == 2
    assert not [cell["error"] for cell in said["cells"] if cell["error"]]


@pytest.mark.train
def test_names_may_be_short_and_doubled_and_a_folder_goes_on(folder: Path, rows: Path, sage_train: Program) -> None:
    told = ("compare", "rows.jsonl", *EVALUATED, "--budget", 50, "--output-dir", "out")
    first = sage_train(*told, "--methods", " B4, B1,,B1_coreset_loss,", "--quiet")
    assert (first.code, first.out, first.err) == (0, "", "")
    before = (folder / "out" / "comparison.json").read_text()
    again = sage_train(*told, "--methods", "B4,B1")
    assert again.code == 0
    assert (folder / "out" / "comparison.json").read_text() == before
    assert "B1_coreset_loss" in again.err
    assert "not distinguishable from B4_coreset_random" in again.err  # the budget is all rows
    (folder / "own.yaml").write_text("summary: own\nsteps:\n  - select: {budget: 5}\n")
    own = ("--methods", "B4,own", "--method-file", "own.yaml")
    assert "--task-column does nothing here" in sage_train(*told, *own, "--task-column", "week").err
    assert sage_train(*told, *own).code == 0
    (folder / "own.yaml").write_text("summary: own\ntrain: {adapter: dora}\n")
    edited = sage_train(*told, *own)
    assert edited.code == 4
    assert "the arm own did something else when it was trained here" in edited.err
    other = sage_train(*told, "--methods", "B4,B1", "--lora-r", 3)
    assert other.code == 4
    assert "the folder holds another comparison" in other.err


def test_methods_are_listed_and_shown(folder: Path, rows: Path, sage_train: Program) -> None:
    listed = sage_train("methods", "--method-file", "mine.yaml")
    assert [line.split()[0] for line in listed.out.splitlines()] == [*known_methods(), "mine"]
    assert sage_train("methods", "--json").json["methods"].keys() == known_methods().keys()
    shown = sage_train("methods", "B3").out
    (folder / "copy.yaml").write_text(shown)
    assert sage_train("methods", "copy", "--method-file", "copy.yaml").out == shown


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("two words.yaml", "letters, digits, _ and -"),
        (".yaml", "letters, digits, _ and -"),
        ("random_subset.yaml", "what a comparison calls an arm of its own"),
        ("random_order-of-mine.yaml", "what a comparison calls an arm of its own"),
        ("B3_coreset_hybrid.yaml", "there is a method 'B3_coreset_hybrid' already"),
        ("folder.yaml", "the method is a folder"),
    ],
)
def test_a_file_with_a_name_that_no_method_can_have_is_refused(
    name: str, said: str, folder: Path, sage_train: Program
) -> None:
    if name == "folder.yaml":
        (folder / name).mkdir()
    else:
        (folder / name).write_text("summary: mine\n")
    done = sage_train("methods", "--method-file", name)
    assert done.code == 2
    assert said in done.err
    assert done.out == ""


def test_a_method_made_in_python_is_checked_as_well() -> None:
    with pytest.raises(UsageError, match="unknown control 'rnd'"):
        MethodSpec("mine", "mine", control="rnd")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="mine has no select step"):
        MethodSpec("mine", "mine", control="random_subset")
