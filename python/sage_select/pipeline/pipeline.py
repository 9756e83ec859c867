"""A pipeline: a seed and a chain of stages. Making one does nothing; an engine runs it."""

from __future__ import annotations

import itertools
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, field_serializer, field_validator

from sage_select.pipeline.stage import Stage
from sage_select.values.location import InputSetting

__all__ = ["SPEC_VERSION", "Pipeline"]

SPEC_VERSION = 1

StageT = TypeVar("StageT", bound=Stage)


class Pipeline(BaseModel):
    """The whole of what is to be done: any chain of stages that begins with a source, equal by value.

    Examples
    --------
    >>> from sage_select.stages import Select, Sink, Source
    >>> pipeline = Pipeline(steps=(Source(demo=True), Select(budget="10%"), Sink()))
    >>> pipeline.step(Select).strategy.name
    'auto'
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    seed: int = Field(default=0, ge=0, lt=2**63)
    steps: tuple[SerializeAsAny[Stage], ...]

    @field_validator("steps")
    @classmethod
    def _chain(cls, steps: tuple[Stage, ...]) -> tuple[Stage, ...]:
        given = ", ".join(step.name for step in steps) or "none"
        if not steps or not steps[0].opens:
            raise ValueError(f"a pipeline begins with a source step; these are {given}")
        sources = [step.opens for step in steps]
        if any(later and not earlier for earlier, later in itertools.pairwise(sources)):
            raise ValueError(f"a source stands at the beginning; these are {given}")
        sinks = [place for place, step in enumerate(steps) if step.ends]
        if len(sinks) > 1 or (sinks and sinks[0] != len(steps) - 1):
            raise ValueError(f"a sink stands once, at the end; these are {given}")
        return steps

    @field_serializer("steps")
    def _steps_by_name(self, steps: tuple[Stage, ...]) -> list[dict[str, Any]]:
        return [{step.name: step.shown_settings()} for step in steps]

    def step(self, kind: type[StageT]) -> StageT:
        """Return the last step of this kind.

        Raises
        ------
        KeyError
            If the pipeline has none.
        """
        found = self.find(kind)
        if found is None:
            raise KeyError(kind.name)
        return found

    def find(self, kind: type[StageT]) -> StageT | None:
        """Return the last step of this kind, or None."""
        return next((step for step in reversed(self.steps) if isinstance(step, kind)), None)

    def replaced(self, step: Stage) -> Pipeline:
        """Return the pipeline with this step in place of the last of its kind."""
        place = max(index for index, one in enumerate(self.steps) if one.name == step.name)
        return Pipeline(seed=self.seed, steps=(*self.steps[:place], step, *self.steps[place + 1 :]))

    def labels(self) -> list[str]:
        """Return what reports call each step: its name, and its number where several have it."""
        names = [step.name for step in self.steps]
        return [
            name if names.count(name) == 1 else f"{name} {names[: place + 1].count(name)}"
            for place, name in enumerate(names)
        ]

    def inputs(self) -> list[InputSetting]:
        """Return everything that the steps read, as their fields declare it; of steps that stand twice, each apart."""
        found: list[InputSetting] = []
        counts: dict[str, int] = {}
        for step in self.steps:
            number = counts[step.name] = counts.get(step.name, 0) + 1
            name = step.name if number == 1 else f"{step.name} {number}"
            found += [
                InputSetting(f"{name}.{setting.name.partition('.')[2]}", setting.kind, setting.value)
                for setting in step.inputs()
            ]
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return the plain dictionary that `load_spec` reads back, in YAML or TOML as well, URLs bare of secrets."""
        return {"version": SPEC_VERSION, **self.model_dump(mode="json")}
