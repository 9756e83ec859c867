"""The Rust module behind `sage_select.kernels`, which is the only one to import it.

Arrow arrays (anything with ``__arrow_c_array__``; for texts and embeddings ``__arrow_c_stream__``) and numbers go
in, numpy arrays come out. Types are exact: nothing is cast here. Every call releases the GIL, runs in a pool of
`threads` threads where it has that argument, and raises `KernelError`; `progress(done, total)` is called from the
calling thread.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias, final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

__all__ = [
    "HASHING_TABLES",
    "HASHING_TABLE_BYTES",
    "K_MEANS_BOUNDS_BYTES",
    "MEMBERS_COPIED",
    "HeldTable",
    "JsonTable",
    "KernelError",
    "Matrix",
    "PriorityTree",
    "assign_cells",
    "badge",
    "bottom_k",
    "cell_distances",
    "d2",
    "exponential_keys",
    "facility_location",
    "graph_cut",
    "hash_rows",
    "hashes_of_ids",
    "hashes_of_rows",
    "hashes_of_words",
    "hashing_encoder",
    "herding",
    "instruction_set",
    "interleave",
    "k_center",
    "k_means",
    "lexical_difficulty",
    "lexical_diversity",
    "lexical_entropy",
    "medoids",
    "mmr",
    "near_duplicates",
    "nearest_members",
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

class _Array(Protocol):
    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]: ...

class _Stream(Protocol):
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...

_Progress: TypeAlias = Callable[[int, int], object] | None
#: How many rows, the int64 numbers of those preselected and of those excluded, and the limits: the maximum number of
#: rows; the uint32 group of each row with the int64 minimum and maximum of each; the uint64 cost of each with the
#: budget of the selection and that of the request.
_Request: TypeAlias = tuple[
    int, _Array, _Array, tuple[int, tuple[_Array, _Array, _Array] | None, tuple[_Array, int, int] | None] | None
]

#: Neighbours of a row, the maximum number of rows for which all pairs are held, and where neighbours come from: int32
#: numbers that the caller found (-1 for none), so many for each row; else float32 centroids of cells, of which a row
#: probes so many; else all rows.
_Similarities: TypeAlias = tuple[int, int, tuple[_Array, int] | None, tuple[_Array, int] | None]

#: Tables of document frequencies that are counted at one time, at most, and bytes of one.
HASHING_TABLES: int
HASHING_TABLE_BYTES: int
#: Bytes of the bounds of pairs that k-means holds, at most.
K_MEANS_BOUNDS_BYTES: int
#: Members that `nearest_members` copies at one time, at most.
MEMBERS_COPIED: int

class KernelError(Exception):
    """A call was refused: `kind` is a stable word, `row` the row it is about or None, `message` a sentence."""

    kind: str
    row: int | None
    message: str

@final
class Matrix:
    """Checked embedding rows, owned or borrowed from Arrow memory."""

    @staticmethod
    def from_values(values: _Stream, dimensions: int, metric: str, borrow: bool, threads: int) -> Matrix:
        """Check rows of `dimensions` float16, float32 or float64 values, one after the other, in chunks of whole rows.

        They are used where they lie if they are float32 in one chunk that need no change, so of length 1 for
        `cosine`, and `borrow` is true, which the caller may say of memory that nobody writes to. Others are copied,
        and scaled to length 1 for `cosine`.
        """

    def take(self, rows: _Array) -> NDArray[np.float32]:
        """Copy the rows of these int64 numbers, one after the other, as the kernels see them."""

    @property
    def rows(self) -> int:
        """How many rows there are."""

    @property
    def dimensions(self) -> int:
        """Values in a row."""

    @property
    def borrowed(self) -> bool:
        """Whether the rows lie in the caller's memory."""

def instruction_set() -> str:
    """Return the instruction set in use: `portable`, `avx2` or `avx512`."""

def hash_rows(texts: _Stream, threads: int) -> NDArray[np.uint8]:
    """Return the BLAKE3-128 digests of texts: 32 ASCII hexadecimal digits each, one after the other."""

def hashes_of_ids(key: int, ids: _Stream, threads: int) -> NDArray[np.uint64]:
    """Return the draws of rows known by string ids."""

def hashes_of_words(key: int, words: _Array, threads: int) -> NDArray[np.uint64]:
    """Return the draws of rows known by words."""

def hashes_of_rows(key: int, rows: int, threads: int) -> NDArray[np.uint64]:
    """Return the draws of the rows ``0..rows``, known by their numbers."""

def top_k(scores: _Array, k: int, threads: int) -> NDArray[np.int64]:
    """Return the `k` rows of highest float32 or float64 score, by (score descending, row ascending)."""

def bottom_k(hashes: _Array, k: int, threads: int) -> NDArray[np.int64]:
    """Return the `k` rows of smallest uint64 hash, by (hash ascending, row ascending)."""

def lexical_difficulty(texts: _Stream, threads: int, progress: _Progress) -> NDArray[np.float32]:
    """Return the lexical difficulty of each text."""

