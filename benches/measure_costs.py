"""Measures the constants of the forecast: `python -m benches.measure_costs`, with `--write` to store them.

Every number comes from three runs, each in a process of its own: the shortest time of the processor on one thread,
which other work beside hardly changes, and the median height of memory. What the clock has to tell (threads, Parquet,
writing to the disk) is its shortest time.
Vectors are real ones where SAGE_DATA has them, else synthetic clusters. What each constant means, and how it is
measured, stands with its field in `sage_select.forecast.costs`.
"""

from __future__ import annotations

import datetime
import gzip
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benches.cost_inputs import FLAT, SHORT, make_inputs
from benches.data import Vectors, rows_of
from benches.fresh import Taken, taken, taken_by_build
from benches.results import machine
from sage_select import demo, io, kernels
from sage_select.engine.frame import Frame
from sage_select.engine.local.ids import row_ids
from sage_select.engine.local.output import rows_story, selected_table
from sage_select.forecast.costs import PATH, Costs, load_costs
from sage_select.io.digest import digest_files
from sage_select.io.json_source import BATCH_CHARACTERS
from sage_select.kernels import Matrix
from sage_select.ops import Dedup, Select
from sage_select.render import canonical_json, detect_shape, plain_texts, same_texts
from sage_select.render.model_files import load_causal_lm
from sage_select.strategies import Picks, Pool
from sage_select.strategies.cells import train_centroids
from sage_select.strategies.objectives.similarities import GRAPH_CELLS, graph_cells

D = 384
CENTROIDS = 512
SAMPLE = 32_768
DENSE_ROWS, DENSE_PICKS = 8_000, 1_000
ROWS, PICKS = 30_000, 3_000
NEIGHBOURS = Select().k_nn
FEW_ROWS = 3_000
ITERATIONS = 6
_NANO = 1e9

Work = Callable[[], Any]


def vectors(n: int) -> Vectors:
    """Return real rows with noise, or clusters where there are none."""
    try:
        return rows_of("jittered", n)
    except pytest.skip.Exception:
        return rows_of("clustered", n)


def reading(path: Path) -> Work:
    return lambda: _size(io.read(path).table)


def _size(table: Any) -> int:
    return int(table.nbytes)


def digesting(path: Path) -> Work:
    return lambda: digest_files([path])


def unpacking(path: Path) -> Work:
    return lambda: len(gzip.open(path).read())


def canonical(path: Path) -> Work:
    table = io.read(path).table
    shape = detect_shape(table.schema)

    def work() -> int:
        text = canonical_json(table, shape.columns)
        kernels.hash_rows(text)
        return int(text.nbytes)

    return work


def comparing(path: Path) -> Work:
    table = io.read(path).table
    shape = detect_shape(table.schema)

    def work() -> int:
        texts = same_texts(table, shape.columns)
        kernels.hash_rows(texts, threads=1)
        return int(texts.nbytes)

    return work


def naming(path: Path) -> Work:
    rows = io.read(path)
    shape = detect_shape(rows.table.schema)
    return lambda: len(row_ids(rows, shape, None))


def words(path: Path) -> Work:
    table = io.read(path).table
    shape = detect_shape(table.schema)
    return lambda: int(plain_texts(table, shape).nbytes)


def scoring(path: Path) -> Work:
    texts = _texts(path)
    return lambda: (kernels.lexical_difficulty(texts, threads=1), texts.nbytes)[1]


def encoding(path: Path) -> Work:
    texts = _texts(path)
    return lambda: (kernels.hashing_encoder(texts, dimensions=D, threads=1), texts.nbytes)[1]


def _texts(path: Path) -> Any:
    table = io.read(path).table
    return plain_texts(table, detect_shape(table.schema))


def checking(n: int) -> Work:
    rows = vectors(n)
    return lambda: Matrix.from_array(rows, threads=1).n


