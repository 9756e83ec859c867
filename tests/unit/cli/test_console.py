"""The console: what goes where, and which exit code a failure has."""

from __future__ import annotations

import json

import pytest
import typer

from sage_select.cli.console import Console, run_program
from sage_select.errors import DataError, OutputError, ResourceError, UsageError


def leave(error: BaseException) -> int:
    def program() -> None:
        raise error

    with pytest.raises(SystemExit) as leaving:
        run_program(program)
    return int(leaving.value.code or 0)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("a"), 2),
        (DataError("a"), 3),
        (OutputError("a"), 4),
        (ResourceError("a"), 5),
        (MemoryError(), 5),
        (KeyboardInterrupt(), 130),
        (typer.Abort(), 130),
        (SystemExit(143), 143),
        (RuntimeError("oops"), 1),
    ],
)
def test_exit_codes(error: BaseException, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert leave(error) == code
    captured = capsys.readouterr()
    assert not captured.out
    assert "Traceback" not in captured.err


def test_success_is_zero() -> None:
    with pytest.raises(SystemExit) as leaving:
        run_program(lambda: None)
    assert leaving.value.code == 0


def test_a_bug_is_shown_in_full_where_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAGE_DEBUG", "1")

    def program() -> None:
        raise RuntimeError("oops")

    with pytest.raises(RuntimeError, match="oops"):
        run_program(program)


def test_control_characters_are_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    leave(DataError("bad \x1b[31m text\r\x07\nerror: forged", where="a\nb", got="\x9b2J\u202e", problems=["c\nd"]))
    assert capsys.readouterr().err == (
        "error: a\\nb: bad \\x1b[31m text\\r\\x07\\nerror: forged\n  c\\nd\n  got: \\x9b2J\\u202e\n"
    )


def test_notices_summaries_and_labels_stay_on_their_lines(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console()
    console.notice("a\nerror: b")
    console.summary("c\r", {"d": "e\x1b[2J\nf"})
    assert capsys.readouterr().err == "note: a\\nerror: b\nc\\r\n  d  e\\x1b[2J\\nf\n"


def test_no_credentials_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    leave(DataError("cannot read 's3://key:SECRET@bucket/a?SECRET'", where="ftp://u:SECRET@host/b", hint="x SECRE T"))
    said = capsys.readouterr().err
    assert said == "error: ftp://host/b: cannot read 's3://bucket/a'\n  hint: x SECRE T\n"


def test_talk_goes_to_stderr_and_the_result_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(json_output=True)
    console.notice("mind this")
    console.summary("done", {"rows": 3})
    console.result({"rows": 3})
    captured = capsys.readouterr()
    assert captured.err == "note: mind this\n"
    assert json.loads(captured.out) == {"ok": True, "rows": 3, "notices": ["mind this"]}


def test_the_summary_is_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    Console().summary("done", {"rows": 3, "output": "x"})
    assert capsys.readouterr().err == "done\n  rows    3\n  output  x\n"


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(quiet=True)
    console.notice("a")
    console.summary("b", {})
    with console.progress("c") as progress:
        progress(1, 2)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_progress_in_a_log_is_a_line_every_ten_seconds(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 5.0, 11.0, 12.0, 30.0])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    with Console().progress("selecting") as progress:
        for done in (1, 2, 3, 4):
            progress(done * 1000, 4000)
    assert capsys.readouterr().err.splitlines() == [
        "selecting: 2,000 of 4,000 (50%) after 11 s, about 12 s left",
        "selecting: 4,000 of 4,000 (100%) after 30 s",
    ]
