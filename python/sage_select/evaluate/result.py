"""What an evaluation finds, row by row."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Evaluation", "Prediction"]


@dataclass(frozen=True)
class Prediction:
    """What a model did at the prediction point of one row.

    Parameters
    ----------
    row_id
        The row.
    expected
        Names of the tools that the row's answer calls, sorted; empty where the answer calls none.
    predicted
        Names of the tools that the generated turn calls, sorted.
    failures
        Places in the generated turn that looked like a call and could not be read.
    text
        The generated turn.
    """

    row_id: str
    expected: tuple[str, ...]
    predicted: tuple[str, ...]
    failures: int
    text: str

    @property
    def correct(self) -> bool:
        """True where exactly the expected tools are called and nothing was unreadable."""
        return self.expected == self.predicted and not self.failures


@dataclass(frozen=True)
class Evaluation:
    """A model measured on held-out rows.

    Parameters
    ----------
    row_ids, row_losses, row_tokens
        Of each measured row: its id, the sum of its token losses in nats, and its trained tokens.
    predictions
        Of each row with a prediction point, in the order of the rows.
    truncated_rows, tokens_cut
        Rows longer than allowed, and the tokens they lost.
    dropped
        Ids of rows without anything to measure.
    """

    row_ids: tuple[str, ...]
    row_losses: tuple[float, ...]
    row_tokens: tuple[int, ...]
    predictions: tuple[Prediction, ...]
    truncated_rows: int
    tokens_cut: int
    dropped: tuple[str, ...]

    @property
    def rows(self) -> int:
        """Number of measured rows."""
        return len(self.row_ids)

    @property
    def tokens(self) -> int:
        """Number of trained tokens measured."""
        return sum(self.row_tokens)

    @property
    def loss(self) -> float:
        """Mean loss in nats per trained token over all rows: a sum over tokens, so no batch size changes it."""
        return sum(self.row_losses) / self.tokens

    @property
    def rows_with_answer(self) -> int:
        """Number of rows with a prediction point."""
        return len(self.predictions)

    @property
    def correct(self) -> tuple[bool, ...]:
        """For each prediction, whether it is right."""
        return tuple(prediction.correct for prediction in self.predictions)

    @property
    def accuracy(self) -> float | None:
        """Tool-selection accuracy: the share of rows where the set of tools called is the expected set."""
        return sum(self.correct) / len(self.predictions) if self.predictions else None

    @property
    def parse_failures(self) -> int:
        """Number of generated turns with something that looked like a call and could not be read."""
        return sum(prediction.failures > 0 for prediction in self.predictions)
