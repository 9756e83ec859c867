"""All evidence of a selection, as plain values for its manifest."""

from __future__ import annotations

from typing import Any

from sage_select.evidence import spread
from sage_select.evidence.coverage import coverage, pairs_compared
from sage_select.evidence.draws import Sampler, random_subsets
from sage_select.evidence.steps import Steps
from sage_select.evidence.subject import Subject
from sage_select.evidence.target import near_queries
from sage_select.evidence.verdict import EVERYTHING, NO_VECTORS, NOTHING, verdict

__all__ = ["measure"]


def measure(subject: Subject) -> dict[str, Any]:
    """Compare a selection with random subsets of the same budget.

    Returns
    -------
    metrics
        `random_subsets`: how many, 0 where every row was selected; `coverage`, `scores`, `lengths`, `groups`: what
        `evidence.coverage` and `evidence.spread` tell, None where it is not known; `verdict`: on which figures of
        coverage the selection is better than random subsets, on which it is worse, on which that is undecided, whether
        that is an alarm, and all of it in words.
    """
    found: dict[str, Any] = dict.fromkeys(("coverage", "scores", "lengths", "groups"))
    k = len(subject.picks)
    if k == 0:
        return {"random_subsets": 0, **found, "verdict": _undecided(NOTHING)}
    everything = k == subject.n - len(subject.excluded)
    # Random subsets of all rows are the selection itself.
    subsets, sampler = [] if everything else random_subsets(subject), Sampler(subject)
    if subject.scores is not None:
        found["scores"] = spread.scores(subject, subject.scores, subsets, sampler)
    found["lengths"] = spread.lengths(subject, subsets, sampler)
    if subject.groups is not None:
        found["groups"] = spread.groups(subject, subject.groups, subsets)
    if everything:
        decided = _undecided(EVERYTHING)
    elif subject.matrix is None:
        decided = _undecided(NO_VECTORS)
    else:
        steps = Steps(subject.progress, pairs_compared(subject.n, k, subject.matrix.d))
        covered = coverage(subject, subject.matrix, subsets, sampler, steps)
        told = dict(covered.figures)
        if subject.queries is not None:
            told |= near_queries(subject, subject.matrix, subject.queries, subsets)
        found["coverage"] = {**covered.facts, "figures": {name: figure.values() for name, figure in told.items()}}
        decided = verdict(told)
    return {"random_subsets": len(subsets), **found, "verdict": decided}


def _undecided(why: str) -> dict[str, Any]:
    return {"better": [], "worse": [], "undecided": [], "alarm": False, "text": why}
