"""What an evaluation finds, row by row and turn by turn."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from sage_select.evaluate.evaluator import Measured
from sage_select.evaluate.held_out import HeldOut
from sage_select.evaluate.metrics.record import exactly

__all__ = ["Evaluation", "Prediction"]


@dataclass(frozen=True)
class Prediction:
    """What a model did in one turn.

    Parameters
    ----------
    row_id, message
        The row, and the number of the message in it, from 0.
    expected
        Names of the tools that the row's own turn calls, sorted; empty where it calls none.
    predicted
        Names of the tools that the generated turn calls, sorted.
    failures
        Places in the generated turn that looked like a call and could not be read.
    at_limit
        Whether the turn was cut off because it had become too long.
    text
        The generated turn.
    """

    row_id: str
    message: int
    expected: tuple[str, ...]
    predicted: tuple[str, ...]
    failures: int
    at_limit: bool
    text: str

    @property
    def correct(self) -> bool:
        """True where exactly the expected tools are called and nothing was unreadable."""
        return exactly(self.expected, self.predicted, self.failures)


@dataclass(frozen=True)
class Evaluation:
    """A model measured on held-out rows.

    Parameters
    ----------
    held_out
        What it was measured on.
    row_losses, row_tokens
        Of each measured row: the sum of its token losses in nats, and its trained tokens.
    predictions
        Of each turn that was generated, in the order of the rows.
    measured
        What each evaluator found, with its records and metrics.
    adapter_digest
        Of the settings and weights of the adapter that was measured, or of the whole model; None of the base.
    """

    held_out: HeldOut
    row_losses: tuple[float, ...]
    row_tokens: tuple[int, ...]
    predictions: tuple[Prediction, ...]
    measured: tuple[Measured, ...] = ()
    adapter_digest: str | None = None

    def of_adapter(self, digest: str | None) -> Evaluation:
        """Return the evaluation with the digest of what was measured."""
        return replace(self, adapter_digest=digest)

    @property
    def rows(self) -> int:
        """Number of measured rows."""
        return len(self.row_losses)

    @property
    def tokens(self) -> int:
        """Number of trained tokens measured."""
        return sum(self.row_tokens)

    @property
    def loss(self) -> float:
        """Mean loss in nats per trained token over all rows: a sum over tokens, so no batch size changes it."""
        return sum(self.row_losses) / self.tokens

    @property
    def calling(self) -> tuple[Prediction, ...]:
        """The turns in which the row calls tools."""
        return tuple(one for one in self.predictions if one.expected)

    @property
    def other(self) -> tuple[Prediction, ...]:
        """The turns in which the row calls none."""
        return tuple(one for one in self.predictions if not one.expected)

    @property
    def accuracy(self) -> float | None:
        """Tool-selection accuracy: of the turns that call, the share in which just the row's tools are called."""
        return _share(one.correct for one in self.calling)

    @property
    def false_call_rate(self) -> float | None:
        """Of the turns that call nothing, the share in which a tool is called, or something unreadable is."""
        return _share(not one.correct for one in self.other)

    @property
    def parse_failures(self) -> int:
        """Number of generated turns with something that looked like a call and could not be read."""
        return sum(one.failures > 0 for one in self.predictions)

    @property
    def at_limit(self) -> int:
        """Number of generated turns that were cut off because they had become too long."""
        return sum(one.at_limit for one in self.predictions)


def _share(hits: Iterable[bool]) -> float | None:
    found = list(hits)
    return sum(found) / len(found) if found else None
