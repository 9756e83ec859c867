"""Rows that repeat held-out rows, from files to files."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from programs import Program

from sage_select.cli import select
from sage_select.evaluate import find_overlap
from sage_select.train import TrainConfig
from sage_select.train.selection import load_selection

STORY = "once upon a time a small dog went to the market to buy a red balloon for the birthday of the old king"
POOL = [
    {"question": "hi", "answer": "Hello", "name": "greeting"},
    {"question": STORY, "answer": "a fine story that everybody likes to hear again and again", "name": "story"},
    {"question": "unrelated", "answer": "yes", "name": "one"},
    {"question": "hi ", "answer": "Hello", "name": "copy"},
    {"question": "something else", "answer": "no", "name": "two"},
]


def chat(question: str, answer: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


@pytest.fixture
def pool(folder: Path) -> Path:
    write(folder / "pool.jsonl", POOL)
    write(folder / "dev.jsonl", [chat("fresh", "row"), chat("hi", "Hello")])
    write(folder / "test.jsonl.gz", [chat("indeed " + STORY, POOL[1]["answer"])])
    return folder


@pytest.fixture
def run(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    return Program("sage-select", select.main, capsys, monkeypatch)


HELD = ("--holdout", "dev.jsonl", "--holdout", "test.jsonl.gz")


def overlapping(held_out: str, selection: str) -> list[str]:
    config = TrainConfig(model="m")
    found = find_overlap(load_selection(held_out, config), load_selection(selection, config))
    return [row.kind for row in found.overlapping]


@pytest.mark.parametrize("output", ["out.arrow", "out.jsonl", "out.parquet"])
def test_training_names_no_held_out_row_after_such_a_build(output: str, pool: Path, build: Program) -> None:
    assert build("pool.jsonl", "-k", "100%", "--strategy", "random", "-o", "all.arrow").code == 0
    assert overlapping("dev.jsonl", "all.arrow") == ["same"]
    assert overlapping("test.jsonl.gz", "all.arrow") == ["near"]
    done = build("pool.jsonl", *HELD, "-k", "100%", "--strategy", "random", "-o", output)
    assert done.code == 0, done.err
    assert "left out  2 rows (same as a held-out row), 1 row (n-grams of a held-out row)" in done.err
    assert overlapping("dev.jsonl", output) == overlapping("test.jsonl.gz", output) == []


def test_summary_manifest_report_and_why_tell_of_it(pool: Path, run: Program) -> None:
    done = run("build", "pool.jsonl", *HELD, "-k", "100%", "--strategy", "random", "--id-column", "name")
    assert done.code == 0, done.err
    assert "note: 2 of 5 rows" not in done.err
    manifest = json.loads((pool / "out.arrow.manifest.json").read_text())
    assert manifest["rows"]["dropped"] == {
        "holdout: same as a held-out row": 2,
        "holdout: n-grams of a held-out row": 1,
        "select: not selected": 0,
    }
    assert manifest["inputs"].keys() == {"source", "holdout.path", "holdout.path 2"}
    files = manifest["evidence"]["holdout"]["files"]
    assert [(one["file"], one["rows"], one["repeating"]) for one in files] == [
        ("dev.jsonl", 2, 2),
        ("test.jsonl.gz", 1, 1),
    ]
    report = pyarrow.parquet.read_table(pool / "out.arrow.rows.parquet").to_pylist()
    told = [(row["held_out_file"], row["held_out_row"], row["held_out_line"], row["kept"]) for row in report]
    assert told == [
        ("dev.jsonl", 1, 2, False),
        ("test.jsonl.gz", 0, 1, False),
        (None, None, None, True),
        ("dev.jsonl", 1, 2, False),
        (None, None, None, True),
    ]
    assert report[1]["similarity"] == pytest.approx(0.96, abs=0.05)
    out = run("why", "out.arrow", "story").out
    assert "stage holdout: n-grams of a held-out row" in out
    assert "held out  test.jsonl.gz, line 1, similarity 0.9" in out
    assert ": indeed once upon a time" in out
    assert run("why", "out.arrow", "one").out.count("held out") == 0
    done = run("top", "out.arrow", 1, "-o", "first.arrow")
    assert done.code == 0, done.err


def test_a_result_is_made_anew_when_held_out_rows_change_and_is_never_put_in_their_place(
    pool: Path, build: Program
) -> None:
    arguments = ("pool.jsonl", "--holdout", "dev.jsonl", "--strategy", "random", "-k", 2)
    assert build(*arguments).code == 0
    assert build(*arguments, "--json").json["cached"]
    write(pool / "dev.jsonl", [chat("unrelated", "yes")])
    assert build(*arguments).code == 4
    assert build(*arguments, "--force", "--json").json["manifest"]["rows"]["dropped"][
        "holdout: same as a held-out row"
    ] == 1  # fmt: skip
    before = (pool / "dev.jsonl").read_bytes()
    done = build(*arguments, "-o", "dev.jsonl", "--force", "--overwrite-foreign")
    assert (done.code, "it is the same as dev.jsonl (holdout.path)" in done.err) == (2, True)
    assert (pool / "dev.jsonl").read_bytes() == before


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--holdout", "pool.jsonl"), 2, "the held-out rows are the input itself"),
        (("--holdout", "./link.jsonl"), 2, "the held-out rows are the input itself"),
        (("--holdout", "same.jsonl"), 2, "the held-out rows are the input itself"),
        (("--holdout", "p*l.jsonl"), 2, "the held-out rows are the input itself"),
        (("--holdout", "absent.jsonl"), 2, "no such file"),
        (("--holdout", "empty.jsonl"), 3, "has no rows"),
        (("--holdout", "odd.csv"), 2, "held-out rows: the rows have no shape that is known"),
        (("--holdout", "bad.jsonl"), 3, "bad.jsonl, row 0, line 1"),
        (("--holdout", "dev.jsonl", "--holdout-threshold", "0.9"), 2, "does not use --holdout-threshold"),
        (("--holdout-mode", "near"), 2, "--holdout: expected a value"),
        (("--holdout", "-"), 2, "--holdout: is standard input"),
    ],
)
def test_what_cannot_be_held_out_is_refused(
    arguments: tuple[str, ...], code: int, says: str, dry: tuple[str, ...], pool: Path, build: Program
) -> None:
    (pool / "link.jsonl").symlink_to("pool.jsonl")
    (pool / "same.jsonl").write_bytes((pool / "pool.jsonl").read_bytes())
    (pool / "empty.jsonl").touch()
    (pool / "odd.csv").write_text("a,b\n1,2\n")
    write(pool / "bad.jsonl", [{"messages": [{"role": "narrator", "content": "x"}]}])
    done = build("pool.jsonl", *arguments, *dry)
    planned = dry and "absent" in arguments[1]  # what is not there yet is planned all the same
    assert (done.code, says in done.err) == (0 if planned else code, True), done.err
    assert not (pool / "out.arrow").exists()


def test_a_large_input_is_estimated_beside_held_out_rows(pool: Path, build: Program) -> None:
    write(pool / "large.jsonl", [{"text": f"row number {row} " + "x" * 200} for row in range(8000)])
    write(pool / "other.jsonl", [{"text": f"other {row} " + "y" * 200} for row in range(8000)])
    for mode in ("exact", "ngrams", "near"):
        done = build("large.jsonl", "--holdout", "other.jsonl", "--holdout-mode", mode, "--dry-run")
        assert done.code == 0, done.err
        assert "holdout" in done.out
    assert build("large.jsonl", "--holdout", "large.jsonl", "--dry-run").code == 2
    assert "absent.jsonl: no such file" in build("large.jsonl", "--holdout", "absent.jsonl", "--dry-run").err


def test_after_a_selection_and_in_several_files(pool: Path, run: Program) -> None:
    (pool / "more").mkdir()
    write(pool / "more" / "rest.jsonl", [{"question": f"row {row}", "answer": "yes"} for row in range(6)])
    write(pool / "bad.jsonl", [{"question": 3, "answer": "x"}, {"question": "row 2", "answer": "yes"}])
    (pool / "chain.yaml").write_text(
        "version: 1\nsteps:\n"
        "  - source: {path: [pool.jsonl, more/rest.jsonl], on_bad_row: drop, max_bad: 50%}\n"
        "  - dedup: {}\n"
        "  - select: {strategy: random, budget: 100%}\n"
        "  - holdout: {path: [dev.jsonl, test.jsonl.gz]}\n"
        "  - holdout: {path: more/*.jsonl, mode: exact}\n"
        "  - sink: {path: out.arrow}\n"
    )
    done = run("build", "--spec", "chain.yaml")
    assert done.code == 0, done.err
    assert "kept      2 rows" in done.err
    manifest = json.loads((pool / "out.arrow.manifest.json").read_text())
    assert manifest["rows"]["dropped"]["holdout: same as a held-out row"] == 7
    assert manifest["inputs"].keys() >= {"holdout.path", "holdout.path 2", "holdout 2.path"}
    report = pyarrow.parquet.read_table(pool / "out.arrow.rows.parquet").to_pylist()
    assert [row["held_out_file"] for row in report if row["reason"] == "same as a held-out row"] == [
        "dev.jsonl", *["more/rest.jsonl"] * 6,
    ]  # fmt: skip
    assert "holdout comes after the selection" in run("top", "out.arrow", 1, "-o", "t.arrow").err
    pins = pool / "pins"
    pins.write_text(report[0]["sage_row_id"] + "\n")
    done = run("build", "pool.jsonl", "--holdout", "dev.jsonl", "--pin", "pins", "-o", "p.arrow")
    assert (done.code, "this row is pinned, and repeats a held-out row" in done.err) == (2, True)


@pytest.mark.real_data
def test_real_rows_that_repeat_test_rows_leave(shared_data: Path, folder: Path, build: Program) -> None:
    clinc = shared_data / "clinc150"
    held = ("--holdout", clinc / "test.parquet", "--holdout", clinc / "validation.parquet")
    done = build(clinc / "train.parquet", *held, "--strategy", "random", "-k", "100%")
    assert done.code == 0, done.err
    dropped = json.loads((folder / "out.arrow.manifest.json").read_text())["rows"]["dropped"]
    assert dropped["holdout: same as a held-out row"] == 5
    assert dropped["holdout: n-grams of a held-out row"] == 56
    for name in ("test.parquet", "validation.parquet"):
        assert overlapping(str(clinc / name), "out.arrow") == []
