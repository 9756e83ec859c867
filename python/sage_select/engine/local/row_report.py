"""The row report: what became of every row of the input, with what a person needs to find it."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from sage_select import io, kernels
from sage_select.data import HELD_OUT_COLUMNS, Dataset, HeldOut, Lineage
from sage_select.engine.local.output import block_of, null_for_nan, origins_of, parents_of, reasons_of
from sage_select.render import first_words
from sage_select.seeds import stage_key

__all__ = ["row_report"]

#: Multiply-adds that the nearest picks of rows may take: a second on two cores.
_WORK: Final = 1e11
#: Rows whose nearest picks are looked for at a time.
_BLOCK: Final = 1 << 16


def row_report(data: Dataset, seed: int, threads: int | None = None) -> pa.Table:
    """Return one row for every row ever seen: those of the input, in its order, and those that came later.

    Parameters
    ----------
    data
        The rows after the last stage.
    seed
        The run seed.
    threads
        Threads to use, None for all.

    Returns
    -------
    table
        `sage_row_id`; `origin` (`augmented` of rows made of others, `replay` of rows of a replay buffer, else
        `selected`, whether it was or not) and
        `parent`, the id of the row that it was made of; `file`, `row` (within the file, from 0), `line` (from 1, of
        text) and `first_words`, null where there are no rows but arrays, and but for the words of rows made of others;
        `kept`, `stage` and `reason` (which stage took or dropped it and why), `rank`,
        `score`; `region` (the cell of rows taken by score, where there are cells); `nearest_pick`, the id of the most
        similar pick of a row that was not selected, with `nearest_similarity` (under ``sqeuclidean``
        `nearest_distance`); `duplicate_of` and `similarity`, of a row that left as a copy; `held_out_file`,
        `held_out_row`, `held_out_line`, `held_out_first_words` and `similarity`, of a row that left since it repeats a
        held-out row: which one, and how similar the two are (the share of n-grams, or of vectors the cosine).

    Notes
    -----
    Nearest picks take rows * picks * d multiply-adds. Beyond 1e11 they are looked for of as many rows as that allows,
    drawn by a keyed hash of their ids, and null for the others.
    """
    lineage, pool = data.lineage, data if data.selected is None else data.selected.pool
    own = data.input_rows(np.arange(data.n))
    ranks = np.full(lineage.n, -1, np.int64)
    ranks[own] = data.ranks
    kept = lineage.stays
    # Why rows are in, by their place, then why others left.
    why = pa.concat_arrays([reasons_of(data), pa.array([cause.reason for cause in lineage.causes], pa.string())])
    reasons = data.n + lineage.dropped.astype(np.int64)
    reasons[own] = np.arange(data.n)
    last = "select" if data.selected is None else data.selected.stage
    took = [last, *(one.stage for one in data.additions), *(cause.stage for cause in lineage.causes)]
    numbers = np.arange(lineage.n)
    # What came after the last choice is there by the stage that brought it.
    block = np.where(numbers < pool.seen_n, 0, block_of(data, numbers))
    stages = np.where(kept, block, 1 + len(data.additions) + lineage.dropped)
    names = pa.array(range(lineage.n)).cast(pa.string()) if lineage.ids is None else lineage.ids
    scores = np.full(lineage.n, np.nan, np.float32)
    if pool.scores is not None:
        scores[pool.input_rows(np.arange(pool.n))] = pool.scores.values
    regions = np.full(lineage.n, -1, np.int32)
    if data.selected is not None and data.selected.regions is not None:
        regions[pool.input_rows(np.arange(pool.n))] = data.selected.regions
    return pa.table(
        {
            "sage_row_id": names,
            "origin": origins_of(data, numbers),
            "parent": parents_of(data, numbers),
            **_places(data),
            "kept": pa.array(kept),
            "stage": pa.array(took, pa.string()).take(pa.array(stages)),
            "reason": why.take(pa.array(reasons)),
            "rank": pa.array(ranks, mask=~kept),
            "score": null_for_nan(scores),
            "region": pa.array(regions, mask=regions < 0),
            **_nearest(data, pool, names, seed, threads),
            "duplicate_of": names.take(pa.array(lineage.representatives, mask=~lineage.is_duplicate)),
            "similarity": null_for_nan(lineage.similarities),
            **_held_out(lineage),
        }
    )


def _held_out(lineage: Lineage) -> dict[str, pa.Array | pa.ChunkedArray]:
    """Return the held-out row that each row repeats."""
    of, rows = lineage.held_out or HeldOut.none(lineage.n)
    places = pa.array(of, mask=of < 0)
    return {f"held_out_{name}": rows[name].take(places) for name in HELD_OUT_COLUMNS}


def _places(data: Dataset) -> dict[str, pa.Array | pa.ChunkedArray]:
    """Return where each row of the input stands, and how it begins."""
    n, added = data.input_n, data.seen_n - data.input_n
    if data.read is None or data.shape is None or not isinstance(data.read.places, io.RowLocations):
        return {
            "file": pa.nulls(n + added, pa.string()),
            "row": pa.nulls(n + added, pa.int64()),
            "line": pa.nulls(n + added, pa.int64()),
            "first_words": pa.nulls(n + added, pa.string()),
        }
    parts = data.read.places.parts
    files = [pa.repeat(pa.scalar(part.file, pa.string()), part.count) for part in parts]
    rows = [pa.array(np.arange(part.count, dtype=np.int64)) for part in parts]
    lines = [
        pa.nulls(part.count, pa.int64()) if part.lines is None else pa.array(np.asarray(part.lines, np.int64))
        for part in parts
    ]
    tables = (data.read.table, *(one.table for one in data.additions))
    # Rows from elsewhere may have parts that those of the input have not.
    words = [first_words(table, data.shape.only(table.column_names)) for table in tables]
    return {
        "file": pa.chunked_array([*files, pa.nulls(added, pa.string())], pa.string()),
        "row": pa.chunked_array([*rows, pa.nulls(added, pa.int64())], pa.int64()),
        "line": pa.chunked_array([*lines, pa.nulls(added, pa.int64())], pa.int64()),
        "first_words": pa.chunked_array([chunk for one in words for chunk in one.chunks], pa.string()),
    }


def _nearest(
    data: Dataset, pool: Dataset, names: pa.Array | pa.ChunkedArray, seed: int, threads: int | None
) -> dict[str, pa.Array | pa.ChunkedArray]:
    """Return the nearest pick of each row that was not selected."""
    n, matrix, picks = data.seen_n, pool.matrix, data.picked_from(pool)
    member, value = np.full(n, -1, np.int64), np.full(n, np.nan, np.float32)
    if matrix is not None and len(picks):
        rows = np.delete(np.arange(pool.n), picks)
        most = int(_WORK / (len(picks) * max(matrix.d, 1)))
        if len(rows) > most:
            hashes = pool.hashes(stage_key(seed, "row report"))[rows]
            rows = np.sort(rows[kernels.bottom_k_hashes(hashes, most, threads=threads)])
        for start in range(0, len(rows), _BLOCK):
            block = rows[start : start + _BLOCK]
            found = kernels.nearest_members(matrix, block, np.sort(picks), threads=threads)
            places = pool.input_rows(block)
            member[places], value[places] = pool.input_rows(found.members), found.values
    distances = matrix is not None and matrix.metric == "sqeuclidean"
    nothing = pa.nulls(n, pa.float32())
    return {
        "nearest_pick": names.take(pa.array(member, mask=member < 0)),
        "nearest_similarity": nothing if distances else null_for_nan(value),
        "nearest_distance": null_for_nan(np.sqrt(value)) if distances else nothing,
    }
