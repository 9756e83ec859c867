"""The command line and Python select the same rows for the same settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from programs import Program
from rules import RULES, wanted

import sage_select
from sage_select.strategies import STRATEGIES
from sage_select.strategies.objectives import OBJECTIVES

N = 90


@pytest.fixture
def files(folder: Path) -> Path:
    """Write rows, some of them copies, with ids, scores, vectors and queries."""
    random = np.random.default_rng(4)
    words = ["red", "blue", "green", "small", "large", "old", "new"]
    texts = [" ".join(random.choice(words, size)) for size in random.integers(1, 5, N)]
    losses = random.normal(size=N).tolist()
    rows = [
        {"id": f"r{row}", "text": text, "loss": loss}
        for row, (text, loss) in enumerate(zip(texts, losses, strict=True))
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    np.save(folder / "v.npy", random.normal(size=(N, 5)).astype(np.float32))
    np.save(folder / "q.npy", random.normal(size=(3, 5)).astype(np.float32))
    (folder / "pins.txt").write_text("r7\nr40\n")
    return folder


@pytest.mark.parametrize(("strategy", "objective"), RULES)
def test_both_doors_select_the_same(strategy: str, objective: str | None, files: Path, build: Program) -> None:
    settings = {"strategy": strategy, "objective": objective, "budget": 20, "seed": 3, "id_column": "id"}
    settings |= {"pin": "pins.txt", **wanted(strategy, "q.npy", of=N)}
    settings = {name: value for name, value in settings.items() if value is not None}
    predicted = settings.pop("probabilities", None)
    scored = "scores" in STRATEGIES[strategy].needs_always or (
        objective is not None and "scores" in OBJECTIVES[objective].needs_always
    )
    embedded = "vectors" in STRATEGIES[strategy].needs_always
    named = {
        **settings,
        **({"score_column": "loss"} if scored else {}),
        **({"embeddings": "v.npy"} if embedded else {}),
    }
    if predicted is not None:
        np.save(files / "p.npy", predicted)
        named["predictions"] = "p.npy"
    done = build(
        "rows.jsonl", *[part for name, value in named.items() for part in (f"--{name.replace('_', '-')}", value)]
    )
    assert done.code == 0, done.err
    with pa.ipc.open_file(files / "out.arrow") as file:
        table = file.read_all()
    given: dict[str, Any] = {
        **({"scores": "loss"} if scored else {}),
        **({"embeddings": Path("v.npy")} if embedded else {}),
        **({} if predicted is None else {"probabilities": predicted}),
    }
    chosen = sage_select.select("rows.jsonl", **settings, **given)
    assert chosen.table().equals(table)
    manifest = json.loads((files / "out.arrow.manifest.json").read_text())
    assert manifest["metrics"] == chosen.metrics
    # Another seed draws other rows, or at least trains them in another order.
    other = sage_select.select("rows.jsonl", **{**settings, "seed": 4}, **given).table()
    assert other["sage_row_id"].to_pylist() != table["sage_row_id"].to_pylist()


def test_a_seed_on_the_command_line_stands_above_that_of_a_spec(files: Path, build: Program) -> None:
    (files / "sage.yaml").write_text(
        "version: 1\nseed: 3\nsteps:\n  - source: {path: rows.jsonl, id_column: id}\n"
        "  - select: {strategy: random, budget: 20}\n  - sink: {path: out.arrow}\n"
    )
    for options, seed in (([], 3), (["--seed", 4, "--force"], 4), (["--seed", 0, "--force"], 0)):
        done = build("--spec", "sage.yaml", *options)
        assert done.code == 0, done.err
        with pa.ipc.open_file(files / "out.arrow") as file:
            table = file.read_all()
        chosen = sage_select.select("rows.jsonl", strategy="random", budget=20, id_column="id", seed=seed)
        assert chosen.table().equals(table)
