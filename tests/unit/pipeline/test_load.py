"""Specs: YAML, TOML and dictionaries are one value; every problem is reported, with its line."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from sage_select.errors import Problem, UsageError
from sage_select.pipeline import Pipeline
from sage_select.pipeline.plan import explain, fingerprint
from sage_select.pipeline.spec import find_spec, load_spec
from sage_select.stages import Select, Sink, Source

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
def test_spellings_are_one_value(tmp_path: Path, name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, name, text)
    assert load_spec(Path(name)) == PIPELINE
    assert load_spec(PIPELINE.to_dict()) == PIPELINE


def test_all_problems_are_reported_with_their_lines(tmp_path: Path) -> None:
    text = YAML.replace("strategy: diversity", "stratgy: diversity").replace("5%", "-4").replace("sink", "sinc")
    with pytest.raises(UsageError) as caught:
        load_spec(write(tmp_path, "sage.yaml", text))
    message = str(caught.value)
    assert "3 problems" in message
    assert "sage.yaml:6:7: steps.1.select.stratgy: unknown key 'stratgy', did you mean 'strategy'?" in message
    assert "sage.yaml:7:15: steps.1.select.budget: this is no budget" in message
    assert "sage.yaml:8:5: steps.2.sinc: unknown step 'sinc', did you mean 'sink'?" in message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version: 2\nsteps: []\n", "expected 1, got 2"),
        ("- a\n", "expected the keys"),
        ("version: 1\nversion: 1\n", "not well-formed YAML"),
        ("version: 1\nsteps: &a [*a]\n", "anchors, aliases and tags"),
        ("version: 1\nsteps: !!python/object:os.system []\n", "anchors, aliases and tags"),
        ("version: 1\nsteps:\n  - select: {}\n", "begins with a source step"),
        (
            "version: 1\nsteps:\n  - source: {demo: true}\n  - sink: {}\n  - select: {}\n",
            "a sink stands once, at the end",
        ),
        ("version: 1\nsteps:\n  - source: {demo: true}\n    sink: {}\n", "one step name"),
        ("a: " + "[" * 400 + "]" * 400, "nested too deep"),
        ("", "expected the keys"),
        ("version: 1\nextra: 1\nsteps: []\n", "unknown key 'extra'"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load_spec(write(tmp_path, "sage.yaml", text))


WRONG = {
    "sage.yaml": """\
version: 1
sede: 1
seed: !!int x
steps:
  - source:
      path: [a.jsonl]
      demo: true
  - dedup: {mode: exact, threshold: 0.9, mode: near}
  - select: {strategy: random, budget: 5%, k_nn: 3}
  - selct:
  - score: &a {column: loss}
  - order: {order: competence, rounds: 2, full_competence_at: 7}
""",
    "sage.toml": """\
version = 1
sede = 1
seed = -1
[[steps]]
source.path = ["a.jsonl"]
source.demo = true
[[steps]]
dedup = {mode = "exact", threshold = 0.9}
[[steps]]
[steps.select]
strategy = "random"
budget = "5%"
k_nn = 3
[[steps]]
  [steps.selct]
