"""The files of a comparison: figures as Arrow and JSON, and a page to read as Markdown."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pyarrow as pa

from sage_select.comparison.result import Comparison
from sage_select.display import displayed

__all__ = ["markdown", "write_comparison"]

_NAMES: Final = ("comparison.arrow", "comparison.json", "comparison.md")


def write_comparison(found: Comparison) -> None:
    """Write its files into the folder, each whole or not at all, in place of those of an earlier call."""
    table = found.table()

    def arrow(path: Path) -> None:
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)

    def text(content: str) -> Callable[[Path], object]:
        return lambda path: path.write_text(content, encoding="utf-8")

    said = json.dumps(found.as_dict(), indent=2, ensure_ascii=False, default=str) + "\n"
    for name, write in zip(_NAMES, (arrow, text(said), text(markdown(found))), strict=True):
        temporary = found.folder / f".sage-train.{name}"
        write(temporary)
        temporary.replace(found.folder / name)


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
        f"trained on. Verdicts are by {first.name}: {first.definition}."
    )
    if len(found.seeds) < 2:
        yield ""
        yield "With one seed intervals are over rows alone: what training anew would give may lie outside of them."
    yield ""
    yield "## Verdicts"
    yield ""
    for name, _, verdict in found.lines():
        yield f"- **{_cell(name)}**: {_cell(verdict)}"
    for judgement in found.judgements:
        metric = judgement.metric
        yield ""
        yield f"## {metric.name[:1].upper()}{metric.name[1:]}"
        yield ""
        yield f"{metric.definition[:1].upper()}{metric.definition[1:]}; {metric.better} is better."
        yield ""
        yield "| arm | mean | by seed | less its control | 95 % interval | p (Holm) |"
        yield "|---|--:|---|--:|---|--:|"
        for name, one in judgement.arms.items():
            seeds = ", ".join(f"{value:.4g}" for value in one.values.values()) or "-"
            mean = "failed" if one.mean is None else f"{one.mean:.4g}"
            change, interval, p = "", "", ""
            if one.difference is not None and one.difference.value is not None:
                bounds = one.difference.interval.bounds
                change = f"{one.difference.value:+.4g}"
                interval = one.difference.interval.why_none or ""
                interval = f"{bounds[0]:+.4g} to {bounds[1]:+.4g}" if bounds else interval
                p = "" if one.verdict is None or one.verdict.p_adjusted is None else f"{one.verdict.p_adjusted:.2g}"
            yield f"| {_cell(name)} | {mean} | {seeds} | {change} | {_cell(interval)} | {p} |"
    yield ""
    yield "## What each arm took"
    yield ""
    yield "Means over seeds; the memory is the most that one of them took."
    yield ""
    yield "| arm | rows | tokens | steps | selecting, s | training, s | memory, GB |"
    yield "|---|--:|--:|--:|--:|--:|--:|"
    for arm in found.arms:
        done = [cell for cell in found.cells if cell.arm == arm.name and cell.error is None]
        if not done:
            continue
        means = [sum(getattr(cell, name) or 0 for cell in done) / len(done) for name in _COSTS]
        memory = max((cell.memory_bytes or 0 for cell in done), default=0)
        shown = " | ".join(f"{one:,.0f}" if place < 3 else f"{one:,.1f}" for place, one in enumerate(means))
        yield f"| {_cell(arm.name)} | {shown} | {f'{memory / 1e9:.1f}' if memory else '-'} |"
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


_COSTS: Final = ("rows", "tokens", "steps", "select_seconds", "train_seconds")


def _cell(text: str) -> str:
    """Return a text that says nothing to Markdown."""
    return displayed(text).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*").replace("`", "\\`")