def hashing(path: Path) -> Work:
    rows = io.read(path)
    ids = row_ids(rows, detect_shape(rows.table.schema), None)
    return lambda: len(kernels.bottom_k_hashes(kernels.keyed_hashes(1, ids, threads=1), 1000, threads=1))


def ranking(n: int) -> Work:
    scores = np.random.default_rng(1).random(n, np.float32)
    return lambda: len(kernels.top_k(scores, n // 10, threads=1))


def clustering(n: int) -> Work:
    matrix = Matrix.from_array(vectors(n))
    sample = np.arange(n)
    return lambda: len(kernels.k_means(matrix, CENTROIDS, sample, iterations=ITERATIONS, threads=1))


def _pool(n: int) -> Pool:
    matrix = Matrix.from_array(vectors(n))
    return Pool(n=n, seed=0, hashes=lambda key: kernels.keyed_hashes(key, n), matrix=matrix)


def assigning(n: int, simd: str) -> Work:
    os.environ["SAGE_SIMD"] = simd
    rows = vectors(n)
    matrix = Matrix.from_array(rows)
    return lambda: len(kernels.assign_cells(matrix, rows[:CENTROIDS], threads=1))


def meeting(n: int) -> Work:
    """Prepare a comparison of one row with all, which takes no longer than it takes to make them ready for it."""
    matrix = Matrix.from_array(vectors(n))
    return lambda: kernels.closest(matrix, [0], np.arange(n), threads=1).evaluations


def sharing(n: int) -> Work:
    """Prepare the share of a kernel that threads divide: the shortest of 40 turns on one thread and on two."""
    rows = vectors(n)
    matrix = Matrix.from_array(rows)

    def seconds(threads: int) -> float:
        start = time.perf_counter()
        kernels.assign_cells(matrix, rows[:CENTROIDS], threads=threads)
        return time.perf_counter() - start

    def work() -> float:
        turns = [(seconds(1), seconds(2)) for _ in range(40)]
        one, two = (min(times) for times in zip(*turns, strict=True))
        return min(1.0, 2 * (1 - two / one))

    return work


def dense(n: int, k: int) -> Work:
    matrix = Matrix.from_array(vectors(n))
    return lambda: kernels.facility_location(matrix, k, dense_limit=n, threads=1).evaluations


def graph(n: int, share: float) -> Work:
    """Prepare a graph that looks at `share` of the usual number of cells."""
    pool = _pool(n)
    matrix = pool.need_matrix()
    cells, probe = graph_cells(n)
    points = train_centroids(pool, cells, GRAPH_CELLS)
    looked = round(probe * share)

    def work() -> int:
        kernels.facility_location(matrix, 1, k_nn=NEIGHBOURS, dense_limit=0, centroids=points, probe=looked, threads=1)
        return looked

    return work


def k_center(n: int, k: int) -> Work:
    matrix = Matrix.from_array(vectors(n))
    return lambda: kernels.k_center(matrix, k, threads=1).evaluations


def leaders(n: int) -> Work:
    matrix = Matrix.from_array(vectors(n))
    return lambda: kernels.leaders(matrix, np.arange(n), threshold=Dedup(mode="near").threshold, threads=1).evaluations


def mmr(n: int, k: int) -> Work:
    matrix = Matrix.from_array(vectors(n))
    relevance = np.random.default_rng(2).random(n, np.float32)
    return lambda: kernels.mmr(matrix, relevance, k, threads=1).evaluations


def dpp(n: int, k: int) -> Work:
    matrix = Matrix.from_array(vectors(n))
    return lambda: kernels.ridge_dpp(matrix, k, threads=1).evaluations


def writing(path: Path, share: float, story: bool, target: Path) -> Work:
    rows = io.read(path)
    shape = detect_shape(rows.table.schema)
    frame = Frame(n=rows.table.num_rows, rows=rows, shape=shape, ids=row_ids(rows, shape, None))
    picks = Picks.without_gains(np.arange(round(frame.n * share)), "random")

    def work() -> int:
        table = selected_table(frame, picks, 0)
        io.write(table, target, {}, rows_story=rows_story(frame, picks) if story else None, force=True)
        return int(table.nbytes)

    return work


def loading_model() -> Work:
    return lambda: load_causal_lm(str(demo.model_path()), "float32") and None


def measure(folder: Path) -> dict[str, Any]:
    """Return the constants, by the names of their fields."""
    make_inputs(folder)
    # Of the record's line the hardware, the load and Python; the rivals have no part in this.
    found: dict[str, Any] = {"machine": "; ".join(machine().split("; ")[1:3]), "date": str(datetime.date.today())}
    found |= _process(folder)
    found |= _tables(folder)
    found |= _words(folder)
    found |= _vectors()
    return found


def _process(folder: Path) -> dict[str, float]:
    one, two = (taken_by_build(["ten.jsonl", "--strategy", "random", "--threads", t], folder) for t in ("1", "2"))
    torch = taken(loading_model)
    return {
        "base_bytes": one.bytes,
        "base_addresses": one.addresses,
        "thread_addresses": max(0.0, two.addresses - one.addresses),
        "torch_bytes": torch.bytes,
        "torch_addresses": torch.addresses,
        "start_ns": one.seconds * _NANO,
    }


def _tables(folder: Path) -> dict[str, float]:
    chats, packed, table, short = (
        folder / name for name in ("chats.jsonl", "chats.jsonl.gz", "flat.csv", "short.parquet")
    )
    digest = taken(digesting, chats).seconds / chats.stat().st_size
    chat, flat = taken(reading, chats), taken(reading, table)
    parquet, arrow = taken(reading, folder / "flat.parquet"), taken(reading, folder / "flat.arrow")
    text, comma = chats.stat().st_size, table.stat().st_size
    named, same = taken(naming, short), taken(canonical, short)
    json_of, said = taken(canonical, chats), taken(comparing, chats)
    out = folder / "cost.arrow"
    bare, told = (taken(writing, short, 0.001, story, out) for story in (False, True))
    whole = taken(writing, folder / "flat.parquet", 1.0, False, out)
    batch = min(text, BATCH_CHARACTERS)
    return {
        "json_batch_bytes": (chat.bytes - chat.result) / batch,
        "csv_batch_bytes": (flat.bytes - flat.result) / (comma * 16384 / FLAT),
        "parquet_bytes": (parquet.bytes - parquet.result) / parquet.result,
        "id_row_bytes": (named.bytes - same.result) / SHORT - 36,
        "story_row_bytes": told.bytes / SHORT,
        "digest_ns": digest * _NANO,
        "gunzip_ns": taken(unpacking, packed).seconds / text * _NANO,
        "json_ns": (chat.seconds / text - digest) * _NANO,
        "csv_ns": (flat.seconds / comma - digest) * _NANO,
        "parquet_ns": parquet.wall / parquet.result * _NANO,
        "ipc_ns": (arrow.seconds / arrow.result - digest) * _NANO,
        "canonical_ns": json_of.seconds / json_of.result * _NANO,
        "same_ns": said.seconds / said.result * _NANO,
        "id_row_ns": (named.seconds - json_of.seconds / json_of.result * same.result) / SHORT * _NANO,
        "write_ns": whole.wall / whole.result * _NANO,
        "story_row_ns": (told.seconds - bare.seconds) / SHORT * _NANO,
    }


def _words(folder: Path) -> dict[str, float]:
    said = taken(words, folder / "chats.jsonl")
    lexical, encoded = (taken(work, folder / "flat.parquet") for work in (scoring, encoding))
    return {
        "words_ns": said.seconds / said.result * _NANO,
        "lexical_ns": lexical.seconds / lexical.result * _NANO,
        "encode_ns": encoded.seconds / encoded.result * _NANO,
        "hash_ns": taken(hashing, folder / "short.parquet").seconds / SHORT * _NANO,
        "top_k_ns": taken(ranking, 10 * SHORT).seconds / (10 * SHORT) * _NANO,
    }


def _vectors() -> dict[str, Any]:
    kmeans = taken(clustering, SAMPLE)
    assigned: dict[str, Taken] = {name: taken(assigning, ROWS, name) for name in ("avx512", "avx2", "portable")}
    fast = assigned["avx512"].seconds
    one_pick, picks = taken(dense, DENSE_ROWS, 1), taken(dense, DENSE_ROWS, DENSE_PICKS)
    first, later = one_pick.result, picks.result
    dense_ns = one_pick.seconds / (DENSE_ROWS**2 / 2 * D) * _NANO
    near, twice = taken(graph, ROWS, 1.0), taken(graph, ROWS, 2.0)
    cells, _ = graph_cells(ROWS)
    of_cell = ROWS * (ROWS / cells) * D
    join = (twice.seconds - near.seconds) / (of_cell * (twice.result - near.result))
    beside = fast / CENTROIDS * cells + 256 * ROWS * D * 2 * dense_ns / _NANO
    determinant, few = taken(dpp, ROWS, PICKS), taken(dpp, FEW_ROWS, PICKS // 2)
    inverse = few.seconds / (2 * D**2 * PICKS // 2)
    return {
        "kmeans_copies": kmeans.bytes / (4 * SAMPLE * D),
        "value_ns": taken(checking, ROWS).seconds / (ROWS * D) * _NANO,
        "kmeans_ns": kmeans.seconds / (SAMPLE * CENTROIDS * D * ITERATIONS) * _NANO,
        "assign_ns": fast / (ROWS * CENTROIDS * D) * _NANO,
        "member_ns": taken(meeting, ROWS).seconds / (ROWS * D) * _NANO,
        "dense_ns": dense_ns,
        "gain_ns": (picks.seconds - one_pick.seconds) / ((later - first) * DENSE_ROWS) * _NANO,
        "gains_a_pick": (later - DENSE_ROWS) / DENSE_PICKS,
        "join_ns": join * _NANO,
        "edge_ns": max(0.0, near.seconds - beside - join * of_cell * near.result) / (ROWS * NEIGHBOURS) * _NANO,
        "kcenter_ns": taken(k_center, ROWS, PICKS).seconds / (PICKS * ROWS * D) * _NANO,
        "leaders_ns": taken(leaders, ROWS).seconds / (ROWS**2 / 2 * D) * _NANO,
        "mmr_ns": taken(mmr, ROWS, PICKS).seconds / (PICKS * ROWS * D) * _NANO,
        "dpp_ns": max(0.0, determinant.seconds - inverse * 2 * D**2 * PICKS) / (PICKS * ROWS * D) * _NANO,
        "inverse_ns": inverse * _NANO,
        "parallel_share": taken(sharing, ROWS, runs=1).result,
        "slower": {name: rounded(of.seconds / fast) for name, of in assigned.items()},
    }


def rounded(value: float) -> float:
    """Return a number with three digits: the rest is noise."""
    return float(f"{value:.3g}")


def kept(found: dict[str, Any], before: Costs) -> dict[str, Any]:
    """Return what to store: three digits a number, and the share of threads of an earlier run where this one is none.

    Beside much other work two threads are no faster than one.
    """
    values = {name: rounded(value) if isinstance(value, float | int) else value for name, value in found.items()}
    if values["parallel_share"] < 0.5:
        values["parallel_share"] = before.parallel_share
        values["machine"] += "; parallel_share from an earlier run"
    wrong = [name for name, value in values.items() if isinstance(value, float) and value < 0]
    if wrong:
        raise SystemExit(f"too much other work to measure beside: {', '.join(wrong)} would be below 0")
    return values


def main() -> None:
    """Measure, print, and store where asked."""
    with tempfile.TemporaryDirectory() as folder:
        text = json.dumps(kept(measure(Path(folder)), load_costs()), indent=2) + "\n"
    sys.stdout.write(text)
    if "--write" in sys.argv[1:]:
        PATH.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