[[steps]]
order = {order = "competence", rounds = 2, "full_competence_at" = 7}
""",
}

PLACES = {
    "sage.yaml": [
        (2, 1, "sede", "unknown key 'sede', did you mean 'seed'?"),
        (3, 7, "seed", "this is no whole number: 'x'"),
        (6, 7, "steps.0.source", "give at most one of path and demo"),
        (8, 26, "steps.1.dedup", "dedup with mode 'exact' does not use threshold"),
        (8, 42, "steps.1.dedup.mode", "the spec is not well-formed YAML: the key 'mode' stands twice"),
        (9, 44, "steps.2.select", "strategy 'random' does not use k_nn; auto, hybrid and diversity do"),
        (10, 5, "steps.3.selct", "unknown step 'selct', did you mean 'select'?"),
        (11, 12, "steps.4.score", "anchors, aliases and tags have no place in a spec"),
        (12, 32, "steps.5.order", "order 'competence' does not use rounds; self_paced does"),
        (12, 63, "steps.5.order.full_competence_at", "expected at most 1, got 7"),
    ],
    "sage.toml": [
        (2, 1, "sede", "unknown key 'sede', did you mean 'seed'?"),
        (3, 8, "seed", "expected at least 0, got -1"),
        (5, 8, "steps.0.source", "give at most one of path and demo"),
        (8, 26, "steps.1.dedup", "dedup with mode 'exact' does not use threshold"),
        (13, 1, "steps.2.select", "strategy 'random' does not use k_nn; auto, hybrid and diversity do"),
        (15, 10, "steps.3.selct", "unknown step 'selct', did you mean 'select'?"),
        (17, 32, "steps.4.order", "order 'competence' does not use rounds; self_paced does"),
        (17, 67, "steps.4.order.full_competence_at", "expected at most 1, got 7"),
    ],
}


@pytest.mark.parametrize("name", WRONG)
def test_problems_of_all_kinds_are_told_together_in_the_order_of_their_places(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, name, WRONG[name])
    with pytest.raises(UsageError) as caught:
        load_spec(path)
    found = [one for one in caught.value.problems if isinstance(one, Problem)]
    assert [(one.line, one.column, one.key, one.message) for one in found] == PLACES[name]
    said = str(caught.value).splitlines()
    assert len(said) == len(found) + 1
    assert said[1] == f"  {path}:2:1: sede: unknown key 'sede', did you mean 'seed'?"
    machine = caught.value.as_dict()
    assert [one["line"] for one in machine["places"]] == [line for line, *_ in PLACES[name]]
    assert machine["places"][-1]["expected"] == "at most 1"
    assert machine["places"][-1]["got"] == "7"
    assert machine["places"][0]["hint"] == "did you mean 'seed'?"
    assert machine["problems"][0] == said[1].strip()


def test_of_what_is_no_value_no_more_is_said(tmp_path: Path) -> None:
    text = "version: !!int x\nsteps: &a []\n"
    with pytest.raises(UsageError) as caught:
        load_spec(write(tmp_path, "sage.yaml", text))
    assert [(one.line, one.column) for one in caught.value.problems if isinstance(one, Problem)] == [(1, 10), (2, 8)]


def test_columns_are_characters(tmp_path: Path) -> None:
    (tmp_path / "sage.yaml").write_bytes("\ufeffversion: 1\r\nsteps: [{source: {path: 'ü', dmo: 1}}]\r\n".encode())
    with pytest.raises(UsageError, match=r"sage.yaml:2:30: steps.0.source.dmo"):
        load_spec(tmp_path / "sage.yaml")
    (tmp_path / "sage.yaml").write_bytes("version: 1\nsteps: [ü".encode() + b"\xff]")
    with pytest.raises(UsageError, match=r"sage.yaml:2:10: the spec is not UTF-8: byte 21"):
        load_spec(tmp_path / "sage.yaml")


def test_what_no_yaml_has_is_told_with_its_place(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    with pytest.raises(UsageError, match=r"sage.yaml:2:7: the spec is not well-formed YAML: unacceptable character"):
        load_spec(write(tmp_path, "sage.yaml", "version: 1\nsteps:\0 []\n"))
    with pytest.raises(UsageError, match="2 problems"):
        load_spec(write(tmp_path, "sage.yaml", "version: 1\nseed: &a 1\nsteps: &a []\n"))
    assert not recwarn.list


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


BASE = "version: 1\nsteps:\n  - source: {path: a.jsonl}\n  - select: {strategy: random}\n  - sink: {path: b.arrow}\n"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("version: 1\n? [a]\n: b\n", 2, "a key of the spec is no text"),
        ("version: 1\nseed: !!int x\n", 2, "this is no whole number"),
        ("version: 1\nseed: !!float x\n", 2, "this is no number"),
        ("version: 1\nseed: !!bool x\n", 2, "this is no truth value"),
        ("version: 1\nseed: !!binary aGk=\n", 2, "this is no plain value"),
        ("version: 1\nseed: !!set {a}\n", 2, "anchors, aliases and tags"),
        ("version: 1\n<<: {a: 1}\n", 2, "a key of the spec is no text"),
        (f"version: 1\nseed: 1{'0' * 5000}\n", 2, "too long"),
        (BASE.replace("version: 1", "version: 1\nseed: 2001-99-99"), 2, "expected a whole number, got '2001-99-99'"),
        (BASE.replace("version: 1", "version: 1\nseed: 2001-01-01"), 2, "expected a whole number, got '2001-01-01'"),
        (BASE.replace("version: 1", "version: 1\nseed: .nan"), 2, "expected a finite number, got nan"),
        (BASE.replace("version: 1", "version: 1\nseed: null"), 2, "expected a whole number, got nothing"),
        (BASE.replace("version: 1", "version: true"), 1, "expected 1, got true"),
        (BASE.replace("a.jsonl", '"a\\0b"'), 3, "a file name has no zero byte"),
        (BASE.replace("a.jsonl", "''"), 3, "a file has a name"),
        (BASE.replace("a.jsonl", "x" * 300), 3, "at most 255 bytes"),
        (BASE.replace("b.arrow", "s3://me:pw@host/x"), 5, "an output is written to this machine"),
        (BASE.replace("{strategy: random}", "5"), 4, "expected settings by their names, got 5"),
        (BASE.replace("{strategy: random}", "[]"), 4, "expected settings by their names, got a list"),
        (BASE.replace("strategy: random", "clamp: maybe"), 4, "expected true or false, got 'maybe'"),
        (BASE.replace("strategy: random", "objective: facilty"), 4, "did you mean 'facility'"),
    ],
)
def test_odd_values_are_refused_with_their_line(tmp_path: Path, text: str, line: int, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_spec(write(tmp_path, "sage.yaml", text))
    said = str(caught.value)
    assert message in said
    assert f"sage.yaml:{line}:" in said
    assert not re.search(r"Input should|Select\b|dict\b|pydantic|Error\b", said), said


@pytest.mark.parametrize(
    ("settings", "bare", "refused"),
    [
        (
            "strategy: random, metric: cosine, objective: facility, k_nn: 64, score_mode: stratified",
            "strategy: random",
            "",
        ),
        ("strategy: random, metric: cosine, objective: facility, k_nn: 64, score_share: 0.6", "strategy: random", ""),
        ("strategy: loss_topk, score_quantile: 0.25, metric: cosine", "strategy: loss_topk", ""),
        ("score_mode: top, score_quantile: 0.25", "score_mode: top", ""),
        ("strategy: random, metric: dot", "", "'random' does not use metric"),
        ("strategy: random, k_nn: 32", "", "'random' does not use k_nn"),
        ("score_mode: top, score_quantile: 0.3", "", "does not use score_quantile"),
        ("strategy: [], metric: cosine", "", "unknown strategy"),
        ("strategy: '', metric: cosine", "", "unknown strategy"),
        ("strategy: none_such, metric: cosine", "", "unknown strategy"),
    ],
)
def test_specs_of_before_may_say_what_holds_anyway(tmp_path: Path, settings: str, bare: str, refused: str) -> None:
    path = write(tmp_path, "sage.yaml", BASE.replace("strategy: random", settings))
    if refused:
        with pytest.raises(UsageError, match=refused):
            load_spec(path)
    else:
        found = load_spec(path).step(Select)
        assert found == load_spec(write(tmp_path, "sage.yaml", BASE.replace("strategy: random", bare))).step(Select)


@pytest.mark.parametrize(
    "text",
    [
        f"a = {'[' * 5000}{']' * 5000}", f"a = {'[' * 50}{']' * 50}", "seed = 2001-99-99", f"seed = 1{'0' * 5000}",
        "seed = 2001-01-01\nversion = 1\nsteps = []", "version = 1\nseed = nan\nsteps = []", "a = 1\na = 2",
    ],
)  # fmt: skip
def test_odd_toml_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError):
        load_spec(write(tmp_path, "sage.toml", text))


def test_the_line_of_a_fault_in_toml(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"sage.toml:2:8: the spec is not well-formed TOML: invalid value"):
        load_spec(write(tmp_path, "sage.toml", "version = 1\nseed = ?\n"))
    with pytest.raises(UsageError, match=r"sage.toml:2:8: the spec is not well-formed TOML: .* at the end"):
        load_spec(write(tmp_path, "sage.toml", "version = 1\nseed = "))


def test_a_spec_is_a_regular_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "sage.yaml")
    for path in (tmp_path / "sage.yaml", Path("/dev/zero"), Path("/dev/null")):
        with pytest.raises(UsageError, match="pipe, device or socket"):
            load_spec(path)
    with pytest.raises(UsageError, match="is a folder"):
        load_spec(tmp_path)
    # The folder's own spec is not passed over for the demo data because it cannot be read.
    assert find_spec(tmp_path) == tmp_path / "sage.yaml"
    for name in ("~nosuchuser/sage.yaml", "a\0.yaml", "x" * 5000):
        with pytest.raises(UsageError):
            load_spec(Path(name))


def test_values_are_those_of_yaml_1_2(tmp_path: Path) -> None:
    text = BASE.replace("version: 1", "version: 0x1\nseed: 1_000")
    text = text.replace(
        "strategy: random", "strategy: diversity, objective: kcenter, outlier_guard: 1.e-1, start: 0o17"
    )
    pipeline = load_spec(write(tmp_path, "sage.yaml", text.replace("a.jsonl", "'1', id_column: 2001-01-01")))
    select = pipeline.step(Select).settings()
    assert (pipeline.seed, select["outlier_guard"], select["start"]) == (1000, 0.1, 15)
    assert pipeline.step(Source).id_column == "2001-01-01"


def test_paths_are_relative_to_the_spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "[jobs]" / "encoder").mkdir(parents=True)
    text = """\
