"""Herding: rows whose mean is that of all rows ever offered, group by group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.errors import DataError, UsageError
from sage_select.kernels import Matrix
from sage_select.replay.policies.balanced import marks_of, quotas_of
from sage_select.replay.policies.policy import Candidates, Membership, Policy, policy
from sage_select.replay.rows import ReplayRows
from sage_select.seeds import stage_key

__all__ = ["Herding"]


@policy("herding", place=70, needs_always=frozenset({"vectors"}), leaves="herding")
class Herding(Policy):
    """Rows whose mean vector is near that of all rows ever offered, as many of each group.

    As iCaRL has it (arXiv 1611.07725).

    Rows without groups are one group. The mean of a group is that of all its rows that were offered, those that left
    included; it is part of what a commit writes, d numbers a group. A deletion begins it anew, with the rows that stay.
    """

    def keep(self, candidates: Candidates) -> Membership:
        """Return the rows that herding picks of each group."""
        rows = candidates.rows
        vectors = rows.vectors
        if vectors is None:
            raise UsageError("policy 'herding' needs embeddings", hint="give embeddings with each update")
        of, names = _groups(rows)
        new = np.arange(candidates.held, rows.n)
        state = _plus(candidates.state, vectors[new], of[new], marks_of(names, candidates.seed))
        if rows.n <= candidates.capacity:
            return Membership(np.arange(rows.n), state)
        sizes = np.bincount(of, minlength=len(names))
        quotas = quotas_of(sizes, names, candidates.capacity, stage_key(candidates.seed, "replay groups"))
        kept = [
            _herded(vectors, np.flatnonzero(of == group), int(quotas[group]), state[mark], rows.ids)
            for group, mark in enumerate(marks_of(names, candidates.seed))
        ]
        return Membership(np.sort(np.concatenate(kept)), state)

    def without(
        self, state: Mapping[str, Any], rows: ReplayRows, words: NDArray[np.uint64], seed: int
    ) -> Mapping[str, Any]:
        """Return the means of the rows that stay: sums would tell of those that are deleted."""
        del state, words
        if not rows.n or rows.vectors is None:
            return {}
        of, names = _groups(rows)
        return _plus({}, rows.vectors, of, marks_of(names, seed))


def _groups(rows: ReplayRows) -> tuple[NDArray[np.int64], list[str]]:
    return (np.zeros(rows.n, np.int64), [""]) if rows.groups.null_count == rows.n else rows.group_codes


def _plus(
    state: Mapping[str, Any], vectors: NDArray[np.float32], of: NDArray[np.int64], marks: list[str]
) -> dict[str, Any]:
    """Return the number and the sum of the vectors of each group with these more.

    Raises
    ------
    DataError
        Vectors have another width.
    """
    found = {mark: (int(count), np.array(total, np.float64)) for mark, (count, total) in state.items()}
    for group, mark in enumerate(marks):
        more = vectors[of == group].astype(np.float64)
        count, total = found.get(mark, (0, np.zeros(vectors.shape[1])))
        if len(total) != vectors.shape[1]:
            raise DataError("vectors of another width than before", expected=str(len(total)), got=f"{vectors.shape[1]}")
        found[mark] = (count + len(more), total + more.sum(axis=0))
    return {mark: [count, total.tolist()] for mark, (count, total) in sorted(found.items())}


def _herded(
    vectors: NDArray[np.float32], own: NDArray[np.int64], count: int, mean: list[Any], ids: Any
) -> NDArray[np.int64]:
    """Return so many rows of a group; of equal ones the smaller id."""
    if count >= len(own):
        return own
    order = own[np.argsort(np.array(ids.take(own).to_pylist()), kind="stable")]
    matrix = Matrix.from_array(vectors[order], metric="dot")
    return order[kernels.herding(matrix, count, mean=np.array(mean[1]) / mean[0]).indices]
