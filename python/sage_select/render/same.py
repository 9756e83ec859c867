"""What a row says, so that rows which say the same are the same text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from sage_select.errors import Where
from sage_select.render.canonical import canonical_json

__all__ = ["BATCH_ROWS", "same_texts"]

#: Rows whose texts are made at a time.
BATCH_ROWS: Final = 65_536
#: Stand-ins for an escaped backslash and an escaped quote; in JSON control characters are escaped themselves.
_BACKSLASH, _QUOTE = "\x01", "\x02"
#: White space other than spaces inside JSON strings: escaped, and the separators of Unicode.
_ODD_SPACE = r"\\[nrtf]|\\u000b|\\u001[c-f]|[^\P{Z} ]|\x{85}"


def same_texts(
    table: pa.Table, columns: Sequence[str], where: Callable[[int], Where] | None = None
) -> Iterator[pa.ChunkedArray]:
    r"""Yield one text a row (`string`, no nulls), equal for rows that say the same, for at most 65,536 rows at a time.

    It is the canonical JSON of these columns in Unicode's form NFC, with white space at the ends of texts left out and
    any other run of it as one space. Case, roles, tools and arguments count.

    Parameters
    ----------
    table, columns
        The rows, and the columns that make them what they are.
    where
        Row number -> its place, for messages.

    Raises
    ------
    DataError
        As `canonical_json`.

    Examples
    --------
    >>> [text] = same_texts(pa.table({"text": [" a\n\tb", "a b "]}), ["text"])
    >>> text.to_pylist()
    ['{"text":"a b"}', '{"text":"a b"}']
    """
    for start in range(0, table.num_rows, BATCH_ROWS):
        place = _places(where or (lambda row: Where(row=row)), start)
        texts = canonical_json(table.slice(start, BATCH_ROWS), columns, where=place)
        yield pa.chunked_array([_normal(chunk) for chunk in texts.chunks], type=pa.string())


def _places(where: Callable[[int], Where], start: int) -> Callable[[int], Where]:
    return lambda row: where(start + row)


def _normal(texts: pa.Array) -> pa.Array:
    texts = pc.utf8_normalize(texts, form="NFC")
    texts = pc.replace_substring(texts, "\\\\", _BACKSLASH)
    texts = pc.replace_substring(texts, '\\"', _QUOTE)
    texts = pc.replace_substring_regex(texts, _ODD_SPACE, " ")
    texts = pc.replace_substring_regex(texts, "  +", " ")
    # Only quotes at the ends of texts are left, and the JSON itself has no spaces.
    return pc.replace_substring(pc.replace_substring(texts, '" ', '"'), ' "', '"')
