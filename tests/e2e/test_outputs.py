"""No command replaces what is not ours, or what it reads; nothing is touched where it refuses."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from programs import Program
from tests.support.commits import Dying

import sage_select
from sage_select import ReplayBuffer
from sage_select.cli import select
from sage_select.errors import DataError
from sage_select.io.commit.files import Files
from sage_select.pipeline import STAGES
from sage_select.stages import Sink
from sage_select.values.location import Reads

ROWS = "".join(f'{{"prompt": "say {i}", "completion": "it is {i}"}}\n' for i in range(40))


@pytest.fixture
def rows(folder: Path) -> Path:
    (folder / "rows.jsonl").write_text(ROWS)
    return folder / "rows.jsonl"


@pytest.fixture
def top(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    return Program("sage-select top", select.main, capsys, monkeypatch)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_file_setting_is_declared_as_an_input() -> None:
    """One that is not would be left out of the digests, and could be overwritten."""
    of_files = {"path", "file", "model", "pin", "exclude", "preselected", "queries", "tokenizer", "buffer"}
    settings = {
        (op.name, field): info for op in STAGES.values() if op is not Sink for field, info in op.model_fields.items()
    }
    declared = {name for name, info in settings.items() if any(isinstance(mark, Reads) for mark in info.metadata)}
    assert declared == {name for name in settings if name[1] in of_files}


SETTINGS = {
    "rows": (["rows.jsonl"], "rows.jsonl"),
    "a pattern": (["*.jsonl"], "rows.jsonl"),
    "queries": (["rows.jsonl", "--strategy", "target", "--queries", "q.jsonl"], "q.jsonl"),
    "pin": (["rows.jsonl", "--pin", "ids.jsonl"], "ids.jsonl"),
    "exclude": (["rows.jsonl", "--exclude", "ids.jsonl"], "ids.jsonl"),
    "scores": (["rows.jsonl", "--strategy", "loss_topk", "--scores", "s.npy"], "s.jsonl"),
    "embeddings": (["rows.jsonl", "--strategy", "diversity", "--embeddings", "e.npy"], "e.jsonl"),
    "a model": (["rows.jsonl", "--score-model", "model"], "model/out.arrow"),
    "a tokenizer": (["rows.jsonl", "-k", "9 tokens", "--tokenizer", "model"], "model/weights.jsonl"),
    "a replay buffer": (["rows.jsonl", "--replay", "seen"], "seen/rows.jsonl"),
    "the spec": (["--spec", "sage.yaml"], "spec.jsonl"),
    "the folder's spec": ([], "spec.jsonl"),
}


@pytest.mark.parametrize("case", SETTINGS)
@pytest.mark.parametrize("more", [[], ["--force"], ["--force", "--overwrite-foreign"], ["--dry-run", "--force"]])
def test_an_input_is_never_the_output(case: str, more: list[str], folder: Path, rows: Path, build: Program) -> None:
    (folder / "q.jsonl").write_text(ROWS)
    (folder / "ids.jsonl").write_text("0\n")
    (folder / "model").mkdir()
    ReplayBuffer.open(folder / "seen")
    (folder / "seen" / "rows.jsonl").write_text(ROWS)
    (folder / "model" / "weights.jsonl").write_text("{}")
    np.save(folder / "s.npy", np.arange(40.0))
    np.save(folder / "e.npy", np.ones((40, 8), np.float32))
    (folder / "sage.yaml").write_text(
        "version: 1\nsteps:\n- source: {path: rows.jsonl}\n- select: {strategy: random}\n- sink: {path: o.arrow}\n"
    )
    for name in ("s.npy", "e.npy"):
        os.link(folder / name, folder / name.replace("npy", "jsonl"))
    os.link(folder / "sage.yaml", folder / "spec.jsonl")
    before = contents(folder)
    arguments, output = SETTINGS[case]
    done = build(*arguments, "-o", output, *more)
    assert done.code == 2, done.err
    assert "would take the place of an input" in done.err
    assert contents(folder) == before


@pytest.mark.parametrize("more", [[], ["--force"], ["--force", "--overwrite-foreign"]])
@pytest.mark.parametrize("output", ["out.arrow", "./out.arrow", "link.arrow", "out.arrow.rows.parquet"])
def test_top_never_replaces_what_it_reads(
    output: str, more: list[str], folder: Path, rows: Path, build: Program, top: Program
) -> None:
    assert build("rows.jsonl", "--strategy", "random", "-k", "20").code == 0
    (folder / "link.arrow").symlink_to("out.arrow")
    before = contents(folder)
    done = top("out.arrow", "5", "-o", output, *more)
    assert done.code == 2, done.err
    assert contents(folder) == before


def test_an_output_inside_the_input_folder(folder: Path, rows: Path, build: Program) -> None:
    assert build("rows.jsonl", "--strategy", "random", "-k", "20", "-o", "saved").code == 0
    before = contents(folder)
    for output in ("saved", "saved/out.arrow", "saved/new"):
        done = build("saved", "--strategy", "random", "-k", "5", "-o", output, "--force", "--overwrite-foreign")
        assert done.code == 2, done.err
        assert contents(folder) == before


def test_force_replaces_what_is_ours_and_nothing_else(folder: Path, rows: Path, build: Program) -> None:
    (folder / "out.arrow").write_text("mine")
    for more in ([], ["--force"], ["--force", "--dry-run"]):
        done = build("rows.jsonl", "--strategy", "random", *more)
        assert done.code == 4
        assert "--force --overwrite-foreign" in done.err
        assert (folder / "out.arrow").read_text() == "mine"
    done = build("rows.jsonl", "--strategy", "random", "--overwrite-foreign")
    assert done.code == 2
    assert "--force" in done.err
    assert (folder / "out.arrow").read_text() == "mine"
    assert build("rows.jsonl", "--strategy", "random", "--force", "--overwrite-foreign").code == 0
    assert build("rows.jsonl", "--strategy", "random", "--seed", "1", "--force").code == 0


def test_top_asks_for_as_much(folder: Path, rows: Path, build: Program, top: Program) -> None:
    assert build("rows.jsonl", "--strategy", "random", "-k", "20").code == 0
    (folder / "t.arrow").write_text("mine")
    assert top("out.arrow", "5", "-o", "t.arrow", "--force").code == 4
    assert top("out.arrow", "5", "-o", "t.arrow", "--overwrite-foreign").code == 2
    assert (folder / "t.arrow").read_text() == "mine"
    assert top("out.arrow", "5", "-o", "t.arrow", "--force", "--overwrite-foreign").code == 0
    assert top("out.arrow", "6", "-o", "t.arrow", "--force").code == 0


def test_our_own_files_are_verified_wherever_they_are_read(
    folder: Path, rows: Path, build: Program, top: Program
) -> None:
    assert build("rows.jsonl", "--strategy", "random", "-k", "20", "-o", "out.jsonl").code == 0
    (folder / "out.jsonl").write_text((folder / "out.jsonl").read_text().replace("it is", "it as"))
    queries = ["rows.jsonl", "--strategy", "target", "--queries", "out.jsonl", "-k", "3"]
    for number, run in enumerate(
        (
            lambda *more: build("out.jsonl", "--strategy", "random", "-k", "3", *more),
            lambda *more: build(*queries, *more),
            lambda *more: top("out.jsonl", "3", *more),
        )
    ):
        done = run("-o", f"{number}.arrow")
        assert done.code == 3, done.err
        assert "changed or damaged since it was written" in done.err
        assert not (folder / f"{number}.arrow").exists()
        assert run("-o", f"{number}.arrow", "--no-verify").code == 0
    with pytest.raises(DataError, match="changed or damaged"):
        sage_select.select(str(folder / "out.jsonl"), k=3, strategy="random")
    with pytest.raises(DataError, match="changed or damaged"):
        sage_select.select(str(rows), k=3, strategy="target", queries=str(folder / "out.jsonl"))
    assert len(sage_select.select(str(folder / "out.jsonl"), k=3, strategy="random", verify=False)) == 3


def test_a_damaged_manifest_is_refused_wherever_it_is_read(
    folder: Path, rows: Path, build: Program, top: Program
) -> None:
    assert build("rows.jsonl", "--strategy", "random", "-k", "20").code == 0
    manifest = folder / "out.arrow.manifest.json"
    whole = manifest.read_text()
    for damaged in (
        whole.replace('"prompt": "prompt"', '"prompt": "qrompt"'),
        json.dumps({**json.loads(whole), "shape": 5}),
        json.dumps({key: value for key, value in json.loads(whole).items() if key != "rows"}),
        whole[:100],
    ):
        manifest.write_text(damaged)
        assert build("out.arrow", "--strategy", "random", "-k", "3", "-o", "b.arrow").code == 3
        assert top("out.arrow", "3", "-o", "t.arrow").code == 3
        done = build("rows.jsonl", "--strategy", "random", "-k", "20")
        assert done.code == 3
        assert "--force --overwrite-foreign" in done.err
        assert build("rows.jsonl", "--strategy", "random", "-k", "20", "--force").code == 4
    assert build("rows.jsonl", "--strategy", "random", "-k", "20", "--force", "--overwrite-foreign").code == 0
    assert manifest.read_text() == whole


def test_a_run_completes_what_one_before_it_has_left(folder: Path, rows: Path, build: Program) -> None:
    """A build that is repeated after it was killed in its last step finds its output there."""
    arguments = ["rows.jsonl", "--strategy", "random", "-k", "20"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Files, "rename", Dying().rename)
        assert build(*arguments).code == 5
    assert (folder / ".out.arrow.commit").exists()
    done = build(*arguments)
    assert done.code == 0, done.err
    assert "cached" in done.err
    assert {path.name for path in folder.iterdir() if path.name.startswith(".")} == set()
