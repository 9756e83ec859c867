"""The evidence stage: what the selection is like beside random rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sage_select.engine.base import Talk
from sage_select.engine.frame import Frame
from sage_select.evidence import Subject, measure
from sage_select.ops import Budget
from sage_select.strategies import Picks

__all__ = ["compare_with_random"]


def compare_with_random(
    frame: Frame, picks: Picks, budget: Budget, seed: int, talk: Talk, threads: int | None
) -> dict[str, Any]:
    """Return the metrics of the picks beside those of random subsets, of as many rows or, as the budget is, tokens.

    Nothing is made for that alone but lengths: without vectors or scores in the frame there are no figures of them.
    """
    with talk.progress("comparing with random rows") as progress:

        def lengths(rows: NDArray[np.int64]) -> NDArray[np.int64]:
            return frame.lengths_of(rows, threads=threads, progress=progress).values

        return measure(
            Subject(
                n=frame.n,
                picks=picks.indices,
                seed=seed,
                hashes=frame.hashes,
                matrix=frame.matrix,
                queries=frame.queries,
                scores=None if frame.scores is None else frame.scores.values,
                lengths=lengths if frame.has_lengths else None,
                groups=frame.groups,
                excluded=frame.excluded,
                costs=None if budget.tokens is None else frame.lengths.values,
                unit="words" if frame.measured is None else frame.measured.unit,
                threads=threads,
                progress=progress,
            )
        )