def lexical_entropy(texts: _Stream, threads: int, progress: _Progress) -> NDArray[np.float32]:
    """Return the entropy of each text's own words."""

def lexical_diversity(texts: _Stream, window: int, threads: int, progress: _Progress) -> NDArray[np.float32]:
    """Return the moving-average type-token ratio of each text."""

def compression_ratio(texts: _Stream, threads: int, progress: _Progress) -> NDArray[np.float32]:
    """Return the compressed share of each text's bytes."""

def ngram_rarity(texts: _Stream, length: int, threads: int, progress: _Progress) -> NDArray[np.float32]:
    """Return how few texts have each text's n-grams."""

def ngram_repetition(texts: _Stream, length: int, threads: int, progress: _Progress) -> NDArray[np.float32]:
    """Return the share of each text's n-grams that repeat one before."""

def character_counts(texts: _Stream, threads: int, progress: _Progress) -> NDArray[np.int64]:
    """Return how many characters each text has."""

def word_counts(texts: _Stream, threads: int, progress: _Progress) -> NDArray[np.int64]:
    """Return how many words each text has."""

def phrases(
    texts: _Stream, length: int, threads: int
) -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.uint64]]:
    """Return the phrases of texts one after the other, where those of each end, and a hash of the words of each."""

def hashing_encoder(
    texts: _Stream, dimensions: int, memory: int, threads: int, progress: _Progress
) -> tuple[NDArray[np.float32], int]:
    """Return the vectors of texts, one after the other, and how many texts have no word."""

def k_means(
    matrix: Matrix, sample: _Array, cells: int, iterations: int, directions: bool, threads: int
) -> NDArray[np.float32]:
    """Return the centroids of cells trained on some rows, one after the other."""

def assign_cells(matrix: Matrix, centroids: _Array, threads: int, progress: _Progress) -> NDArray[np.int32]:
    """Return the nearest centroid of each row; `centroids` are float32 rows, one after the other."""

def cell_distances(matrix: Matrix, centroids: _Array, cells: _Array, threads: int) -> NDArray[np.float32]:
    """Return the squared distance of each row to the centroid of its int32 cell."""

def medoids(
    matrix: Matrix, centroids: _Array, request: _Request, threads: int, progress: _Progress
) -> tuple[NDArray[np.int64], NDArray[np.float32], int]:
    """Return the rows nearest to the centroids, the rows of the cell of each, and how many are not the first of one."""

def stratified(scores: _Array, cells: _Array, count: int, quantile: float) -> NDArray[np.int64]:
    """Return all rows, those first that lie around a quantile of the float64 scores within each int32 cell."""

def take_admissible(rows: int, order: _Array, request: _Request) -> NDArray[np.int64]:
    """Return the first admissible rows of an int64 order, of so many rows."""

def near_duplicates(
    matrix: Matrix,
    order: tuple[_Array, int],
    threshold: float,
    cells: tuple[_Array, int] | None,
    threads: int,
    progress: _Progress,
) -> tuple[NDArray[np.int64], NDArray[np.float32], float, int]:
    """Return the representative of each int64 row of `order`: (rows, similarities, recall, pairs compared).

    `order`: the rows, and how many of the first are representatives in any case. `cells`: float32 centroids, one after
    the other, and how many cells a row probes; None for all rows.
    """

def nearest_members(
    matrix: Matrix,
    sets: tuple[_Array, _Array],
    include_self: bool,
    by_distance: bool,
    threads: int,
    progress: _Progress,
) -> tuple[NDArray[np.int64], NDArray[np.float32], int]:
    """Return, of (rows, members), the member nearest to each row, how near it is, and how many pairs were compared."""

def facility_location(
    matrix: Matrix, request: _Request, similarities: _Similarities, threads: int, progress: _Progress
) -> tuple[NDArray[np.int64], NDArray[np.float32], int, str, float]:
    """Return rows that represent all, their gains, how many were computed, how similarities were held, the recall."""

def graph_cut(
    matrix: Matrix, weight: float, request: _Request, similarities: _Similarities, threads: int, progress: _Progress
) -> tuple[NDArray[np.int64], NDArray[np.float32], int, str, float]:
    """Return rows like many and unlike each other, otherwise as `facility_location`."""

def herding(
    matrix: Matrix, request: _Request, mean: _Array | None, threads: int, progress: _Progress
) -> tuple[NDArray[np.int64], NDArray[np.float32], int]:
    """Return rows whose mean follows that of all or a float64 one, their gains, and how many pairs were compared."""

def k_center(
    matrix: Matrix,
    request: _Request,
    weights: _Array | None,
    start: int | None,
    threads: int,
    progress: _Progress,
) -> tuple[NDArray[np.int64], NDArray[np.float32], int]:
    """Return rows far from each other, farthest first, their gains, and how many pairs were compared."""

def d2(
    matrix: Matrix, request: _Request, key: int, order: _Array | None, threads: int, progress: _Progress
) -> tuple[NDArray[np.int64], NDArray[np.float32], int]:
    """Return rows drawn by their squared distances to those before, their gains, and how many pairs were compared."""

