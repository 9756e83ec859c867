"""Rows of a selection that are held out of its training, to be evaluated meanwhile."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sage_select.contamination import Origins
from sage_select.display import counted
from sage_select.errors import DataError
from sage_select.seeds import Draws, stage_key
from sage_select.train.overlap import Overlap, find_overlap
from sage_select.train.selection import OrderedRows

__all__ = ["FEW_ROWS", "roots", "split"]

#: With fewer held-out rows a loss says little of other rows.
FEW_ROWS = 10
#: The same rows whatever the seed of a run, so that runs of several seeds are evaluated on the same.
_KEY = stage_key(0, "eval-split")


def split(rows: OrderedRows, share: float) -> tuple[OrderedRows, OrderedRows, list[str]]:
    """Return the rows to train on, those to evaluate on, and what the user should know.

    Rows that were made of one row are held out together or not at all. Which are is settled by a keyed hash of the id
    of that row: it depends neither on the order of rows nor on the seed. Held-out rows that repeat trained ones, by
    the rule of `sage_select.contamination`, are neither trained nor evaluated.

    Parameters
    ----------
    share
        The share held out of the rows that others were made of, in (0, 1): at least one row, and never all.

    Raises
    ------
    DataError
        If there is only one such row, or all held-out rows repeat trained ones.
    """
    origins = Origins.of(rows.rows.table, rows.shape, None, named=True).at(rows.order)
    ids = [str(one) for one in origins.ids.to_pylist()]
    parents = {row: str(parent) for row, parent in zip(ids, origins.parents.to_pylist(), strict=True) if parent}
    root = roots(ids, parents)
    distinct = sorted(set(root), key=lambda one: (Draws(_KEY, one).word(), one))
    if len(distinct) < 2:
        raise DataError(
            "nothing can be held out of the selection: all of its rows come from one",
            where=rows.source,
            got=counted(len(rows), "row"),
            hint="select more rows, or leave out --eval-split",
        )
    chosen = set(distinct[: min(max(1, round(share * len(distinct))), len(distinct) - 1)])
    held = np.array([one in chosen for one in root])
    trained, apart = rows.at(np.flatnonzero(~held)), rows.at(np.flatnonzero(held))
    overlap = find_overlap(apart, trained)
    if len(overlap.overlapping) == len(apart):
        raise DataError(
            "every row that would be held out repeats one that is trained, so that nothing can be evaluated",
            where=rows.source,
            got="; ".join(overlap.notices),
            hint="hold out more with --eval-split, name other rows with --eval-data and --eval-steps, or leave copies "
            "out of the selection (`sage-select build --dedup`)",
        )
    return trained, overlap.apart(apart), [_held(apart, rows, overlap), *overlap.notices]


def roots(ids: list[str], parents: Mapping[str, str]) -> list[str]:
    """Return for each id the row that it comes from in the end, itself where it was made of none.

    Examples
    --------
    >>> roots(["a", "b", "c", "d"], {"b": "a", "c": "b", "d": "gone"})
    ['a', 'a', 'a', 'gone']
    """
    found: dict[str, str] = {}
    for row in ids:
        chain: dict[str, None] = {}
        while row in parents and row not in found and row not in chain:
            chain[row] = None
            row = parents[row]
        # Rows that were made of each other are a fault of the file; they stay together.
        end = found[row] if row in found else _least_of_cycle(chain, row) if row in chain else row
        found.update(dict.fromkeys([*chain, row], end))
    return [found[row] for row in ids]


def _least_of_cycle(chain: Mapping[str, None], begin: str) -> str:
    names = list(chain)
    return min(names[names.index(begin) :])


def _held(apart: OrderedRows, rows: OrderedRows, overlap: Overlap) -> str:
    left_out = f", {len(overlap.overlapping):,} of them left out" if overlap.overlapping else ""
    return f"held out for evaluation, and not trained: {len(apart):,} of {counted(len(rows), 'row')}{left_out}"
