"""The manifest: its digest, its schema, its versions, and what is no manifest at all."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from programs import Program

from sage_select.cli import select
from sage_select.errors import DataError, OutputError, ResourceError
from sage_select.io import existing, open_output, open_with_report, read, read_manifest, write
from sage_select.io.commit.manifest import manifest_text
from sage_select.io.commit.names import OutputNames

TABLE = pa.table({"prompt": ["x", "y", "z"]})
CONTENT: dict[str, Any] = {
    "program": {"name": "sage-select", "version": "1"},
    "fingerprint": "f",
    "plan": "p",
    "spec": {"version": 1},
    "seed": 0,
    "source": {"name": "in.jsonl", "demo": False, "digest": "d"},
    "inputs": {"source": "d"},
    "shape": {"name": "text", "fields": {"text": "prompt"}, "columns": ["prompt"], "json_text": [["prompt", "x"]]},
    "rows": {"in": 3, "kept": 3, "dropped": {"select: not selected": 0}, "reasons": {"random": 3}},
    "evidence": {},
    "metrics": {},
    "libraries": {},
    "notices": [],
}

OUTPUT = {"file": "o", "digest": "d", "format": "arrow", "rows": 1}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    write(TABLE, tmp_path / "out.arrow", CONTENT)
    return tmp_path / "out.arrow"


def rewritten(place: Path, content: dict[str, Any]) -> None:
    """Write a manifest with a digest that is right."""
    output = json.loads(OutputNames(place).manifest.read_text())["output"]
    OutputNames(place).manifest.write_text(manifest_text({"output": output, **content}))


def test_its_digest_is_that_of_the_lines_that_follow(place: Path) -> None:
    command = "tail -n +4 out.arrow.manifest.json | b2sum -l 256"
    printed = subprocess.run(["bash", "-c", command], cwd=place.parent, capture_output=True, text=True, check=True)
    manifest = read_manifest(place)
    assert manifest is not None
    assert manifest["digest"] == "blake2b-256:" + printed.stdout.split()[0]


def test_no_flipped_bit_passes(place: Path) -> None:
    file = OutputNames(place).manifest
    whole = file.read_bytes()
    for at in range(len(whole)):
        for bit in (1 << at % 8, 1 << (at + 3) % 8):
            damaged = bytearray(whole)
            damaged[at] ^= bit
            file.write_bytes(damaged)
            with pytest.raises(DataError):
                read_manifest(place)


def test_no_cut_and_no_longer_manifest_passes(place: Path) -> None:
    file = OutputNames(place).manifest
    whole = file.read_bytes()
    for other in (*(whole[:at] for at in range(0, len(whole), 7)), whole + b" ", whole + b"\n", b" " + whole):
        file.write_bytes(other)
        with pytest.raises(DataError):
            read_manifest(place)


def _without(key: str) -> Callable[[dict[str, Any]], object]:
    return lambda content: content.pop(key)


SCHEMA: dict[str, Callable[[dict[str, Any]], object]] = {
    **{f"no {key}": _without(key) for key in CONTENT if key not in ("program", "metrics", "libraries")},
    "a shape that is a number": lambda content: content.update(shape=5),
    "a shape without columns": lambda content: content["shape"].pop("columns"),
    "columns that are text": lambda content: content["shape"].update(columns="prompt"),
    "fields of lists": lambda content: content["shape"].update(fields={"text": ["prompt"]}),
    "counts that are text": lambda content: content["rows"].update(kept="3"),
    "a count below zero": lambda content: content["rows"].update(kept=-1),
    "a count that is true": lambda content: content["rows"].update({"in": True}),
    "no count": lambda content: content["rows"].pop("in"),
    "dropped as a list": lambda content: content["rows"].update(dropped=[1]),
    "evidence as a list": lambda content: content.update(evidence=[]),
    "metrics as a number": lambda content: content.update(metrics=7),
    "a row report that is a number": lambda content: content.update(output={**OUTPUT, "row_report": 1.5}),
    "one of an earlier version that is": lambda content: content.update(output={**OUTPUT, "story": 1.5}),
    "no output": lambda content: content.update(output=None),
    "an output without digest": lambda content: content.update(output={**OUTPUT, "digest": None}),
}


def test_a_row_report_is_known_by_the_name_that_earlier_versions_gave_it(place: Path) -> None:
    report = pa.table({"id": ["1"]})
    write(TABLE, place, CONTENT, row_report=report, force=True)
    content = json.loads(OutputNames(place).manifest.read_text())
    content["output"]["story"] = content["output"].pop("row_report")
    OutputNames(place).manifest.write_text(manifest_text(content))
    found = open_with_report(place)[2]
    assert found is not None
    assert found.table.equals(report)
    assert existing(place, "f", with_report=True)
    assert not existing(place, "f", with_report=False)
    write(TABLE, place, CONTENT, force=True)  # which replaces it, since the manifest names it
    assert not OutputNames(place).row_report.exists()


@pytest.mark.parametrize("case", SCHEMA)
def test_keys_and_their_types_are_checked_though_the_digest_is_right(case: str, place: Path) -> None:
    content = json.loads(json.dumps(CONTENT))
    SCHEMA[case](content)
    rewritten(place, content)
    for use in (read_manifest, open_output, read):
        with pytest.raises(DataError, match="is not a manifest of this program"):
            use(place)
    assert not existing(place, "f")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is damaged: a manifest is a JSON object"),
        ("{", "is damaged: a manifest is a JSON object"),
        ("[" * 100_000, "is damaged"),
        ("[]", "is not a manifest"),
        ('{"format_version": 2}', "has been changed or damaged"),
        ('{"format_version": 3, "output": {}}', r"another version(?s:.*)got: 3"),
        ('{"format_version": true, "output": {}}', r"another version(?s:.*)got: True"),
        ('{"format_version": [1], "output": {}}', "another version"),
        ('{"output": {}}', "another version"),
        ('{"a": 1, "a": 1}', "is damaged"),
    ],
)
def test_what_is_no_manifest(text: str, said: str, place: Path) -> None:
    OutputNames(place).manifest.write_text(text)
    for use in (read_manifest, open_output, read):
        with pytest.raises(DataError, match=said):
            use(place)
    assert not existing(place, "f")
    with pytest.raises(OutputError, match="--overwrite-foreign"):
        write(TABLE, place, {}, force=True)
    write(TABLE, place, {}, force=True, overwrite_foreign=True)
    assert open_output(place)[0].table.equals(TABLE)


def test_a_manifest_is_a_regular_file(place: Path) -> None:
    file = OutputNames(place).manifest
    file.unlink()
    os.mkfifo(file)  # which would be waited for
    with pytest.raises(DataError, match="a folder, pipe or device"):
        read_manifest(place)
    file.unlink()
    file.mkdir()
    with pytest.raises(DataError, match="a folder, pipe or device"):
        read_manifest(place)
    file.rmdir()
    file.symlink_to(file.name)
    with pytest.raises(ResourceError, match="cannot be read"):
        read_manifest(place)


def _of_version_1(place: Path) -> None:
    manifest = json.loads(OutputNames(place).manifest.read_text())
    del manifest["digest"]
    OutputNames(place).manifest.write_text(json.dumps({**manifest, "format_version": 1}))


def test_one_of_an_earlier_version_is_refused_with_a_way_out(place: Path) -> None:
    _of_version_1(place)
    for use in (read_manifest, open_output, read):
        with pytest.raises(DataError, match=r"earlier version(?s:.*)build the output again(?s:.*)--no-verify"):
            use(place)
    rows, manifest = open_output(place, verify=False)
    assert rows.table.equals(TABLE)
    assert manifest is not None
    assert manifest["fingerprint"] == "f"
    assert not existing(place, "f")
    write(TABLE, place, CONTENT, force=True)  # it is ours
    assert existing(place, "f")


def test_verification_can_be_left_out(place: Path) -> None:
    file = OutputNames(place).manifest
    file.write_text(file.read_text().replace('"demo": false', '"demo": true'))
    place.write_bytes(place.read_bytes().replace(b"x", b"q"))
    for use in (open_output, read):
        with pytest.raises(DataError, match="changed or damaged"):
            use(place)
    assert read(place, verify=False).table["prompt"].to_pylist() == ["q", "y", "z"]
    rows, manifest = open_output(place, verify=False)
    assert rows.table["prompt"].to_pylist() == ["q", "y", "z"]
    assert manifest is not None
    assert manifest["source"]["demo"] is True


@pytest.mark.parametrize("name", ["a.arrow", "a.jsonl", "a"])
def test_our_own_files_are_verified_wherever_they_are_read(name: str, tmp_path: Path) -> None:
    write(TABLE, tmp_path / name, {})
    write(TABLE, tmp_path / f"b{name[1:]}", {})
    file = tmp_path / name / "data-00000-of-00001.arrow" if name == "a" else tmp_path / name
    file.write_bytes(file.read_bytes().replace(b"z", b"q"))
    pattern = f"{tmp_path}/[ab]{name[1:]}"
    for source in (tmp_path / name, pattern):
        with pytest.raises(DataError, match=r"changed or damaged since it was written(?s:.*)its manifest"):
            read(source)
    assert read(pattern, verify=False).table.num_rows == 6
    assert read(tmp_path / f"b{name[1:]}").table.num_rows == 3


@pytest.mark.parametrize(
    "figures", [{"lengths": [1]}, {"verdict": 5}, {"coverage": {"metric": "cosine"}}, {"scores": "x"}]
)
def test_figures_of_other_types_under_a_right_digest_are_refused(figures, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in.jsonl").write_text("".join(f'{{"text": "row {row}"}}\n' for row in range(9)))
    build = Program("sage-select build", select.main, capsys, monkeypatch)
    assert build("in.jsonl", "-k", "3", "--strategy", "random").code == 0
    manifest = json.loads(Path("out.arrow.manifest.json").read_text())
    manifest["metrics"].update(figures)
    Path("out.arrow.manifest.json").write_text(manifest_text(manifest))
    done = build("in.jsonl", "-k", "3", "--strategy", "random")
    assert done.code == 3
    assert "out.arrow.manifest.json: is not a manifest of this program" in done.err