version: 1
steps:
  - source: {path: data/*.jsonl}
  - score: {file: /all/scores.npy}
  - embed: {model: encoder}
  - select: {pin: ../keep.txt, exclude: ~/drop.txt, tokenizer: Qwen/Qwen3-0.6B}
  - sink: {}
"""
    write(tmp_path / "[jobs]", "sage.yaml", text)
    monkeypatch.chdir(tmp_path)
    steps = {
        name: settings
        for step in load_spec(Path("[jobs]/sage.yaml")).to_dict()["steps"]
        for name, settings in step.items()
    }
    assert steps["source"]["path"] == "[[]jobs]/data/*.jsonl"
    assert steps["score"]["file"] == "/all/scores.npy"
    assert steps["embed"]["model"] == "[jobs]/encoder"
    assert (steps["select"]["pin"], steps["select"]["exclude"]) == ("[jobs]/../keep.txt", "~/drop.txt")
    assert steps["select"]["tokenizer"] == "Qwen/Qwen3-0.6B"
    assert steps["sink"]["path"] == "out.arrow", "what the spec does not say is no path of it"
    write(tmp_path, "own.yaml", text)
    own = load_spec(Path("own.yaml")).step(Source)
    assert own.path == "data/*.jsonl"


def test_credentials_stay_out_of_what_is_written(tmp_path: Path) -> None:
    text = BASE.replace("a.jsonl", "simplecache::s3://key:SECRET@bucket/a.jsonl?token=SECRET")
    pipeline = load_spec(write(tmp_path, "sage.yaml", text))
    assert pipeline.step(Source).path == "simplecache::s3://key:SECRET@bucket/a.jsonl?token=SECRET"
    assert "SECRET" not in str(pipeline.to_dict())
    assert "SECRET" not in explain(pipeline)
    assert pipeline.to_dict()["steps"][0]["source"]["path"] == "simplecache::s3://bucket/a.jsonl"
    assert fingerprint(pipeline) == fingerprint(load_spec(write(tmp_path, "b.yaml", text.replace("SECRET", "other"))))
    assert fingerprint(pipeline) != fingerprint(load_spec(write(tmp_path, "b.yaml", text.replace("bucket", "other"))))
