"""How hard each row is."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from pydantic import model_validator

from sage_select.data import Dataset, Scores
from sage_select.declare.option import Option
from sage_select.declare.settings import Choice
from sage_select.errors import UsageError, Where
from sage_select.pipeline.cost import Cost, Size, in_turn
from sage_select.pipeline.run import Run
from sage_select.pipeline.stage import Stage, stage
from sage_select.scorers import SCORERS, Scorer, finite_scores, one_a_row
from sage_select.stages.inputs.arrays import array_of

__all__ = ["Score"]


@stage("score", place=30, gives=frozenset({"scores"}), keywords="named")
class Score(Stage):
    """How hard each row is: one number, from a file, a column, a model, or the words alone.

    Attributes
    ----------
    scorer
        Where the numbers come from; it need not be named where an option implies it.
    higher_is_harder
        False where a low number means a hard row; None: as the scorer declares.
    """

    version: ClassVar[int] = 2

    scorer: Annotated[Scorer, Choice(SCORERS, "lexical", "where scores come from")]
    higher_is_harder: Annotated[
        bool | None,
        Option(
            "which end of the score is hard",
            flag="--higher-is-harder/--lower-is-harder",
            default="higher, unless the measure says otherwise",
        ),
    ] = None

    @model_validator(mode="after")
    def _turnable(self) -> Score:
        if self.higher_is_harder is False and not self.scorer.turnable:
            raise ValueError(
                f"higher_is_harder = false needs a file, a column or a model: {self.scorer.label} has its own"
            )
        return self

    @property
    def higher(self) -> bool:
        """Whether a high number means a hard row."""
        return self.scorer.higher_is_harder if self.higher_is_harder is None else self.higher_is_harder

    @property
    def given(self) -> bool:
        """Whether there is a number for each row of the input already."""
        return self.scorer.given

    def run(self, data: Dataset, run: Run) -> Dataset:
        """Return the rows with scores.

        Raises
        ------
        DataError
            If a number is missing, NaN, infinite or beyond float32, or their count is not that of the rows.
        """
        array = run.given(self, "file")
        if array is not None:
            values, where = data.of_input(array_of(array, "scores", 1, data.input_n)), Where(file="scores")
        else:
            if data.rows is None and not self.scorer.given:
                raise UsageError(
                    f"{_who_needs(run.consumers(self))} needs scores", hint="pass scores, or data with text"
                )
            values, where = one_a_row(self.scorer.score(data, run), self.scorer, data.n), self.scorer.where(data)
        # A look at 10 million scores costs more than their ranking, which finds the bad ones in passing.
        seen_later = (
            array is not None
            and values.dtype == np.float32
            and len(run.consumers(self)) > 0
            and all(step.checks_scores for step in run.after(self) if step.effect == "drops")
        )
        finite = values if seen_later else finite_scores(values, data, where)
        return data.with_feature("scores", Scores(finite, self.higher))

    def preview(self, data: Dataset, size: Size) -> Size:
        """Return the size as the scorer knows it."""
        return self.scorer.preview(data, size)

    def cost(self, size: Size) -> Cost | None:
        """Return the cost of the scorer, and of a float32 number a row."""
        held = 4.0 * size.n
        return in_turn(Cost(held, 0.0, held), self.scorer.cost(size))

    def describe(self) -> str:
        """Return where the numbers come from and which end is hard."""
        if not self.scorer.turnable:
            return self.scorer.describe()
        return f"{self.scorer.describe()}, {'higher' if self.higher else 'lower'} is harder"


def _who_needs(consumers: list[Stage]) -> str:
    """Return what messages call the one that needs scores: a strategy, or the objective of its diversity."""
    members = [
        member for step in consumers for member in step.members() if "scores" in getattr(member, "needs_always", ())
    ]
    return members[0].label if members else "a stage"
