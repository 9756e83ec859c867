"""Panics are errors, and what they write is nobody's; whatever else is written stands on the standard error."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from sage_select.errors import DataError
from sage_select.io.guards.panics import panics_refused

SAID = "called `Option::unwrap()` on a `None` value"


class PanicException(BaseException):
    pass


def write(text: str) -> None:
    os.write(2, text.encode())


TRACE = """stack backtrace:
   0: std::panicking
             at /rustc/x.rs:1:2
   1: <unknown>
note: Some details are omitted, run with `RUST_BACKTRACE=full` for a verbose backtrace.
"""
ENDS = ("", "note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n", TRACE)


def panic(said: str = SAID, end: str = "", first: str = "") -> None:
    """Write as Rust does, and raise as its bindings do."""
    write(f"{first}\nthread '<unnamed>' (4711) panicked at src/lib.rs:1:2:\n{said}\n{end}")
    raise PanicException(said)


@pytest.mark.parametrize("said", [SAID, "two\nlines", "caf\u00e9 [a-z](", ""])
@pytest.mark.parametrize("end", ENDS)
def test_a_panic_is_an_error_and_writes_nothing(capfd: pytest.CaptureFixture[str], said: str, end: str) -> None:
    write("before\n")
    with pytest.raises(DataError) as error, panics_refused(DataError):
        panic(said, end, first="theirs\n")
    write("after\n")
    assert error.value.message == said.partition("\n")[0]
    assert capfd.readouterr().err == "before\ntheirs\nafter\n"


def fail(error: BaseException) -> None:
    with panics_refused(DataError):
        write("unharmed\n")
        raise error


def test_all_else_is_written_in_its_order(capfd: pytest.CaptureFixture[str]) -> None:
    thread = threading.Thread(target=write, args=("of a thread\n",))
    with panics_refused(DataError), panics_refused(DataError):
        write("thread '<unnamed>' panicked at a text of somebody's\n")
        thread.start()
        thread.join()
    for error in (ValueError("x"), KeyboardInterrupt()):
        with pytest.raises(type(error)):
            fail(error)
    assert capfd.readouterr().err == (
        "thread '<unnamed>' panicked at a text of somebody's\nof a thread\nunharmed\nunharmed\n"
    )


def test_who_wants_to_see_a_panic_sees_it(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError), panics_refused(DataError, silently=False):
        panic("seen")
    monkeypatch.setenv("SAGE_DEBUG", "1")
    with pytest.raises(DataError), panics_refused(DataError):
        panic("seen as well")
    assert capfd.readouterr().err.count("panicked at") == 2


def test_no_descriptor_is_left_open_and_a_closed_one_harms_nothing() -> None:
    code = (
        "import os\nfrom sage_select.errors import DataError\nfrom sage_select.io.guards.panics import panics_refused\n"
        "before = len(os.listdir('/proc/self/fd'))\n"
        "for _ in range(50):\n    with panics_refused(DataError):\n        pass\n"
        "assert len(os.listdir('/proc/self/fd')) == before\nos.close(2)\n"
        "with panics_refused(DataError):\n    print('done')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
