"""How hard a row looks from its words alone: no model, no download."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sage_select import kernels

__all__ = ["lexical_scores"]


def lexical_scores(texts: pa.Array | pa.ChunkedArray, *, threads: int | None = None) -> NDArray[np.float32]:
    """Return the lexical difficulty of each text, in bits: `log2(1 + t) + H`.

    `t` is the number of words and `H = -sum p(w) log2 p(w)` the Shannon entropy of the text's own words, so a row is
    hard that is long and says much; repeating itself adds little. A text without words scores 0. Length enters by its
    logarithm, so that it does not drown the rest.

    Parameters
    ----------
    texts
        Strings, as `sage_select.render.plain_texts` gives them.
    threads
        Threads to use; all by default. The scores do not depend on it.
    """
    return kernels.lexical_difficulty(texts, threads=threads)
