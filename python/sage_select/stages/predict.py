"""What a model predicts of each row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, ClassVar

from sage_select.data import Dataset
from sage_select.declare.settings import Choice
from sage_select.errors import DataError, UsageError
from sage_select.pipeline.cost import Cost, Size
from sage_select.pipeline.run import Run
from sage_select.pipeline.stage import Stage, stage
from sage_select.predictors import PREDICTORS, Predictor, check_predictions, predictions_of
from sage_select.stages.inputs.arrays import one_a_row
from sage_select.stages.inputs.labelled import labelled_rows, labelled_to_learn, refuse_vectors_of_a_file
from sage_select.stages.labelled import Labelled
from sage_select.strategies import Strategy

__all__ = ["Predict"]


@stage("predict", place=45, gives=frozenset({"predictions"}), keywords="named")
class Predict(Stage):
    """What a model predicts of each row: how likely each class is, or how likely what it writes.

    Attributes
    ----------
    predictor
        Where predictions come from; it need not be named where an option implies it.
    """

    version: ClassVar[int] = 1

    predictor: Annotated[Predictor, Choice(PREDICTORS, "logistic", "where predictions come from")]

    @property
    def given(self) -> bool:
        """Whether there are predictions for each row of the input already."""
        return self.predictor.given

    @property
    def metric(self) -> str | None:
        """How vectors are compared: a predictor that learns takes them as they are."""
        return "dot" if self.predictor.learns else None

    @property
    def compares_labelled(self) -> bool:
        """Whether labelled rows are to have vectors as well."""
        return self.predictor.learns

    def needs(self) -> frozenset[str]:
        """Return what every row has to have."""
        return frozenset({"vectors"} if self.predictor.learns else ())

    def describe(self) -> str:
        """Return where the predictions come from."""
        return self.predictor.describe()

    def refuse_unused(self, consumers: list[Stage]) -> None:
        """Refuse predictions that nothing uses, or that are of another kind than what uses them.

        Raises
        ------
        UsageError
            As said.
        """
        users = [one for step in consumers for one in step.members() if isinstance(one, Strategy)]
        if not users:
            raise UsageError(
                "no stage uses predictions", hint="leave them out, or choose strategy uncertainty or badge"
            )
        for user in users:
            if user.of_written and not self.predictor.writes:
                raise UsageError(
                    f"{user.label} measures what a model writes, and {self.predictor.label} knows classes",
                    hint="name a model that writes with --generate-model, or choose another --measure",
                )
            if self.predictor.writes and not user.of_written:
                raise UsageError(
                    f"{user.label} needs probabilities of classes, and {self.predictor.label} gives none",
                    hint="--strategy uncertainty --measure mnlp measures what a model writes",
                )

    def refuse_earlier(self, earlier: Sequence[Stage]) -> None:
        """Refuse a predictor that would learn from nothing.

        Raises
        ------
        UsageError
            If no labelled rows are named, or no column of theirs with labels.
        """
        if not self.predictor.learns:
            return
        labelled = next((step for step in reversed(earlier) if isinstance(step, Labelled)), None)
        if labelled is None or not labelled.paths:
            raise UsageError(
                f"{self.predictor.label} learns from labelled rows, and none are named",
                hint="name them with --labelled FILE --label-column COLUMN (labelled, label_column), or give "
                "probabilities of the rows: --predictions FILE (probabilities)",
            )
        if labelled.column is None:
            raise UsageError(
                f"{self.predictor.label} learns from labels, and no column of the labelled rows is named",
                hint="name it with --label-column (label_column)",
            )

    def prepare(self, data: Dataset, run: Run) -> Dataset:
        """Refuse labelled rows that would have to get vectors of an encoder that nobody knows.

        Raises
        ------
        UsageError
            If the vectors of the rows are given, and nobody knows the encoder that made them.
        """
        rows = labelled_rows(run) if self.predictor.learns else None
        if rows is not None:
            refuse_vectors_of_a_file(self, run, rows)
        return data

    def run(self, data: Dataset, run: Run) -> Dataset:
        """Return the rows with predictions.

        Raises
        ------
        DataError
            If they are not one a row, a number is NaN or infinite, a row has no probabilities, there are fewer classes
            than labels, or there are not two labels to learn.
        """
        rows = labelled_rows(run)
        array = run.given(self, "file")
        if array is not None:
            values = data.vectors_of_input(one_a_row(array, "probabilities", data.input_n))
            found = predictions_of(values, getattr(self.predictor, "predictions_are"), "probabilities", data)  # noqa: B009
        else:
            learned = labelled_to_learn(rows, data) if rows is not None and self.predictor.learns else None
            found = self.predictor.predict(data, learned, run)
            check_predictions(found, self.predictor, data.n)
        classes = None if found.probabilities is None else found.probabilities.d
        labels = 0 if rows is None or rows.labels is None else len(rows.labels.unique())
        if classes is not None and labels > classes:
            raise DataError(
                "there are more labels than classes with a probability",
                where=self.predictor.describe(),
                expected=f"{labels:,} classes or more, as the labelled rows have",
                got=f"{classes:,}",
                hint="give predictions of a model that has learned all of them",
            )
        return data.with_feature("predictions", found)

    def preview(self, data: Dataset, size: Size) -> Size:
        """Return the size as the predictor knows it."""
        return self.predictor.preview(data, size)

    def size_after(self, size: Size) -> Size:
        """Return the size with the number of classes."""
        return replace(size, classes=self.predictor.classes(size))

    def cost(self, size: Size) -> Cost | None:
        """Return the cost of the predictor."""
        return self.predictor.cost(size)
