"""What can be known of a text without a model."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sage_select import _native
from sage_select.kernels import arrays
from sage_select.kernels.call import Progress, as_int, map_errors, resolve_threads

__all__ = [
    "HASHING_TABLES",
    "HASHING_TABLE_BYTES",
    "NGRAMS_BYTES",
    "Phrases",
    "hashing_encoder",
    "phrases",
    "word_counts",
]

#: Tables of document frequencies that the encoder counts in, at most: one a thread. Bytes of one.
HASHING_TABLES: Final = _native.HASHING_TABLES
HASHING_TABLE_BYTES: Final = _native.HASHING_TABLE_BYTES
#: What the n-grams of texts may take while these are encoded.
NGRAMS_BYTES: Final = 128 << 20


class Phrases(NamedTuple):
    """The phrases of n texts.

    Parameters
    ----------
    hashes
        uint64, the distinct phrases of each text, one text after the other, ascending within each.
    ends
        int64, shape (n,): where the phrases of each text end.
    bags
        uint64, shape (n,): a hash of the words of a text and how often it has each, whatever their order; 0 of a text
        without words.
    """

    hashes: NDArray[np.uint64]
    ends: NDArray[np.int64]
    bags: NDArray[np.uint64]


def word_counts(
    texts: pa.Array | pa.ChunkedArray, *, threads: int | None = None, progress: Progress | None = None
) -> NDArray[np.int64]:
    """Count the words of each text.

    Words are runs of letters, digits and ``_`` of any script with the marks that follow them, as Unicode divides text
    (UAX #29, https://www.unicode.org/reports/tr29/), but punctuation always ends one. Chinese, Japanese, Thai, Lao,
    Khmer and Burmese are divided by ICU's dictionaries, the longest known word first. Words are one by Unicode's
    form NFC and full case folding, without soft hyphens, joiners and marks of direction. Emoji are no words.

    Returns
    -------
    numpy.ndarray
        int64, shape (n,).

    Raises
    ------
    DataError
        The column does not hold text, or a text is null.

    Examples
    --------
    >>> word_counts(pa.array(["", "get_user(id=42)", "it's 3.5", "我今天在北京大学学习。"])).tolist()
    [0, 3, 4, 6]
    """
    column = arrays.texts(texts)
    with map_errors():
        return _native.word_counts(column, resolve_threads(threads), progress)


def phrases(texts: pa.Array | pa.ChunkedArray, *, length: int, threads: int | None = None) -> Phrases:
    """Return the runs of `length` words of each text, as 64-bit hashes; words are those of `word_counts`.

    A text of fewer words is one phrase, which no longer text has.

    Raises
    ------
    DataError
        The column does not hold text, or a text is null.
    UsageError
        `length` is below 1.

    Examples
    --------
    >>> phrases(pa.array(["a b c d", "B, c; d!", "", "a b"]), length=3).ends.tolist()
    [2, 3, 3, 4]
    """
    column = arrays.texts(texts)
    length = as_int(length, "length", minimum=1, maximum=2**31 - 1)
    with map_errors():
        return Phrases(*_native.phrases(column, length, resolve_threads(threads)))


def hashing_encoder(
    texts: pa.Array | pa.ChunkedArray,
    *,
    dimensions: int = 384,
    memory: int = NGRAMS_BYTES,
    threads: int | None = None,
    progress: Progress | None = None,
) -> tuple[NDArray[np.float32], int]:
    """Encode texts as unit vectors from their n-grams alone: no model, no vocabulary, no download.

    Word 1-2-grams and character 3-5-grams within words (scikit-learn's ``char_wb``), weighted by sublinear term
    frequency and smoothed inverse document frequency, ``(1 + ln tf) * (ln((1 + n) / (1 + df)) + 1)``, and added with
    a hashed sign to a hashed dimension (Weinberger et al., ICML 2009). Document frequencies are those of these
    texts, counted in a hashed table of 2**22 slots.

    Parameters
    ----------
    memory
        Bytes in which n-grams are kept from the count to the weights; texts for which there is no room are taken apart
        twice. The vectors do not depend on it.

    Returns
    -------
    vectors : numpy.ndarray
        float32, shape (n, `dimensions`), rows of length 1.
    empty_texts : int
        How many texts have no word. They get the first unit vector.

    Raises
    ------
    DataError
        The column does not hold text, or a text is null.
    UsageError
        `dimensions` is below 1.
    ResourceError
        The memory for the vectors cannot be had.
    """
    column = arrays.texts(texts)
    dimensions = as_int(dimensions, "dimensions", minimum=1, maximum=2**31 - 1)
    memory = as_int(memory, "memory", minimum=0, maximum=2**62)
    with map_errors():
        flat, empty_texts = _native.hashing_encoder(column, dimensions, memory, resolve_threads(threads), progress)
    return flat.reshape(-1, dimensions), empty_texts
