"""Ctrl-C and a polite kill stop a long kernel, with the exit codes of both."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

pytestmark = pytest.mark.usefixtures("interruptible")

HEAD = """
import numpy as np
import sage_select
from sage_select.cli.console import run_program

vectors = np.random.default_rng(0).normal(size=(40_000, 64)).astype(np.float32)

def say(done, total):
    print("working", flush=True)

run_program(lambda: sage_select.select(embeddings=vectors, progress=say, """

LONG = {
    "picks": 'k=39_000, strategy="diversity", objective="kcenter"',
    # So near a threshold that every pair is looked at in all dimensions.
    "near copies": 'k=10, strategy="random", dedup="near", dedup_threshold=0.55',
}


@pytest.mark.parametrize("work", LONG)
@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_kernel_can_be_stopped(how: signal.Signals, code: int, work: str) -> None:
    script = f"{HEAD}{LONG[work]}))"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"working\n"
        running.send_signal(how)
        _, talk = running.communicate()
    assert running.returncode == code
    assert b"Traceback" not in talk
