"""The record of a benchmark run: `RESULTS.md`, one section a benchmark group, each with its own machine and date.

A run replaces the sections of the groups that it timed and keeps the others.
"""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from sage_select import kernels
from sage_select.kernels.call import resolve_threads

HEAD = """# Benchmark results

Written by `make bench` and `make bench-large`. Each section says when, where, and how busy the machine was when the run
began. Times are medians; "x ours" is a method's time over ours on the same data in the same run. "least" is the
shortest round, and the ratio of the shortest rounds: where the two ratios differ much, other work got in the way. Every
answer was checked, and what was timed on a part of the work says so.
"""
NOT_RUN = "Not run"

_RIVALS = (
    "numpy",
    "torch",
    "scikit-learn",
    "faiss-cpu",
    "polars",
    "pyarrow",
    "apricot-select",
    "submodlib-py",
    "pyversity",
)


@dataclass(frozen=True)
class Timing:
    """One method on one case of one group; `seconds` is what the whole work takes."""

    group: str
    case: str
    method: str
    seconds: float
    least: float
    rounds: int
    note: str

    @property
    def ours(self) -> bool:
        """Whether this is ours rather than a rival."""
        return self.method.startswith("ours")


def machine() -> str:
    """Return the machine, the software and how busy it was, as one line."""
    load = _load()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    hardware = f"{_processor()}, {cores} cores, {kernels.instruction_set()}, {resolve_threads(None)} threads, {load}"
    versions = ", ".join(f"{name} {version}" for name in ("sage-select", *_RIVALS) if (version := _version(name)))
    return f"{datetime.date.today()}; {hardware}; Python {platform.python_version()}; {versions}."


def section(timings: Iterable[Timing], run: str) -> str:
    """Return the body of a group's section: the run, and a table with one row a timing."""
    lines = [
        run,
        "",
        "| case | method | median | x ours | least | x ours | rounds | |",
        "|---|---|--:|--:|--:|--:|--:|---|",
    ]
    timings = list(timings)
    # The first of ours is what a case is measured against.
    ours = {timing.case: timing for timing in reversed(timings) if timing.ours}
    for timing in sorted(timings, key=lambda timing: (timing.case, not timing.ours)):
        base = ours.get(timing.case)
        cells = [timing.case, timing.method, span(timing.seconds), _ratio(timing.seconds, base and base.seconds)]
        cells += [span(timing.least), _ratio(timing.least, base and base.least), str(timing.rounds), timing.note]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def span(seconds: float) -> str:
    """Return a time with three digits and its unit."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}" if seconds < 1000 * size else f"{seconds / size:,.0f} {unit}"
    return f"{seconds / 1e-6:.3g} µs"


def update(path: Path, timings: Iterable[Timing], skipped: Mapping[str, str], ran: Iterable[str], run: str) -> None:
    """Write the groups that were timed, and why tests were skipped, into the file; the rest of it stays.

    Parameters
    ----------
    skipped
        Reason by test, for the tests skipped in this run.
    ran
        The tests that were not: an older reason is dropped.
    run
        What `machine` says.
    """
    sections = read(path)
    groups: dict[str, list[Timing]] = {}
    for timing in timings:
        groups.setdefault(timing.group, []).append(timing)
    sections.update({group: section(rows, run) for group, rows in groups.items()})
    lines = (line[2:].split(": ", 1) for line in sections.pop(NOT_RUN, "").splitlines())
    reasons = {**dict(lines), **skipped}
    for test in ran:
        reasons.pop(test, None)
    text = HEAD + "".join(f"\n## {group}\n\n{sections[group]}\n" for group in sorted(sections))
    if reasons:
        text += f"\n## {NOT_RUN}\n\n" + "".join(f"- {test}: {reason}\n" for test, reason in sorted(reasons.items()))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def read(path: Path) -> dict[str, str]:
    """Return the bodies of the sections that the file holds, by heading."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    parts = (part.split("\n", 1) for part in ("\n" + text).split("\n## ")[1:])
    return {heading: body.strip() for heading, body in parts}


def _ratio(seconds: float, ours: float | None) -> str:
    if ours is None:
        return ""
    ratio = seconds / ours
    return f"{ratio:,.0f}" if ratio >= 100 else f"{ratio:.3g}"


def _load() -> str:
    if not hasattr(os, "getloadavg"):
        return "load unknown"
    load = os.getloadavg()[0]
    return f"load {load:.1f} when it began" + (" (other work ran beside)" if load > 0.5 else "")


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    for line in info.read_text().splitlines() if info.is_file() else ():
        if line.startswith("model name"):
            return line.split(": ", 1)[1]
    return platform.processor() or platform.machine()


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
