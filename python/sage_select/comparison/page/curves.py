"""The loss of each arm from step to step, as its runs noted it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sage_select.comparison.folder import ComparisonFolder
from sage_select.comparison.page.words import called
from sage_select.comparison.result import Comparison
from sage_select.comparison.trained import run_folders
from sage_select.display import counted, displayed
from sage_select.errors import SageError
from sage_select.report.blocks import Absent, Block, Figure, Section
from sage_select.report.charts.curves import Curve, Curves, Line
from sage_select.train.ledger import read_steps
from sage_select.train.run_folder import RunFolder

__all__ = ["Taken", "curves", "smoothed"]

#: The part of the steps of the longest arm over which is averaged.
_PART: Final = 20
#: The most points of a line.
_POINTS: Final = 100


class Taken(NamedTuple):
    """The steps of an arm under a seed, one run after the other.

    `sums` is float64 (steps,), the summed loss of the trained tokens of each step, `tokens` how many they are, and
    `begins` the steps behind which another run begins.
    """

    sums: NDArray[np.float64]
    tokens: NDArray[np.float64]
    begins: tuple[int, ...]


def curves(found: Comparison) -> Section:
    """Return the learning curves of all arms that did not fail."""
    lead = "How the loss of what is trained went down, step by step."
    title, taken, absent = "Learning curves", {}, []
    for arm in found.arms:
        folders = [
            ComparisonFolder(found.folder).cell(cell.arm, cell.seed)
            for cell in found.cells
            if cell.arm == arm.name and cell.error is None
        ]
        if not folders:
            continue
        try:
            several = [_taken(folder) for folder in folders]
        except (SageError, OSError) as error:
            absent.append(Absent(f"the learning curve of {called(arm.name)}", _reason(error)))
            continue
        if all(len(one.sums) for one in several):
            taken[arm.name] = several
        else:
            absent.append(Absent(f"the learning curve of {called(arm.name)}", "its runs noted no step"))
    if not taken:
        return Section(title, lead, absent or [Absent("learning curves", "every arm failed")])
    longest = max(len(one.sums) for several in taken.values() for one in several)
    window = longest // _PART // 2 * 2 + 1
    names = list(taken)
    drawn = []
    for arm in found.arms:
        if arm.name in taken:
            several = taken[arm.name]
            control = names.index(arm.control) if arm.control in taken else None
            drawn.append(
                Curve(
                    arm.name,
                    _mean(several, window),
                    [_mean([one], window) for one in several],
                    control,
                    several[0].begins,
                )
            )
    return Section(title, lead, [_figure(drawn, window, len(found.seeds)), *absent])


def _figure(drawn: Sequence[Curve], window: int, seeds: int) -> Block:
    smooth = (
        "Nothing is smoothed: a point is the mean over the trained tokens of a step"
        if window == 1
        else f"Smoothed: a point is the mean over all trained tokens of the {counted(window, 'step')} around it, fewer "
        "at both ends"
    )
    several = (
        "thin lines are seeds, the thick one is over all of them as far as each of them goes; " if seeds > 1 else ""
    )
    runs = " Dotted lines stand where another run begins." if any(one.begins for one in drawn) else ""
    return Figure(
        "learning-curves",
        Curves(drawn, "training loss, nats a token"),
        "Training loss of each arm, from its first to its last step: "
        + "; ".join(f"{called(one.name)} {one.mean.values[0]:.3g} to {one.mean.values[-1]:.3g}" for one in drawn)
        + ".",
        f"{smooth}; {several}grey behind an arm is its control.{runs} Arms train on other rows and may minimise "
        "something else: a lower line is no better model.",
    )


def _taken(folder: Path) -> Taken:
    sums: list[float] = []
    tokens: list[int] = []
    begins: list[int] = []
    for run in run_folders(folder):
        if sums:
            begins.append(len(sums))
        for step in read_steps(RunFolder(run).ledger):
            sums.append(sum(loss * n for loss, n in zip(step.losses, step.tokens, strict=True)))
            tokens.append(sum(step.tokens))
    return Taken(np.array(sums, np.float64), np.array(tokens, np.float64), tuple(begins))


def _mean(several: Sequence[Taken], window: int) -> Line:
    """Return the mean over the tokens of all seeds, as far as the shortest goes."""
    steps = min(len(one.sums) for one in several)
    places = np.unique(np.linspace(0, steps - 1, min(steps, _POINTS)).round().astype(int))
    sums = np.sum([one.sums[:steps] for one in several], axis=0)
    tokens = np.sum([one.tokens[:steps] for one in several], axis=0)
    values = smoothed(sums, tokens, window)[places]
    known = np.isfinite(values)
    return Line((places[known] + 1).tolist(), values[known].tolist())


def smoothed(sums: NDArray[np.float64], tokens: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Return the mean over the tokens of a window around each step, cut off at both ends; NaN where there are none.

    Examples
    --------
    >>> import numpy as np
    >>> smoothed(np.array([2.0, 2.0, 9.0]), np.array([1.0, 1.0, 2.0]), 3).tolist()
    [2.0, 3.25, 3.6666666666666665]
    """
    ends = np.arange(len(sums))
    low, high = np.maximum(ends - window // 2, 0), np.minimum(ends + window // 2 + 1, len(sums))

    def within(values: NDArray[Any]) -> NDArray[np.float64]:
        total = np.concatenate([[0.0], np.cumsum(values)])
        return np.asarray(total[high] - total[low], np.float64)

    with np.errstate(invalid="ignore", divide="ignore"):
        return within(sums) / within(tokens)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"the record of its steps cannot be read: {error.strerror}"
    return f"the record of its steps is damaged: {displayed(error)}"
