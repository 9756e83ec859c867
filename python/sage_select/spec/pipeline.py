"""A pipeline: a seed and a tuple of ops. Making one does nothing; an engine runs it."""

from __future__ import annotations

import itertools
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_serializer, field_validator

from sage_select.ops import OPS, InputSetting, Op

__all__ = ["SPEC_VERSION", "Pipeline"]

SPEC_VERSION = 1

OpT = TypeVar("OpT", bound=Op)


class Pipeline(BaseModel):
    """The whole of what is to be done.

    Examples
    --------
    >>> from sage_select.ops import Select, Sink, Source
    >>> pipeline = Pipeline(steps=(Source(demo=True), Select(budget="10%"), Sink()))
    >>> pipeline.step(Select).strategy
    'auto'
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = Field(default=0, ge=0, lt=2**63)
    steps: tuple[Op, ...]

    @field_validator("steps")
    @classmethod
    def _in_order(cls, steps: tuple[Op, ...]) -> tuple[Op, ...]:
        order = list(OPS)
        places = [order.index(step.name) for step in steps]
        if any(later <= earlier for earlier, later in itertools.pairwise(places)):
            given = ", ".join(step.name for step in steps)
            raise ValueError(f"steps stand once each, in the order {', '.join(order)}; these are {given}")
        for needed in ("source", "select", "sink"):
            if needed not in {step.name for step in steps}:
                raise ValueError(f"a pipeline needs a {needed} step")
        return steps

    @field_serializer("steps")
    def _steps_by_name(self, steps: tuple[Op, ...]) -> list[dict[str, Any]]:
        return [{step.name: step.shown_settings()} for step in steps]

    def step(self, kind: type[OpT]) -> OpT:
        """Return the step of this kind.

        Raises
        ------
        KeyError
            If the pipeline has none.
        """
        found = self.find(kind)
        if found is None:
            raise KeyError(kind.name)
        return found

    def find(self, kind: type[OpT]) -> OpT | None:
        """Return the step of this kind, or None."""
        return next((step for step in self.steps if isinstance(step, kind)), None)

    def inputs(self) -> list[InputSetting]:
        """Return everything that the steps read, as their fields declare it."""
        return [setting for step in self.steps for setting in step.inputs()]

    def to_dict(self) -> dict[str, Any]:
        """Return the plain dictionary that `load_spec` reads back, in YAML or TOML as well, URLs bare of secrets."""
        return {"version": SPEC_VERSION, **self.model_dump(mode="json")}
