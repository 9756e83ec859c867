"""Which rows of the input repeat held-out rows: by what they say, their ids, their n-grams, or their vectors."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from sage_select.contamination import ComparedRows, HeldOutRows, Origins, named_alike
from sage_select.data import (
    HELD_OUT_CAUSES,
    HELD_OUT_ID,
    HELD_OUT_KIN,
    HELD_OUT_NEAR,
    HELD_OUT_NGRAMS,
    HELD_OUT_SAME,
    Cause,
    Dataset,
)
from sage_select.errors import DataError, Where
from sage_select.kernels import Matrix, nearest_members
from sage_select.pipeline.run import Run
from sage_select.stages.inputs.held_out import HeldOutFile, PreparedHeldOut
from sage_select.stages.inputs.queries import Queries
from sage_select.stages.inputs.vectors import cosine_matrix

__all__ = ["BLOCK", "Repeats", "repeats_by_content", "repeats_by_vectors", "repeats_by_words"]

#: Rows of the input whose words are compared at a time, and whose vectors are.
_BATCH: Final = 4096
BLOCK: Final = 1 << 16
_PROGRESS: Final = "comparing with held-out rows"


class Repeats:
    """Which rows of the input repeat which held-out rows.

    Parameters
    ----------
    n
        Rows of the input that are in.
    files
        The held-out files.

    Attributes
    ----------
    ranks
        int8 (n,): the place in `HELD_OUT_CAUSES` of why a row leaves; beyond its end where it stays.
    repeated
        int64 (n,): the held-out row that it repeats, counted through all files: of several the most similar, the first
        of equal ones.
    similarities
        float32 (n,): how similar the two are.
    """

    def __init__(self, n: int, files: Sequence[HeldOutFile]) -> None:
        self.ranks = np.full(n, len(HELD_OUT_CAUSES), np.int8)
        self.repeated = np.full(n, -1, np.int64)
        self.similarities = np.full(n, np.nan, np.float32)
        self._starts = np.cumsum([0, *(file.data.n for file in files)])
        self._matched = np.zeros((len(files), n), np.bool_)

    @property
    def leaves(self) -> NDArray[np.bool_]:
        """Which rows leave, bool (n,)."""
        return self.repeated >= 0

    @property
    def matched(self) -> list[int]:
        """How many rows repeat a row of each file."""
        return [int(np.count_nonzero(rows)) for rows in self._matched]

    def cause(self, row: int) -> Cause:
        """Return why a row leaves."""
        return HELD_OUT_CAUSES[self.ranks[row]]

    def mark(self, file: int, row: int, place: int, cause: Cause, similarity: float) -> None:
        """Take note that a row repeats a row of a file."""
        self._matched[file, row] = True
        rank = HELD_OUT_CAUSES.index(cause)
        if rank < self.ranks[row] or (rank == self.ranks[row] and similarity > self.similarities[row]):
            self.ranks[row], self.similarities[row] = rank, similarity
            self.repeated[row] = self._starts[file] + place

    def clear(self, rows: NDArray[np.int64]) -> None:
        """Have rows stay, whatever they repeat."""
        self.repeated[rows] = -1
        self._matched[:, rows] = False


def repeats_by_content(data: Dataset, files: Sequence[HeldOutFile]) -> Repeats:
    """Return which rows have the content of a held-out row, as copies are told, or its id, or come from it."""
    found, contents = Repeats(data.n, files), data.feature("contents")
    for number, file in enumerate(files):
        for row, place in _met(pc.fill_null(pc.index_in(contents, value_set=file.contents), -1).to_numpy()):
            found.mark(number, row, place, HELD_OUT_SAME, 1.0)
        if file.ids is not None and data.ids is not None:
            for row, place in _met(named_alike(data.ids, file.ids)):
                found.mark(number, row, place, HELD_OUT_ID, float("nan"))
        for row, place in _met(_related(data, file)):
            found.mark(number, row, place, HELD_OUT_KIN, float("nan"))
    return found


def _related(data: Dataset, file: HeldOutFile) -> NDArray[np.int64]:
    """Return for each row the held-out row of a file that it was made of, or that was made of it; -1 for none."""
    if data.rows is None or data.shape is None:
        raise RuntimeError("rows are compared by what they say")
    table, held = data.rows.table, file.rows.table
    if not (Origins.has_parents(table) or Origins.has_parents(held)):
        return np.full(data.n, -1, np.int64)
    theirs = Origins.of(held, file.shape, None, named=Origins.has_parents(table))
    return Origins.of(table, data.shape, data.ids, named=True).related_to(theirs)


def repeats_by_words(
    data: Dataset, files: Sequence[HeldOutFile], *, ngrams: tuple[int, float] | None, run: Run
) -> Repeats:
    """Return which rows repeat a held-out row by content, by turns and calls whatever the shape, or by n-grams.

    Parameters
    ----------
    data, files
        The rows and the held-out rows.
    ngrams
        Words of an n-gram and the share that a row must have; None where n-grams have no part.
    run
        The run.
    """
    rows, shape = data.rows, data.shape
    if rows is None or shape is None:
        raise RuntimeError("rows are compared by what they say")
    found = repeats_by_content(data, files)
    length, share = ngrams or (1, 1.0)
    held_out = [HeldOutRows(file.compared, length=length, share=share, threads=run.threads) for file in files]
    with run.reporter.progress(_PROGRESS) as progress:
        for start in range(0, data.n, _BATCH):
            count = min(_BATCH, data.n - start)
            # A slice, as rows are taken by number from as many.
            some, texts = rows.table.slice(start, count), data.texts.slice(start, count)
            batch = ComparedRows(some, shape, partial(_place, data, start), np.arange(count), texts)
            sets = held_out[0].phrases_of(batch)
            for number, held in enumerate(held_out):
                for place, row in held.saying_the_same(batch, sets):
                    found.mark(number, start + row, place, HELD_OUT_SAME, 1.0)
                for place, row, shared in held.near_copies(batch, sets) if ngrams else ():
                    found.mark(number, start + row, place, HELD_OUT_NGRAMS, shared)
            progress(start + count, data.n)
    return found


def repeats_by_vectors(data: Dataset, held: PreparedHeldOut, threshold: float, run: Run) -> Repeats:
    """Return which rows have a cosine similarity to a held-out row of the threshold or more.

    Rows without words, whose vectors say nothing where they are made of words, are compared with none.

    Raises
    ------
    DataError
        If a vector is zero, or those of the held-out rows have another width.
    """
    found = Repeats(data.n, held.files)
    matrix, empty = cosine_matrix(data, run.threads), data.feature("empty_text")
    rows = np.arange(data.n) if empty is None else np.flatnonzero(~empty)
    with run.reporter.progress(_PROGRESS) as progress:
        for number, (file, queries) in enumerate(zip(held.files, held.to_embed, strict=True)):
            members = np.arange(file.data.n) if empty is None else np.flatnonzero(file.lengths)
            vectors = _vectors_of(queries, members, matrix, run.threads)
            for start in range(0, len(rows) if len(members) else 0, BLOCK):
                block = rows[start : start + BLOCK]
                both = np.concatenate([matrix.take(block), vectors])
                both.flags.writeable = False
                near = nearest_members(
                    Matrix.from_array(both, name=matrix.name, threads=run.threads),
                    np.arange(len(block)),
                    np.arange(len(block), len(both)),
                    threads=run.threads,
                )
                for place in np.flatnonzero(near.values >= np.float32(threshold)).tolist():
                    member = int(members[near.members[place] - len(block)])
                    found.mark(number, int(block[place]), member, HELD_OUT_NEAR, float(near.values[place]))
                progress(start + len(block), len(rows))
    return found


def _met(places: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Return the rows that have a place, and it."""
    rows = np.flatnonzero(places >= 0)
    return list(zip(rows.tolist(), places[rows].tolist(), strict=True))


def _place(data: Dataset, start: int, row: int) -> Where:
    if data.rows is None:
        raise RuntimeError("only rows have places")
    return data.rows.where(start + row)


def _vectors_of(
    queries: Queries, members: NDArray[np.int64], matrix: Matrix, threads: int | None
) -> NDArray[np.float32]:
    """Return the vectors of some held-out rows, of length 1.

    Raises
    ------
    DataError
        If they are of another width than those of the rows, not finite, or zero.
    """
    array: Any = queries.vectors
    if array is None:
        raise RuntimeError("held-out rows get vectors with the rows")
    held = Matrix.from_array(array, name=queries.name, threads=threads)
    if held.d != matrix.d:
        raise DataError(
            "the held-out rows have vectors of another width than the rows",
            where=queries.name,
            expected=f"{matrix.d} numbers in each",
            got=f"{held.d}",
            hint="make both with the same encoder",
        )
    return held.take(members)
