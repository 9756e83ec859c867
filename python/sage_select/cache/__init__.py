"""Values that models took long to compute, by what they were computed from; whoever asks again gets the same bytes.

A producer (a scorer, an encoder, an augmenter, with all its settings and the digest of its model) has a folder, in
which each block of rows is a file named by the digest of the rows and by that of the file itself. No name or time of
any input is part of a key, and a file that is not what its name says is thrown away.
"""

from __future__ import annotations

from sage_select.cache.blocks import Blocks, Computed, HeldBlocks, compute_blocks, spans
from sage_select.cache.folder import Cache, key_of
from sage_select.cache.holdings import Holding, holdings, is_cache, prune
from sage_select.cache.location import cache_folder, most_bytes

__all__ = [
    "Blocks",
    "Cache",
    "Computed",
    "HeldBlocks",
    "Holding",
    "cache_folder",
    "compute_blocks",
    "holdings",
    "is_cache",
    "key_of",
    "most_bytes",
    "prune",
    "spans",
]
