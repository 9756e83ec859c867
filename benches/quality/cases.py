"""The cases: a set as it is, spoiled, or seen through its words alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benches.quality.classifier import accuracy, proxy_losses
from benches.quality.data import SETS, Split, Task
from benches.quality.spoil import Pool, duplicated, mislabelled, outlying, pool_of
from sage_select.encode import hash_texts

__all__ = ["ALL", "CASES", "CLEAN", "HASHED", "WRONG", "WRONG_HASHED", "Case", "case_of"]


class Case(NamedTuple):
    """What a rule chooses from, and what its picks are judged on.

    `vectors` and `losses` are for the rule, `pool` has what the classifier learns from.
    """

    table: pa.Table
    vectors: NDArray[np.float32]
    losses: NDArray[np.float32]
    pool: Pool
    task: Task
    seed: int

    def accuracy(self, picks: NDArray[np.int64]) -> float:
        """Return how well a classifier trained on the picks does."""
        return accuracy(
            self.pool.vectors[picks], self.pool.labels[picks], self.task.test_vectors, self.task.test_labels
        )


Spoil = Callable[[Pool, int, np.random.Generator], Pool]


class _Recipe(NamedTuple):
    """How a case is made."""

    set_name: str
    spoil: Spoil | None = None
    hashed: bool = False


def _copies(pool: Pool, _classes: int, rng: np.random.Generator) -> Pool:
    return duplicated(pool, 0.3, rng)


def _wrong(pool: Pool, classes: int, rng: np.random.Generator) -> Pool:
    return mislabelled(pool, 0.2, classes, rng)


def _outliers(pool: Pool, classes: int, rng: np.random.Generator) -> Pool:
    return outlying(pool, 0.01, classes, rng)


def _all(pool: Pool, classes: int, rng: np.random.Generator) -> Pool:
    return _outliers(_wrong(_copies(pool, classes, rng), classes, rng), classes, rng)


CLEAN = "CLINC150"
WRONG = "CLINC150, 20 % wrong labels"
HASHED = "CLINC150, hashing vectors"
WRONG_HASHED = "CLINC150, 20 % wrong labels, hashing vectors"
ALL = "CLINC150, 30 % duplicates, 20 % wrong labels, 1 % outliers"

_RECIPES = {
    CLEAN: _Recipe("CLINC150"),
    "CLINC150 imbalanced": _Recipe("CLINC150 imbalanced"),
    "MetaTool": _Recipe("MetaTool"),
    WRONG: _Recipe("CLINC150", _wrong),
    "CLINC150, 30 % duplicates": _Recipe("CLINC150", _copies),
    "CLINC150, 1 % outliers": _Recipe("CLINC150", _outliers),
    ALL: _Recipe("CLINC150", _all),
    HASHED: _Recipe("CLINC150", hashed=True),
    WRONG_HASHED: _Recipe("CLINC150", _wrong, hashed=True),
}
CASES = tuple(_RECIPES)


def case_of(name: str, split: Split, seed: int) -> Case:
    """Make a case: what is spoiled, and which rows the proxy sees, follow from the seed."""
    recipe = _RECIPES[name]
    rng = np.random.default_rng(seed)
    task = SETS[recipe.set_name](split)
    pool = pool_of(task)
    if recipe.spoil is not None:
        pool = recipe.spoil(pool, task.classes, rng)
    table = pa.table({"text": pa.array(pool.texts, pa.string())})
    vectors = hash_texts(table["text"], threads=1).array if recipe.hashed else pool.vectors
    return Case(table, vectors, proxy_losses(pool.vectors, pool.labels, task.classes, rng), pool, task, seed)
