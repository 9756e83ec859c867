"""Pages of the docs that make a package from an empty folder: their files, installed, and their commands."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import sage_select

__all__ = ["install", "program", "run", "shell_lines"]

PACKAGE = Path(sage_select.__file__).parent.parent


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, with what is installed there and this package."""
    # A file that is written anew within a second, as long as before, would be run from the byte code of before.
    ours = {"PYTHONPATH": f"{folder / 'site'}{os.pathsep}{PACKAGE}", "PYTHONDONTWRITEBYTECODE": "1"}
    environment = {**os.environ, **ours}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment, check=False)


def install(page: Path, folder: Path) -> list[str]:
    """Write the files of a page into `package`, install them into `site`, and return their names."""
    files = re.findall(r"^```\w+ file=(\S+)\n(.*?)^```$", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    for name, text in files:
        path = folder / "package" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    into = ["-m", "pip", "install", "--quiet", "--no-build-isolation", "--no-deps", "--target", "site", "./package"]
    installed = run(folder, sys.executable, *into)
    assert installed.returncode == 0, installed.stderr
    return [name for name, _ in files]


def shell_lines(page: Path, block: int = -1) -> list[str]:
    """Return the lines of a block of commands."""
    found = re.findall(r"^```sh\n(.*?)^```$", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    return [line for line in found[block].splitlines() if line.strip()]


def program(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Run a line of a page that calls one of the programs."""
    name, *arguments = shlex.split(command, comments=True)
    module = {"sage-select": "select", "sage-train": "train"}[name]
    code = f"import sys; from sage_select.cli.{module} import main; sys.argv[0] = {name!r}; main()"
    return run(folder, sys.executable, "-c", code, *arguments)
