"""The step `compare`: the selection beside random rows, as often as is said, or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from programs import Program

import sage_select
from sage_select.api import Pipeline


@pytest.fixture
def rows(folder: Path) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps({"text": f"row {i} of {i * i}", "loss": i % 17}) + "\n" for i in range(200)))
    return path


def metrics(folder: Path, name: str = "out.arrow") -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / f"{name}.manifest.json").read_text())["metrics"]
    return found


def test_it_is_there_by_default_and_may_be_left_out(rows: Path, folder: Path, build: Program) -> None:
    assert "beside 5 random subsets" in build(rows, "-k", "20").err
    silent = build(rows, "-k", "20", "--compare", "none", "-o", "none.arrow")
    assert "random subsets" not in silent.err
    assert metrics(folder, "none.arrow") == {}
    assert (folder / "none.arrow").read_bytes() == (folder / "out.arrow").read_bytes()
    assert "compare" not in [
        one["stage"]
        for one in build(rows, "-k", "20", "-o", "none.arrow", "--compare", "none", "--json").json["stages"]
    ]


def test_more_subsets_are_other_rows_and_the_first_stay(rows: Path, folder: Path, build: Program) -> None:
    said = build(rows, "-k", "20", "--compare-subsets", "12", "-o", "many.arrow")
    assert "beside 12 random subsets" in said.err
    assert build(rows, "-k", "20").code == 0
    few, many = metrics(folder), metrics(folder, "many.arrow")
    assert (few["random_subsets"], many["random_subsets"]) == (5, 12)
    spread = [one["coverage"]["figures"]["coverage"]["random"] for one in (few, many)]  # type: ignore[index]
    assert spread[1]["least"] <= spread[0]["least"] <= spread[0]["most"] <= spread[1]["most"]
    python = Pipeline.read(str(rows)).select("diversity", budget=20).compare(subsets=12).run()
    assert python.metrics == many


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        ("- compare: {}\n- select: {budget: 5}\n", "compare stands before any selection"),
        ("- select: {budget: 50}\n- compare: {}\n- select: {budget: 5}\n", "select comes after compare"),
        ("- select: {budget: 50}\n- compare: {}\n- dedup: {mode: near}\n", "dedup comes after compare"),
        ("- select: {budget: 50}\n- compare: {}\n- compare: {}\n", "compare comes after compare"),
        ("- select: {budget: 5}\n- compare: {subsets: 1}\n", "subsets: "),
        ("- select: {budget: 5}\n- compare: {against: none, subsets: 7}\n", "does not use subsets"),
    ],
)
def test_where_it_tells_of_other_rows_it_is_refused(
    steps: str, says: str, rows: Path, folder: Path, build: Program
) -> None:
    (folder / "sage.yaml").write_text(f"version: 1\nsteps:\n- source: {{path: rows.jsonl}}\n{steps}")
    done = build("--spec", "sage.yaml")
    assert done.code == 2
    assert says in done.err, done.err
    assert not (folder / "out.arrow").exists()


def test_chains_are_compared_once_all_rows_have_left(rows: Path, folder: Path, build: Program) -> None:
    (folder / "sage.yaml").write_text(
        "version: 1\nsteps:\n- source: {path: rows.jsonl}\n- select: {budget: 50}\n- order: {}\n- dedup: {mode: near}\n"
    )
    said = build("--spec", "sage.yaml", "--json").json
    names = [one["stage"] for one in said["stages"]]
    assert names.index("compare") > names.index("dedup")
    assert said["manifest"]["metrics"]["random_subsets"] == 5
    plain = Pipeline.read("rows.jsonl").dedup("exact")
    assert "compare" not in plain.explain()
    assert plain.write("plain.arrow").run().manifest["metrics"] == {}


def test_select_computes_none_until_it_is_asked(rows: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sage_select.stages import compare

    calls: list[int] = []
    measure = compare.measure
    monkeypatch.setattr(compare, "measure", lambda one: (calls.append(1), measure(one))[1])
    chosen = sage_select.select(str(rows), k=20)
    assert len(chosen.table()) == 20
    assert not calls
    assert chosen.metrics["random_subsets"] == 5
    assert calls == [1]
