"""The k smallest keys: the one rule of reservoirs."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from sage_select import _native
from sage_select.kernels import arrays
from sage_select.kernels.call import as_int, map_errors, resolve_threads

__all__ = ["smallest_keys"]


def smallest_keys(
    keys: ArrayLike, k: int, ids: pa.Array | pa.ChunkedArray | None = None, *, threads: int | None = None
) -> NDArray[np.int64]:
    """Return the rows of the `k` smallest keys, by (key, UTF-8 bytes of the id, row), all ascending.

    Parameters
    ----------
    keys
        uint64, shape (n,): `keyed_hashes` for a uniform sample, `exponential_keys` of them for a weighted one.
    k
        From 0 to n.
    ids
        The rows' ids (strings), which make the answer independent of the order of the rows; None for (key, row).

    Returns
    -------
    numpy.ndarray
        int64, shape (k,).

    Raises
    ------
    UsageError
        `k` is negative or more than n, or there is another number of ids.
    DataError
        The keys are not unsigned 64-bit numbers, or the ids not text, or one is null.

    Notes
    -----
    The bottom-k sample of distinct rows (Cohen and Kaplan, PODC 2007): each set of k rows is as likely as any other,
    and samples of shards merge by taking the k smallest again. A row that is there twice is two rows. O(n + k log k),
    24-32 bytes for each of the k; ids are looked at where keys are equal, and take 16 bytes a row.

    Examples
    --------
    >>> smallest_keys(np.array([5, 1, 5, 9], np.uint64), 2, pa.array(["b", "c", "a", "d"])).tolist()
    [1, 2]
    """
    values = arrays.as_arrow(arrays.integers(keys, "keys", np.uint64))
    texts = None if ids is None else arrays.texts(ids)
    with map_errors():
        return _native.smallest_keys(values, as_int(k, "k"), texts, resolve_threads(threads))
