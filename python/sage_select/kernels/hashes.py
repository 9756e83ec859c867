"""Content digests of rows, and keyed draws: randomness that depends on a row and a key alone."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from sage_select import _native
from sage_select.kernels import arrays
from sage_select.kernels.call import as_int, map_errors, resolve_threads

__all__ = ["bottom_k_hashes", "digest_strings", "hash_rows", "keyed_hashes", "keyed_words"]

_HEX_DIGITS = 32


def hash_rows(texts: pa.Array | pa.ChunkedArray, *, threads: int | None = None) -> pa.Array:
    """Digest each text: the first 128 bits of BLAKE3 of its UTF-8 bytes, as 32 lower-case hex digits.

    Returns
    -------
    pyarrow.Array
        ``string``, or ``large_string`` above 67 million rows.

    Raises
    ------
    DataError
        The column does not hold text, or a text is null.

    Examples
    --------
    >>> hash_rows(pa.array(["", "a"])).to_pylist()
    ['af1349b9f5f9a1a6a0404dea36dcc949', '17762fddd969a453925d65717ac3eea2']
    """
    column = arrays.texts(texts)
    with map_errors():
        return digest_strings(_native.hash_rows(column, resolve_threads(threads)))


def digest_strings(digits: NDArray[np.uint8]) -> pa.Array:
    """Return digests, 32 digits each and one after the other, as a string array over the same memory."""
    rows = len(digits) // _HEX_DIGITS
    wide = len(digits) > np.iinfo(np.int32).max
    offsets = np.arange(rows + 1, dtype=np.int64 if wide else np.int32) * _HEX_DIGITS
    kind = pa.large_string() if wide else pa.string()
    return pa.Array.from_buffers(kind, rows, [None, pa.py_buffer(offsets), pa.py_buffer(digits)])


def keyed_hashes(key: int, ids: pa.Array | pa.ChunkedArray | int, *, threads: int | None = None) -> NDArray[np.uint64]:
    """Draw an unsigned 64-bit number for each row: a pure function of (`key`, the row's id).

    Parameters
    ----------
    key
        Unsigned 64-bit, as `sage_select.seeds.stage_key` makes it.
    ids
        The rows' ids (strings), or a number of rows, which are then known by their numbers.

    Notes
    -----
    The draw does not depend on the order of the rows, on the other rows, on shards or on threads, and the rows of
    the k smallest draws are nested in k. With `mix` the finaliser of SplitMix64 and `G` = 0x9E3779B97F4A7C15,
    modulo 2**64: ``draw = mix(mix(word ^ K) + K)``, ``K = mix(key + G)``; `word` is ``mix(row + G)`` of a row
    number, and the first 8 bytes (little endian) of BLAKE3 of an id's UTF-8 bytes.

    Raises
    ------
    UsageError
        `key` or the number of rows is out of range.
    DataError
        The ids are not text, or one is null.
    """
    key = as_int(key, "key", maximum=2**64 - 1)
    threads = resolve_threads(threads)
    with map_errors():
        if isinstance(ids, (int, np.integer)):
            return _native.hashes_of_rows(key, as_int(ids, "the number of rows"), threads)
        return _native.hashes_of_ids(key, arrays.texts(ids), threads)


def keyed_words(key: int, words: ArrayLike, *, threads: int | None = None) -> NDArray[np.uint64]:
    """Draw an unsigned 64-bit number for each row known by a word, such as a draw of `keyed_hashes` under another key.

    Parameters
    ----------
    key
        Unsigned 64-bit.
    words
        uint64, shape (n,).

    Notes
    -----
    ``mix(mix(word ^ K) + K)``, as in `keyed_hashes`: different words have different draws.

    Raises
    ------
    UsageError
        `key` is out of range.
    DataError
        The words are not unsigned 64-bit numbers.

    Examples
    --------
    >>> rows = keyed_hashes(7, 3)
    >>> len({*keyed_words(1, rows).tolist()} - {*rows.tolist()})
    3
    """
    values = arrays.as_arrow(arrays.integers(words, "words", np.uint64))
    with map_errors():
        return _native.hashes_of_words(as_int(key, "key", maximum=2**64 - 1), values, resolve_threads(threads))


def bottom_k_hashes(hashes: ArrayLike, k: int, *, threads: int | None = None) -> NDArray[np.int64]:
    """Return the `k` rows of smallest hash, by (hash ascending, row ascending).

    Parameters
    ----------
    hashes
        uint64, shape (n,).

    Raises
    ------
    UsageError
        `k` is negative or more than n.
    DataError
        The hashes are not unsigned 64-bit numbers.
    """
    values = arrays.as_arrow(arrays.integers(hashes, "hashes", np.uint64))
    with map_errors():
        return _native.bottom_k(values, as_int(k, "k"), resolve_threads(threads))
