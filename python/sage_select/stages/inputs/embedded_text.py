"""What is embedded of a row."""

from __future__ import annotations

from typing import Final, Literal

import pyarrow as pa
import pyarrow.compute as pc

from sage_select.data import Dataset
from sage_select.render import part_texts

__all__ = ["RENDERED", "EmbedText", "embedded_texts"]

#: `row` has all words of a row, the parts are those of `sage_select.render.parts`, `rendered` is what training sees.
EmbedText = Literal["row", "prompt", "first_user", "answer", "rendered"]
RENDERED: Final = "rendered"


def embedded_texts(data: Dataset, what: EmbedText) -> tuple[pa.ChunkedArray, int]:
    """Return the words of a part of each row, and how many rows do not have it: of those it is all their words.

    Raises
    ------
    DataError
        A row does not hold what its shape promises.
    """
    if what == "row" or what == "rendered" or data.rows is None or data.shape is None:
        return data.texts, 0
    parts = part_texts(data.rows.table, data.shape, what, where=data.rows.where)
    absent = _is_blank(parts)
    count = int(pc.sum(pc.and_not(absent, _is_blank(data.texts))).as_py() or 0)
    texts = parts if count == 0 else pc.if_else(absent, data.texts, parts)
    return texts, count


def _is_blank(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.equal(pc.utf8_length(pc.utf8_trim_whitespace(texts)), 0)
