"""How hard each row is."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Literal

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
from sage_select.stages.inputs.arrays import array_of, nan_for_none
from sage_select.stages.inputs.limits import protected_rows
from sage_select.stages.inputs.usable_scores import GOES_ON, OnBadScore, tell_ties, usable_scores

__all__ = ["Score"]

_BAD: Final = {"drop": "rows without a usable score are left out", "lowest": "rows without a usable score come last"}


@stage("score", place=30, gives=frozenset({"scores"}), keywords="named")
class Score(Stage):
    """How hard each row is: one number, from a file, a column, a model, or the words alone.

    Attributes
    ----------
    scorer
        Where the numbers come from; it need not be named where an option implies it.
    higher_is_harder
        False where a low number means a hard row; None: as the scorer declares.
    on_bad_score
        What becomes of rows without a usable score.
    """

    version: ClassVar[int] = 2

    scorer: Annotated[Scorer, Choice(SCORERS, "lexical", "where scores come from")]
    higher_is_harder: Annotated[
        bool | None,
        Option(
            "which end of the score is hard, and picked first: of a quality score the good end",
            flag="--higher-is-harder/--lower-is-harder",
            default="higher, unless the measure says otherwise",
        ),
    ] = None
    on_bad_score: Annotated[
        OnBadScore,
        Option(
            "what becomes of rows whose score is null, NaN or infinite: error (they are named), drop (they are left "
            "out and counted), or lowest (they get the score of the easiest of all others)"
        ),
    ] = "error"

    @model_validator(mode="after")
    def _of_use(self) -> Score:
        if self.higher_is_harder is False and not self.scorer.may_be_turned:
            raise ValueError(
                "higher_is_harder = false needs a file, a column, a model or another measure: "
                f"{self.scorer.label} has its own"
            )
        if self.on_bad_score != "error" and self.scorer.always_finite:
            raise ValueError(
                f"on_bad_score = {self.on_bad_score} needs scores that may be missing, of a file, a column or a model: "
                f"{self.scorer.label} gives every row one"
            )
        return self

    @model_validator(mode="after")
    def _declared_end(self) -> Score:
        # Whether it was named or not, the same end is the same score: equal values, one fingerprint.
        if self.higher_is_harder is None:
            object.__setattr__(self, "higher_is_harder", self.scorer.higher_is_harder)
        return self

    @property
    def higher(self) -> bool:
        """Whether a high number means a hard row."""
        return bool(self.higher_is_harder)

    def unused_options(self) -> list[str]:
        """Return the settings that say what holds anyway."""
        return ["on_bad_score"] if self.on_bad_score == "error" else []

    @property
    def effect_here(self) -> Literal["keeps", "drops", "adds", "reorders"]:
        """`drops` where rows without a usable score leave."""
        return "drops" if self.on_bad_score == "drop" else "keeps"

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
            given = array if self.on_bad_score == "error" else nan_for_none(array)
            values, where = data.of_input(array_of(given, "scores", 1, data.input_n)), Where(file="scores")
        else:
            if data.rows is None and not self.scorer.given:
                raise UsageError(
                    f"{_who_needs(run.consumers(self))} needs scores", hint="pass scores, or data with text"
                )
            values, where = one_a_row(self.scorer.score(data, run), self.scorer, data.n), self.scorer.where(data)
        # A look at 10 million scores costs more than their ranking, which finds the bad ones in passing.
        seen_later = (
            array is not None
            and self.on_bad_score == "error"
            and values.dtype == np.float32
            and len(run.consumers(self)) > 0
            and all(step.checks_scores for step in run.after(self) if step.effect_here == "drops")
        )
        if not seen_later:
            data, values = usable_scores(
                values,
                data,
                where,
                on_bad=self.on_bad_score,
                higher_is_harder=self.higher,
                stage=run.label(self),
                pinned=lambda: protected_rows(data, self, run).pinned,
                reporter=run.reporter,
            )
            if run.consumers(self):
                tell_ties(values, run.reporter)
        return data.with_feature("scores", Scores(values, self.higher))

    def preview(self, data: Dataset, size: Size) -> Size:
        """Return the size as the scorer knows it; bad scores among the first rows are refused as in `run`."""
        size = self.scorer.preview(data, size)
        first = self.scorer.first_scores(data) if self.on_bad_score == "error" else None
        if first is not None:
            finite_scores(first, data, self.scorer.where(data), hint=GOES_ON)
        return size

    def cost(self, size: Size) -> Cost | None:
        """Return the cost of the scorer, and of a float32 number a row."""
        held = 4.0 * size.n
        return in_turn(Cost(held, 0.0, held), self.scorer.cost(size))

    def describe(self) -> str:
        """Return where the numbers come from and which end is hard."""
        told = self.scorer.describe()
        if self.scorer.may_be_turned:
            told += f", {'higher' if self.higher else 'lower'} is harder"
        return told if self.on_bad_score == "error" else f"{told}, {_BAD[self.on_bad_score]}"


def _who_needs(consumers: list[Stage]) -> str:
    """Return what messages call the one that needs scores: a strategy, or the objective of its diversity."""
    members = [
        member for step in consumers for member in step.members() if "scores" in getattr(member, "needs_always", ())
    ]
    return members[0].label if members else "a stage"
