"""The rows of a run and what the stages have found out about them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.io import Rows
from sage_select.kernels import Matrix
from sage_select.render import Shape, plain_texts

__all__ = ["Frame", "Scores"]


@dataclass(frozen=True)
class Scores:
    """One number a row.

    Attributes
    ----------
    values
        float32 (n,), as given or computed.
    higher_is_harder
        Which end is hard.
    """

    values: NDArray[np.float32]
    higher_is_harder: bool = True

    @property
    def difficulty(self) -> NDArray[np.float32]:
        """The values turned so that a higher number is a harder row."""
        return self.values if self.higher_is_harder else -self.values


@dataclass(frozen=True)
class Frame:
    """A run's rows on their way through the stages; each stage returns a new frame.

    `ids` is None where there are no rows, only arrays: then the row numbers name the rows.
    """

    n: int
    rows: Rows | None = None
    shape: Shape | None = None
    ids: pa.ChunkedArray | None = None
    scores: Scores | None = None
    matrix: Matrix | None = None
    evidence: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def texts(self) -> pa.ChunkedArray:
        """The words of each row, without tools and system turns."""
        if self.rows is None or self.shape is None:
            raise RuntimeError("a frame without rows has no texts")
        return plain_texts(self.rows.table, self.shape, where=self.rows.where)

    def hashes(self, key: int) -> NDArray[np.uint64]:
        """Return one hash a row, a pure function of the key and the row's id."""
        return kernels.keyed_hashes(key, self.n if self.ids is None else self.ids)

    def found(self, **evidence: Any) -> Frame:
        """Return this frame with more evidence for the manifest."""
        return replace(self, evidence={**self.evidence, **evidence})
