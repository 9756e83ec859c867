"""Builds over a cache: what models computed is not computed again, and never stands for anything else."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from programs import Done, Program

from sage_select.api import Pipeline
from sage_select.cli import select as program

pytestmark = pytest.mark.train

ROWS = 4_500


def write_rows(path: Path, texts: list[str]) -> Path:
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return path


@pytest.fixture
def rows(folder: Path) -> Path:
    """Return a file of three blocks of rows."""
    return write_rows(folder / "rows.jsonl", [f"a {number}" for number in range(ROWS)])


@pytest.fixture
def model(folder: Path, tiny_model: Path) -> Path:
    return shutil.copytree(tiny_model, folder / "model")


@pytest.fixture
def cache(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    """Return `sage-select cache`."""
    return Program("sage-select cache", program.main, capsys, monkeypatch)


def states(done: Done) -> dict[str, str]:
    return {one["stage"]: one["state"] for one in done.json["stages"]}


SCORED = ("--strategy", "loss_topk", "--score-model", "model")


def test_scores_are_computed_once(rows: Path, model: Path, build: Program) -> None:
    first = build(rows, *SCORED, "-k", "50", "--json")
    assert set(states(first).values()) == {"ran"}
    again = build(rows, *SCORED, "-k", "50", "--json")
    assert again.json["cached"] is True
    assert set(states(again).values()) == {"cached"}
    more = build(rows, *SCORED, "-k", "60", "-o", "more.arrow", "--json")
    assert {stage for stage, state in states(more).items() if state == "cached"} == {"score"}
    afresh = build(rows, *SCORED, "-k", "60", "-o", "afresh.arrow", "--no-cache", "--json")
    assert set(states(afresh).values()) == {"ran"}
    assert Path("afresh.arrow").read_bytes() == Path("more.arrow").read_bytes()
    assert more.json["manifest"]["evidence"] == afresh.json["manifest"]["evidence"]
    assert more.json["notices"] == afresh.json["notices"]
    assert build(rows, *SCORED, "-k", "60", "-o", "afresh.arrow", "--no-cache", "--json").json["cached"] is True
    made_again = build(rows, *SCORED, "-k", "60", "-o", "afresh.arrow", "--no-cache", "--force", "--json")
    assert set(states(made_again).values()) == {"ran"}
    forced = build(rows, *SCORED, "-k", "60", "-o", "more.arrow", "--force", "--json")
    assert states(forced)["score"] == "cached"


def test_the_lines_of_a_build_tell_it(rows: Path, model: Path, build: Program) -> None:
    write_rows(rows, ["b", "b", *(f"a {number}" for number in range(20))])
    assert re.search("\n  dedup +ran +22 -> 21 rows: 1 exact copy\n", build(rows, *SCORED, "-k", "5").err)
    said = build(rows, *SCORED, "-k", "5").err
    assert said.startswith("cached: made before")
    assert re.search("\n  score +cached +21 rows\n", said)
    assert re.search("\n  select +cached +21 -> 5 rows: 16 rows \\(not selected\\)\n", said)


def test_neither_names_nor_times_are_part_of_a_key(rows: Path, model: Path, build: Program, folder: Path) -> None:
    assert build(rows, *SCORED, "-k", "50").code == 0
    (folder / "elsewhere").mkdir()
    moved = rows.rename(folder / "elsewhere" / "other.jsonl")
    model.rename(folder / "renamed")
    os.utime(moved, (0, 0))
    done = build(moved, "--strategy", "loss_topk", "--score-model", "renamed", "-k", "50", "--json")
    assert done.json["cached"] is True
    other = build(moved, "--strategy", "loss_topk", "--score-model", "renamed", "-k", "9", "-o", "n.arrow", "--json")
    assert states(other)["score"] == "cached"


def test_another_model_under_the_same_name_is_another(rows: Path, model: Path, build: Program) -> None:
    first = build(rows, *SCORED, "-k", "50", "--json")
    weights = model / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-8:] = bytes(8)
    status = weights.stat()
    weights.write_bytes(bytes(data))
    os.utime(weights, ns=(status.st_atime_ns, status.st_mtime_ns))
    refused = build(rows, *SCORED, "-k", "50")
    assert refused.code == 4, refused.err
    done = build(rows, *SCORED, "-k", "50", "-o", "b.arrow", "--json")
    assert states(done)["score"] == "ran"
    assert done.json["manifest"]["evidence"]["score_model"] != first.json["manifest"]["evidence"]["score_model"]


def test_of_changed_rows_only_their_block_is_computed(rows: Path, model: Path, build: Program) -> None:
    assert build(rows, *SCORED, "-k", "50").code == 0
    with rows.open("a") as file:
        file.write(json.dumps({"text": "one more"}) + "\n")
    done = build(rows, *SCORED, "-k", "50", "-o", "b.arrow", "--json")
    (score,) = [one for one in done.json["stages"] if one["stage"] == "score"]
    assert (score["state"], score["held"]) == ("partly cached", 4096)
    said = build(rows, *SCORED, "-k", "51", "-o", "c.arrow").err
    assert re.search("score +cached ", said)


def test_a_killed_build_goes_on_where_it_was(rows: Path, model: Path, build: Program, folder: Path) -> None:
    held = Path(os.environ["SAGE_CACHE_DIR"])
    code = "from sage_select.cli.select import main; main()"
    command = [sys.executable, "-c", code, "build", str(rows), *SCORED, "-k", "50"]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while running.poll() is None and not any(held.rglob("*.arrow")):
        time.sleep(0.005)
    running.send_signal(signal.SIGKILL)
    if running.wait() != -signal.SIGKILL:
        pytest.skip("the build was done before it could be killed")
    assert not (folder / "out.arrow").exists()
    done = build(rows, *SCORED, "-k", "50", "--json")
    (score,) = [one for one in done.json["stages"] if one["stage"] == "score"]
    assert score["held"] in (2048, 4096, ROWS)
    assert build(rows, *SCORED, "-k", "50", "-o", "afresh.arrow", "--no-cache").code == 0
    assert (folder / "afresh.arrow").read_bytes() == (folder / "out.arrow").read_bytes()


def test_vectors_of_a_model_are_computed_once(rows: Path, model: Path, build: Program) -> None:
    pytest.importorskip("sentence_transformers")
    options = ("--strategy", "diversity", "--objective", "kcenter", "--embed-model", "model")
    first = build(rows, *options, "-k", "5", "--json")
    assert states(first)["embed"] == "ran"
    more = build(rows, *options, "-k", "6", "-o", "more.arrow", "--json")
    assert states(more)["embed"] == "cached"
    assert build(rows, *options, "-k", "6", "-o", "afresh.arrow", "--no-cache").code == 0
    assert Path("afresh.arrow").read_bytes() == Path("more.arrow").read_bytes()


def test_python_holds_them_too(rows: Path, model: Path, tmp_path: Path) -> None:
    held = tmp_path / "held"
    pipeline = Pipeline.read(str(rows)).score(model=str(model)).select("loss_topk", budget=7)
    first = pipeline.run(cache=held)
    before = sorted(held.rglob("*.arrow"))
    assert len(before) == 3
    assert pipeline.write(str(tmp_path / "o.arrow")).run(cache=held).reused["score"] == (ROWS, 0)
    assert first.indices.tolist() == pipeline.run(cache=False).indices.tolist()
    assert sorted(held.rglob("*.arrow")) == before


def test_a_damaged_cache_is_told_and_nothing_else(rows: Path, model: Path, build: Program) -> None:
    assert build(rows, *SCORED, "-k", "50").code == 0
    for path in Path(os.environ["SAGE_CACHE_DIR"]).rglob("*.arrow"):
        path.write_bytes(path.read_bytes()[:-9])
    done = build(rows, *SCORED, "-k", "50", "-o", "b.arrow", "--json")
    assert states(done)["score"] == "ran"
    assert sum("damaged" in notice for notice in done.json["notices"]) == 3
    assert Path("b.arrow").read_bytes() == Path("out.arrow").read_bytes()


def test_a_place_for_it_that_is_none(rows: Path, model: Path, build: Program, folder: Path) -> None:
    write_rows(rows, [f"a {number}" for number in range(30)])
    (folder / "file").write_text("mine")
    done = build(rows, *SCORED, "-k", "5", "--cache-dir", "file", "--json")
    assert any("the cache" in notice and "is not used: it is no folder" in notice for notice in done.json["notices"])
    assert (folder / "file").read_text() == "mine"
    both = build(rows, *SCORED, "-k", "5", "--cache-dir", "x", "--no-cache")
    assert (both.code, both.out) == (2, "")
    assert "--no-cache and --cache-dir contradict each other" in both.err


def test_what_is_held_is_listed_and_removed(rows: Path, model: Path, build: Program, cache: Program) -> None:
    assert cache().code == 0
    assert cache("--json").json["held"] == []
    assert build(rows, *SCORED, "-k", "50").code == 0
    found = cache("--json").json
    assert [(one["of"]["label"], one["blocks"]) for one in found["held"]] == [("model", 3)]
    assert found["bytes"] == found["held"][0]["bytes"] > 0
    assert "3 blocks  scorer model, model (cpu, float32)" in cache().out
    assert cache("--older-than", "1", "--json").json["removed"] == {"files": 0, "bytes": 0}
    assert cache("--keep", "1TB", "--json").json["removed"] == {"files": 0, "bytes": 0}
    assert cache("--clear", "--json").json["removed"] == {"files": 3, "bytes": found["bytes"]}
    assert cache("--json").json["held"] == []
    mistakes = {
        ("--keep", "much"): "--keep names no size",
        ("--clear", "--keep", "1GB"): "--clear removes all values",
        ("--clear", "--cache-dir", "."): "this is no cache of sage-select",
    }
    for arguments, said in mistakes.items():
        done = cache(*arguments)
        assert done.code == 2
        assert said in done.err
    assert rows.exists()


def test_texts_of_a_model_are_written_once(model: Path, build: Program, folder: Path) -> None:
    chats = [
        {"messages": [{"role": "user", "content": f"please say {n} words"}, {"role": "assistant", "content": "ok"}]}
        for n in ("one", "two", "three", "four", "five", "six")
    ]
    (folder / "chats.jsonl").write_text("".join(json.dumps(one) + "\n" for one in chats))
    options = ("chats.jsonl", "--strategy", "random", "--augment", "paraphrase", "--augment-model", "model")
    first = build(*options, "-k", "4", "--json")
    assert states(first)["augment"] == "ran"
    again = build(*options, "-k", "4", "-o", "b.arrow", "--order", "length", "--json")
    assert states(again)["augment"] == "cached"
    afresh = build(*options, "-k", "4", "-o", "c.arrow", "--order", "length", "--no-cache", "--json")
    assert Path("b.arrow").read_bytes() == Path("c.arrow").read_bytes()
    assert again.json["notices"] == afresh.json["notices"]
    warmer = build(*options, "-k", "4", "-o", "d.arrow", "--augment-temperature", "2", "--json")
    assert states(warmer)["augment"] == "ran"
