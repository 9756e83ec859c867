"""What a row is and what it says, as text: its canonical JSON, from which its id is made, and what copies share.

The canonical JSON of a row is the same whether it came from JSONL, Parquet or memory: members are sorted, null members
and absent ones are the same, objects held as JSON text (marked fields, and `tools`, `arguments`, `messages` and
`conversations` by name) are written as objects, and a whole number is written without a fraction.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TypeVar

import pyarrow as pa

from sage_select import kernels
from sage_select.errors import DataError, Where
from sage_select.render.plain_types import with_json

__all__ = ["canonical_json", "row_digests", "same_texts"]

_Place = Callable[[int], Where]
_T = TypeVar("_T")

_FAULTS = {
    "half_character": "a string holds half of a surrogate pair",
    "deep": "its objects and lists lie too deep in each other",
}


def canonical_json(table: pa.Table, columns: Sequence[str], *, where: _Place | None = None) -> pa.ChunkedArray:
    """Return one JSON object a row, of `columns` only (`string`, no nulls).

    Parameters
    ----------
    table, columns
        The rows, and the columns that make them what they are.
    where
        Row number -> its place, for messages.

    Raises
    ------
    DataError
        A field marked as JSON text holds other text, or a value has no JSON (bytes).
    """
    return _checked(kernels.row_texts(_members(table, columns, where)), where)


def same_texts(table: pa.Table, columns: Sequence[str], where: _Place | None = None) -> pa.ChunkedArray:
    r"""Return one text a row (`string`, no nulls), equal for rows that say the same.

    It is the canonical JSON of these columns in Unicode's form NFC, with white space at the ends of texts left out and
    any other run of it as one space. Contents given as typed parts of text are the text that these are in all. Case,
    roles, tools and arguments count, and so does the width of letters.

    Parameters
    ----------
    table, columns, where
        As for `canonical_json`, which says what is raised.

    Examples
    --------
    >>> same_texts(pa.table({"text": [" a\n\tb", "a b "]}), ["text"]).to_pylist()
    ['{"text":"a b"}', '{"text":"a b"}']
    """
    return _checked(kernels.row_texts(_members(table, columns, where), alike=True), where)


def row_digests(
    table: pa.Table, columns: Sequence[str], *, exact: bool, alike: bool, where: _Place | None = None
) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    """Return BLAKE3-128 digests (32 hex digits) of `canonical_json` and of `same_texts`; empty where not asked for.

    The texts are made once for both, a few rows at a time, and never all held.
    """
    return _checked(kernels.row_digests(_members(table, columns, where), exact=exact, alike=alike), where)


def _members(table: pa.Table, columns: Sequence[str], where: _Place | None) -> pa.Table:
    return with_json(table.select(sorted(dict.fromkeys(columns))), where or _numbered)


def _numbered(row: int) -> Where:
    return Where(row=row)


def _checked(made: _T | kernels.Refused, where: _Place | None) -> _T:
    if not isinstance(made, kernels.Refused):
        return made
    problem = _FAULTS.get(made.fault, "not JSON")
    if made.fault == "syntax":
        try:
            json.loads(made.text)
        except (ValueError, RecursionError) as error:
            problem = str(error)
    raise DataError(f"the row cannot be written as JSON: {problem}", where=(where or _numbered)(made.row))
