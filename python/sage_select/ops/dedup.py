"""Which rows repeat others."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from sage_select.ops.base import Op

__all__ = ["Dedup"]


class Dedup(Op):
    """Rows that repeat an earlier one leave the run: they are neither selected nor represented.

    Attributes
    ----------
    mode
        `exact` (where nothing else is said): rows that say the same, but for Unicode form and white space. `near`:
        these, and rows whose vectors (of the embed step) are as similar as the threshold to a row that stays. `none`:
        copies are rows like any others.
    threshold
        The cosine similarity from which on a row is a near copy. At 0.95 pairs of real rows say the same in other
        words, by MiniLM vectors as by hashing ones. Vectors that are computed know nothing of tools and system turns,
        and rows without other words are near to none.
    """

    name: ClassVar[str] = "dedup"
    version: ClassVar[int] = 2

    mode: Literal["exact", "near", "none"] = "exact"
    threshold: float = Field(default=0.95, gt=0, lt=1)

    @model_validator(mode="after")
    def _options_fit(self) -> Dedup:
        if self.changed_idle_fields():
            raise ValueError("threshold is for near copies only: mode 'near'")
        return self

    def idle_fields(self) -> frozenset[str]:
        """Return the threshold where no vectors are compared."""
        return frozenset() if self.near else frozenset({"threshold"})

    @property
    def near(self) -> bool:
        """Whether near copies leave as well, for which rows need vectors."""
        return self.mode == "near"

    @property
    def idle(self) -> bool:
        """Whether no row leaves."""
        return self.mode == "none"

    def describe(self) -> str:
        """Return which rows leave."""
        if self.idle:
            return "none: copies are selected like any other rows"
        exact = "rows leave that say the same as one before"
        return f"{exact}, or whose cosine similarity to it is {self.threshold:g} or more" if self.near else exact
