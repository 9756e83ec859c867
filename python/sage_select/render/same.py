"""What a row says, so that rows which say the same are the same text."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from sage_select.errors import Where
from sage_select.render.canonical import canonical_json
from sage_select.render.messages import text_of_parts

__all__ = ["BATCH_ROWS", "same_text", "same_texts"]

#: Rows whose texts are made at a time.
BATCH_ROWS: Final = 65_536
#: Members of a message that hold what it says, and how canonical JSON begins one that is a list.
_CONTENTS: Final = ("content", "value")
_PARTS: Final = rf'"({"|".join(_CONTENTS)})":\['
#: Stand-ins for an escaped backslash and an escaped quote; in JSON control characters are escaped themselves.
_BACKSLASH, _QUOTE = "\x01", "\x02"
#: White space other than spaces inside JSON strings: escaped, and the separators of Unicode.
_ODD_SPACE = r"\\[nrtf]|\\u000b|\\u001[c-f]|[^\P{Z} ]|\x{85}"


def same_texts(
    table: pa.Table, columns: Sequence[str], where: Callable[[int], Where] | None = None
) -> Iterator[pa.ChunkedArray]:
    r"""Yield one text a row (`string`, no nulls), equal for rows that say the same, for at most 65,536 rows at a time.

    It is the canonical JSON of these columns in Unicode's form NFC, with white space at the ends of texts left out and
    any other run of it as one space. Contents given as typed parts of text are the text that these are in all. Case,
    roles, tools and arguments count, and so does the width of letters.

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
        yield same_text(texts)


def same_text(canonical: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the texts of `same_texts` of rows whose canonical JSON is there already."""
    return pa.chunked_array([_normal(_joined(chunk)) for chunk in canonical.chunks], type=pa.string())


def _places(where: Callable[[int], Where], start: int) -> Callable[[int], Where]:
    return lambda row: where(start + row)


def _joined(texts: pa.Array) -> pa.Array:
    """Return canonical JSON with the contents of messages that are parts of text as one text."""
    parted = pc.match_substring_regex(texts, _PARTS)
    if not pc.any(parted).as_py():
        return texts
    return pc.replace_with_mask(texts, parted, pa.array([_with_text(row) for row in texts.filter(parted).to_pylist()]))


def _with_text(text: str) -> str:
    try:
        row = json.loads(text)
    except (ValueError, RecursionError):
        return text  # a number or a depth that only Arrow can hold
    said = {name: [_message(item) for item in value] if type(value) is list else value for name, value in row.items()}
    return json.dumps(said, ensure_ascii=False, separators=(",", ":"))


def _message(message: Any) -> Any:
    if type(message) is not dict:
        return message
    texts = {name: text_of_parts(message[name]) for name in _CONTENTS if name in message}
    return {**message, **{name: text for name, text in texts.items() if text is not None}}


def _normal(texts: pa.Array) -> pa.Array:
    texts = pc.utf8_normalize(texts, form="NFC")
    texts = pc.replace_substring(texts, "\\\\", _BACKSLASH)
    texts = pc.replace_substring(texts, '\\"', _QUOTE)
    texts = pc.replace_substring_regex(texts, _ODD_SPACE, " ")
    texts = pc.replace_substring_regex(texts, "  +", " ")
    # Only quotes at the ends of texts are left, and the JSON itself has no spaces.
    return pc.replace_substring(pc.replace_substring(texts, '" ', '"'), ' "', '"')
