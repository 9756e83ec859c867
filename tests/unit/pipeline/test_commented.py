"""The spec that `sage-select init` writes: it runs as it stands, and whatever is commented out may be put in."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sage_select.pipeline import STAGES, Pipeline
from sage_select.pipeline.plan import fingerprint, resolve
from sage_select.pipeline.spec import load_spec
from sage_select.pipeline.spec.commented import commented_spec
from sage_select.pipeline.spec.keys import keys_of
from sage_select.stages import Select, Sink, Source

TEXT = commented_spec({"demo": True})
LINES = TEXT.split("\n")
KEYS = [number for number, line in enumerate(LINES) if re.match(r" {6}#\w+: ", line)]
OF_MEMBERS = {key.name for stage in STAGES.values() for key in keys_of(stage) if key.users}
STEPS = [number for number, line in enumerate(LINES) if line.startswith("  #- ")]


def loaded(folder: Path, lines: list[str]) -> Pipeline:
    path = folder / "sage.yaml"
    path.write_text("\n".join(lines))
    return load_spec(path)


def test_it_is_what_holds_where_nothing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sage.yaml").write_text(TEXT)
    plain = Pipeline(steps=(Source(demo=True), Select(), Sink()))
    assert fingerprint(resolve(load_spec(Path("sage.yaml")))) == fingerprint(resolve(plain))
    assert all(len(line) <= 120 for line in LINES if not re.match(r'[ #]*\w+: "', line))


def test_every_step_and_key_is_in_it() -> None:
    for name, stage in STAGES.items():
        block = re.search(rf"^  #?- {name}:\n(.*?)(?:^$|\Z)", TEXT, flags=re.MULTILINE | re.DOTALL)
        assert block is not None, name
        for key in keys_of(stage):
            assert re.search(rf"^  (#    |    )#?{key.name}:", block[1], flags=re.MULTILINE), (name, key.name)


@pytest.mark.parametrize("number", KEYS, ids=[LINES[number].strip(" #") for number in KEYS])
def test_a_key_that_has_a_value_says_what_holds_anyway(tmp_path: Path, number: int) -> None:
    lines = [*LINES[:number], LINES[number].replace("#", "", 1), *LINES[number + 1 :]]
    found = loaded(tmp_path, lines)
    if LINES[number].strip(" #").partition(":")[0] not in OF_MEMBERS:  # those hold where their member is chosen
        assert fingerprint(resolve(found)) == fingerprint(resolve(loaded(tmp_path, LINES)))


@pytest.mark.parametrize("first", STEPS, ids=[LINES[number].strip(" #-:") for number in STEPS])
def test_a_step_that_is_commented_out_may_be_put_in(tmp_path: Path, first: int) -> None:
    end = next(number for number in range(first, len(LINES)) if not LINES[number])
    block = [line[:2] + line[3:] for line in LINES[first:end]]
    found = loaded(tmp_path, [*LINES[:first], *block, *LINES[end:]])
    name = LINES[first].strip(" #-:")
    assert name in [step.name for step in found.steps]
    assert len(found.steps) == len(loaded(tmp_path, LINES).steps) + 1


@pytest.mark.parametrize(
    "path", ["a b.jsonl", "1.5", "true", "a: b", "#x", "\u00fc '\".csv", "*.jsonl", "-", "s3://b/c"]
)
def test_whatever_a_file_is_called_it_is_read_back(tmp_path: Path, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sage.yaml").write_text(commented_spec({"path": path}), encoding="utf-8")
    assert load_spec(Path("sage.yaml")).step(Source).path == path
    Path("sage.yaml").write_text(commented_spec({"path": [path, "b"]}, ["said: [x]"], schema="s"), encoding="utf-8")
    assert load_spec(Path("sage.yaml")).step(Source).path == [path, "b"]
    assert Path("sage.yaml").read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=s\n")
