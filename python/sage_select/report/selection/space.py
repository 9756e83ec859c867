"""The map of the pool and the picks, and what each region gave."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.pipeline.run import Reporter
from sage_select.report.blocks import Absent, Block, Figure, RowText, Section, Table, Text
from sage_select.report.charts.shares import Share, Shares
from sage_select.report.charts.space import Space
from sage_select.report.selection.facts import Facts, Pool
from sage_select.report.selection.projection import Projection, projected
from sage_select.report.selection.regions import Regions, found_regions, regions_of_strategy, typical_words
from sage_select.report.selection.vectors import PoolVectors, pool_vectors
from sage_select.seeds import stage_key

__all__ = ["space"]

#: Picks that are drawn as dots.
_DRAWN: Final = 4_000
#: Regions that are listed: of a strategy's own there may be hundreds.
_LISTED: Final = 12
_WHAT: Final = "the map of the rows"


def space(
    facts: Facts, reporter: Reporter, *, embeddings: str | None = None, cache: Path | None = None
) -> list[Section]:
    """Return the sections on where rows lie: the map, and the regions.

    Raises
    ------
    SageError
        As `pool_vectors`.
    """
    pool, vectors = facts.pool, pool_vectors(facts, reporter, embeddings=embeddings, cache=cache)
    lead = "Where the rows lie among each other, and where the picks are: gaps and heaps of picks are seen at once."
    if isinstance(pool, str) or isinstance(vectors, str):
        why = vectors if isinstance(vectors, str) else str(pool)
        return [Section("The map", lead, [Absent(_WHAT, f"Vectors: {why}.")]), _strategy_regions(facts, why)]
    hashes = _hashes(facts, pool)
    with reporter.progress("projecting") as progress:
        projection = projected(vectors, hashes, progress)
    with reporter.progress("finding regions") as progress:
        regions = found_regions(vectors, projection, facts.threads, progress)
    return [
        Section("The map", lead, _map(vectors, projection, regions, pool, hashes)),
        _regions(
            facts,
            pool,
            regions,
            hashes,
            f"{len(regions.sizes)} regions by k-means of the vectors, as numbered on the map",
        ),
    ]


def _hashes(facts: Facts, pool: Pool) -> NDArray[np.uint64]:
    if facts.report is None:
        raise RuntimeError("a pool is known by its row report")
    ids = facts.report["sage_row_id"].take(pa.array(pool.rows))
    return kernels.keyed_hashes(stage_key(facts.manifest["seed"], "report"), ids, threads=facts.threads)


def _map(
    vectors: PoolVectors, projection: Projection, regions: Regions, pool: Pool, hashes: NDArray[np.uint64]
) -> list[Block]:
    if not np.any(projection.points):
        return [Absent(_WHAT, "all vectors are the same.")]
    picks = pool.picks
    drawn = picks if len(picks) <= _DRAWN else picks[np.argsort(hashes[picks], kind="stable")[:_DRAWN]]
    marks = (
        []
        if regions.middles is None
        else [(str(i + 1), float(x), float(y)) for i, (x, y) in enumerate(regions.middles)]
    )
    first, second = projection.explained
    sampled = (
        "" if len(drawn) == len(picks) else f" Of {len(picks):,} picks {len(drawn):,}, drawn at random, are shown."
    )
    found = "" if len(projection.sample) == vectors.n else f", found from {len(projection.sample):,} of them"
    return [
        Figure(
            "map",
            Space(
                projection.points,
                projection.points[drawn],
                marks,
                (f"first component ({first:.0%} of the variance)", f"second ({second:.0%})"),
            ),
            f"Map of {vectors.n:,} rows as hexagons, stronger where more rows lie, with {len(drawn):,} picks as dots, "
            f"and the numbers of {len(regions.sizes)} regions.",
            f"Hexagons count the {vectors.n:,} rows that were chosen from, dots are picks, numbers are the regions of "
            "the next section; what lies near is alike in the two directions in which rows differ most, and may still "
            f"differ in all others.{sampled}",
        ),
        Text(
            f"The vectors ({vectors.d:,} numbers a row) are from: {vectors.origin}. The two directions are their first "
            f"principal components{found}; together they tell {first + second:.0%} of how the rows differ."
        ),
    ]


def _whole(text: str | None) -> str | None:
    """Return words without the last, where that was cut."""
    return text.rpartition(" ")[0] if text is not None and text.endswith("\N{HORIZONTAL ELLIPSIS}") else text


def _strategy_regions(facts: Facts, why: str) -> Section:
    """Return the section on the cells of the strategy, where there are no vectors to find regions by."""
    pool, lead = facts.pool, "How many picks each part of the data gave, beside how many rows it has."
    if isinstance(pool, str) or facts.report is None:
        return Section("Regions", lead, [Absent("regions", f"Vectors: {why}.")])
    cells = pc.fill_null(facts.report["region"], -1).cast("int64").to_numpy()[pool.rows]
    if not (cells >= 0).any():
        return Section(
            "Regions", lead, [Absent("regions", f"Vectors: {why}; and the strategy divides rows into no cells.")]
        )
    regions = regions_of_strategy(cells)
    return _regions(
        facts,
        pool,
        regions,
        _hashes(facts, pool),
        f"{len(regions.sizes):,} cells into which the strategy divided the rows",
    )


def _regions(facts: Facts, pool: Pool, regions: Regions, hashes: NDArray[np.uint64], what: str) -> Section:
    count = min(_LISTED, len(regions.sizes))
    picked = np.bincount(regions.of[pool.picks][regions.of[pool.picks] >= 0], minlength=len(regions.sizes))
    n, k = max(1, len(pool.rows)), max(1, len(pool.picks))

    def words_of(rows: NDArray[np.int64]) -> Sequence[str | None]:
        return [_whole(text) for text in facts.words(pool.rows[rows])]

    listed = Regions(np.where(regions.of < count, regions.of, -1), regions.sizes[:count], None)
    words = typical_words(listed, words_of, hashes)
    rows = [
        (
            str(region + 1),
            f"{int(regions.sizes[region]):,}",
            f"{int(picked[region]):,}",
            f"{picked[region] / regions.sizes[region]:.1%}",
            f"{regions.sizes[region] / n:.1%}",
            f"{picked[region] / k:.1%}",
            RowText(", ".join(words[region]), 160) if words[region] else "no word",
        )
        for region in range(count)
    ]
    shares = [Share(str(region + 1), regions.sizes[region] / n, picked[region] / k) for region in range(count)]
    rest = len(regions.sizes) - count
    listed_as = f"The {count} largest of the {what}" if rest else f"The {what}"
    blocks: list[Block] = [
        Figure(
            "regions",
            Shares(shares),
            "For each region its share of all rows and of the picks: "
            + "; ".join(f"{one.name}: {one.pool:.1%}, {one.picks:.1%}" for one in shares)
            + ".",
            "A line from the share that a region has of all rows to its share of the picks: where the dot of the picks "
            "is to the right, the strategy took more of it than its share.",
        ),
        Table(
            ("region", "rows", "picks", "picked", "of all rows", "of the picks", "typical of it"),
            rows,
            f"{listed_as}; typical are the words by which a region's rows are told from all others, of how rows begin.",
            frozenset({0, 1, 2, 3, 4, 5}),
            cards=True,
        ),
    ]
    return Section("Regions", "How many picks each part of the data gave, beside how many rows it has.", blocks)
