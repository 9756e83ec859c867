"""Compare methods: each is trained on as many tokens and evaluated on the same rows as its control."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from sage_select.comparison.arms import Arm
from sage_select.comparison.cells import Cell, read_cell, write_cell
from sage_select.comparison.cost import measured_cost
from sage_select.comparison.evaluated import Evaluator
from sage_select.comparison.folder import ComparisonFolder
from sage_select.comparison.trained import TrainedArm, Workshop
from sage_select.errors import DataError, SageError

__all__ = ["BASE", "PASSES", "Comparing", "base_cell", "run_arms"]

#: What the model is called before it is tuned.
BASE: Final = "base model"

#: Passes over the rows of the smallest arm that make the budget of tokens, where none is named.
PASSES: Final = 3


@dataclass(frozen=True)
class Comparing:
    """What a comparison is.

    Attributes
    ----------
    arms
        All arms, each behind the one that teaches it.
    seeds
        Under which each is trained.
    tokens
        That each arm consumes; None for three passes over the rows of the smallest.
    """

    arms: Sequence[Arm]
    seeds: Sequence[int]
    tokens: int | None


def run_arms(
    comparing: Comparing,
    workshop: Workshop,
    evaluator: Evaluator,
    folder: ComparisonFolder,
    *,
    told: Callable[[Cell, int, int], None],
) -> tuple[list[Cell], int]:
    """Train and evaluate every arm under every seed, and return what became of each, and the budget of tokens.

    What fails is a cell with its error, and nothing else stops. What was done before is not done again.

    Parameters
    ----------
    comparing, workshop, evaluator, folder
        What is compared, how it is trained and evaluated, and where all of it lies.
    told
        Called with each cell as it is there, how many there are by then, and how many there will be.
    """
    pairs = [(arm, seed) for seed in comparing.seeds for arm in comparing.arms]
    selected = {
        (arm.name, seed): _selected(arm, seed, workshop, folder, None) for arm, seed in pairs if arm.method.rounds == 1
    }
    tokens = comparing.tokens or folder.tokens() or _budget(comparing, workshop, selected)
    folder.note_tokens(tokens)
    runs: dict[tuple[str, int], TrainedArm] = {}
    cells: list[Cell] = []
    for arm, seed in pairs:
        cell = Cell(arm.name, seed)
        try:
            rows = selected.get((arm.name, seed)) or _selected(arm, seed, workshop, folder, tokens)
            if isinstance(rows, Exception):
                raise rows
            cell = _cell(arm, seed, rows, tokens, runs, workshop, evaluator, folder)
        except Exception as error:
            cell = replace(cell, error=_reason(error))
        cells.append(cell)
        told(cell, len(cells), len(pairs))
    return cells, tokens


def _selected(
    arm: Arm, seed: int, workshop: Workshop, folder: ComparisonFolder, tokens: int | None
) -> tuple[Path, float] | Exception:
    """Return the rows of an arm and the seconds that it took to select them, or why there are none."""
    try:
        path, cost = workshop.rows(arm, seed, folder.cell(arm.name, seed), tokens)
    except Exception as error:
        return error
    return path, cost.seconds


def base_cell(evaluator: Evaluator, folder: ComparisonFolder) -> Cell:
    """Return what the model gets right before it is tuned, which no arm is compared with."""
    place = folder.path / "base"
    before = read_cell(place)
    if before is not None and before.evaluated == evaluator.identity:
        return before
    place.mkdir(exist_ok=True)
    with measured_cost() as cost:
        metrics = evaluator.evaluate(None, None, f"the {BASE}")
    cell = Cell(BASE, 0, evaluated=evaluator.identity, evaluate_seconds=cost.seconds, metrics=metrics)
    write_cell(cell, place)
    return cell


def _budget(
    comparing: Comparing, workshop: Workshop, selected: Mapping[tuple[str, int], tuple[Path, float] | Exception]
) -> int:
    """Return the tokens of three passes over the smallest selection."""
    of_first = [one for (_, seed), one in selected.items() if seed == comparing.seeds[0]]
    sizes = [workshop.tokens(one[0]) for one in of_first if not isinstance(one, Exception)]
    if not sizes:
        raise next(one for one in of_first if isinstance(one, Exception))
    return PASSES * min(sizes)


def _cell(
    arm: Arm,
    seed: int,
    rows: tuple[Path, float],
    tokens: int,
    runs: dict[tuple[str, int], TrainedArm],
    workshop: Workshop,
    evaluator: Evaluator,
    folder: ComparisonFolder,
) -> Cell:
    place, (selection, select_seconds) = folder.cell(arm.name, seed), rows
    teacher = None
    if arm.teacher is not None:
        if (arm.teacher, seed) not in runs:
            raise DataError(f"{arm.teacher}, whose model teaches, has failed")
        teacher = runs[arm.teacher, seed]
    before = read_cell(place)
    with measured_cost() as cost:
        trained = workshop.train(arm.method, seed, selection, place, tokens=tokens, teacher=teacher)
    runs[arm.name, seed] = trained
    if (
        before is not None
        and before.error is None
        and before.adapter_digest == trained.adapter_digest
        and before.evaluated == evaluator.identity
    ):
        return before
    with measured_cost() as evaluating:
        metrics = evaluator.evaluate(trained.weights, trained.adapter_digest, f"{arm.name}, seed {seed}")
    cell = Cell(
        arm=arm.name,
        seed=seed,
        adapter_digest=trained.adapter_digest,
        evaluated=evaluator.identity,
        rows=trained.rows,
        tokens=trained.tokens,
        steps=trained.steps,
        select_seconds=select_seconds,
        train_seconds=cost.seconds,
        evaluate_seconds=evaluating.seconds,
        memory_bytes=cost.memory_bytes,
        metrics=metrics,
    )
    write_cell(cell, place)
    return cell


def _reason(error: Exception) -> str:
    """Return why an arm failed, in a line."""
    if isinstance(error, SageError):
        return "; ".join(line.strip() for line in str(error).split("\n"))
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
