"""The measured constants of the forecast: what a row, a byte or a multiply-add costs.

`costs.json` holds them with the machine and the day of their measurement; `python -m benches.measure_costs` measures
them again, each the way its field says. Formulas that follow from the code (4 bytes a float32) are no constants: they
stand where they are used.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sage_select.kernels import instruction_set

__all__ = ["PATH", "Costs", "load_costs"]

PATH: Final = Path(__file__).parent / "costs.json"


@dataclass(frozen=True)
class Costs:
    """Bytes and nanoseconds; times are those of one thread on a core with AVX-512 where nothing else is said."""

    #: Which machine, with which software, on which day.
    machine: str
    date: str

    # Memory, in bytes. Each is the highest resident size less that before, in a fresh process.

    #: The highest resident size of a whole build of ten rows by `random`: interpreter, libraries and their pools.
    base_bytes: float
    #: The highest address space of the same build with one thread, and what a second thread adds.
    base_addresses: float
    thread_addresses: float
    #: What importing torch and transformers and loading a model of 1 MB adds, and its address space.
    torch_bytes: float
    torch_addresses: float
    #: Python objects of a batch of JSON rows, for each byte of their text: reading nested chats, less their table.
    json_batch_bytes: float
    #: The same for CSV records, for each byte of text: reading prompts and completions.
    csv_batch_bytes: float
    #: Arrow's buffers while Parquet is decoded, for each byte of the table: reading prompts and completions.
    parquet_bytes: float
    #: Finding rows that repeat an earlier one, for each row: naming 400,000 rows of few words, less their text.
    id_row_bytes: float
    #: Memory of k-means, in copies of its float32 sample: 512 centroids of 32,768 rows.
    kmeans_copies: float
    #: The row report while it is made and written, for each row: 400,000 rows of few words.
    story_row_bytes: float

    # Time, in nanoseconds.

    #: A whole build of ten rows.
    start_ns: float
    #: BLAKE2b of a byte of a file.
    digest_ns: float
    #: A byte of text: unpacked from gzip, as JSON of nested chats, as CSV.
    gunzip_ns: float
    json_ns: float
    csv_ns: float
    #: A byte of the table: from Parquet with dictionaries and Snappy, and from a mapped Arrow file (validation).
    parquet_ns: float
    ipc_ns: float
    #: The canonical JSON of a byte of it, with its digest, and the search for copies of a row.
    canonical_ns: float
    id_row_ns: float
    #: A byte of the canonical JSON that tells whether rows say the same, and its digest.
    same_ns: float
    #: A byte of words, taken from nested chats.
    words_ns: float
    #: A byte of words: scored by lexical difficulty, and encoded by hashing.
    lexical_ns: float
    encode_ns: float
    #: A value of a vector, checked and scaled to length 1.
    value_ns: float
    #: A row: hashed by its id and ranked among the smallest hashes, and ranked among the largest scores.
    hash_ns: float
    top_k_ns: float
    #: A multiply-add of k-means, for each iteration: sample x centroids x dimensions.
    kmeans_ns: float
    #: A multiply-add (rows x centroids x dimensions) of the nearest centroid.
    assign_ns: float
    #: A value of a row, made ready to be compared with a sample.
    member_ns: float
    #: A multiply-add (rows^2 / 2 x dimensions) of all similarities, and a similarity that the greedy picks look at.
    dense_ns: float
    gain_ns: float
    #: How many gains a greedy pick computes beyond the first of each row: 1,000 picks of 8,000 rows.
    gains_a_pick: float
    #: A multiply-add of the neighbour graph (rows x rows of the cells looked at x dimensions); an edge sorted in.
    join_ns: float
    edge_ns: float
    #: A multiply-add of the definition ((picks + given) x rows x dimensions), most of which are spared: a tenth of
    #: 30,000 rows by each objective.
    kcenter_ns: float
    mmr_ns: float
    dpp_ns: float
    #: A multiply-add of the definition (rows^2 / 2 x dimensions), most of which are spared: near copies at 0.95 of
    #: 30,000 rows.
    leaders_ns: float
    #: A multiply-add in float64 of the inverse that dpp keeps: 2 x dimensions^2 for each pick.
    inverse_ns: float
    #: A byte of output encoded, written, synced and read back, and a row of the story.
    write_ns: float
    story_row_ns: float

    #: The share of a kernel's time that threads divide: the nearest centroids, the shortest of 40 turns on one thread
    #: and on two.
    parallel_share: float
    #: How many times longer multiply-adds take on other instruction sets: the nearest centroids under `SAGE_SIMD`.
    slower: Mapping[str, float]

    def threaded(self, threads: int) -> float:
        """Return the share of a kernel's time on one thread that so many threads take."""
        return 1 - self.parallel_share + self.parallel_share / threads

    def kernel(self, nanoseconds: float, threads: int) -> float:
        """Return how long multiply-adds take on so many threads and the instruction set that is there."""
        return nanoseconds * self.threaded(threads) * self.slower.get(instruction_set(), 1.0)


def load_costs(path: Path = PATH) -> Costs:
    """Return the constants that were measured last."""
    return Costs(**json.loads(path.read_text(encoding="utf-8")))
