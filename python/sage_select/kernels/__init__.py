"""The only door to the Rust kernels: numpy and Arrow arrays in, numpy arrays with evidence out.

Every function checks its input and raises `DataError`, `UsageError` or `ResourceError`, naming the row where
there is one. Results are the same bits at any thread count, chunking and instruction set.

Common keywords: `threads` is the number of threads, by default the environment variable ``SAGE_THREADS`` or
all cores that the process may use; `progress(done, total)` is called from the calling thread, at most about
ten times a second; what it raises stops the work and is raised again.
"""

from __future__ import annotations

from sage_select.kernels.cells import (
    K_MEANS_BOUNDS_BYTES,
    Medoids,
    assign_cells,
    cell_distances,
    k_means,
    medoids,
    stratified,
)
from sage_select.kernels.hashes import bottom_k_hashes, hash_rows, keyed_hashes, keyed_words
from sage_select.kernels.json import FoundRows, JsonTable
from sage_select.kernels.lexical import (
    character_counts,
    compression_ratio,
    lexical_difficulty,
    lexical_diversity,
    lexical_entropy,
    ngram_rarity,
    ngram_repetition,
)
from sage_select.kernels.matrix import Matrix, Metric, instruction_set
from sage_select.kernels.replay import (
    PriorityTree,
    exponential_keys,
    reservoir_of_words,
    smallest_keys,
    water_fill,
    within_threshold,
)
from sage_select.kernels.rows import Refused, RowLayout, WrittenRows, render_rows, row_digests, row_texts
from sage_select.kernels.select import (
    MEMBERS_COPIED,
    Filtered,
    Greedy,
    Limits,
    Matched,
    NearDuplicates,
    NearestMembers,
    Request,
    badge,
    d2,
    facility_location,
    graph_cut,
    herding,
    k_center,
    mmr,
    near_duplicates,
    nearest_members,
    ridge_dpp,
    take_admissible,
    target_match,
    threshold_filter,
)
from sage_select.kernels.tables import HeldTable, interleave
from sage_select.kernels.text import (
    HASHING_TABLE_BYTES,
    HASHING_TABLES,
    NGRAMS_BYTES,
    Phrases,
    hashing_encoder,
    phrases,
    word_counts,
)
from sage_select.kernels.topk import top_k
from sage_select.kernels.uncertainty import UncertaintyMeasure, uncertainty

__all__ = [
    "HASHING_TABLES",
    "HASHING_TABLE_BYTES",
    "K_MEANS_BOUNDS_BYTES",
    "MEMBERS_COPIED",
    "NGRAMS_BYTES",
    "Filtered",
    "FoundRows",
    "Greedy",
    "HeldTable",
    "JsonTable",
    "Limits",
    "Matched",
    "Matrix",
    "Medoids",
    "Metric",
    "NearDuplicates",
    "NearestMembers",
    "Phrases",
    "PriorityTree",
    "Refused",
    "Request",
    "RowLayout",
    "UncertaintyMeasure",
    "WrittenRows",
    "assign_cells",
    "badge",
    "bottom_k_hashes",
    "cell_distances",
    "character_counts",
    "compression_ratio",
    "d2",
    "exponential_keys",
    "facility_location",
    "graph_cut",
    "hash_rows",
    "hashing_encoder",
    "herding",
    "instruction_set",
    "interleave",
    "k_center",
    "k_means",
    "keyed_hashes",
    "keyed_words",
    "lexical_difficulty",
    "lexical_diversity",
    "lexical_entropy",
    "medoids",
    "mmr",
    "near_duplicates",
    "nearest_members",
    "ngram_rarity",
    "ngram_repetition",
    "phrases",
    "render_rows",
    "reservoir_of_words",
    "ridge_dpp",
    "row_digests",
    "row_texts",
    "smallest_keys",
    "stratified",
    "take_admissible",
    "target_match",
    "threshold_filter",
    "top_k",
    "uncertainty",
    "water_fill",
    "within_threshold",
    "word_counts",
]
