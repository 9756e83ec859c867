"""The main job with no arguments: select from the demo data, train the demo model, measure what it learned."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.train


def run(program: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    module = program.removeprefix("sage-")
    code = f"import sys; from sage_select.cli.{module} import main; sys.argv[0] = {program!r}; main()"
    return subprocess.run([sys.executable, "-c", code, *arguments], cwd=folder, capture_output=True, text=True)


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    """Return the folder of a demo: the one that `make demo` has just left (SAGE_DEMO), else made here."""
    if os.environ.get("SAGE_DEMO"):
        return Path(os.environ["SAGE_DEMO"])
    built = run("sage-select", "build", "--strategy", "hybrid", folder=tmp_path)
    assert built.returncode == 0, built.stderr
    assert "built-in demo data" in built.stderr
    trained = run("sage-train", "--output-dir", "run", "--eval-result", "result.json", "--json", folder=tmp_path)
    assert trained.returncode == 0, trained.stderr
    assert "demo model" in trained.stderr
    return tmp_path


def test_the_demo_learns(finished: Path) -> None:
    result = json.loads((finished / "result.json").read_text())
    assert result["rows"] >= 200
    assert result["loss_tuned"] <= 0.9 * result["loss_base"]
    assert result["accuracy_tuned"] >= result["accuracy_base"] + 0.1
    names = {path.name for path in (finished / "run").iterdir()}
    assert {"checkpoints", "logs", "lora_weights", "run.json"} <= names

    again = run("sage-train", "--output-dir", "run", "--json", folder=finished)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["cached"] is True
