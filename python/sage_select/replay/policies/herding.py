"""Herding: rows whose mean is that of all rows ever offered, group by group."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.errors import UsageError
from sage_select.kernels import Matrix
from sage_select.replay.policies.balanced import quotas_of
from sage_select.replay.policies.policy import Candidates, Membership, Policy, policy
from sage_select.seeds import stage_key

__all__ = ["Herding"]


@policy("herding", place=70, needs_always=frozenset({"vectors"}), leaves="herding")
class Herding(Policy):
    """Rows whose mean vector is near that of all rows ever offered, as many of each group.

    As iCaRL has it (arXiv 1611.07725).

    Rows without groups are one group. The mean of a group is that of all its rows that were offered, those that left
    included; it is part of what a commit writes, d numbers a group.
    """

    def keep(self, candidates: Candidates) -> Membership:
        """Return the rows that herding picks of each group."""
        rows = candidates.rows
        vectors = rows.vectors
        if vectors is None:
            raise UsageError("policy 'herding' needs embeddings", hint="give embeddings with each update")
        of, names = (np.zeros(rows.n, np.int64), [""]) if rows.groups.null_count == rows.n else rows.group_codes
        means = {name: (int(count), np.array(total)) for name, (count, total) in candidates.state.items()}
        for group, name in enumerate(names):
            new = np.flatnonzero(of[candidates.held :] == group) + candidates.held
            count, total = means.get(name, (0, np.zeros(vectors.shape[1])))
            means[name] = (count + len(new), total + vectors[new].astype(np.float64).sum(axis=0))
        state = {name: [count, total.tolist()] for name, (count, total) in sorted(means.items())}
        if rows.n <= candidates.capacity:
            return Membership(np.arange(rows.n), state)
        sizes = np.bincount(of, minlength=len(names))
        quotas = quotas_of(sizes, names, candidates.capacity, stage_key(candidates.seed, "replay groups"))
        kept = [
            _herded(vectors, np.flatnonzero(of == group), int(quotas[group]), means[name], rows.ids)
            for group, name in enumerate(names)
        ]
        return Membership(np.sort(np.concatenate(kept)), state)


def _herded(
    vectors: NDArray[np.float32], own: NDArray[np.int64], count: int, mean: tuple[int, NDArray[np.float64]], ids: Any
) -> NDArray[np.int64]:
    """Return so many rows of a group; of equal ones the smaller id."""
    if count >= len(own):
        return own
    order = own[np.argsort(np.array(ids.take(own).to_pylist()), kind="stable")]
    matrix = Matrix.from_array(vectors[order], metric="dot")
    return order[kernels.herding(matrix, count, mean=mean[1] / mean[0]).indices]
