"""Every option of `build` with values that it cannot have: the answer is one error, in the words of this program."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from programs import Program
from typer.main import get_command

from sage_select.cli import select

BUILD = get_command(select.program()).commands["build"]  # type: ignore[attr-defined]
#: Options that take a value; those that only switch something on have no wrong ones.
OPTIONS = sorted(
    max(option.opts, key=len)
    for option in BUILD.params
    if max(option.opts, key=len).startswith("--") and not getattr(option, "is_flag", False)
)
VALUES = ["", "x\x1b[2J", "-1", "1e999", "nan", "[1]", "~nosuchuser/x", "s3://me:SECRET@host/x", "9" * 5000]
#: Words of the libraries beneath, and classes of our own.
INTERNAL = re.compile(
    r"Input should|pydantic|Traceback|bug of ours|\b(Select|Embed|Score|Dedup|Sink|Source|Pipeline|Budget|Quota|Band)\("
    r"|\b(Value|Type|Key|Attribute|Overflow|OS|Unicode|Runtime)\w*Error\b|NoneType|<class|\bdict\b|\bstr\b"
)


@pytest.fixture
def rows(folder: Path) -> Path:
    path = folder / "in.jsonl"
    path.write_text("".join(f'{{"text": "row {i}"}}\n' for i in range(20)))
    return path


def test_there_are_options() -> None:
    assert {"--strategy", "--budget", "--spec", "--scores", "--threads"} <= set(OPTIONS)


@pytest.mark.parametrize("option", OPTIONS)
def test_no_wrong_value_is_a_bug_of_ours(rows: Path, build: Program, option: str) -> None:
    for value in VALUES:
        done = build("in.jsonl", "--explain", "-q", f"{option}={value}")
        assert done.code in (0, 2, 3, 5), (value, done.err)
        assert not INTERNAL.search(done.err), (value, done.err)
        assert "SECRET" not in done.out + done.err
        assert all(char.isprintable() or char == "\n" for char in done.out + done.err), value
        assert (done.code == 0) is (done.err == ""), (value, done.err)
        if done.code == 2:
            assert done.err.startswith("error: ")
            assert len(done.err) < 3000


@pytest.mark.parametrize("option", ["--strategy", "--budget", "--objective", "--metric", "--quota", "--dedup"])
def test_an_error_names_the_option_as_it_is_typed(rows: Path, build: Program, option: str) -> None:
    done = build("in.jsonl", "--explain", option, "=wrong=")
    assert done.code == 2
    assert option in done.err.splitlines()[0]
