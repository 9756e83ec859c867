"""The rows of a run and what the stages have found out about them."""

from __future__ import annotations

from collections.abc import Callable
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

__all__ = ["Frame", "Lengths", "Scores"]

Progress = Callable[[int, int], None]


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
class Lengths:
    """How long rows are.

    Attributes
    ----------
    values
        int64, one a row.
    unit
        What they count, as users read it: words, or tokens of some tokenizer.
    """

    values: NDArray[np.int64]
    unit: str = "words"


@dataclass(frozen=True)
class Frame:
    """A run's rows on their way through the stages; each stage returns a new frame.

    `ids` is None where there are no rows, only arrays: then the row numbers name the rows. `measured` holds the lengths
    that a stage found out; without it rows are as long as they have words.
    """

    n: int
    rows: Rows | None = None
    shape: Shape | None = None
    ids: pa.ChunkedArray | None = None
    scores: Scores | None = None
    matrix: Matrix | None = None
    measured: Lengths | None = None
    evidence: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def texts(self) -> pa.ChunkedArray:
        """The words of each row, without tools and system turns."""
        return self._texts_of(None)

    @cached_property
    def lengths(self) -> Lengths:
        """The length of each row."""
        return self.measured or Lengths(kernels.word_counts(self.texts))

    @property
    def has_lengths(self) -> bool:
        """Whether lengths are known, or can be counted."""
        return self.measured is not None or self.rows is not None

    def lengths_of(
        self, rows: NDArray[np.int64], *, threads: int | None = None, progress: Progress | None = None
    ) -> Lengths:
        """Return the lengths of some rows; words are counted in these alone."""
        if self.measured is not None:
            return Lengths(self.measured.values[rows], self.measured.unit)
        return Lengths(kernels.word_counts(self._texts_of(rows, progress), threads=threads))

    def _texts_of(self, rows: NDArray[np.int64] | None, progress: Progress | None = None) -> pa.ChunkedArray:
        if self.rows is None or self.shape is None:
            raise RuntimeError("a frame without rows has no texts")
        return plain_texts(self.rows.table, self.shape, rows=rows, progress=progress, where=self.rows.where)

    def hashes(self, key: int) -> NDArray[np.uint64]:
        """Return one hash a row, a pure function of the key and the row's id."""
        return kernels.keyed_hashes(key, self.n if self.ids is None else self.ids)

    def found(self, **evidence: Any) -> Frame:
        """Return this frame with more evidence for the manifest."""
        return replace(self, evidence={**self.evidence, **evidence})
