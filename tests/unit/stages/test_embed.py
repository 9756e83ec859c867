"""The embed stage: where the vectors come from, and that none of its ways copies rows of length 1."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from stages import alone, dataset

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
