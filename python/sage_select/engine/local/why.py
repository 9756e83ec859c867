"""What became of one row, by the row report of a selection."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sage_select import io
from sage_select.errors import UsageError, nearest

__all__ = ["why"]

#: Ids among which the nearest to a misspelt one is looked for.
_SEARCHED = 100_000


def why(selection: Path, row: str, *, verify: bool = True) -> dict[str, Any]:
    """Return what became of one row of the input of a selection.

    Parameters
    ----------
    selection
        An output of a build, with its row report.
    row
        Its id; its number in the input, from 0; or `FILE:LINE` (from 1; of files without lines the row, from 0).
    verify
        Whether the output must be as it was written.

    Returns
    -------
    facts
        The columns of the row report (`row_number` is the number in the input, or that of a row made of others behind
        it), and `score_percentile`: the share of scored rows with a lower score; `nearest_pick_first_words`,
        `duplicate_of_first_words` and `parent_first_words`: how those begin.

    Raises
    ------
    UsageError
        If the selection has no row report, or no row is named so, with the nearest ids.
    DataError
        If the output or its report is not as it was written.
    """
    _, manifest, report = io.open_with_report(selection, verify=verify)
    if manifest is None or report is None or "program" not in manifest:
        raise UsageError(
            "there is no row report beside this selection",
            where=str(selection),
            expected="an output of sage-select build, written with --rows",
        )
    table = report.table
    number = _number(table, row, str(selection))
    facts: dict[str, Any] = {"row_number": number}
    facts |= {name: table[name][number].as_py() for name in table.column_names}
    scores = table["score"].drop_null()
    facts["score_percentile"] = None
    if facts["score"] is not None:
        lower = pc.sum(pc.less(scores, table["score"][number])).as_py() or 0
        facts["score_percentile"] = lower / max(1, len(scores) - 1)
    for other in ("nearest_pick", "duplicate_of", "parent"):
        if other not in facts:  # of an earlier version
            continue
        place = -1 if facts[other] is None else pc.index(table["sage_row_id"], facts[other]).as_py()
        facts[f"{other}_first_words"] = None if place < 0 else table["first_words"][place].as_py()
    return facts


def _number(table: pa.Table, row: str, selection: str) -> int:
    """Return the number of the row that is named so."""
    number = pc.index(table["sage_row_id"], row).as_py()
    if number >= 0:
        return int(number)
    if re.fullmatch(r"[0-9]{1,18}", row) and int(row) < table.num_rows:
        return int(row)
    if place := re.fullmatch(r"(.+):([0-9]{1,18})", row):
        found = _at(table, place[1], int(place[2]))
        if len(found) == 1:
            return int(found[0])
        if len(found) > 1:
            files = sorted({table["file"][int(one)].as_py() for one in found})
            raise UsageError(f"several files are named so: {', '.join(files[:5])}", got=row, hint="give the whole path")
    raise UsageError(
        f"no row is named {row[:80]!r}",
        where=selection,
        expected=f"an id, a row number below {table.num_rows:,}, or FILE:LINE",
        hint=nearest(row, table["sage_row_id"].slice(0, _SEARCHED).to_pylist()),
    )


def _at(table: pa.Table, file: str, line: int) -> list[int]:
    """Return the rows at a line of the files of this name or path, or at this row of files without lines."""
    files = [name for name in pc.unique(table["file"]).to_pylist() if name is not None]
    named = [name for name in files if name == file] or [
        name for name in files if Path(name).name == file or name.endswith(f"/{file}")
    ]
    place = pc.if_else(pc.is_valid(table["line"]), table["line"], table["row"])
    at = pc.and_(pc.equal(place, line), pc.is_in(table["file"], pa.array(named, pa.string())))
    return [int(row) for row in np.flatnonzero(pc.fill_null(at, False).to_numpy())]
