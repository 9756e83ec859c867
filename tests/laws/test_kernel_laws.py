"""Kernels give the same bytes at any thread count, chunking and instruction set, and draws follow their rows."""

from __future__ import annotations

import functools
import hashlib
import itertools
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sage_select import kernels
from sage_select.kernels import Matrix, Request

THREADS = (1, 2, 7)


#: More than the largest block of any kernel, which is 4,096.
N = 4200


@functools.cache
def texts(n: int = N) -> list[str]:
    words = ["flight", "hotel", "Été", "book", "cancel", "42", "東京", "a_b", "…"]
    random = np.random.default_rng(6)
    return [" ".join(random.choice(words, random.integers(0, 12))) for _ in range(n)]


@functools.cache
def embeddings(n: int = N, d: int = 37) -> np.ndarray[Any, Any]:
    return np.random.default_rng(7).normal(size=(n, d)).astype(np.float32)


def matrix(metric: Any = "cosine", threads: int | None = None) -> Matrix:
    return Matrix.from_array(embeddings(), metric=metric, threads=threads)


def centroids() -> np.ndarray[Any, Any]:
    return embeddings()[:50] / 6


def neighbours() -> np.ndarray[Any, Any]:
    return (np.arange(N)[:, None] + np.arange(-8, 9)).astype(np.int32) % N


CALLS: dict[str, Callable[[int | None], Any]] = {
    "hash_rows": lambda threads: kernels.hash_rows(pa.array(texts()), threads=threads).to_pylist(),
    "ids": lambda threads: kernels.keyed_hashes(3, pa.array(texts()), threads=threads),
    "numbers": lambda threads: kernels.keyed_hashes(3, 9999, threads=threads),
    "top_k": lambda threads: kernels.top_k(embeddings()[:, 0].round(1), 300, threads=threads),
    "bottom_k": lambda threads: kernels.bottom_k_hashes(
        kernels.keyed_hashes(1, 9999) % np.uint64(99), 300, threads=threads
    ),
    "lexical": lambda threads: kernels.lexical_difficulty(pa.array(texts()), threads=threads),
    "entropy": lambda threads: kernels.lexical_entropy(pa.array(texts()), threads=threads),
    "diversity": lambda threads: kernels.lexical_diversity(pa.array(texts()), window=5, threads=threads),
    "compression": lambda threads: kernels.compression_ratio(pa.array(texts()), threads=threads),
    "rarity": lambda threads: kernels.ngram_rarity(pa.array(texts()), length=2, threads=threads),
    "repetition": lambda threads: kernels.ngram_repetition(pa.array(texts()), length=2, threads=threads),
    "characters": lambda threads: kernels.character_counts(pa.array(texts()), threads=threads),
    "words": lambda threads: kernels.word_counts(pa.array(texts()), threads=threads),
    "phrases": lambda threads: kernels.phrases(pa.array(texts()), length=3, threads=threads),
    "encoder": lambda threads: kernels.hashing_encoder(pa.array(texts()), threads=threads)[0],
    "cells": lambda threads: kernels.assign_cells(matrix(threads=threads), centroids(), threads=threads),
    "dense": lambda threads: kernels.facility_location(matrix(threads=threads), 80, threads=threads)[:3],
    "graph": lambda threads: kernels.facility_location(
        matrix("dot", threads), 80, dense_limit=0, k_nn=9, threads=threads
    )[:3],
    "near cells": lambda threads: kernels.facility_location(
        matrix(threads=threads), 80, dense_limit=0, k_nn=9, centroids=centroids(), probe=5, threads=threads
    )[:5],
    "neighbours given": lambda threads: kernels.facility_location(
        matrix(threads=threads), 80, dense_limit=0, k_nn=9, neighbours=neighbours(), threads=threads
    )[:5],
    "cut": lambda threads: kernels.graph_cut(matrix(threads=threads), 80, threads=threads)[:3],
    "cut on the graph": lambda threads: kernels.graph_cut(
        matrix("dot", threads), 80, dense_limit=0, k_nn=9, threads=threads
    )[:3],
    "k_center": lambda threads: kernels.k_center(matrix("sqeuclidean", threads), 80, threads=threads)[:3],
    "d2": lambda threads: kernels.d2(matrix("sqeuclidean", threads), 80, key=4, threads=threads)[:3],
    "medoids": lambda threads: kernels.medoids(
        matrix(threads=threads), centroids(), Request(80, [5, 9]), threads=threads
    ),
    "mmr": lambda threads: kernels.mmr(matrix(threads=threads), embeddings()[:, 0].round(1), 80, threads=threads)[:3],
    "herding": lambda threads: kernels.herding(matrix("dot", threads), 80, threads=threads)[:3],
    "threshold": lambda threads: kernels.threshold_filter(
        matrix(threads=threads), range(N), 300, threshold=0.3, threads=threads
    ),
    "near duplicates": lambda threads: kernels.near_duplicates(
        matrix(threads=threads), range(N), threshold=0.3, threads=threads
    ),
    "near duplicates in probed cells": lambda threads: kernels.near_duplicates(
        matrix(threads=threads), range(N), threshold=0.3, centroids=centroids(), probe=5, threads=threads
    ),
    "turns": lambda threads: kernels.target_match(matrix("dot", threads), centroids(), 300, threads=threads),
    "best": lambda threads: kernels.target_match(matrix(threads=threads), centroids(), 80, rule="max", threads=threads),
    "mean": lambda threads: kernels.target_match(
        matrix("sqeuclidean", threads), centroids(), 80, rule="mean", threads=threads
    ),
    "nearest members": lambda threads: kernels.nearest_members(
        matrix(threads=threads), range(1000), range(N), include_self=False, threads=threads
    ),
    "nearest members by distance": lambda threads: kernels.nearest_members(
        matrix("dot", threads), range(1000), range(N), by_distance=True, threads=threads
    ),
    "ridge_dpp": lambda threads: kernels.ridge_dpp(matrix("dot", threads), 80, threads=threads)[:3],
}


