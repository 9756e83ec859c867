"""What happens, as JSON lines: every line fits the schema of the docs, in the order of a run, whatever its end."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from programs import Program

from sage_select.cli.console import Console
from sage_select.cli.events import EVENTS

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "events.schema.json").read_text())
KINDS = {kind["properties"]["event"]["const"]: kind for kind in SCHEMA["oneOf"]}
TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "object": dict,
    "null": type(None),
}
BUILD = ("in.jsonl", "-k", "5", "-o", "out.arrow")


@pytest.fixture
def rows(folder: Path) -> Path:
    lines = (json.dumps({"text": f"row {i % 190} of {i % 7} words " + "and more " * (i % 5)}) for i in range(200))
    (folder / "in.jsonl").write_text("".join(line + "\n" for line in lines))
    return folder


def fits(value: Any, schema: dict[str, Any]) -> bool:
    """Tell whether a value is what the parts of JSON schema say that the schema of events uses."""
    if "anyOf" in schema:
        return any(fits(value, one) for one in schema["anyOf"])
    if "const" in schema:
        return bool(value == schema["const"])
    return isinstance(value, TYPES[schema["type"]]) and value in schema.get("enum", [value])


def read(text: str) -> list[dict[str, Any]]:
    """Return events, each of which is all of what the schema says and no more."""
    events = [json.loads(line) for line in text.splitlines()]
    for event in events:
        properties = KINDS[event["event"]]["properties"]
        assert event.keys() == properties.keys() == set(KINDS[event["event"]]["required"])
        for name, value in event.items():
            assert fits(value, properties[name]), (name, value)
    times = [event["seconds"] for event in events]
    assert times == sorted(times)
    assert events[0]["event"] == "started"
    assert [event["event"] in ("result", "error") for event in events] == [False] * (len(events) - 1) + [True]
    return events


def of(events: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [event for event in events if event["event"] == kind]


def test_the_schema_has_every_event() -> None:
    assert list(KINDS) == [kind.event for kind in EVENTS]
    assert SCHEMA["version"] == 1


def test_a_build_tells_its_stages_and_ends_with_what_json_prints(rows: Path, build: Program) -> None:
    answer = build(*BUILD, "--strategy", "hybrid", "--json", "--events", "e.jsonl").json
    events = read((rows / "e.jsonl").read_text())
    assert events[0] | {"pid": 0, "program_version": "", "seconds": 0} == {
        "event": "started",
        "seconds": 0,
        "version": 1,
        "program": "sage-select",
        "program_version": "",
        "command": "build",
        "pid": 0,
    }
    assert events[-1]["result"] == answer
    assert [event["text"] for event in of(events, "notice")] == answer["notices"]
    done = [event for event in of(events, "stage") if event["state"] == "done"]
    told = {event["stage"]: (event["rows_in"], event["rows_out"]) for event in done}
    assert told == {one["stage"]: (one["rows_in"], one["rows_out"]) for one in answer["stages"]}
    begun = [event["stage"] for event in of(events, "stage") if event["state"] == "started"]
    assert begun == [event["stage"] for event in done]
    progress = of(events, "progress")
    assert {event["label"] for event in progress} >= {"reading", "selecting"}
    assert all(event["done"] == event["total"] for event in {event["label"]: event for event in progress}.values())


def test_what_was_there_already_is_told_as_such(rows: Path, build: Program) -> None:
    build(*BUILD)
    assert build(*BUILD, "--events", "e.jsonl").code == 0
    events = read((rows / "e.jsonl").read_text())
    assert events[-1]["result"]["cached"] is True
    states = {event["state"] for event in of(events, "stage") if event["stage"] != "source"}
    assert states == {"cached"}
    # Each run adds to the log.
    assert build(*BUILD, "--events", "e.jsonl").code == 0
    assert (rows / "e.jsonl").read_text().count('"event": "started"') == 2


@pytest.mark.parametrize(
    ("arguments", "kind", "code"),
    [
        (["absent.jsonl"], "usage", 2),
        (["in.jsonl", "--startegy", "x"], "usage", 2),
        (["bad.jsonl"], "data", 3),
        (["in.jsonl", "-o", "there.arrow"], "output", 4),
        (["in.jsonl", "-o", "absent/out.arrow"], "environment", 5),
    ],
)
@pytest.mark.parametrize("form", ["option", "equals", "variable"])
def test_an_error_is_the_last_event(
    rows: Path, build: Program, arguments: list[str], kind: str, code: int, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (rows / "bad.jsonl").write_text('{"text": "a"}\n{"text": \n')
    (rows / "there.arrow").write_text("mine")
    given = {"option": ["--events", "e.jsonl"], "equals": ["--events=e.jsonl"], "variable": []}[form]
    if form == "variable":
        monkeypatch.setenv("SAGE_EVENTS", "e.jsonl")
    done = build(*arguments, *given, "--json")
    assert done.code == code
    last = read((rows / "e.jsonl").read_text())[-1]
    assert last["error"] == json.loads(done.out)["error"]
    assert (last["error"]["class"], last["error"]["exit_code"]) == (kind, code)


def test_standard_error_takes_events_and_nothing_else(rows: Path) -> None:
    code = "import sys; sys.argv[0] = 'sage-select'; from sage_select.cli.select import main; main()"
    for arguments in ([*BUILD], ["absent.jsonl"], [*BUILD, "--startegy", "x"]):
        done = subprocess.run(
            [sys.executable, "-c", code, "build", *arguments, "--events", "-"],
            cwd=rows, capture_output=True, text=True, check=False,
        )  # fmt: skip
        events = read(done.stderr)
        assert (done.returncode == 0) is (events[-1]["event"] == "result")
        assert done.stdout == ""


def test_rows_on_standard_output_go_beside_events(rows: Path) -> None:
    code = "from sage_select.cli.select import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "build", "in.jsonl", "-k", "5", "-o", "-.jsonl", "--events", "-"],
        cwd=rows, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert len(done.stdout.splitlines()) == 5
    assert read(done.stderr)[-1]["result"]["output"] == "-.jsonl"


def test_other_commands_and_the_trainer_tell_events_too(
    rows: Path, build: Program, sage_train: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert build(*BUILD, "--strategy", "random").code == 0
    program = Program("sage-select", build.main, build.capsys, build.monkeypatch)
    assert program("top", "out.arrow", "2", "-o", "two.arrow", "--events", "top.jsonl").code == 0
    assert read((rows / "top.jsonl").read_text())[-1]["result"]["output"] == "two.arrow"
    assert sage_train("--selection", "absent.arrow", "--events", "train.jsonl").code == 2
    events = read((rows / "train.jsonl").read_text())
    assert (events[0]["program"], events[0]["command"]) == ("sage-train", None)
    assert program("replay", "init", "buffer", "--events", "replay.jsonl").code == 0
    assert read((rows / "replay.jsonl").read_text())[-1]["result"]["commit"] == 0
    assert sage_train("methods", "--json", "--events=methods.jsonl").code == 0
    assert "A_baseline" in read((rows / "methods.jsonl").read_text())[-1]["result"]["methods"]
    assert sage_train("eval", "absent", "--data", "absent.jsonl", "--events", "eval.jsonl").code == 2
    assert read((rows / "eval.jsonl").read_text())[-1]["event"] == "error"
    monkeypatch.setenv("SAGE_EVENTS", "all.jsonl")
    for arguments in (["why", "out.arrow", "3"], ["export", "out.arrow", "--to", "trl"], ["cache"]):
        assert program(*arguments).code == 0
    text = (rows / "all.jsonl").read_text()
    runs = text.split('{"event": "started"')[1:]
    assert [read('{"event": "started"' + run)[-1]["event"] for run in runs] == ["result"] * 3


def test_a_help_is_no_run(rows: Path, build: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAGE_EVENTS", "e.jsonl")
    assert build("--help").code == 0
    assert not (rows / "e.jsonl").exists()


def test_a_signal_is_the_last_event(rows: Path, build: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    def stage(self: Console, name: str, state: str, rows: object) -> None:
        if name == "select":
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(Console, "stage", stage)
    assert build(*BUILD, "--events", "e.jsonl").code == 143
    error = read((rows / "e.jsonl").read_text())[-1]["error"]
    assert (error["class"], error["exit_code"]) == ("terminated", 143)


def test_events_are_added_to_no_other_file(rows: Path, build: Program) -> None:
    before = (rows / "in.jsonl").read_bytes()
    done = build(*BUILD, "--events", "in.jsonl")
    assert done.code == 4
    assert "something else than events" in done.err
    assert (rows / "in.jsonl").read_bytes() == before
    assert build(*BUILD, "--events", "absent/e.jsonl").code == 5
    assert build(*BUILD, "--events", ".").code == 5
    assert not (rows / "out.arrow").exists()


def test_where_nobody_takes_events_the_run_goes_on(rows: Path, build: Program) -> None:
    done = build(*BUILD, "--events", "/dev/full")
    assert done.code == 0
    assert done.err.count("events are told no more") == 1
    os.mkfifo(rows / "pipe")
    reader = os.open(rows / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    words = [sys.executable, "-c", "from sage_select.cli.select import main; main()", "build", *BUILD, "--force"]
    with subprocess.Popen([*words, "--events", "pipe"], cwd=rows, stderr=subprocess.PIPE, text=True) as program:
        waiting = select.poll()
        waiting.register(reader, select.POLLIN)
        waiting.poll()
        assert b'"event": "started"' in os.read(reader, 100)
        os.close(reader)
        assert program.stderr is not None
        assert "Traceback" not in program.stderr.read()
        assert program.wait() == 0
