"""The rows of a run and what the stages have found out about them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.engine.lineage import Cause, Lineage
from sage_select.errors import UsageError
from sage_select.io import Beside, Rows
from sage_select.io.private import MAPPED_BYTES, mapped
from sage_select.kernels import Matrix
from sage_select.kernels.arrays import some_rows
from sage_select.kernels.vectors import some_vectors
from sage_select.render import Shape, plain_texts
from sage_select.strategies import Groups

__all__ = ["Frame", "Lengths", "Scores"]

#: How much of a matrix is copied at a time.
_BLOCK_BYTES: Final = 4 << 20

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

    `ids` is None where there are no rows, only arrays: then the row numbers name the rows. `read` are all rows of the
    input, for the row report. Rows are numbered as they
    stand in the frame; `dropped`, once some have left, and `lineage` know which rows of the input these are, and why
    the others left. `wordless` are those whose vector says nothing, since they have no words. `measured` holds the
    lengths that a stage found out; without it rows are as long as they have words. `contents` are digests, the same for
    rows that say the same, and `said` the words of rows, where they have been made. `queries` are vectors that are
    looked for, those of the rows `asked` where these are rows, or of the frame's own rows `asking`; `groups`, `pinned`
    and `excluded` are what the selection must keep. `files` are those that are read beside the rows.
    """

    n: int
    rows: Rows | None = None
    read: Rows | None = None
    shape: Shape | None = None
    ids: pa.ChunkedArray | None = None
    contents: pa.ChunkedArray | None = None
    said: pa.ChunkedArray | None = None
    scores: Scores | None = None
    matrix: Matrix | None = None
    measured: Lengths | None = None
    asked: Frame | None = None
    asking: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    queries: NDArray[Any] | None = None
    groups: Groups | None = None
    pinned: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    excluded: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    wordless: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    dropped: Lineage | None = None
    files: Beside = field(default_factory=Beside)
    evidence: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def texts(self) -> pa.ChunkedArray:
        """The words of each row, without tools and system turns."""
        return self._texts_of(None) if self.said is None else self.said

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

    def texts_of(self, rows: NDArray[np.int64]) -> pa.ChunkedArray:
        """Return the words of some rows."""
        return self._texts_of(rows)

    def _texts_of(self, rows: NDArray[np.int64] | None, progress: Progress | None = None) -> pa.ChunkedArray:
        if rows is not None and self.said is not None:
            return self.said.take(pa.array(rows))
        if self.rows is None or self.shape is None:
            raise RuntimeError("a frame without rows has no texts")
        return plain_texts(self.rows.table, self.shape, rows=rows, progress=progress, where=self.rows.where)

    def hashes(self, key: int) -> NDArray[np.uint64]:
        """Return one hash a row, a pure function of the key and the row's id."""
        if self.ids is not None:
            return kernels.keyed_hashes(key, self.ids)
        if self.dropped is not None:
            return kernels.keyed_hashes(key, self.dropped.n)[self.dropped.rows]
        return kernels.keyed_hashes(key, self.n)

    def named(self, row: int) -> str:
        """Return what messages call a row."""
        if self.rows is None or self.ids is None:
            return f"row {self.input_rows(np.array([row]))[0]}"
        return f"{self.rows.where(row)} (id {self.ids[row].as_py()!r})"

    @cached_property
    def lineage(self) -> Lineage:
        """What became of each row of the input, and which of them are those of the frame."""
        return self.dropped or Lineage.of(self.n, self.ids)

    @property
    def input_n(self) -> int:
        """Rows of the input."""
        return self.n if self.dropped is None else self.dropped.n

    def input_rows(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the numbers in the input of these rows of the frame."""
        return rows if self.dropped is None else self.dropped.rows[rows]

    def of_input(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return those of values, one for each row of the input, that are of rows of the frame."""
        return values if self.dropped is None else values[self.dropped.rows]

    def vectors_of_input(self, vectors: Any) -> Any:
        """Return those of vectors, a numpy or Arrow array of one for each row of the input, of rows of the frame."""
        if self.dropped is None:
            return vectors
        rows = self.dropped.rows
        found = some_vectors(vectors, rows)
        # Slices of float32 would be copied into memory, where one piece may be used as it lies.
        if isinstance(vectors, np.ndarray) and vectors.dtype == np.float32 and isinstance(found, pa.ChunkedArray):
            piece = _in_file(lambda some: vectors[some], rows, vectors.shape[1])
            return found if piece is None else piece
        return found

    def number(self, row: int, name: str) -> int:
        """Return where in the frame a row of the input stands, or its representative where it is a duplicate.

        Raises
        ------
        UsageError
            If there is no such row, or it left; `name` is what the user calls it.
        """
        if not 0 <= row < self.input_n:
            raise UsageError(f"{name} names no row", expected=f"a row number below {self.input_n:,}", got=str(row))
        number = row if self.dropped is None else self.dropped.number(row)
        if number is None:
            raise UsageError(f"{name} names a row that left ({self.lineage.cause(row)})", got=str(row))
        return number

    def drop(self, rows: NDArray[np.int64], cause: Cause) -> Frame:
        """Return the frame without these of its rows; the row report says why they left, the manifest how many."""
        if len(rows) == 0:
            return self
        return self._only(np.delete(np.arange(self.n), rows), self.lineage.drop(rows, cause))

    def drop_duplicates(
        self, representatives: NDArray[np.int64], similarities: NDArray[np.float32], cause: Cause
    ) -> Frame:
        """Return the frame without the rows that have another as representative, and not themselves."""
        lineage = self.lineage.drop_duplicates(representatives, similarities, cause)
        return self._only(np.flatnonzero(representatives == np.arange(self.n)), lineage)

    def _only(self, stay: NDArray[np.int64], lineage: Lineage) -> Frame:
        if len(stay) == self.n:
            return replace(self, dropped=lineage)
        return replace(
            self,
            n=len(stay),
            rows=None if self.rows is None else self.rows.only(stay),
            ids=None if self.ids is None else self.ids.take(pa.array(stay)),
            contents=None if self.contents is None else self.contents.take(pa.array(stay)),
            said=None if self.said is None else some_rows(self.said, stay),
            scores=None if self.scores is None else replace(self.scores, values=self.scores.values[stay]),
            matrix=None if self.matrix is None else _rows_of(self.matrix, stay),
            measured=None if self.measured is None else replace(self.measured, values=self.measured.values[stay]),
            groups=None if self.groups is None else replace(self.groups, of=self.groups.of[stay]),
            pinned=_places(self.pinned, stay),
            excluded=_places(self.excluded, stay),
            asking=_places(self.asking, stay),
            wordless=np.flatnonzero(np.isin(stay, self.wordless)),
            dropped=lineage,
        )

    def found(self, **evidence: Any) -> Frame:
        """Return this frame with more evidence for the manifest."""
        return replace(self, evidence={**self.evidence, **evidence})


def _places(rows: NDArray[np.int64], stay: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where those of the rows that stay then stand."""
    return np.searchsorted(stay, rows[np.isin(rows, stay)])


def _rows_of(matrix: Matrix, rows: NDArray[np.int64]) -> Matrix:
    """Return a matrix of some rows; a large one lies in a mapped file, as the vectors given are still held as well."""
    array = _in_file(matrix.take, rows, matrix.d)
    return matrix.only(rows) if array is None else Matrix.from_array(array, metric=matrix.metric, name=matrix.name)


def _in_file(
    take: Callable[[NDArray[np.int64]], NDArray[np.float32]], rows: NDArray[np.int64], width: int
) -> NDArray[np.float32] | None:
    """Return some rows of float32 in a mapped file; None where they are not large, or there is no room for it."""
    if 4 * width * len(rows) < MAPPED_BYTES:
        return None
    step = max(1, _BLOCK_BYTES // (4 * width))
    values = mapped(take(rows[first : first + step]) for first in range(0, len(rows), step))
    return None if values is None else np.frombuffer(values, np.float32).reshape(-1, width)