def digest(result: Any) -> str:
    parts = result if isinstance(result, tuple) else (result,)
    hashed = hashlib.sha256()
    for part in parts:
        hashed.update(part.tobytes() if isinstance(part, np.ndarray) else repr(part).encode())
    return hashed.hexdigest()


@pytest.mark.parametrize("name", CALLS)
def test_threads_do_not_change_a_bit(name: str) -> None:
    assert len({digest(CALLS[name](threads)) for threads in (*THREADS, None)}) == 1


def test_instruction_sets_do_not_change_a_bit() -> None:
    """Each set runs in a process of its own; one that the machine lacks is refused by name."""
    here = os.path.abspath(__file__)  # noqa: PTH100
    program = (
        "import importlib.util as u, json, sys; s = u.spec_from_file_location('laws', sys.argv[1]);"
        "m = u.module_from_spec(s); s.loader.exec_module(m);"
        "print(json.dumps([m.kernels.instruction_set(), {n: m.digest(c(2)) for n, c in m.CALLS.items()}]))"
    )
    found: dict[str, str] = {}
    for name in ("portable", "avx2", "avx512"):
        run = subprocess.run(
            [sys.executable, "-c", program, here],
            env={**os.environ, "SAGE_SIMD": name},
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode != 0:
            assert f"SAGE_SIMD={name} names no instruction set of this machine" in run.stderr, run.stderr
            continue
        assert run.stdout.startswith(f'["{name}"')
        found[name] = run.stdout.partition(",")[2]
    assert "portable" in found
    assert kernels.instruction_set() in found
    assert len(set(found.values())) == 1


@settings(deadline=None)
@given(seed=st.integers(0, 2**32), k=st.integers(0, 200))
def test_random_picks_follow_their_rows_under_any_order(seed: int, k: int) -> None:
    ids = np.array([f"row {i}" for i in range(200)])
    order = np.random.default_rng(seed).permutation(200)
    picks = kernels.bottom_k_hashes(kernels.keyed_hashes(seed, pa.array(ids)), k)
    moved = kernels.bottom_k_hashes(kernels.keyed_hashes(seed, pa.array(ids[order])), k)
    assert ids[picks].tolist() == ids[order][moved].tolist()


@settings(deadline=None)
@given(seed=st.integers(0, 2**32), k=st.integers(0, 100))
def test_random_picks_are_nested_and_merge_over_shards(seed: int, k: int) -> None:
    hashes = kernels.keyed_hashes(seed, 100)
    ranking = kernels.bottom_k_hashes(hashes, 100)
    assert kernels.bottom_k_hashes(hashes, k).tolist() == ranking[:k].tolist()
    shards = [np.arange(0, 40), np.arange(40, 100)]
    kept = np.concatenate([s[kernels.bottom_k_hashes(hashes[s], min(k, len(s)))] for s in shards])
    assert kept[kernels.bottom_k_hashes(hashes[kept], k)].tolist() == ranking[:k].tolist()


@settings(deadline=None, max_examples=20)
@given(cuts=st.lists(st.integers(0, 60), max_size=6), wide=st.booleans())
def test_chunks_do_not_change_a_bit(cuts: list[int], wide: bool) -> None:
    column = pa.array(texts(60), pa.large_string() if wide else pa.string())
    bounds = [0, *sorted(cuts), 60]
    chunks = [column.slice(a, b - a) for a, b in itertools.pairwise(bounds)]
    chunked = pa.chunked_array(chunks, column.type)
    for kernel in (
        kernels.hash_rows,
        kernels.lexical_difficulty,
        kernels.word_counts,
        kernels.compression_ratio,
        functools.partial(kernels.ngram_rarity, length=2),
    ):
        assert kernel(chunked).tolist() == kernel(column).tolist()
    assert kernels.keyed_hashes(1, chunked).tolist() == kernels.keyed_hashes(1, column).tolist()
    assert digest(kernels.hashing_encoder(chunked)) == digest(kernels.hashing_encoder(column))
    assert digest(kernels.phrases(chunked, length=3)) == digest(kernels.phrases(column, length=3))


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**32))
def test_encoded_rows_follow_their_texts_under_any_order(seed: int) -> None:
    column = texts(60)
    order = np.random.default_rng(seed).permutation(60)
    vectors, _ = kernels.hashing_encoder(pa.array(column))
    moved, _ = kernels.hashing_encoder(pa.array([column[i] for i in order]))
    assert vectors[order].tobytes() == moved.tobytes()


def test_forked_children_make_their_own_threads() -> None:
    """Threads do not live on in a forked child; a kernel that waited for them would wait for ever."""
    program = (
        "import os, sys, numpy as np; from sage_select import kernels as k;"
        "x = np.arange(100000.0); a = k.top_k(x, 5, threads=2).tolist(); p = os.fork();\n"
        "if p == 0: os._exit(0 if k.top_k(x, 5, threads=2).tolist() == a else 1)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(p, 0)[1]))"
    )
    assert subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=False).returncode == 0


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_stops_a_long_call() -> None:
    """Ctrl-C in the middle of a kernel is a KeyboardInterrupt, soon."""
    program = (
        "import numpy as np, threading, os, signal, sys; from sage_select import kernels as k;"
        "m = k.Matrix.from_array(np.random.default_rng(0).normal(size=(20000, 256)));"
        "threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
        "try: k.facility_location(m, 10000, dense_limit=0, threads=1)\n"
        "except KeyboardInterrupt: sys.exit(7)\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 7
