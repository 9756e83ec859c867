"""The embed stage: where the vectors come from, and that none of its ways copies rows of length 1."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from stages import alone, dataset

from sage_select import select
from sage_select.data import Dataset
from sage_select.kernels import Matrix
from sage_select.stages import Embed

UNIT = np.eye(6, 9, dtype=np.float32)
TEXTS = pa.array([f"row {row} says {row % 4}" for row in range(6)])


def embedded(embed: Embed, table: pa.Table | None = None) -> Matrix:
    data = Dataset(n=len(UNIT)) if table is None else dataset(table)
    matrix = embed.run(data, alone(embed, threads=None)).matrix
    assert matrix is not None
    return matrix


@pytest.mark.parametrize("order", ["C", "F"])
def test_rows_of_a_file_are_used_where_it_is_mapped(order: str, tmp_path: Path) -> None:
    np.save(tmp_path / "vectors.npy", np.asarray(UNIT, order=order))  # type: ignore[call-overload]
    matrix = embedded(Embed(file=str(tmp_path / "vectors.npy")))
    assert matrix.borrowed
    np.testing.assert_array_equal(matrix.take(np.arange(6)), UNIT)


@pytest.mark.parametrize("kind", [pa.list_(pa.float32()), pa.large_list(pa.float32()), pa.list_(pa.float32(), 9)])
def test_rows_of_a_column_are_used_where_they_lie(kind: pa.DataType) -> None:
    table = pa.table({"text": TEXTS, "v": pa.array(UNIT.tolist(), kind)})
    assert embedded(Embed(column="v"), table).borrowed
    chunked = pa.concat_tables([table.slice(0, 4), pa.table(table.slice(4).to_pydict(), schema=table.schema)])
    matrix = embedded(Embed(column="v"), chunked)
    assert not matrix.borrowed
    np.testing.assert_array_equal(matrix.take(np.arange(6)), UNIT)


@pytest.mark.parametrize("dimensions", [8, 384, 65_536])
def test_rows_of_the_hashing_encoder_are_used_where_they_lie(dimensions: int) -> None:
    assert embedded(Embed(dimensions=dimensions), pa.table({"text": TEXTS})).borrowed


CLOUD = (np.random.default_rng(0).normal(size=(60, 5)) * [3, 1, 1, 0.1, 1] + 7).astype(np.float32)


def test_centred_vectors_of_a_file_keep_their_lengths() -> None:
    picked = select(embeddings=CLOUD, k=5, strategy="diversity", objective="kcenter", metric="sqeuclidean")
    moved = select(embeddings=CLOUD, k=5, strategy="diversity", objective="kcenter", metric="sqeuclidean", center=True)
    assert picked.indices.tolist() == moved.indices.tolist()


@pytest.mark.parametrize("options", [{"center": True}, {"whiten": True}])
@pytest.mark.parametrize("as_rows", [False, True])
def test_queries_are_centred_by_the_mean_of_the_rows(options: dict[str, Any], as_rows: bool) -> None:
    """A query is nearest to the row that it is; by its own mean, or by none, it would be nearest to another."""
    rows = {"data": [{"text": f"row {row}", "v": CLOUD[row].tolist()} for row in range(60)], "embeddings": "v"}
    queries = rows["data"][7:8] if as_rows else CLOUD[7:8]
    given = rows if as_rows else {"embeddings": CLOUD}
    picked = select(**given, k=3, strategy="target", queries=queries, **options)
    centred = CLOUD - CLOUD.astype(np.float64).mean(0)
    if "whiten" in options:
        centred = centred @ np.linalg.cholesky(np.linalg.inv(np.cov(centred.T, bias=True)))
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    assert sorted(picked.indices.tolist()) == sorted(np.argsort(-(centred @ centred[7]))[:3].tolist())


def test_whitening_of_few_rows_says_what_it_comes_to() -> None:
    with pytest.warns(UserWarning, match="whitening 5 vectors of 5 numbers"):
        select(embeddings=CLOUD[:5], k=2, strategy="diversity", whiten=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        select(embeddings=CLOUD, k=2, strategy="diversity", whiten=True)


def test_rows_without_words_keep_their_vector_and_have_no_part_in_the_mean() -> None:
    table = pa.table({"text": ["a b", "b c", "a c d", "!"]})
    made, plain = embedded(Embed(dimensions=16, center=True), table), embedded(Embed(dimensions=16), table)
    assert made.take(np.array([3]))[0].tolist() == [1, *([0] * 15)]
    centred = plain.take(np.arange(3)) - plain.take(np.arange(3)).mean(0)
    expected = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    np.testing.assert_allclose(made.take(np.arange(3)), expected, atol=1e-6)
