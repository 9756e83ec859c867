"""What a shell completes, asked as the scripts ask, and by the shells themselves where they are installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from programs import Program

from sage_select.cli import select
from sage_select.export import TARGETS
from sage_select.strategies import STRATEGIES
from sage_select.strategies.objectives import OBJECTIVES

SHELLS = ("bash", "zsh", "fish")
MODULES = {"sage-select": "select", "sage-train": "train"}


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """Return a folder with both programs, as a shell finds them."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, module in MODULES.items():
        file = folder / name
        code = f"import sys; sys.argv[0] = {name!r}; from sage_select.cli.{module} import main; main()"
        file.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{code}" "$@"\n')
        file.chmod(0o755)
    return folder


def asked(shell: str, *words: str, module: str = "select") -> list[str]:
    code = f"import sys; from sage_select.cli.{module} import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        env={**os.environ, "_SAGE_COMPLETE": shell}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_options_commands_and_words_are_offered() -> None:
    assert asked("bash", "build", "--str") == ["--strategy"]
    commands = typer.main.get_command(select.program()).commands  # type: ignore[attr-defined]
    assert asked("bash", "") == list(commands)
    assert asked("bash", "e") == ["embed", "export"]
    assert asked("bash", "build", "rows.jsonl", "--strategy", "") == list(STRATEGIES)
    assert asked("bash", "build", "--objective", "k") == [name for name in OBJECTIVES if name.startswith("k")]
    assert asked("bash", "build", "--strategy", "=", "hy") == ["hybrid"]
    assert asked("bash", "build", "--strategy", "=") == []
    assert asked("bash", "export", "out.arrow", "--to", "") == list(TARGETS)
    assert asked("bash", "--vers") == ["--version"]
    assert asked("bash", "completion", "") == list(SHELLS)
    assert "--lora-r" in asked("bash", "--lora", module="train")
    assert asked("bash", "build", "--force", "--qui") == ["--quiet"]
    assert asked("bash", "replay", "up") == ["update"]
    assert asked("bash", "replay", "init", "buffer", "--policy", "res") == ["reservoir"]
    assert asked("bash", "replay", "mix", "--basis", "of_n") == ["of_new"]


@pytest.mark.parametrize(
    "words", [["build", "ro"], ["build", "-o", ""], ["build", "--budget", "1"], ["nope", "x"], ["build", ""]]
)
def test_where_nothing_is_known_the_shell_completes_files(words: list[str]) -> None:
    assert asked("bash", *words) == []


def test_shells_that_show_more_get_a_word_on_each() -> None:
    assert asked("zsh", "w") == ["why:Say what became of one row."]
    (line,) = asked("fish", "build", "--strat")
    name, said = line.split("\t")
    assert name == "--strategy"
    assert 10 < len(said) <= 70


def test_a_mistake_before_the_word_says_nothing() -> None:
    assert asked("bash", "build", "--startegy", "x", "--qui") == ["--quiet"]
    assert asked("powershell", "build", "--qui") == ["--quiet"]


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_one_that_the_shell_reads(shell: str, build: Program) -> None:
    program = Program("sage-select", build.main, build.capsys, build.monkeypatch)
    done = program("completion", shell)
    assert done.code == 0
    assert all(f" {name}\n" in done.out.replace(" -k", "\n") for name in MODULES)
    if shutil.which(shell) is not None:
        subprocess.run([shell, "-n"], input=done.out, text=True, check=True)


CALLS = {
    "bash": 'COMP_WORDS=({words}); COMP_CWORD={last}; {function}; printf "%s\\n" "${{COMPREPLY[@]}}"',
    "zsh": "words=({words}); CURRENT={next}; {function}",
    "fish": "complete -C '{line}'",
}
#: What shells complete, and what they offer: the words are those of a command line.
LINES = [
    (["sage-select", "build", "--str"], "--strategy"),
    (["sage-select", "build", "a file.jsonl", "--strategy", "hy"], "hybrid"),
    (["sage-select", "ex"], "export"),
    (["sage-train", "--lora-r"], "--lora-r"),
]
#: What completion needs of a whole zsh: each candidate printed, and files told.
ZSH = 'compdef() {{ }}; _files() {{ print FILES }}; _describe() {{ print -l -- "${{(@P)3}}" }}; '


@pytest.mark.parametrize(("words", "offered"), LINES)
@pytest.mark.parametrize("shell", SHELLS)
def test_the_shell_offers_what_the_program_says(shell: str, words: list[str], offered: str, programs: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    script = subprocess.run(
        [programs / "sage-select", "completion", shell], capture_output=True, text=True, check=True
    ).stdout
    quoted = " ".join(f"'{word}'" for word in words)
    line = " ".join(word.replace(" ", "\\ ") for word in words)
    function = f"_{words[0].replace('-', '_')}_completion"
    call = CALLS[shell].format(words=quoted, last=len(words) - 1, next=len(words), line=line, function=function)
    done = subprocess.run(
        [shell, "-c", (ZSH.format() if shell == "zsh" else "") + script + "\n" + call],
        env={**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "HOME": str(programs)},
        cwd=programs, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert [one.split("\t")[0].split(":")[0] for one in done.stdout.split("\n")[:-1]] == [offered]


def test_an_unknown_shell_is_refused(build: Program) -> None:
    done = Program("sage-select", build.main, build.capsys, build.monkeypatch)("completion", "tcsh")
    assert done.code == 2
    assert "bash, zsh, fish" in done.err
