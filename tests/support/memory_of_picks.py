"""Prints how many bytes each of some rules takes beside its vectors, each in a process of its own."""

from __future__ import annotations

import ctypes
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from sage_select import kernels
from sage_select.kernels import Matrix
from sage_select.strategies import STRATEGIES, Constraints, Pool, request_of
from sage_select.values.budget import Budget

#: Of the GNU C library's mallopt: from how many bytes on memory is the system's, and goes back to it once it is freed.
_MMAP_THRESHOLD = -3
_LARGE = 128 << 10


def pool_of(n: int, d: int, metric: str) -> Pool:
    """Return clustered rows with ids and scores."""
    random = np.random.default_rng(1)
    middles = random.standard_normal((50, d), np.float32)
    rows = middles[random.integers(0, 50, n)] + random.standard_normal((n, d), np.float32)
    ids = pa.array([f"row {row}" for row in range(n)])
    return Pool(
        n=n,
        seed=0,
        hashes=lambda key: kernels.keyed_hashes(key, ids),
        difficulty=random.random(n, np.float32),
        matrix=Matrix.from_array(rows, metric=metric),
        queries=rows[:20],
        has_ids=True,
        threads=1,
    )


def _number(name: str) -> int:
    match = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert match is not None
    return int(match[1]) * 1024


def measure(case: dict[str, Any]) -> int:
    """Return the height of memory of one rule above what was held before."""
    strategy = STRATEGIES[case["strategy"]](**case["settings"])
    pool = pool_of(case["n"], case["d"], case["metric"])
    request = request_of(pool, Constraints(Budget.parse(case["k"]), clamp=True))
    _c_library("malloc_trim", 0)
    Path("/proc/self/clear_refs").write_text("5")  # the height begins anew
    before = _number("VmRSS")
    strategy.pick(request, pool)
    return _number("VmHWM") - before


def _c_library(name: str, *arguments: int) -> None:
    """Call a function of the C library, where it has it."""
    function = getattr(ctypes.CDLL(None), name, None)
    if function is not None:
        function(*arguments)


def main() -> None:
    """Measure each case in a child that has run nothing else.

    Left to itself the allocator keeps freed memory, ever larger pieces of it: what a rule takes would depend on what
    was freed before.
    """
    _c_library("mallopt", _MMAP_THRESHOLD, _LARGE)
    found = []
    for case in json.loads(sys.argv[1]):
        reader, writer = os.pipe()
        if os.fork() == 0:
            os.write(writer, str(measure(case)).encode())
            os._exit(0)
        os.close(writer)
        found.append(int(os.read(reader, 100)))
        os.close(reader)
        os.wait()
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
