"""Rows that cannot be used: refused all at once, or dropped and counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sage_select import io
from sage_select.data import Cause, Dataset
from sage_select.display import counted
from sage_select.pipeline.run import Reporter
from sage_select.render import RenderedRows, ShapeOptions, detect_shape, render_rows, unread_keys

if TYPE_CHECKING:
    from sage_select.stages.source import Source

__all__ = ["bad_rows_of", "good_rows", "refuse_bad_rows", "without_bad_rows"]

_STAGE = "source"


def without_bad_rows(
    rows: io.Rows, source: Source, reporter: Reporter, make: Callable[[io.Rows, RenderedRows], Dataset]
) -> Dataset:
    """Return the dataset that `make` makes of the rows that can be used; the others left it, each for its reason.

    Parameters
    ----------
    rows
        All rows, those that the reader could not read among them.
    source
        Says how they are read, what is done about bad rows, and how many there may be.
    reporter
        Where notices go.
    make
        Makes the dataset, of these rows and what they say.

    Raises
    ------
    DataError
        Where there are bad rows and they are not to be dropped, or more of them than may be.
    """
    n = rows.table.num_rows
    bad, said = bad_rows_of(rows, source.shape_options, reporter)
    if not len(bad):
        return make(rows, said)
    refuse_bad_rows(bad, n, rows.source, source, n)
    kinds = ", ".join(f"{count:,} times: {kind}" for kind, count in bad.counts().items())
    reporter.notice(f"{len(bad):,} of {n:,} rows cannot be used and are left out ({kinds})")
    causes = {row: Cause(_STAGE, kind) for row, kind in sorted(bad.kinds.items())}
    good = good_rows(n, bad)
    return make(rows.only(good), said.only(good)).among(rows, causes)


def bad_rows_of(rows: io.Rows, options: ShapeOptions, reporter: Reporter) -> tuple[io.BadRows, RenderedRows]:
    """Return the rows that cannot be used, those that the reader could not read among them, and what all say."""
    bad, shape = rows.bad, detect_shape(rows.table.schema, options)
    unread_by_reader = set(bad.kinds)
    said = render_rows(rows.table, shape, where=rows.where)
    for row, error in said.refused.items():
        if row not in unread_by_reader:
            bad.add(row, error)
    for key, count in unread_keys(rows.table, shape).items():
        reporter.notice(
            f"the key {key!r} of {count:,} messages is read by nothing, unless the chat template asks for it"
        )
    return bad, said


def good_rows(n: int, bad: io.BadRows) -> NDArray[np.int64]:
    """Return the numbers of the rows that can be used, of the first `n`."""
    good = np.ones(n, np.bool_)
    good[[row for row in bad.kinds if row < n]] = False
    return np.flatnonzero(good)


def refuse_bad_rows(bad: io.BadRows, checked: int, name: str, source: Source, n: int) -> None:
    """Raise where there are bad rows among those looked at, and they are not to be dropped of `n` rows in all.

    Raises
    ------
    DataError
        As `without_bad_rows`.
    """
    if not len(bad):
        return
    most = source.most_bad(n)
    if source.on_bad_row == "error":
        raise bad.error(checked, name, "--on-bad-row drop leaves such rows out, at most 1% of all (--max-bad)")
    if len(bad) == n:
        raise bad.error(checked, name, "no row would be left: mend them")
    if len(bad) > most:
        raise bad.error(
            checked, name, f"at most {counted(most, 'row')} may be left out; --max-bad allows more, such as 5%"
        )
