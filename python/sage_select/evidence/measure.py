"""All evidence of a selection, as plain values for its manifest."""

from __future__ import annotations

from typing import Any

from sage_select.evidence import distributions
from sage_select.evidence.comparison import Comparison
from sage_select.evidence.coverage import coverage, pairs_compared
from sage_select.evidence.progress import ProgressSplitter
from sage_select.evidence.random_subsets import Sampler, random_subsets
from sage_select.evidence.target import near_queries
from sage_select.evidence.verdict import EVERYTHING, NO_VECTORS, NOTHING, verdict

__all__ = ["measure"]


def measure(comparison: Comparison) -> dict[str, Any]:
    """Compare a selection with random subsets of the same budget.

    Returns
    -------
    metrics
        `random_subsets`: how many, 0 where every row was selected; `coverage`, `scores`, `lengths`, `groups`: what
        `evidence.coverage` and `evidence.distributions` tell, None where it is not known; `verdict`: on which figures
        of coverage the selection is better than random subsets, on which it is worse, on which that is undecided,
        whether that is an alarm, and all of it in words.
    """
    found: dict[str, Any] = dict.fromkeys(("coverage", "scores", "lengths", "groups"))
    k = len(comparison.picks)
    if k == 0:
        return {"random_subsets": 0, **found, "verdict": _undecided(NOTHING)}
    everything = k == comparison.n - len(comparison.excluded)
    # Random subsets of all rows are the selection itself.
    subsets, sampler = [] if everything else random_subsets(comparison), Sampler(comparison)
    if comparison.scores is not None:
        found["scores"] = distributions.scores(comparison, comparison.scores, subsets, sampler)
    found["lengths"] = distributions.lengths(comparison, subsets, sampler)
    if comparison.groups is not None:
        found["groups"] = distributions.groups(comparison, comparison.groups, subsets)
    if everything:
        decided = _undecided(EVERYTHING)
    elif comparison.matrix is None:
        decided = _undecided(NO_VECTORS)
    else:
        progress = ProgressSplitter(
            comparison.progress, pairs_compared(comparison.n, k, comparison.matrix.d, len(subsets))
        )
        covered = coverage(comparison, comparison.matrix, subsets, sampler, progress)
        told = dict(covered.figures)
        if comparison.queries is not None:
            told |= near_queries(comparison, comparison.matrix, comparison.queries, subsets)
        found["coverage"] = {**covered.facts, "figures": {name: figure.values() for name, figure in told.items()}}
        decided = verdict(told)
    return {"random_subsets": len(subsets), **found, "verdict": decided}


def _undecided(why: str) -> dict[str, Any]:
    return {"better": [], "worse": [], "undecided": [], "alarm": False, "text": why}
