"""Rows as Arrow: their canonical JSON, digests of it, their words, and whether there is anything to train."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sage_select import _native
from sage_select.kernels.call import Progress, map_errors, resolve_threads
from sage_select.kernels.hashes import digest_strings

__all__ = ["Refused", "RowLayout", "WrittenRows", "render_rows", "row_digests", "row_texts"]


class Refused(NamedTuple):
    """A row without canonical JSON.

    Parameters
    ----------
    row
        Its number.
    fault
        `syntax`, `half_character` or `deep`.
    text
        The JSON text that is wrong.
    """

    row: int
    fault: str
    text: str


class RowLayout(NamedTuple):
    """How the columns of a table make a row; columns are counted from 0.

    Parameters
    ----------
    kind
        `messages`: one column. `prompt`: a prompt and a completion, texts or messages. `parts`: texts of the question,
        joined by a blank line, and last the answer. `template`: literals and columns in turn.
    columns
        The columns, as `kind` has them.
    literals
        Of a template: one more than columns.
    system, tools
        Columns of a system turn and of the tools offered, which are checked and no words.
    """

    kind: Literal["messages", "prompt", "parts", "template"]
    columns: tuple[int, ...]
    literals: tuple[str, ...] = ()
    system: int | None = None
    tools: int | None = None


class WrittenRows(NamedTuple):
    """What rows say.

    Parameters
    ----------
    texts
        `string`, the words of each row; empty where they are not known.
    answered
        bool (rows,), whether there is anything to train.
    unknown
        int64, ascending: rows whose words a careful reader must find out, or refuse.
    unsure
        int64, ascending: other rows of which something beside the words (a weight, tools) may be wrong.
    """

    texts: pa.ChunkedArray
    answered: NDArray[np.bool_]
    unknown: NDArray[np.int64]
    unsure: NDArray[np.int64]


def row_digests(
    table: pa.Table,
    *,
    exact: bool,
    alike: bool,
    threads: int | None = None,
    progress: Progress | None = None,
) -> tuple[pa.ChunkedArray, pa.ChunkedArray] | Refused:
    """Return BLAKE3-128 digests of the canonical JSON of rows, and of what they say; or the first row that has none.

    Parameters
    ----------
    table
        The columns that make the row. A string field with the metadata `sage.json` holds JSON text, one with
        `sage.written` the canonical JSON of its values.
    exact, alike
        Which of the two are wanted; the other is empty.

    Returns
    -------
    tuple or Refused
        `string`, 32 hex digits a row.
    """
    with map_errors():
        digits, said, refused = _native.row_digests(table, exact, alike, resolve_threads(threads), progress)
    if refused is not None:
        return Refused(*refused)
    return pa.chunked_array([digest_strings(digits)]), pa.chunked_array([digest_strings(said)])


def row_texts(table: pa.Table, *, alike: bool = False, threads: int | None = None) -> pa.ChunkedArray | Refused:
    """Return the texts of `row_digests`: the canonical JSON of rows, or what they say; or the first row without."""
    with map_errors():
        texts, refused = _native.row_texts(table, alike, resolve_threads(threads))
    if refused is not None:
        return Refused(*refused)
    return pa.chunked_array(texts)


def render_rows(
    table: pa.Table, layout: RowLayout, *, threads: int | None = None, progress: Progress | None = None
) -> WrittenRows:
    """Return the words of rows, as `sage_select.render.plain_text` has them of one, and which need a careful reader."""
    with map_errors():
        texts, answered, unknown, unsure = _native.render_rows(table, layout, resolve_threads(threads), progress)
    return WrittenRows(pa.chunked_array(texts), answered, unknown, unsure)