def badge(
    factors: tuple[Matrix, Matrix],
    request: _Request,
    key: int,
    order: _Array | None,
    threads: int,
    progress: _Progress,
) -> tuple[NDArray[np.int64], NDArray[np.float32], int]:
    """Return rows drawn by the squared distances of outer products, their gains, and how many pairs were compared."""

def uncertainty(probabilities: Matrix, measure: str, threads: int) -> NDArray[np.float32]:
    """Return how uncertain each row of probabilities is, by `entropy`, `margin` or `least_confidence`."""

def mmr(
    matrix: Matrix,
    relevance: _Array,
    request: _Request,
    weight: float,
    threads: int,
    progress: _Progress,
) -> tuple[NDArray[np.int64], NDArray[np.float32], int]:
    """Return rows of high float32 relevance unlike those before them, their gains, and how many pairs were compared."""

def ridge_dpp(
    matrix: Matrix,
    quality: _Array | None,
    request: _Request,
    eps: float,
    threads: int,
    progress: _Progress,
) -> tuple[NDArray[np.int64], NDArray[np.float32], int]:
    """Return rows whose kernel, with a ridge and qualities, has a large determinant, gains, and pairs compared."""

def target_match(
    matrix: Matrix, queries: Matrix, request: _Request, rule: str, threads: int, progress: _Progress
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64], int]:
    """Return rows near to query rows, gains, the query row of each or -1, and how many pairs were compared."""

def threshold_filter(
    matrix: Matrix, order: _Array, request: _Request, threshold: float, threads: int, progress: _Progress
) -> tuple[NDArray[np.int64], NDArray[np.float32], int, int, int]:
    """Return rows of an int64 order unlike those before, their gains, entries examined, rows too near, and pairs."""

def smallest_keys(keys: _Array, k: int, ids: _Stream | None, threads: int) -> NDArray[np.int64]:
    """Return the rows of the `k` smallest uint64 keys, by (key, id, row) ascending."""

def within_threshold(keys: _Array, threshold: int, threads: int) -> NDArray[np.int64]:
    """Return the rows whose uint64 key is at or below the threshold, in row order."""

def reservoir_of_words(
    key: int, words: _Array, k: int, threshold: int, threads: int
) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """Return the rows of the uint64 words of smallest hash, at most `k` within the threshold, and the hashes."""

def exponential_keys(hashes: _Array, weights: _Array, threads: int) -> NDArray[np.uint64]:
    """Return keys of which the smallest are a sample by float64 weights: ranks as the bits of float64."""

def water_fill(sizes: _Array, total: int, order: _Array) -> NDArray[np.int64]:
    """Return how many of `total` slots each group of an int64 size gets, by its uint64 order."""

@final
class PriorityTree:
    """Rows with float64 priorities, of which any number can be drawn or changed."""

    def __init__(self, priorities: _Array) -> None: ...
    def set(self, rows: _Array, priorities: _Array) -> None:
        """Give int64 rows other float64 priorities."""

    def draw(self, key: int, count: int) -> NDArray[np.int64]:
        """Draw rows by their shares of the weights, without replacement."""

    def priorities(self) -> NDArray[np.float64]:
        """Return the priorities of all rows."""

    def weights(self) -> NDArray[np.uint64]:
        """Return the whole numbers by which rows are drawn."""

class _RowLayout(Protocol):
    @property
    def kind(self) -> str: ...
    @property
    def columns(self) -> Sequence[int]: ...
    @property
    def literals(self) -> Sequence[str]: ...
    @property
    def system(self) -> int | None: ...
    @property
    def tools(self) -> int | None: ...

#: The number of a row that was refused, why as a word, and the JSON text that is wrong.
_Refusal: TypeAlias = tuple[int, str, str] | None

def row_digests(
    table: _Stream, exact: bool, alike: bool, threads: int, progress: _Progress
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], _Refusal]: ...
def row_texts(table: _Stream, alike: bool, threads: int) -> tuple[_Stream | None, _Refusal]: ...
def render_rows(
    table: _Stream, layout: _RowLayout, threads: int, progress: _Progress
) -> tuple[_Stream, NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64]]: ...

@final
class HeldTable:
    def __init__(self, table: _Stream) -> None: ...

def interleave(tables: list[HeldTable], which: _Array, rows: _Array) -> pa.RecordBatch: ...

@final
class JsonTable:
    def __init__(self) -> None: ...
    def take(self, text: bytes, array: bool, threads: int, progress: _Progress) -> dict[str, Any] | None: ...
    def stale(self) -> int: ...
    def rebuild(self, chunk: int, text: bytes, array: bool, threads: int) -> bool: ...
    def chunk(self, chunk: int) -> _Stream: ...
    def put(self, chunk: int, table: _Stream) -> bool: ...
    def columns(self) -> list[tuple[str, bool, bool]]: ...
    def finish(self) -> _Stream: ...
