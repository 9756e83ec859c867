"""What a schedule comes to: steps, passes, forward passes, and what is computed on padding."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sage_select.train.packing import Layout
    from sage_select.train.schedule import Schedule

__all__ = ["ScheduleSummary"]


@dataclass(frozen=True)
class ScheduleSummary:
    """Counts of steps, examples and tokens of a run.

    Parameters
    ----------
    digest
        Names the schedule.
    steps, examples
        Optimizer steps, and examples that they consume, each as often as it is.
    passes
        How often each example of the selection is consumed, on average.
    rows_per_step, even
        Examples of the largest step, and whether all have as many.
    sequences
        Sequences that the examples lie in; with packing fewer than examples.
    forward_passes
        Forward passes of all steps.
    tokens
        Tokens of the examples consumed.
    padding_share, padding_share_in_order
        Share of the computed tokens that is padding, and what it would have been with the examples of each step side by
        side in their order.
    kendall_tau
        Agreement of the order of the selection with that in which examples are first consumed, from 1 to -1, over pairs
        of different steps; None where there are none.
    """

    digest: str
    steps: int
    examples: int
    passes: float
    rows_per_step: int
    even: bool
    sequences: int
    forward_passes: int
    tokens: int
    padding_share: float
    padding_share_in_order: float
    kendall_tau: float | None

    @classmethod
    def of(cls, schedule: Schedule, layout: Layout, digest: str) -> ScheduleSummary:
        """Count what a schedule comes to where its examples lie so in forward passes."""
        sizes = schedule.starts[1:] - schedule.starts[:-1]
        in_order = layout.in_order(layout.starts, layout.lengths, per_pass=layout.per_pass)
        return cls(
            digest=digest,
            steps=schedule.steps,
            examples=len(schedule.places),
            passes=schedule.passes(schedule.steps),
            rows_per_step=int(sizes.max()),
            even=bool((sizes == sizes[0]).all()),
            sequences=layout.count,
            forward_passes=layout.forward_passes,
            tokens=int(layout.lengths.sum()),
            padding_share=layout.padding,
            padding_share_in_order=in_order.padding,
            kendall_tau=schedule.agreement(),
        )

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)
