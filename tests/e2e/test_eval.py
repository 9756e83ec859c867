"""`sage-train eval`, from rows and an adapter to figures and a file of records."""

from __future__ import annotations

import gzip
import json
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pytest
from programs import Program

from sage_select import demo
from sage_select.io import read_manifest

pytestmark = [pytest.mark.train]

ROWS = [
    {
        "id": f"r{i}",
        "messages": [
            {"role": "user", "content": f"book {['table', 'weather', 'hotel', 'day'][i % 4]} {i}"},
            {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "book", "arguments": {"n": i}}}]},
        ],
    }
    for i in range(6)
]
FAST = ("--lora-r", "2", "--batch-size", "2", "--gradient-accumulation", "1", "--no-gradient-checkpointing")


@pytest.fixture
def rows(folder: Path) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


def test_a_run_beside_its_base(sage_train: Program, rows: Path, tiny_model: Path, folder: Path) -> None:
    trained = folder / "trained.jsonl"
    trained.write_text("".join(json.dumps(row) + "\n" for row in ROWS[:2]))
    run = folder / "run"
    done = sage_train("--selection", trained, "--model", tiny_model, "--output-dir", run, "--max-steps", 2, *FAST)
    assert done.code == 0, done.err
    done = sage_train("eval", "--run", run, "--data", rows, "--output", "result.arrow")
    assert done.code == 0, done.err
    assert done.out == ""
    assert "2 of 6 held-out rows are among the trained rows and are not measured" in done.err
    assert "tool_calls" in done.err
    assert "not here: no answer of these rows has a number behind ####" in done.err
    assert "Share in which exactly the expected tools are called" in done.err
    manifest = read_manifest(folder / "result.arrow")
    assert manifest is not None
    found = manifest["evaluation"]
    assert found["rows"] == 4
    assert found["adapter_digest"] == json.loads((run / "run.json").read_text())["result"]["adapter_digest"]
    loss = found["evaluators"]["loss"]["figures"][0]
    assert loss["tuned"]["value"] - loss["base"]["value"] == pytest.approx(loss["difference"]["value"])
    assert loss["difference"]["interval_none"] == "too few rows for an interval (4 of at least 10)"
    table = pa.ipc.open_file(folder / "result.arrow").read_all()
    assert set(table["model"].to_pylist()) == {"base", "tuned"}
    assert len(table) == 2 * (4 + 4)
    # The same again takes the place of an older result.
    again = sage_train("eval", "--adapter", run, "--data", rows, "--output", "result.arrow", "--json")
    assert again.json["evaluation"]["evaluators"] == found["evaluators"]
    # An adapter that is another than the run recorded is none of its.
    weights = run / "lora_weights" / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\1\0")
    changed = sage_train("eval", "--run", run, "--data", rows, "--output", "result.arrow")
    assert (changed.code, "the adapter is not the one that was trained" in changed.err) == (3, True)
    after = read_manifest(folder / "result.arrow")
    assert after is not None
    assert after["evaluation"]["adapter_digest"] == found["adapter_digest"]


def test_labels_of_texts(sage_train: Program, tiny_model: Path, folder: Path) -> None:
    lines = [{"text": f"{label} {i}", "intent": label} for label in ("book", "find") for i in range(6)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    told = (
        "--model",
        tiny_model,
        "--data",
        "rows.jsonl",
        "--text-column",
        "text",
        "--label-column",
        "intent",
        "--json",
    )
    found = sage_train("eval", *told).json["evaluation"]
    assert sorted(found["evaluators"]) == ["classification", "loss"]
    accuracy = found["evaluators"]["classification"]["figures"][0]
    assert accuracy["name"] == "label_accuracy"
    assert accuracy["base"]["rows"] == 12
    wrong = sage_train("eval", *("txt" if one == "text" else one for one in told))
    assert (wrong.code, "--text-column names the column 'txt', which is not there" in wrong.err) == (2, True), wrong.err
    alone = sage_train("eval", *told, "--evaluators", "loss").json["evaluation"]
    assert list(alone["evaluators"]) == ["loss"]
    few = sage_train("eval", *told, "--evaluators", "classification", "--max-turns", 4).json["evaluation"]
    assert few["evaluators"]["classification"]["rows"] == 4


@pytest.mark.parametrize(
    ("told", "code", "said"),
    [
        (["--data", "rows.jsonl"], 2, "no model is named"),
        (["--model", "MODEL"], 2, "no rows are named"),
        (["--model", "MODEL", "--data", "none.jsonl"], 2, "there are no such held-out rows"),
        (["--model", "MODEL", "--data", "rows.jsonl", "--adapter", "."], 2, "the folder holds no adapter"),
        (["--model", "MODEL", "--data", "rows.jsonl", "--adapter", "a", "--run", "b"], 2, "at most one of"),
        (["--model", "MODEL", "--data", "rows.jsonl", "--evaluators", "los"], 2, "did you mean 'loss'"),
        (["--model", "MODEL", "--data", "rows.jsonl", "--evaluators", "exact_answer"], 3, "has nothing to judge"),
        (
            ["--model", "MODEL", "--data", "rows.jsonl", "--evaluators", "loss", "--labels", "x"],
            2,
            "an option of classific",
        ),
        (["--model", "MODEL", "--data", "rows.jsonl", "--labels", "/dev/null"], 3, "the label set is empty"),
        (["--model", "MODEL", "--data", "rows.jsonl", "--max-turns", "few"], 2, "--max-turns"),
        (["--model", "MODEL", "--data", "rows.jsonl", "-o", "rows.jsonl"], 2, "rows.jsonl"),
        (["--model", "MODEL", "--data", "rows.jsonl", "-o", "mine.arrow"], 4, "name another file with --output"),
        (["--model", "MODEL", "--data", "rows.jsonl", "-o", "mine.txt"], 2, "mine.txt"),
    ],
)
def test_what_is_refused(
    sage_train: Program, rows: Path, tiny_model: Path, folder: Path, told: list[str], code: int, said: str
) -> None:
    (folder / "mine.arrow").write_text("mine")
    done = sage_train("eval", *(str(tiny_model) if one == "MODEL" else one for one in told))
    assert (done.code, said in done.err) == (code, True), done.err
    assert (folder / "mine.arrow").read_text() == "mine"
    assert len(rows.read_text().splitlines()) == 6


def test_a_selection_is_never_replaced(sage_train: Program, build: Program, folder: Path) -> None:
    assert build("--budget", 5, "-o", "out.arrow").code == 0
    before = (folder / "out.arrow").read_bytes()
    done = sage_train("eval", "--max-turns", 1, "-o", "out.arrow")
    assert (done.code, "not a result of sage-train eval" in done.err) == (4, True), done.err
    assert (folder / "out.arrow").read_bytes() == before


def test_the_demo_model_on_its_held_out_rows(sage_train: Program, folder: Path) -> None:
    few = folder / "few.jsonl"
    with gzip.open(demo.heldout_path(), "rt", encoding="utf-8") as lines:
        few.write_text("".join(islice(lines, 24)), encoding="utf-8")
    found = sage_train(
        "eval", "--model", demo.model_path(), "--max-length", 512, "--data", few, "--max-turns", 3, "--json"
    )
    evaluators = found.json["evaluation"]["evaluators"]
    assert sorted(evaluators) == ["loss", "tool_calls"]
    names = {one["name"] for one in evaluators["tool_calls"]["figures"]}
    assert {"tool_accuracy", "calls_exact", "sequence_exact", "timing_f1", "false_calls"} <= names
