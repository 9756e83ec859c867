"""The dedup stage: rows that repeat others leave."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sage_select.engine.base import Talk
from sage_select.engine.frame import Frame
from sage_select.engine.lineage import EXACT_COPY, NEAR_COPY
from sage_select.errors import UsageError
from sage_select.kernels import Matrix
from sage_select.ops import Dedup
from sage_select.strategies import Pool
from sage_select.strategies.near_copies import near_copies

__all__ = ["without_exact_copies", "without_near_copies"]

#: Groups that the evidence names.
_NAMED_GROUPS: Final = 10


def without_exact_copies(
    frame: Frame,
    dedup: Dedup,
) -> Frame:
    """Return the frame without the rows that say the same as another; the first of them stays.

    Rows that are pinned stay in any case, and come before all others; for those excluded no other has to leave.

    Raises
    ------
    UsageError
        If there are no rows, only arrays, and exact copies alone were asked for.
    """
    if frame.rows is None or frame.shape is None:
        if dedup.near:
            return frame
        raise UsageError("there are no rows to compare", hint="pass data, or find near copies by their vectors")
    contents = frame.contents
    if contents is None:
        raise RuntimeError("exact copies are found by digests of what rows say")
    representatives = _first_of_equals(contents, _order(frame, frame.asking))
    representatives[frame.pinned], representatives[frame.asking] = frame.pinned, frame.asking
    similarities = np.where(representatives == np.arange(frame.n), np.nan, 1).astype(np.float32)
    frame = dataclasses.replace(frame, contents=None)
    return _told(frame.drop_duplicates(representatives, similarities, EXACT_COPY), dedup)


def without_near_copies(
    frame: Frame,
    dedup: Dedup,
    seed: int,
    talk: Talk,
    threads: int | None,
) -> Frame:
    """Return the frame without the rows whose vectors are near to that of another; the first of them stays.

    Vectors are compared by cosine, whatever the metric of the selection. Rows that are pinned stay in any case, and
    come before all others; for those excluded no other has to leave. Rows without words, whose vectors say nothing, are
    compared with none.

    Raises
    ------
    DataError
        If a vector is zero.
    """
    if frame.matrix is None:
        raise RuntimeError("near copies are found by vectors")
    matrix = frame.matrix
    if matrix.metric != "cosine":
        matrix = Matrix.from_array(matrix.take(np.arange(frame.n)), name=matrix.name, threads=threads)
    apart = np.union1d(frame.asking, frame.wordless)
    order, always = _order(frame, apart), int((~np.isin(frame.pinned, apart)).sum())
    with talk.progress("finding near copies") as progress:
        pool = Pool(n=frame.n, seed=seed, hashes=frame.hashes, matrix=matrix, threads=threads, progress=progress)
        representatives, similarities, facts = near_copies(pool, dedup.threshold, order, always)
    facts = {**facts, "wordless_rows": len(frame.wordless)} if len(frame.wordless) else facts
    return _told(frame.drop_duplicates(representatives, similarities, NEAR_COPY), dedup, **facts)


def _order(frame: Frame, apart: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rows to compare in their order, but those pinned first and those excluded last; and none of these."""
    between = np.ones(frame.n, np.bool_)
    between[frame.pinned] = between[frame.excluded] = False
    order = np.concatenate([frame.pinned, np.flatnonzero(between), frame.excluded])
    return order[~np.isin(order, apart)] if len(apart) else order


def _first_of_equals(values: pa.ChunkedArray, order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each row in the order the first that has the same value."""
    codes: NDArray[np.int32] = values.combine_chunks().dictionary_encode().indices.to_numpy()
    firsts = np.zeros(len(codes), np.int64)
    # Of several rows stored at one place the last stays: that of the first row.
    firsts[codes[order[::-1]]] = order[::-1]
    return firsts[codes]


def _told(frame: Frame, dedup: Dedup, **facts: Any) -> Frame:
    """Return the frame with what there is to tell of the copies."""
    groups, largest = frame.lineage.groups(_NAMED_GROUPS)
    return frame.found(
        dedup={
            **dedup.settings(),
            "groups": groups,
            "largest_groups": [{"kept": name, "rows": rows} for name, rows in largest],
            **facts,
        }
    )
