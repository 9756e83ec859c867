"""`build --dry-run`: the estimate in words, as plain values, and the error of what does not fit."""

from __future__ import annotations

from typing import Any

from sage_select.display import displayed
from sage_select.engine.local.estimate import Estimate
from sage_select.errors import ResourceError

__all__ = ["bytes_in_words", "refuse_what_cannot_fit", "report", "seconds_in_words", "values"]


def report(found: Estimate) -> str:
    """Return what a build takes in all, as lines for people."""
    size, tightest = found.size, found.tightest
    about, kept = ("" if exact else "about " for exact in (size.exact, found.kept_exact))
    origin = "" if size.source is None else f" ({size.source.origin})"
    least = f", without {' and '.join(found.unknown)} (not known)" if found.unknown else ""
    untimed = [stage.name for stage in found.stages if stage.seconds is None]
    known = sum(stage.seconds or 0.0 for stage in found.stages)
    facts = [
        ("rows", f"{about}{size.n:,}{origin}, {kept}{found.kept:,} kept"),
        ("memory", f"about {bytes_in_words(found.peak.memory)} at its height, in {found.peak.name}{least}"),
        ("available", "not known" if tightest is None else f"{bytes_in_words(tightest.bytes)} ({tightest.name})"),
        (
            "time",
            f"{seconds_in_words(known)} on {size.threads} thread{'s' if size.threads > 1 else ''}"
            + (f", without {' and '.join(untimed)} (not known)" if untimed else ""),
        ),
    ]
    width = max(len(line[0]) for line in facts)
    return "\n".join(f"{name:<{width}}  {displayed(text)}" for name, text in facts)


def values(found: Estimate) -> dict[str, Any]:
    """Return the estimate as plain values; bytes and seconds are numbers, null where they are not known."""
    size = found.size
    return {
        "rows": {
            "in": size.n,
            "kept": found.kept,
            "kept_exact": found.kept_exact,
            "exact": size.exact,
            "origin": None if size.source is None else size.source.origin,
        },
        "threads": size.threads,
        "stages": [
            {
                "name": one.name,
                "memory_bytes": None if one.memory is None else round(one.memory),
                "seconds": _rounded(one.seconds),
            }
            for one in found.stages
        ],
        "seconds": _rounded(found.seconds),
        "peak": {"name": found.peak.name, "memory_bytes": round(found.peak.memory or 0.0)},
        "limits": [
            {"name": limit.name, "bytes": limit.bytes, "needed": round(found.needed(limit))} for limit in found.limits
        ],
        "fits": found.fits,
        "would_fit": list(found.advice),
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else float(f"{seconds:.2g}")


def refuse_what_cannot_fit(found: Estimate) -> None:
    """Raise where the build needs more than there is.

    Raises
    ------
    ResourceError
        With the figures, and with what would fit.
    """
    limit = found.tightest
    if limit is None or found.fits:
        return
    kind = "address space" if limit.of_addresses else "memory"
    raise ResourceError(
        f"this build would need more {kind} than there is",
        expected=f"at most {bytes_in_words(limit.bytes)} ({limit.name})",
        got=f"about {bytes_in_words(found.needed(limit))}, the most of it in {found.peak.name}",
        hint=f"what would fit: {_grouped(found.advice)}" if found.advice else "a machine with more memory",
    )


def _grouped(advice: tuple[str, ...]) -> str:
    """Return what would fit, an option with all its values once: `--objective kcenter, mmr; 900 rows like these`."""
    said: dict[str, list[str]] = {}
    for text in advice:
        option, _, value = text.partition(" ")
        said.setdefault(option if option.startswith("--") else text, []).append(value)
    return "; ".join(f"{name} {', '.join(of)}" if name.startswith("--") else name for name, of in said.items())


def bytes_in_words(size: float | None) -> str:
    """Return a size with three digits and its unit.

    Examples
    --------
    >>> bytes_in_words(1536), bytes_in_words(20_000**2 * 4), bytes_in_words(None)
    ('1.5 KiB', '1.49 GiB', 'not known')
    """
    if size is None:
        return "not known"
    for unit, exponent in (("TiB", 40), ("GiB", 30), ("MiB", 20)):
        if size >= 1 << exponent:
            count = size / (1 << exponent)
            return f"{count:.3g} {unit}" if count < 1000 else f"{count:,.0f} {unit}"
    return f"{size / 1024:.3g} KiB"


def seconds_in_words(seconds: float | None) -> str:
    """Return about how long something takes, no nearer than its order of magnitude.

    Examples
    --------
    >>> [seconds_in_words(time) for time in (0.1, 45, 140, 9000, None)]
    ['seconds', 'about a minute', 'roughly 2 min', 'roughly 2 h', 'not known']
    """
    if seconds is None:
        return "not known"
    if seconds < 100:
        return "seconds" if seconds < 20 else "about a minute"
    time, unit = (seconds / 60, "min") if seconds < 5400 else (seconds / 3600, "h")
    return f"roughly {float(f'{time:.1g}'):,.0f} {unit}"
