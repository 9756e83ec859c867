"""The programs where standard output or error is full, closed or cut off, and what machines read on it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from programs import Program

CODE = "import sys; from sage_select.cli.{} import main; sys.argv[0] = 'sage'; main()"
PARTS = {"class", "exit_code", "expected", "got", "hint", "message", "problems", "where"}


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    (tmp_path / "in.jsonl").write_text("".join(f'{{"text": "row {i}"}}\n' for i in range(20)))
    return tmp_path


def run(folder: Path, *arguments: str, redirect: str, module: str = "select") -> subprocess.CompletedProcess[str]:
    """Run a program through a shell, which opens or closes its streams."""
    return subprocess.run(
        ["bash", "-c", f'exec "$@" {redirect}', "bash", sys.executable, "-c", CODE.format(module), *arguments],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip


BUILD = ("build", "in.jsonl", "-k", "2", "--strategy", "random", "-o", "out.arrow")


@pytest.mark.parametrize("redirect", [">/dev/full", ">&-"])
@pytest.mark.parametrize("asked", ["--json", "--explain", "--dry-run"])
def test_a_result_that_cannot_be_written_is_an_error_of_the_environment(rows: Path, redirect: str, asked: str) -> None:
    done = run(rows, *BUILD, asked, redirect=redirect)
    assert done.returncode == 5
    assert "standard output" in done.stderr
    assert "Traceback" not in done.stderr
    assert "bug" not in done.stderr
    # What was committed before is there, and the message says so.
    assert (rows / "out.arrow").exists() is (asked == "--json")
    assert ("out.arrow has been written" in done.stderr) is (asked == "--json")


@pytest.mark.parametrize("redirect", [">/dev/full", ">&-"])
@pytest.mark.parametrize("output", ["-", "-.jsonl"])
def test_rows_that_cannot_be_written_are_an_error_of_the_environment(rows: Path, redirect: str, output: str) -> None:
    done = run(rows, *BUILD[:-1], output, redirect=redirect)
    assert done.returncode == 5
    assert "standard output" in done.stderr
    assert "Traceback" not in done.stderr
    assert "bug" not in done.stderr
    assert [entry.name for entry in rows.iterdir()] == ["in.jsonl"]


@pytest.mark.parametrize("redirect", ["2>&-", "2>/dev/full", "2> >(true)"])
@pytest.mark.parametrize("events", [(), ("--events", "-")])
def test_where_nobody_hears_the_notices_the_build_goes_on(rows: Path, redirect: str, events: tuple[str, ...]) -> None:
    done = run(rows, *BUILD, *events, redirect=redirect)
    assert done.returncode == 0
    assert (rows / "out.arrow").exists()


@pytest.mark.parametrize("arguments", [(*BUILD, "--explain"), ("build", "--help")])
def test_a_reader_that_has_left_is_no_error(rows: Path, arguments: tuple[str, ...]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as closed:
        done = subprocess.run(
            [sys.executable, "-c", CODE.format("select"), *arguments],
            cwd=rows, stdout=closed, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 0
    assert done.stderr == ""


def of(done: Any) -> dict[str, Any]:
    """Return the one JSON object on standard output."""
    value: dict[str, Any] = json.loads(done.out)
    assert done.out.count("\n") == 1
    return value


@pytest.mark.parametrize(
    ("arguments", "kind", "code"),
    [
        (["build", "--json", "--startegy", "x"], "usage", 2),
        (["build", "--json", "absent.jsonl"], "usage", 2),
        (["build", "--json", "--threads", "0"], "usage", 2),
        (["build", "--json", "in.jsonl", "--strategy", "x"], "usage", 2),
        (["build", "--json", "in.jsonl", "--strategy", "x", "--explain"], "usage", 2),
        (["build", "--json", "bad.jsonl"], "data", 3),
        (["build", "--json", "bad.jsonl", "--dry-run"], "data", 3),
        (["build", "--json", "in.jsonl", "-o", "there.arrow"], "output", 4),
        (["build", "--json", "in.jsonl", "-o", "absent/out.arrow"], "environment", 5),
        (["top", "--json", "absent.arrow", "3", "-o", "x.arrow"], "usage", 2),
        (["top", "--json"], "usage", 2),
        (["--json"], "usage", 2),
    ],
)
def test_errors_are_json_too(rows: Path, build: Program, arguments: list[str], kind: str, code: int) -> None:
    (rows / "bad.jsonl").write_text('{"text": "a"}\n{"text": \n')
    (rows / "there.arrow").write_text("mine")
    done = Program("sage-select", build.main, build.capsys, build.monkeypatch)(*arguments)
    value = of(done)
    assert done.code == code
    assert value["ok"] is False
    assert set(value) >= {"ok", "error", "notices"}
    assert set(value["error"]) == PARTS
    assert (value["error"]["class"], value["error"]["exit_code"]) == (kind, code)
    assert value["error"]["message"] in done.err


def test_the_place_of_an_error_is_in_its_json(rows: Path, build: Program) -> None:
    (rows / "bad.jsonl").write_text('{"text": "a"}\n{"text": \n')
    where = of(build("bad.jsonl", "--json"))["error"]["where"]
    assert where == {"file": "bad.jsonl", "row": 1, "line": 2, "column": None}


def test_errors_of_the_trainer_are_json_too(folder: Path, sage_train: Program) -> None:
    for arguments in (["--json"], ["--json", "--epochz", "3"], ["--json", "--epochs", "many"]):
        done = sage_train(*arguments)
        assert done.code == 2
        assert of(done)["error"]["class"] == "usage"


def test_results_are_json(rows: Path, build: Program) -> None:
    assert of(build(*BUILD[1:], "--json"))["ok"] is True
    explained = of(build(*BUILD[1:], "--json", "--explain"))
    assert explained["ok"] is True
    assert explained["explain"][0].split() == ["source", "in.jsonl"]
    assert of(build(*BUILD[1:], "--json", "--dry-run", "--force"))["ok"] is True


def test_names_cannot_steer_the_terminal(rows: Path, build: Program) -> None:
    name = "a\x1b[2J\x9b31m\nerror: forged\u202e.jsonl"
    (rows / name).write_text((rows / "in.jsonl").read_text())
    for arguments in (
        ["--explain"], ["--dry-run"], ["-k", "2"], ["-k", "90"], ["--strategy", name], ["--quota", name],
        ["--pin", name], ["--scores", name], ["--template", name], ["--id-column", name], [f"--{name}", "x"],
        ["--json", "-k", "3"],
    ):  # fmt: skip
        done = build(name, *arguments, "-o", "x.arrow", "--force")
        for text in (done.out, done.err):
            assert all(char.isprintable() or char == "\n" for char in text), text
            assert not any(line.startswith("error: forged") for line in text.splitlines())


@pytest.mark.parametrize(
    ("option", "hint"),
    [
        ("--out", "--output"), ("--input", "INPUT"), ("-n", "--budget"), ("--k", "--budget"), ("--limit", "--budget"),
        ("--format", "the format follows the name"), ("--dedupe", "--dedup exact"), ("--n-select", "--budget"),
        ("--frac", "--budget 10%"), ("--split", "hf://"), ("--output_format", "the format follows"),
        ("--text_column", "--text-column"), ("--startegy", "did you mean '--strategy'"), ("--xyzzy", "--help"),
    ],
)  # fmt: skip
def test_options_from_habit_get_a_hint(build: Program, option: str, hint: str) -> None:
    done = build("in.jsonl", option, "3")
    assert done.code == 2
    first, second = done.err.splitlines()
    assert first == f"error: there is no option {option}"
    assert second.startswith("  hint: ")
    assert hint in second


def test_every_habit_names_an_option_that_there_is() -> None:
    from typer.main import get_command

    from sage_select.cli import habits, select, train, train_habits

    commands = get_command(select.program()).commands  # type: ignore[attr-defined]
    for table, command in (
        (habits.SELECT_HABITS, commands["build"]),
        (train_habits.TRAIN_HABITS, get_command(train.app)),
    ):
        declared = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
        assert not declared & set(table), "an option that there is needs no hint"
        for instead in table.values():
            if instead.startswith("-"):
                assert instead.split()[0].rstrip(",") in declared
