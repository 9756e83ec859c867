"""A comparison as a page of Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from sage_select.comparison.judging import Judgement
from sage_select.comparison.result import Comparison
from sage_select.comparison.run import BASE
from sage_select.display import displayed

__all__ = ["markdown"]


def markdown(found: Comparison) -> str:
    """Return a comparison as a page of Markdown."""
    return "\n".join(_lines(found)) + "\n"


def _lines(found: Comparison) -> Iterator[str]:
    first = found.judgements[0].metric
    yield "# Comparison of methods"
    yield ""
    yield (
        f"Every arm consumed {found.tokens:,} tokens, to half a step, under {len(found.seeds)} "
        f"seed{'s' if len(found.seeds) > 1 else ''}, and was evaluated on the same {found.rows:,} rows, which no arm "
        f"trained on. Verdicts are by {first.name}: {first.definition[:1].lower()}{first.definition[1:]}"
    )
    if len(found.seeds) < 2:
        yield ""
        yield "With one seed intervals are over rows alone: what training anew would give may lie outside of them."
    yield ""
    yield "## Verdicts"
    yield ""
    for arm in found.arms:
        yield f"- **{_cell(arm.name)}**: {_cell(found.verdict(arm))}"
    for judgement in found.first_metrics():
        yield from _table(judgement)
    yield from _others(found)
    yield ""
    yield "## What each arm took"
    yield ""
    yield "Means over seeds; the memory is the most that one of them took."
    yield ""
    yield "| arm | rows | tokens | steps | selecting, s | training, s | memory, GB |"
    yield "|---|--:|--:|--:|--:|--:|--:|"
    for arm in found.arms:
        took = found.took(arm.name)
        if took is None:
            continue
        shown = [
            *map("{:,.0f}".format, took[:3]),
            *("-" if one is None else f"{one:,.1f}" for one in (took.select_seconds, took.train_seconds)),
            "-" if took.memory_bytes is None else f"{took.memory_bytes / 1e9:.1f}",
        ]
        yield f"| {_cell(arm.name)} | {' | '.join(shown)} |"
    if found.failed:
        yield ""
        yield "## Failed"
        yield ""
        for cell in found.failed:
            yield f"- {_cell(cell.arm)}, seed {cell.seed}: {_cell(cell.error or '')}"
    yield ""
    yield "## Arms"
    yield ""
    for arm in found.arms:
        control = "" if arm.control is None else f"; compared with {arm.control}"
        teacher = "" if arm.teacher is None else f"; taught by {arm.teacher}"
        yield f"- **{_cell(arm.name)}**: {_cell(arm.method.summary)}{_cell(control)}{_cell(teacher)}"


def _table(judgement: Judgement) -> Iterator[str]:
    metric = judgement.metric
    yield ""
    yield f"## {metric.name}"
    yield ""
    yield f"{metric.definition} Over {metric.over}; {metric.better} is better."
    yield ""
    yield "| arm | mean | by seed | less its control | 95 % interval | p (Holm) |"
    yield "|---|--:|---|--:|---|--:|"
    if judgement.base is not None:
        yield f"| {BASE} | {judgement.base:.4g} |  |  |  |  |"
    for name, one in judgement.arms.items():
        seeds = ", ".join(f"{value:.4g}" for value in one.values.values()) or "-"
        mean = "failed" if one.mean is None else f"{one.mean:.4g}"
        change, interval, p = "", one.why_none or "", ""
        if one.difference is not None and one.difference.value is not None:
            bounds = one.difference.interval.bounds
            change = f"{one.difference.value:+.4g}"
            interval = f"{bounds[0]:+.4g} to {bounds[1]:+.4g}" if bounds else one.difference.interval.why_none or ""
            p = "" if one.verdict is None or one.verdict.p_adjusted is None else f"{one.verdict.p_adjusted:.2g}"
        yield f"| {_cell(name)} | {mean} | {seeds} | {change} | {_cell(interval)} | {p} |"


def _others(found: Comparison) -> Iterator[str]:
    """Yield the means of all other metrics, side by side."""
    shown = found.first_metrics()
    others = [one for one in found.judgements if one not in shown and any(arm.values for arm in one.arms.values())]
    if not others:
        return
    yield ""
    yield "## Other metrics"
    yield ""
    yield "Means over seeds; comparison.json has their differences, definitions are those of `sage-train eval`."
    yield ""
    yield f"| metric | {' | '.join(map(_cell, (BASE, *others[0].arms)))} |"
    yield f"|---|{'--:|' * (len(others[0].arms) + 1)}"
    for judgement in others:
        means = [judgement.base, *(arm.mean for arm in judgement.arms.values())]
        shown_means = " | ".join("" if mean is None else f"{mean:.4g}" for mean in means)
        yield f"| {_cell(judgement.metric.name)} ({judgement.metric.better}) | {shown_means} |"


def _cell(text: str) -> str:
    """Return a text that says nothing to Markdown."""
    return (
        displayed(text)
        .replace("\\", "\\\\")
        .replace("|", "\\|")
        .replace("<", "&lt;")
        .replace("*", "\\*")
        .replace("`", "\\`")
    )
