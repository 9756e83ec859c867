"""A selection of hostile rows, and a page without drawings."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from blank_page import blank

from sage_select.engine import run
from sage_select.pipeline.plan import resolve
from sage_select.pipeline.run import Silence
from sage_select.pipeline.spec import load_spec

__all__ = ["HOSTILE", "blank", "rows"]

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'--></style></title><svg onload=alert(1)>",
    "{{ 7 * 7 }} {% raw %}",
    "\u202egnp.exe \u2066hidden\u2069",
    "nul \x00 bell \x07",
    "مرحبا بالعالم שלום עולם",
    "👩‍👩‍👧‍👦 👍🏽 漢字 naïve",
    "w" * 100_000,
]
TOPICS = ["weather in the city", "a flight to the coast", "a recipe with beans", "the price of tickets"]


def rows() -> list[dict[str, object]]:
    """Return 240 rows of four topics, some of them hostile, some copies."""
    found: list[dict[str, object]] = []
    for place in range(240):
        topic = place % len(TOPICS)
        hostile = HOSTILE[place // 4 % len(HOSTILE)] if place % 4 == 0 else ""
        text = f"{TOPICS[topic]} {hostile} number {place % 97} {'more ' * (place % 7)}"
        found.append({"text": text, "loss": float(place % 13), "kind": HOSTILE[topic], "id": f"<b>{place}</b>"})
    return found


@pytest.fixture(scope="session")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with rows, and vectors of them."""
    folder = tmp_path_factory.mktemp("pool")
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows()))
    np.save(folder / "vectors.npy", np.random.default_rng(3).normal(size=(240, 8)).astype(np.float32))
    return folder


@pytest.fixture(scope="session")
def build(pool: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return what builds a selection of these rows, by the steps that are given: stage -> settings."""

    def built(name: str = "out.arrow", **steps: dict[str, object]) -> Path:
        path = tmp_path_factory.mktemp("built") / name
        source = {"path": str(pool / "rows.jsonl"), "text_column": "text", "id_column": "id", **steps.pop("source", {})}
        sink = {"path": str(path), **steps.pop("sink", {})}
        chain = [{"source": source}, *({stage: settings} for stage, settings in steps.items()), {"sink": sink}]
        run(resolve(load_spec({"version": 1, "steps": chain})), Silence())
        return path

    return built


@pytest.fixture(scope="session")
def hostile(build: Callable[..., Path]) -> Path:
    """Return a selection by hybrid, with copies and a quota."""
    return build(
        "<img onerror=alert(1)>.arrow",
        dedup={"mode": "near"},
        score={"scorer": "column", "column": "loss"},
        select={"strategy": "hybrid", "budget": 40, "quota": "kind=2:30"},
    )
