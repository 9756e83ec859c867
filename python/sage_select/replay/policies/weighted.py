"""Weighted reservoir: a sample in which rows of larger scores are likelier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.errors import DataError, Where
from sage_select.replay.policies.policy import policy
from sage_select.replay.policies.smallest import SmallestKeys
from sage_select.replay.rows import ReplayRows
from sage_select.seeds import stage_key

__all__ = ["Weighted"]


@policy("weighted", place=20, needs_always=frozenset({"scores"}), mergeable=True, leaves="sampled out", rescores=False)
class Weighted(SmallestKeys):
    """A sample without replacement, each row drawn in proportion to its score.

    The rows of the smallest -ln(u) / score, u a hash of seed and id (Efraimidis and Spirakis 2006): the law of drawing
    row after row with the scores of those that are left as weights. A row is not included in proportion to its score
    where many are drawn of few. The score is that which a row first came with.
    """

    def admissible(self, offered: ReplayRows, state: Mapping[str, Any], seed: int) -> NDArray[np.int64] | None:
        """Return the offered rows whose keys are no larger than the threshold.

        Raises
        ------
        DataError
            A weight is 0 or below.
        """
        wrong = np.flatnonzero(~(offered.scores > 0))
        if len(wrong):
            raise DataError(
                "a weight is not above 0",
                where=Where(row=int(wrong[0])),
                got=f"{offered.scores[wrong[0]]:g} for {offered.ids[int(wrong[0])].as_py()!r}",
                hint="leave out rows that are never to be replayed",
            )
        return super().admissible(offered, state, seed)

    def keys(self, rows: ReplayRows, seed: int) -> NDArray[np.uint64]:
        """Return -ln(u) / score of each row, as the bits of a float64, which are ordered as it is."""
        return kernels.exponential_keys(rows.keyed(stage_key(seed, "replay weighted")), rows.scores)
