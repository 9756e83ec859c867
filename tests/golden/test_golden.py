"""Texts that users see, held to the letter. SAGE_UPDATE_GOLDEN=1 writes them anew."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sage_select.errors import UsageError
from sage_select.pipeline import Pipeline, Stage
from sage_select.pipeline.plan import explain, resolve
from sage_select.pipeline.spec import load_spec
from sage_select.stages import Augment, Dedup, Embed, Holdout, Mix, Replay, Score, Select, Sink, Source

HERE = Path(__file__).parent


def assert_golden(name: str, text: str) -> None:
    path = HERE / f"{name}.txt"
    if os.environ.get("SAGE_UPDATE_GOLDEN"):
        path.write_text(text)
    assert path.is_file(), f"no golden text {path.name}: SAGE_UPDATE_GOLDEN=1 writes it"
    assert text == path.read_text()


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("select", ["--help"]),
        *(
            ("select", [command, "--help"])
            for command in ("build", "diff", "report", "inspect", "init", "schema", "score", "embed")
        ),
        *(("select", ["replay", command, "--help"]) for command in ("init", "update", "draw", "mix", "delete")),
        ("select", ["replay", "--help"]),
        ("train", ["--help"]),
    ],
)
def test_help(module: str, arguments: list[str]) -> None:
    code = f"import sys; from sage_select.cli.{module} import main; sys.argv = ['x', *{arguments!r}]; main()"
    environment = {**os.environ, "COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert_golden("-".join(["help", module, *arguments[:-1]]), done.stdout)


PLANS: dict[str, tuple[Stage, ...]] = {
    "default": (Source(demo=True), Select(), Sink()),
    "named": (
        Source(path="q.csv", prompt_column="Query", completion_column="Tool", id_column="id"),
        Score(column="loss", higher_is_harder=False),
        Embed(file="v.npy"),
        Select(score_mode="top", budget=300, objective="kcenter", metric="sqeuclidean"),
        Sink(path="out.parquet", rows=False),
    ),
    "random": (Source(path="a.jsonl"), Select(strategy="random", budget="12.5%"), Sink()),
    "diversity": (Source(path="a.jsonl"), Embed(model="org/name"), Select(strategy="diversity"), Sink()),
    "mmr": (
        Source(path="a.jsonl"),
        Select(strategy="diversity", objective="mmr", mmr_lambda=0.7, metric="dot"),
        Sink(),
    ),
    "graph_cut": (Source(path="a.jsonl"), Select(objective="graph_cut", neighbors="faiss"), Sink()),
    "dpp": (Source(path="a.jsonl"), Select(objective="dpp", budget=20), Sink()),
    "herding": (Source(path="a.jsonl"), Select(strategy="diversity", objective="herding", budget=20), Sink()),
    "holdout": (
        Source(path="a.jsonl"),
        Holdout(path=["dev.jsonl", "test/*.jsonl"], mode="near", ngram=5),
        Select(strategy="random"),
        Sink(),
    ),
    "mix": (
        Source(path=["a.jsonl", "b.jsonl"]),
        Mix(shares="source=a:0.35,b:0.30", size="200k tokens", short="fill"),
        Select(strategy="random", budget="100%"),
        Sink(),
    ),
    "dedup": (
        Source(path="a.jsonl"),
        Dedup(mode="near", threshold=0.9),
        Embed(column="v"),
        Select(strategy="random", budget=20),
        Sink(),
    ),
    "augment": (
        Source(path="a.jsonl"),
        Select(strategy="random"),
        Augment(factor=0.5, cap="30%", edits=["typo", "case"]),
        Sink(),
    ),
    "replay": (
        Source(path="a.jsonl"),
        Select(strategy="random"),
        Replay(buffer="seen", ratio=0.2, basis="of_total"),
        Sink(),
    ),
    "loss_topk": (Source(path="a.jsonl"), Score(model="org/name"), Select(strategy="loss_topk"), Sink()),
}


@pytest.mark.parametrize("name", PLANS)
def test_explain(name: str) -> None:
    assert_golden(f"explain-{name}", explain(resolve(Pipeline(seed=7, steps=PLANS[name]))) + "\n")


SPECS: dict[str, object] = {
    "no steps": {"version": 1},
    "everything wrong": {
        "version": 3,
        "sede": 1,
        "steps": [
            {"source": {"path": "a", "demo": True}},
            {"select": {"strategy": "facility", "budget": "ten", "metrik": "dot"}},
            {"selct": {}},
            "sink",
        ],
    },
    "out of order": {"version": 1, "steps": [{"sink": {}}, {"select": {}}, {"source": {"demo": True}}]},
    "dedup": {"version": 1, "steps": [{"dedup": {"mode": "exact", "threshold": 0.9, "metric": "dot"}}]},
    "seed": {"version": 1, "seed": -1, "steps": [{"source": {"demo": True}}, {"select": {}}, {"sink": {}}]},
}


def test_spec_errors() -> None:
    texts = []
    for name, spec in SPECS.items():
        with pytest.raises(UsageError) as caught:
            load_spec(spec)  # type: ignore[arg-type]
        texts.append(f"## {name}\n{caught.value}\n")
    assert_golden("errors-spec", "\n".join(texts))
