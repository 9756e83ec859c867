"""Vectors from words alone: no model, no download."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from sage_select import kernels
from sage_select.encode.embeddings import Embeddings

__all__ = ["hash_texts"]


def hash_texts(
    texts: pa.Array | pa.ChunkedArray,
    *,
    dimensions: int = 384,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Embeddings:
    """Return TF-IDF vectors of word and character n-grams, hashed with signs into `dimensions` numbers.

    Parameters
    ----------
    texts
        Strings, as `sage_select.render.plain_texts` gives them.
    dimensions
        Length of a vector.
    threads
        Threads to use; all by default. The vectors do not depend on it.
    progress
        Called with (rows done, rows).

    Notes
    -----
    Signed feature hashing: Weinberger et al. 2009 (arXiv 0902.2206).
    """
    array, empty = kernels.hashing_encoder(texts, dimensions=dimensions, threads=threads, progress=progress)
    return Embeddings(array, name=f"hashing encoder, {dimensions} dimensions", empty_rows=empty)
