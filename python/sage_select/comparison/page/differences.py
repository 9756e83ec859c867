"""How arms differ from their controls, and what came of what they took."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from sage_select.comparison.cells import Cell
from sage_select.comparison.judging import ArmFigures, Judgement
from sage_select.comparison.page.words import TONES, called, change, file_name, interval, p_value, value
from sage_select.comparison.result import Comparison, Word
from sage_select.report.blocks import Absent, Block, Figure, Section, Table
from sage_select.report.charts.forest import Differs, Forest
from sage_select.report.charts.levels import Level, Levels

__all__ = ["against", "differences"]

#: Rows trained are drawn where the arms differ by more than this part of the most.
_ALIKE: Final = 0.02


def differences(found: Comparison) -> Section:
    """Return the differences of all arms from their controls, by the first metric of each evaluator."""
    blocks: list[Block] = []
    for judgement in found.first_metrics():
        blocks += _differences(found, judgement)
    return Section(
        "Differences from the control",
        "How much each arm differs from its control, and how sure that is, by the metric of each evaluator.",
        blocks,
    )


def _differences(found: Comparison, judgement: Judgement) -> Iterator[Block]:
    metric, is_first = judgement.metric, judgement is found.judgements[0]
    what = f"differences in {metric.name}"
    beside = [arm for arm in found.arms if arm.control is not None]
    drawn = [arm for arm in beside if change(judgement.arms[arm.name])]
    if not drawn:
        why = next((interval(judgement.arms[arm.name]) for arm in beside if judgement.arms[arm.name].values), "")
        yield Absent(what, why or ("every arm failed" if beside else "no arm is compared with another"))
        return
    differing = []
    for arm in beside:
        figures = judgement.arms[arm.name]
        word, one = _word(figures), figures.difference
        if one is None or one.value is None:
            differing.append(Differs(arm.name, None, None, "plain", word))
            continue
        told = change(figures) + ("" if one.interval.bounds else ", no interval")
        differing.append(Differs(arm.name, one.value, one.interval.bounds, TONES[word], told))
    without = sum(1 for one in differing if one.value is not None and one.bounds is None)
    covers = {one.covers for arm in drawn if (one := judgement.arms[arm.name].difference) is not None}
    definition = "" if is_first else f"{metric.name}: {metric.definition} "
    yield Figure(
        f"difference-{file_name(metric.name)}",
        Forest(differing, metric.name, metric.better == "higher"),
        f"Difference of each arm from its control in {metric.name}: "
        + "; ".join(f"{called(one.name)} {one.told}" for one in differing)
        + ".",
        f"{definition}Marks are the difference of the arm from its control, lines the 95 % interval over other "
        f"{' or '.join(sorted(covers))}; up and green is better, down and red worse by the adjusted p-value, a circle "
        "neither." + (f" {without} without an interval: hollow marks." if without else ""),
    )
    if is_first:  # the verdicts have its numbers
        return
    yield Table(
        ("arm", "control", "difference", "95 % interval", "p, adjusted", "verdict"),
        [
            (
                called(arm.name),
                called(arm.control or ""),
                change(judgement.arms[arm.name]),
                interval(judgement.arms[arm.name]),
                p_value(judgement.arms[arm.name]),
                _word(judgement.arms[arm.name]),
            )
            for arm in beside
        ],
        f"The same in numbers, by {metric.name}.",
        frozenset({2, 4}),
        cards=True,
    )


def _word(figures: ArmFigures) -> Word:
    if not figures.values:
        return "failed"
    return "no verdict" if figures.verdict is None else figures.verdict.word


def against(found: Comparison) -> Section:
    """Return the first metric against tokens consumed and against rows trained."""
    judgement = found.judgements[0]
    name = judgement.metric.name
    blocks = [
        _against(found, judgement, "tokens", lambda cell: float(cell.tokens)),
        _against(found, judgement, "rows", lambda cell: float(cell.rows)),
    ]
    return Section(
        "What came of how much",
        f"Whether an arm with another {name} consumed more than the others did, or trained on other amounts of rows.",
        blocks,
    )


def _against(found: Comparison, judgement: Judgement, what: str, took: Callable[[Cell], float]) -> Block:
    name = judgement.metric.name
    title = f"{name} against {what}"
    levels = []
    for arm in found.arms:
        values = judgement.arms[arm.name].values
        cells = [cell for cell in found.cells if cell.arm == arm.name and cell.seed in values]
        if cells:
            seeds = [(took(cell), values[cell.seed]) for cell in cells]
            levels.append(Level(arm.name, seeds, TONES[found.word(arm)], arm.control is None))
    if not levels:
        return Absent(title, f"no arm has a value of {name}")
    amounts = [x for one in levels for x, _ in one.seeds]
    if what == "rows" and max(amounts) - min(amounts) <= _ALIKE * max(amounts):
        return Absent(title, f"all arms trained on as many rows, {_between(min(amounts), max(amounts))}")
    is_tokens = what == "tokens"
    near = (float(found.tokens), f"the budget, {found.tokens:,}") if is_tokens else None
    means = "; ".join(f"{called(one.name)} {value(one.mean[1])} with {one.mean[0]:,.0f} {what}" for one in levels)
    meaning = (
        "Every arm has the same budget of tokens, to half a step, so that its mark stands near the dotted line; one "
        "that is far from it learned from more or less than the others."
        if is_tokens
        else "Distinct rows that an arm trained on; with equal tokens an arm with fewer rows saw each of them more "
        "often."
    )
    dots = "Dots are seeds, marks their means, diamonds arms that others are compared with"
    line = "" if judgement.base is None else "; the dashed line is the base model, which nothing has been trained into"
    return Figure(
        f"{file_name(name)}-by-{what}",
        Levels(levels, f"{'tokens consumed' if is_tokens else 'rows trained'}", name, judgement.base, near),
        f"Mean {name} of each arm: {means}.",
        f"{meaning} {dots}{line}.",
    )


def _between(least: float, most: float) -> str:
    return f"{most:,.0f}" if least == most else f"{least:,.0f} to {most:,.0f}"
