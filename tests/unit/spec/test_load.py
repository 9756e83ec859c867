"""Specs: YAML, TOML and dictionaries are one value; every problem is reported, with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from sage_select.errors import UsageError
from sage_select.ops import Select, Sink, Source
from sage_select.spec import Pipeline, find_spec, load_spec

PIPELINE = Pipeline(
    seed=3, steps=(Source(path="a.jsonl"), Select(strategy="diversity", budget="5%"), Sink(path="b.parquet"))
)

YAML = """\
version: 1
seed: 3
steps:
  - source: {path: a.jsonl}
  - select:
      strategy: diversity
      budget: 5%
  - sink: {path: b.parquet}
"""

TOML = """\
version = 1
seed = 3
[[steps]]
source = {path = "a.jsonl"}
[[steps]]
select = {strategy = "diversity", budget = "5%"}
[[steps]]
sink = {path = "b.parquet"}
"""


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize(("name", "text"), [("sage.yaml", YAML), ("sage.toml", TOML)])
def test_spellings_are_one_value(tmp_path: Path, name: str, text: str) -> None:
    assert load_spec(write(tmp_path, name, text)) == PIPELINE
    assert load_spec(PIPELINE.to_dict()) == PIPELINE


def test_all_problems_are_reported_with_their_lines(tmp_path: Path) -> None:
    text = YAML.replace("strategy: diversity", "stratgy: diversity").replace("5%", "-4").replace("sink", "sinc")
    with pytest.raises(UsageError) as caught:
        load_spec(write(tmp_path, "sage.yaml", text))
    message = str(caught.value)
    assert "3 problems" in message
    assert "line 6: steps.1.select.stratgy: unknown key 'stratgy', did you mean 'strategy'?" in message
    assert "line 7: steps.1.select.budget: this is no budget" in message
    assert "line 8: steps.2.sinc: unknown step 'sinc', did you mean 'sink'?" in message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version: 2\nsteps: []\n", "expected 1, got 2"),
        ("- a\n", "expected the keys"),
        ("version: 1\nversion: 1\n", "not well-formed YAML"),
        ("version: 1\nsteps: &a [*a]\n", "anchors, aliases and tags"),
        ("version: 1\nsteps: !!python/object:os.system []\n", "anchors, aliases and tags"),
        ("version: 1\nsteps:\n  - select: {}\n", "needs a source step"),
        ("version: 1\nsteps:\n  - sink: {}\n  - source: {demo: true}\n  - select: {}\n", "in the order"),
        ("version: 1\nsteps:\n  - source: {demo: true}\n    sink: {}\n", "one step name"),
        ("a: " + "[" * 400 + "]" * 400, "nested too deep"),
        ("", "expected the keys"),
        ("version: 1\nextra: 1\nsteps: []\n", "unknown key 'extra'"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load_spec(write(tmp_path, "sage.yaml", text))


def test_a_missing_spec_and_bad_bytes(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read the spec"):
        load_spec(tmp_path / "none.yaml")
    (tmp_path / "bad.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="not UTF-8"):
        load_spec(tmp_path / "bad.toml")
    with pytest.raises(UsageError, match="not well-formed TOML"):
        load_spec(write(tmp_path, "x.toml", "a = "))


def test_the_folder_s_own_spec(tmp_path: Path) -> None:
    assert find_spec(tmp_path) is None
    first = write(tmp_path, "sage.yaml", YAML)
    assert find_spec(tmp_path) == first
    write(tmp_path, "sage.toml", TOML)
    with pytest.raises(UsageError, match="more than one spec"):
        find_spec(tmp_path)
