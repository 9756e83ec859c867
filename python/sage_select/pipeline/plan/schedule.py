"""In which order the stages of a plan are worked on."""

from __future__ import annotations

from sage_select.pipeline.pipeline import Pipeline
from sage_select.pipeline.stage import Stage

__all__ = ["schedule"]


def schedule(pipeline: Pipeline) -> list[Stage]:
    """Return the parts of the stages of a resolved pipeline in the order in which they are worked on.

    Stages that change the rows come in the order of the pipeline. What gives features to rows is moved: what lies in a
    file, column or array comes first, since it has one value for each row of the input and its faults are found early;
    what is computed comes as late as it can, since it costs most: no score is computed for a copy, and no vector for an
    exact one. No provider is moved beyond another of the same feature, or beyond a stage that uses what it gives.
    """
    # Each is a value of its own, known by identity: equal stages may stand several times.
    parts = [part.model_copy() for step in pipeline.steps if not step.idle for part in step.parts()]
    return _computed_late(_given_first(parts))


def _given_first(steps: list[Stage]) -> list[Stage]:
    sources = [step for step in steps if step.opens]
    first: list[Stage] = []
    rest: list[Stage] = []
    for place, step in enumerate(steps[len(sources) :], len(sources)):
        earlier = [other for other in steps[:place] if other.gives & step.gives or other.needs() & step.gives]
        movable = step.effect_here == "keeps" and step.given and not earlier
        (first if movable else rest).append(step)
    return [*sources, *sorted(first, key=lambda step: step.place), *rest]


def _computed_late(steps: list[Stage]) -> list[Stage]:
    """Move each stage that computes features down to the first that uses them, or else to the last that drops rows."""
    for step in [step for step in reversed(steps) if step.effect_here == "keeps" and step.gives and not step.given]:
        place = next(index for index, other in enumerate(steps) if other is step)
        later = steps[place + 1 :]
        stop = next(
            (i for i, other in enumerate(later) if other.needs() & step.gives or other.gives & step.gives), None
        )
        if stop is None:
            dropping = [index for index, other in enumerate(later) if other.effect_here == "drops"]
            stop = dropping[-1] if dropping else 0
        # Among providers that meet before one stage, those of the rule's order come first.
        while stop and later[stop - 1].gives and later[stop - 1].place > step.place:
            stop -= 1
        steps = [*steps[:place], *later[:stop], step, *later[stop:]]
    return steps
