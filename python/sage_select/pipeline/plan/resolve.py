"""Fill in what a pipeline leaves open, and refuse what cannot work, before any row is read."""

from __future__ import annotations

from collections.abc import Callable

from sage_select.errors import UsageError
from sage_select.pipeline.pipeline import Pipeline
from sage_select.pipeline.plan.answers import check_answers
from sage_select.pipeline.stage import STAGES, Stage

__all__ = ["resolve"]


def resolve(pipeline: Pipeline, notice: Callable[[str], None] = lambda _: None) -> Pipeline:
    """Return the pipeline with what its stages leave open decided, and with the stages that these need.

    `notice` is called with what users should know about that. Stages that are there by default are added where they
    stand as a rule; a stage that gives a feature stands before the first that needs it. Doing so again changes nothing.

    Raises
    ------
    UsageError
        If a need cannot be met, or something that was named is used by nothing or undone by a later stage.
    ResourceError
        If what another package declares does not answer what is asked of it.
    """
    for step in pipeline.steps:
        check_answers(step)
    steps = _resolved(_with_defaults(_with_one_source(list(pipeline.steps))), notice)
    steps = _with_providers(steps)
    for place, step in enumerate(steps):
        if step.gives:
            step.refuse_unused(_consumers(steps, place))
        step.refuse_earlier(steps[:place])
        step.refuse_later(steps[place + 1 :])
        if advice := step.advice(steps[:place]):
            notice(advice)
    return Pipeline(seed=pipeline.seed, steps=tuple(steps))


def _with_one_source(steps: list[Stage]) -> list[Stage]:
    """Return the steps with their sources as one, whose rows are one pool."""
    sources = [step for step in steps if step.opens]
    first = sources[0]
    for other in sources[1:]:
        first = first.joined(other)
    return [first, *steps[len(sources) :]]


def _with_defaults(steps: list[Stage]) -> list[Stage]:
    """Return the steps with those that are there by default, each before the first that stands after it as a rule.

    One that leaves the rows as they are tells of them, and stands after the last that drops some.
    """
    for name, kind in STAGES.items():
        if kind.by_default and kind.belongs(steps) and not any(step.name == name for step in steps):
            dropping = [
                place for place, step in enumerate(steps) if step.effect_here == "drops" and kind.effect == "keeps"
            ]
            first = max(dropping, default=-1) + 1
            place = next((at for at, step in enumerate(steps) if at >= first and step.place > kind.place), len(steps))
            steps.insert(place, kind())
    return steps


def _resolved(steps: list[Stage], notice: Callable[[str], None]) -> list[Stage]:
    features: frozenset[str] = frozenset()
    done: list[Stage] = []
    for step in steps:
        resolved = step.resolved(features=features)
        if because := step.resolved_because(resolved):
            notice(because)
        done.append(resolved)
        features |= step.gives
    return done


def _with_providers(steps: list[Stage]) -> list[Stage]:
    """Return the steps with one that gives it before each that needs a feature.

    One that stands later, with none before, is moved; where there is none at all, that by default is added.
    """
    done: list[Stage] = []
    rest = list(steps)

    def place(step: Stage, waiting: tuple[Stage, ...]) -> None:
        # What gives a feature may need one itself, whose provider comes before both.
        for feature in sorted(step.needs()):
            if any(feature in before.gives for before in (*done, *waiting)):
                continue
            later = next((index for index, other in enumerate(rest) if feature in other.gives), None)
            place(_provider(step, feature) if later is None else rest.pop(later), (*waiting, step))
        done.append(step)

    while rest:
        place(rest.pop(0), ())
    return _by_rule(done)


def _provider(step: Stage, feature: str) -> Stage:
    kinds = [kind for kind in STAGES.values() if feature in kind.gives]
    if not kinds:
        wants = (one for one in reversed(list(step.members())) if feature in getattr(one, "needs", frozenset)())
        raise UsageError(
            f"{next(wants, step).label} needs {feature}, and no stage gives them",
            expected=f"a stage before {step.name} that gives {feature}",
        )
    # What another package brings is taken where it is named, and never changes what a pipeline meant before.
    return min(kinds, key=lambda kind: bool(kind.package()))()


def _by_rule(steps: list[Stage]) -> list[Stage]:
    """Return the steps with neighbours that give features, and do not need each other's, in the order of the rule."""
    ordered: list[Stage] = []
    for step in steps:
        place = len(ordered)
        while (
            step.gives
            and place
            and ordered[place - 1].gives
            and ordered[place - 1].place > step.place
            and not step.needs() & ordered[place - 1].gives
        ):
            place -= 1
        ordered.insert(place, step)
    return ordered


def _consumers(steps: list[Stage], place: int) -> list[Stage]:
    """Return the steps that use what the one at `place` gives: those after it, up to the next that gives the same."""
    gives, found = steps[place].gives, []
    for step in steps[place + 1 :]:
        if step.needs() & gives:
            found.append(step)
        if step.gives & gives:
            break
    return found
