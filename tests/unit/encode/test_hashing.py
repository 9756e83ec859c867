from __future__ import annotations

import numpy as np
import pyarrow as pa

from sage_select.encode import hash_texts


def test_rows_are_unit_vectors_and_like_texts_are_near() -> None:
    texts = ["book a table for two", "book a table for three", "the integral of x squared", "", "  "]
    seen: list[tuple[int, int]] = []
    encoded = hash_texts(pa.chunked_array([texts[:2], texts[2:]]), progress=lambda *done: seen.append(done))
    assert encoded.array.shape == (5, 384)
    assert encoded.array.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(encoded.array, axis=1), 1, rtol=1e-5)
    assert encoded.array[0] @ encoded.array[1] > 0.3 + encoded.array[0] @ encoded.array[2]
    assert encoded.empty_rows == 2
    np.testing.assert_array_equal(encoded.array[3], np.eye(384)[0])
    assert encoded.revision is None
    assert encoded.cut_rows == 0
    assert all(done <= total for done, total in seen)


def test_dimensions_are_a_choice_and_threads_are_not() -> None:
    texts = pa.array([f"row {row} is about {row % 13}" for row in range(300)])
    one = hash_texts(texts, dimensions=64, threads=1)
    assert one.array.shape == (300, 64)
    assert "64 dimensions" in one.name
    np.testing.assert_array_equal(one.array, hash_texts(texts, dimensions=64, threads=3).array)
