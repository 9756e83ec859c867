"""Help and version of both programs load nothing heavy."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    "torch",
    "transformers",
    "trl",
    "peft",
    "polars",
    "pyarrow",
    "numpy",
    "faiss",
    "rich",
    "datasets",
    "pydantic",
} | {"matplotlib", "jinja2"}

SCRIPT = """
import sys
from sage_select.cli.{module} import main
sys.argv = ["program", *{arguments!r}]
try:
    main()
except SystemExit as leaving:
    assert not leaving.code, leaving.code
print("LOADED", *sorted(sys.modules))
"""


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("select", ["--help"]),
        ("select", ["--version"]),
        ("select", ["build", "--help"]),
        ("select", ["top", "-h"]),
        ("select", ["schema", "--help"]),
        ("select", ["init", "--help"]),
        ("select", ["inspect", "--help"]),
        ("select", ["diff", "--help"]),
        ("select", ["export", "--help"]),
        ("select", ["report", "--help"]),
        ("select", ["replay", "--help"]),
        ("select", ["replay", "init", "--help"]),
        ("select", ["replay", "update", "-h"]),
        ("train", ["--help"]),
        ("train", ["--version"]),
        ("train", ["merge", "--help"]),
        ("train", ["info", "-h"]),
        ("train", ["teacher-logits", "--help"]),
        ("train", ["teacher-outputs", "--help"]),
    ],
)
def test_help_and_version_are_light(module: str, arguments: list[str]) -> None:
    code = SCRIPT.format(module=module, arguments=arguments)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.split("LOADED ")[1].split()
    assert "sage_select.cli.console" in loaded
    assert not HEAVY & set(loaded)
    assert done.stdout.startswith(("Usage", "sage-"))


def test_importing_the_package_is_light() -> None:
    code = "import sys, sage_select; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "sage_select" in loaded
    assert not HEAVY & set(loaded)


def test_no_command_loads_pandas(tmp_path: Path) -> None:
    assert importlib.util.find_spec("pandas"), "pyarrow has nothing to load"
    for arguments in (
        ["build", "--quiet"],
        ["top", "out.arrow", "5", "-o", "few.arrow", "--quiet"],
        ["why", "out.arrow", "0"],
        ["diff", "out.arrow", "few.arrow"],
        ["inspect", "out.arrow"],
    ):
        code = SCRIPT.format(module="select", arguments=arguments)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
        loaded = done.stdout.split("LOADED ")[1].split()
        assert "pyarrow" in loaded
        assert "pandas" not in loaded
