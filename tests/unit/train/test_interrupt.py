"""Signals ask for a stop; they are not lost and not answered twice."""

from __future__ import annotations

import signal
import threading

import pytest

from sage_select.train.interrupt import graceful_stop

pytestmark = pytest.mark.usefixtures("interruptible")


def test_ctrl_c_waits_for_the_end_of_the_block() -> None:
    reached: list[int | None] = []

    def work() -> None:
        with graceful_stop() as stop:
            signal.raise_signal(signal.SIGINT)
            reached.append(stop.signal)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert reached == [signal.SIGINT]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_ctrl_c_ends_at_once() -> None:
    reached: list[str] = []

    def work() -> None:
        with graceful_stop():
            signal.raise_signal(signal.SIGINT)
            reached.append("after the first")
            signal.raise_signal(signal.SIGINT)
            reached.append("after the second")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert reached == ["after the first"]


def test_termination_reaches_the_handler_that_was_there() -> None:
    def handler(number: int, frame: object) -> None:
        raise SystemExit(143)

    before = signal.signal(signal.SIGTERM, handler)
    try:
        with pytest.raises(SystemExit, match="143"), graceful_stop():
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)


def test_an_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with graceful_stop() as stop:
            signal.raise_signal(signal.SIGINT)
        assert stop.signal is None
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_threads_handle_no_signals() -> None:
    before = signal.getsignal(signal.SIGINT)
    inside: list[object] = []

    def work() -> None:
        with graceful_stop():
            inside.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert inside == [before]
