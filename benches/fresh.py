"""What a piece of work takes in a process of its own: seconds, and bytes at its height."""

from __future__ import annotations

import multiprocessing
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_STATUS = Path("/proc/self/status")
_KIB = 1024
_BUILD = """
import re, sys
from sage_select.cli.select import main
try:
    main()
except SystemExit as leaving:
    print(open("/proc/self/status").read(), file=sys.stderr)
    raise
"""


@dataclass(frozen=True)
class Taken:
    """The shortest times, and the median height of memory and address space above what was there before.

    `seconds` are those of the processor, of all threads together, which other work beside hardly changes; `wall` are
    those of the clock. `result` is what the work returned in the last run: a few numbers.
    """

    seconds: float
    wall: float
    bytes: float
    addresses: float
    result: Any = None


def taken(prepare: Callable[..., Callable[[], Any]], *arguments: Any, runs: int = 3) -> Taken:
    """Run what `prepare(*arguments)` returns, each time in a fresh process; only that is measured."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, max_tasks_per_child=1) as pool:
        found = [pool.submit(_once, prepare, arguments).result() for _ in range(runs)]
    return _of(found)


def taken_by_build(arguments: Sequence[str], folder: Path, *, runs: int = 3) -> Taken:
    """Run `sage-select build`, from start to end; its bytes and addresses are those of the whole process."""
    command = [sys.executable, "-c", _BUILD, "build", *arguments, "--force", "--quiet"]
    found = []
    for _ in range(runs):
        start, before = time.perf_counter(), os.times()
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, env=os.environ)
        wall, after = time.perf_counter() - start, os.times()
        seconds = after.children_user + after.children_system - before.children_user - before.children_system
        found.append(Taken(seconds, wall, _kib(done.stderr, "VmHWM"), _kib(done.stderr, "VmPeak")))
        # A result that is there already would not be made again.
        (folder / "out.arrow.manifest.json").unlink()
    return _of(found)


def _of(found: Sequence[Taken]) -> Taken:
    return Taken(
        min(one.seconds for one in found),
        min(one.wall for one in found),
        statistics.median(one.bytes for one in found),
        statistics.median(one.addresses for one in found),
        found[-1].result,
    )


def _once(prepare: Callable[..., Callable[[], Any]], arguments: Sequence[Any]) -> Taken:
    work = prepare(*arguments)
    # Forget the height so far.
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = _STATUS.read_text(encoding="ascii")
    start, clock = time.process_time(), time.perf_counter()
    result = work()
    seconds, wall = time.process_time() - start, time.perf_counter() - clock
    after = _STATUS.read_text(encoding="ascii")
    grown = _kib(after, "VmHWM") - _kib(before, "VmRSS")
    return Taken(seconds, wall, grown, _kib(after, "VmPeak") - _kib(before, "VmSize"), result)


def _kib(status: str, name: str) -> int:
    match = re.search(rf"^{name}:\s+(\d+) kB", status, re.MULTILINE)
    if match is None:
        raise ValueError(f"/proc tells no {name}")
    return int(match[1]) * _KIB
