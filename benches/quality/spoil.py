"""What real data suffers from: rows that come again, wrong labels, rows that belong to nothing."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benches.quality.data import Task

__all__ = ["Pool", "duplicated", "mislabelled", "outlying", "pool_of"]


class Pool(NamedTuple):
    """Rows to choose from, with what is known of their soundness.

    `origin` is the row that a row repeats, or its own number; `wrong` says that the label is not the row's.
    """

    texts: NDArray[np.object_]
    vectors: NDArray[np.float32]
    labels: NDArray[np.int64]
    origin: NDArray[np.int64]
    wrong: NDArray[np.bool_]

    def sound(self, picks: NDArray[np.int64]) -> float:
        """Return the share of the picks that say something true and new."""
        return len(np.unique(self.origin[picks[~self.wrong[picks]]])) / len(picks)


def pool_of(task: Task) -> Pool:
    """Return the rows of a set as they are."""
    n = len(task.labels)
    return Pool(task.texts, task.vectors, task.labels, np.arange(n), np.zeros(n, bool))


def duplicated(pool: Pool, share: float, rng: np.random.Generator) -> Pool:
    """Add copies of a tenth of the rows until `share` of all are copies: some come very often, as in real data."""
    n = len(pool.labels)
    among = rng.choice(n, n // 10, replace=False)
    copies = rng.choice(among, round(n * share / (1 - share)))
    return Pool(*(np.concatenate([field, field[copies]]) for field in pool))


def mislabelled(pool: Pool, share: float, classes: int, rng: np.random.Generator) -> Pool:
    """Give another label, drawn evenly, to a share of the rows."""
    n = len(pool.labels)
    rows = rng.choice(n, round(share * n), replace=False)
    labels, wrong = pool.labels.copy(), pool.wrong.copy()
    labels[rows] = (labels[rows] + rng.integers(1, classes, len(rows))) % classes
    wrong[rows] = True
    return pool._replace(labels=labels, wrong=wrong)


def outlying(pool: Pool, share: float, classes: int, rng: np.random.Generator) -> Pool:
    """Turn a share of the rows into noise: letters at random, a direction at random, a label at random."""
    n = len(pool.labels)
    rows = rng.choice(n, round(share * n), replace=False)
    noise = rng.standard_normal((len(rows), pool.vectors.shape[1]), np.float32)
    texts, vectors, labels, wrong = (field.copy() for field in (pool.texts, pool.vectors, pool.labels, pool.wrong))
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz     "))
    texts[rows] = ["".join(rng.choice(letters, 40)) for _ in rows]
    vectors[rows] = noise / np.linalg.norm(noise, axis=1, keepdims=True)
    labels[rows] = rng.integers(0, classes, len(rows))
    wrong[rows] = True
    return pool._replace(texts=texts, vectors=vectors, labels=labels, wrong=wrong)
