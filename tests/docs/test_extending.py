"""The walk of docs/extending.md, from an empty folder to an installed package."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

import sage_select

PAGE = Path(__file__).resolve().parents[2] / "docs" / "extending.md"
PACKAGE = Path(sage_select.__file__).parent.parent


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": f"{folder / 'site'}{os.pathsep}{PACKAGE}"}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the package of the page, installed beside it, and some rows."""
    folder = tmp_path_factory.mktemp("extending")
    files = re.findall(r"^```\w+ file=(\S+)\n(.*?)^```$", PAGE.read_text(), flags=re.DOTALL | re.MULTILINE)
    assert len(files) == 7
    for name, text in files:
        path = folder / "package" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    install = ["-m", "pip", "install", "--quiet", "--no-build-isolation", "--no-deps", "--target", "site", "./package"]
    installed = run(folder, sys.executable, *install)
    assert installed.returncode == 0, installed.stderr
    lines = [
        {"text": f"{'why? ' * (row % 7)}row {row} says {'much ' * (row % 5)}", "loss": row % 11} for row in range(60)
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in [*lines, {"text": "no", "loss": 3}]))
    return folder


@pytest.fixture(scope="module")
def commands() -> list[str]:
    block = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), flags=re.DOTALL | re.MULTILINE)[-1]
    return [line for line in block.splitlines() if line.startswith("sage-select")]


def program(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    import shlex

    code = "import sys; from sage_select.cli.select import main; sys.argv[0] = 'sage-select'; main()"
    return run(folder, sys.executable, "-c", code, *shlex.split(command, comments=True)[1:])


def test_every_command_of_the_page_does_what_it_says(folder: Path, commands: list[str]) -> None:
    assert len(commands) == 6
    for command in commands:
        done = program(folder, command)
        assert done.returncode == (2 if "refused" in command else 0), f"{command}: {done.stderr}"
    assert "expected 'high' or 'low', got 'sideways'" in done.stderr
    tables = {
        name: pa.ipc.open_file(folder / f"{name}.arrow").read_all() for name in ("easiest", "questions", "longer")
    }
    assert {table.num_rows for table in tables.values()} == {5}
    assert min(text.count("?") for text in tables["questions"]["text"].to_pylist()) == 6
    assert set(tables["easiest"]["sage_reason"].to_pylist()) == {"length"}
    dropped = json.loads((folder / "longer.arrow.manifest.json").read_text())["rows"]["dropped"]
    assert dropped["without_short: fewer than 4 words"] == 3


def test_help_spec_explain_and_keywords_know_the_package(folder: Path) -> None:
    shown = program(folder, "sage-select build --help").stdout
    for said in (
        "Strategy longest:",
        "--end",
        "Scorer exclamations:",
        "--mark",
        "Stage without_short:",
        "--least-words",
        "letters (",
    ):
        assert said in shown, said
    (folder / "sage.yaml").write_text(
        "version: 1\nsteps:\n  - source: {path: rows.jsonl}\n  - without_short: {least_words: 0}\n  - select: {}\n"
    )
    wrong = program(folder, "sage-select build --explain")
    assert wrong.returncode == 2
    assert "line 4" in wrong.stderr
    assert "at least 1" in wrong.stderr
    (folder / "sage.yaml").write_text((folder / "sage.yaml").read_text().replace("least_words: 0", "least_words: 2"))
    explained = program(folder, "sage-select build --explain --strategy longest --score-column loss").stdout
    assert "without_short  Rows with few words leave" in explained
    assert "longest, 10% of the rows" in explained
    code = (
        "import sage_select; from sage_select import Pipeline\n"
        "chosen = sage_select.select('rows.jsonl', k=3, strategy='longest', end='low', scores='loss')\n"
        "print(len(chosen), 'end:' in sage_select.select.__doc__)\n"
        "print(len(Pipeline.read('rows.jsonl').without_short(4).select('longest', budget=2).run()))\n"
    )
    assert run(folder, sys.executable, "-W", "ignore", "-c", code).stdout.split() == ["3", "True", "2"]


def test_a_package_that_cannot_be_loaded_is_named(folder: Path) -> None:
    module = folder / "site" / "my_selection" / "longest.py"
    text = module.read_text()
    module.write_text("import nowhere_to_be_found\n")
    try:
        done = program(folder, "sage-select build --help")
    finally:
        module.write_text(text)
    assert done.returncode == 5
    assert "'longest' of the package my-selection cannot be loaded" in done.stderr
    assert "nowhere_to_be_found" in done.stderr
