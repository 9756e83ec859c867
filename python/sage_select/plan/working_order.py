"""In which order the parts of a run are worked on, before the selection."""

from __future__ import annotations

from typing import Literal

from sage_select.ops import Dedup

__all__ = ["Part", "working_order"]

Part = Literal["score", "embed", "exact copies", "near copies"]


def working_order(dedup: Dedup | None, *, scores_given: bool, vectors_given: bool) -> list[Part]:
    """Return the parts of a run that come before the selection, in the order in which they are worked on.

    What lies in a file, column or array comes first: it has one number or vector for each row of the input, and its
    faults are found early. What costs most comes last: no score is computed for a copy, and no vector for an exact one.

    Parameters
    ----------
    dedup
        The dedup step, if there is one.
    scores_given, vectors_given
        Whether they are there already. Where they are not needed at all, their part has nothing to do.

    Examples
    --------
    >>> working_order(Dedup(mode="near"), scores_given=False, vectors_given=False)
    ['exact copies', 'embed', 'near copies', 'score']
    """
    given: list[Part] = ["score"] if scores_given else []
    given += ["embed"] if vectors_given else []
    computed: list[Part]
    if dedup is not None and dedup.near:
        computed = ["exact copies", "embed", "near copies", "score"]
    elif dedup is not None and not dedup.idle:
        computed = ["exact copies", "score", "embed"]
    else:
        computed = ["score", "embed"]
    return [*given, *(part for part in computed if part not in given)]
