"""The walk of docs/adding-a-method.md: a published rule, named, installed, compared with its control, and judged."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from walks import install, program, run, shell_lines

from sage_select import demo

PAGE = Path(__file__).resolve().parents[2] / "docs" / "adding-a-method.md"
FILES = {"strategy.py", "methods.py", "__init__.py", "pyproject.toml", "moderate_file.yaml"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the package of the page, installed, its method file, rows and a model."""
    folder = tmp_path_factory.mktemp("walk")
    names = install(PAGE, folder)
    assert {Path(name).name for name in names} == FILES
    assert shell_lines(PAGE, 0) == ["pip install --no-build-isolation --no-deps ."]
    text = (folder / "package" / "moderate_file.yaml").read_text()
    (folder / "moderate_file.yaml").write_text(text)
    (folder / "wrong.yaml").write_text(text.replace("strategy:", "stratgy:"))
    (folder / "model").symlink_to(demo.model_path())
    for name, subject, count in (("rows", "birds", 60), ("heldout", "stones by the sea", 12)):
        rows = [{"prompt": f"how many {subject} are {i}?", "completion": f"{i % 9} are many."} for i in range(count)]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_the_rule_is_there_and_its_method_is_one_of_those_that_are_compared(folder: Path) -> None:
    built, listed, own, of_file, wrong = (program(folder, line) for line in shell_lines(PAGE, 1))
    assert built.returncode == 0, built.stderr
    picked = pa.ipc.open_file(folder / "picks.arrow").read_all()
    assert set(picked["sage_reason"].to_pylist()) == {"moderate"}
    assert len(picked) == 20
    assert "moderate " in listed.stdout
    assert "rows at the median distance from the centre of their cluster; beside as many rows" in listed.stdout
    assert own.stdout == of_file.stdout
    assert "control: random_subset" in own.stdout
    assert wrong.returncode == 2
    assert "unknown key 'stratgy', did you mean 'strategy'?" in wrong.stderr


def test_the_rule_takes_rows_at_the_median_of_their_cluster(folder: Path) -> None:
    # Of one cluster of directions -10 to 10 the distances from the centre are those of 0 to 10, all but 0 twice: the
    # median is that of 5.
    code = (
        "import numpy as np, sage_select\n"
        "angles = np.arange(-10, 11) / 10\n"
        "vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)\n"
        "rows = [{'text': f'row {i}'} for i in range(21)]\n"
        "picked = sage_select.select(rows, k=2, strategy='moderate', centres=1, embeddings=vectors)\n"
        "print(sorted(picked.indices.tolist()))\n"
    )
    done = run(folder, sys.executable, "-W", "ignore", "-c", code)
    assert done.stdout == "[5, 15]\n", done.stderr


@pytest.mark.train
def test_it_is_trained_beside_its_control_and_judged(folder: Path) -> None:
    (line,) = shell_lines(PAGE, 2)
    done = program(folder, line)
    assert done.returncode == 0, done.stderr
    said = json.loads((folder / "comparison" / "comparison.json").read_text())
    assert [(arm["name"], arm["control"]) for arm in said["arms"]] == [
        ("random_subset", None),
        ("moderate", "random_subset"),
    ]
    assert [(cell["arm"], cell["seed"], cell["error"], cell["rows"]) for cell in said["cells"]] == [
        (arm, seed, None, 20) for seed in (0, 1) for arm in ("random_subset", "moderate")
    ]
    for cell in said["cells"]:
        assert abs(cell["tokens"] - 2000) < 200
    verdict = said["arms"][1]["verdict"]
    words = ("better than", "worse than", "not distinguishable from")
    assert any(verdict.startswith(f"{word} random_subset (p = ") for word in words), verdict
    assert f"moderate       {said['metrics'][0]['arms']['moderate']['mean']:.4g}: {verdict}" in done.stderr
    assert (folder / "comparison" / "comparison.md").is_file()
