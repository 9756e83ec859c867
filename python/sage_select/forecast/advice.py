"""What would fit where a build does not: other settings and fewer rows, each predicted by the same costs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sage_select.forecast.costs import Costs
from sage_select.forecast.fit import Fit, fit
from sage_select.forecast.predict import predict
from sage_select.forecast.workload import Workload
from sage_select.io import Format
from sage_select.io.memory import Limit
from sage_select.ops import OBJECTIVES, STRATEGIES, Dedup, Embed, Op, Score, Select
from sage_select.plan import resolve
from sage_select.spec import Pipeline
from sage_select.strategies.objectives.similarities import DENSE_LIMIT

__all__ = ["Advice", "advice"]

#: Dimensions of the hashing encoder that are tried.
_FEWER_DIMENSIONS: Final = (256, 128, 64)
_ALWAYS: Final = frozenset({"strategy", "budget", "clamp", "quota", "pin", "exclude", "tokenizer"})
_MAPPED: Final = (Format.ARROW_FILE, Format.ARROW_STREAM, Format.HF_FOLDER)


@dataclass(frozen=True)
class Advice:
    """Something that would fit, and the bytes it is expected to need of the tightest limit."""

    text: str
    bytes: float


def advice(work: Workload, costs: Costs, limits: list[Limit]) -> list[Advice]:
    """Return what would fit of other settings for the same rows, and then how many of these rows would."""
    found = []
    for text, other in _others(work):
        outcome = fit(predict(other, costs), limits)
        if outcome is not None and outcome.fits:
            found.append(Advice(text, outcome.needed))
    rows = _most_rows(work, costs, limits)
    if rows is not None:
        count, outcome = rows
        found.append(Advice(f"{count:,} rows like these with these settings", outcome.needed))
    return found


def _others(work: Workload) -> Iterator[tuple[str, Workload]]:
    """Yield what else could be asked for, the nearest to the plan first."""
    select, vectors = work.select, work.vectors
    if vectors is not None:
        yield from _other_vectors(work)
        for objective, rule in OBJECTIVES.items() if "objective" in select.rule.options else ():
            if objective == select.objective or select.metric not in rule.metrics:
                continue
            op = _changed(select, objective=objective)
            yield f"--objective {objective}", _with(work, op)
    if work.table.format not in _MAPPED:
        table = dataclasses.replace(work.table, format=Format.ARROW_FILE, mapped=True, text=0.0, file=work.table.held)
        yield (
            "the same rows in an uncompressed Arrow file (.arrow), which is mapped",
            dataclasses.replace(work, table=table),
        )
    for strategy, of_strategy in STRATEGIES.items():
        if strategy != select.strategy and not of_strategy.needs_embedding:
            yield f"--strategy {strategy}", _with(work, _changed(select, strategy=strategy))


def _other_vectors(work: Workload) -> Iterator[tuple[str, Workload]]:
    vectors, select = work.vectors, work.select
    if vectors is None:
        return
    if vectors.origin == "hashing":
        for dimensions in _FEWER_DIMENSIONS:
            if dimensions < vectors.dimensions:
                fewer = dataclasses.replace(vectors, dimensions=dimensions)
                yield f"embed: {{dimensions: {dimensions}}} in a spec", dataclasses.replace(work, vectors=fewer)
    if (
        vectors.origin in ("file", "column")
        and select.metric == "cosine"
        and "dot" in OBJECTIVES[select.objective].metrics
    ):
        op = _changed(select, metric="dot")
        mapped = dataclasses.replace(vectors, origin="file", item=4, copied=False, model=None)
        other = dataclasses.replace(_with(work, op), vectors=mapped)
        yield "--metric dot with vectors of length 1 as float32 in a .npy file, which is mapped", other


def _changed(select: Select, **changed: str) -> Select:
    """Return the selection with other settings, without those that then would do nothing."""
    settings = {**select.settings(), **changed}
    # Another strategy is suggested as it is by default.
    heeded = frozenset[str]() if "strategy" in changed else select.rule.options
    if "objective" in heeded:
        heeded -= frozenset().union(*(rule.options for rule in OBJECTIVES.values()))
        heeded |= OBJECTIVES[settings["objective"]].options
    return Select.make(**{name: value for name, value in settings.items() if name in heeded | _ALWAYS})


def _with(work: Workload, select: Select) -> Workload:
    """Return the work of another selection, with the steps that it needs."""
    steps: list[Op] = []
    for step in work.plan.steps:
        if isinstance(step, Embed) and not select.needs_embedding and not _finds_near_copies(work):
            continue
        if isinstance(step, Score) and not select.needs_score:
            continue
        steps.append(select if isinstance(step, Select) else step)
    plan = resolve(Pipeline(seed=work.plan.seed, steps=tuple(steps)))
    scored = plan.find(Score) is not None
    return dataclasses.replace(
        work,
        plan=plan,
        vectors=work.vectors if plan.find(Embed) else None,
        score_item=work.score_item if scored else 0,
        score_model=work.score_model if scored else None,
    )


def _finds_near_copies(work: Workload) -> bool:
    dedup = work.plan.find(Dedup)
    return dedup is not None and dedup.near


def _most_rows(work: Workload, costs: Costs, limits: list[Limit]) -> tuple[int, Fit] | None:
    """Return the largest number of rows that would fit, below those there are."""

    def outcome(rows: int) -> Fit | None:
        return fit(predict(work.with_rows(rows), costs), limits)

    # Memory grows with the rows, except where facility location leaves the dense similarities for a graph.
    pieces = [(DENSE_LIMIT + 1, work.rows - 1), (1, min(DENSE_LIMIT, work.rows - 1))]
    for least, most in pieces:
        first = outcome(least) if least <= most else None
        if first is None or not first.fits:
            continue
        low, high = least, most + 1
        while high - low > 1:
            middle = (low + high) // 2
            tried = outcome(middle)
            low, high = (middle, high) if tried is not None and tried.fits else (low, middle)
        best = outcome(low)
        return None if best is None else (low, best)
    return None
