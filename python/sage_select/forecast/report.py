"""A forecast in words and as plain values."""

from __future__ import annotations

from typing import Any

from sage_select.display import displayed
from sage_select.forecast.forecast import Forecast

__all__ = ["bytes_in_words", "report", "seconds_in_words", "values"]


def report(forecast: Forecast) -> str:
    """Return the forecast as lines for people."""
    work, prediction = forecast.work, forecast.prediction
    about = "" if work.exact else "about "
    facts = [("rows", f"{about}{work.rows:,} ({work.origin}), {about}{work.kept:,} kept")]
    if work.vectors is not None:
        facts.append(("vectors", f"{work.vectors.dimensions:,} dimensions ({work.vectors.said})"))
    peak = prediction.peak
    facts.append(("memory", f"about {bytes_in_words(peak.memory)} at its height, in the {peak.name} stage"))
    if prediction.mapped:
        facts.append(("mapped", f"{bytes_in_words(prediction.mapped)} of files, which need not fit"))
    facts.append(("available", _available(forecast)))
    untold = f", without {' and '.join(prediction.untold)}, whose time is not known" if prediction.untold else ""
    threads = f"{work.threads} thread{'s' if work.threads > 1 else ''}"
    facts.append(("time", f"about {seconds_in_words(prediction.seconds)} on {threads}{untold}"))
    stages = [
        (
            stage.name,
            bytes_in_words(stage.memory),
            "not told" if stage.seconds is None else seconds_in_words(stage.seconds),
        )
        for stage in prediction.stages
    ]
    width = max(len(line[0]) for line in (*facts, *stages))
    lines = [f"{name:<{width}}  {displayed(text)}" for name, text in facts]
    lines += ["", f"{'stage':<{width}}  {'memory':>10}  {'time':>10}"]
    lines += [f"{name:<{width}}  {memory:>10}  {seconds:>10}" for name, memory, seconds in stages]
    return "\n".join(lines)


def _available(forecast: Forecast) -> str:
    fit = forecast.fit
    if fit is None:
        return "unknown: this system tells of no limit"
    needed = f" for about {bytes_in_words(fit.needed)} of address space" if fit.limit.of_addresses else ""
    return f"{bytes_in_words(fit.limit.bytes)} ({fit.limit.name}){needed}"


def values(forecast: Forecast) -> dict[str, Any]:
    """Return the forecast as plain values; bytes and seconds are numbers."""
    work, prediction, fit, costs = forecast.work, forecast.prediction, forecast.fit, forecast.costs
    return {
        "rows": {"in": work.rows, "kept": work.kept, "exact": work.exact, "origin": work.origin},
        "vectors": None
        if work.vectors is None
        else {"dimensions": work.vectors.dimensions, "origin": work.vectors.said},
        "memory": {
            "peak": round(prediction.peak.memory),
            "peak_stage": prediction.peak.name,
            "mapped": round(prediction.mapped),
            "addresses": round(prediction.addresses),
        },
        "seconds": round(prediction.seconds, 3),
        "threads": work.threads,
        "stages": [
            {
                "name": stage.name,
                "memory": round(stage.memory),
                "seconds": None if stage.seconds is None else round(stage.seconds, 3),
            }
            for stage in prediction.stages
        ],
        "available": None
        if fit is None
        else {"bytes": fit.limit.bytes, "limit": fit.limit.name, "needed": round(fit.needed)},
        "fits": None if fit is None else fit.fits,
        "would_fit": [{"what": found.text, "bytes": round(found.bytes)} for found in forecast.advice],
        "costs": {"machine": costs.machine, "date": costs.date},
    }


def bytes_in_words(size: float) -> str:
    """Return a size with three digits and its unit.

    Examples
    --------
    >>> bytes_in_words(1536), bytes_in_words(20_000**2 * 4)
    ('1.5 KiB', '1.49 GiB')
    """
    for unit, exponent in (("TiB", 40), ("GiB", 30), ("MiB", 20)):
        if size >= 1 << exponent:
            count = size / (1 << exponent)
            return f"{count:.3g} {unit}" if count < 1000 else f"{count:,.0f} {unit}"
    return f"{size / 1024:.3g} KiB"


def seconds_in_words(seconds: float) -> str:
    """Return a time with two digits and its unit; no forecast is nearer.

    Examples
    --------
    >>> seconds_in_words(0.0123), seconds_in_words(4.56), seconds_in_words(123), seconds_in_words(7300)
    ('0.012 s', '4.6 s', '2 min', '2 h')
    """
    if seconds >= 3600:
        return f"{seconds / 3600:.2g} h" if seconds < 360_000 else f"{seconds / 3600:,.0f} h"
    return f"{seconds / 60:.2g} min" if seconds >= 100 else f"{seconds:.2g} s"
