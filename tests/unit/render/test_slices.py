"""Rows that are slices of a table, as they are where few rows have left."""

from __future__ import annotations

import numpy as np

from sage_select import io
from sage_select.errors import Where
from sage_select.kernels import Matrix
from sage_select.render import (
    ShapeOptions,
    answered,
    canonical_json,
    detect_shape,
    first_words,
    plain_texts,
    render_rows,
    same_texts,
    unread_keys,
)


def test_rows_that_are_slices_of_the_input_say_what_copies_of_them_say() -> None:
    """Most code sees tables that begin at offset 0; where few rows leave, the others are slices that do not."""
    told = [{"type": "function", "function": {"name": f"f{i}", "parameters": {"p": {"n": i}}}} for i in range(3)]
    data = [
        {
            "tools": told[: i % 4],
            "messages": [
                *([{"role": "system", "content": f"be {i}"}] if i % 2 else []),
                {"role": "user", "content": [{"type": "text", "text": f"part {i} é"}] if i % 5 == 0 else f"row {i} é"},
                {"role": "assistant", "content": f"yes {i}", "odd": i, **({"name": "x"} if i % 3 else {})},
            ],
            "vector": [float(i), 1.0],
        }
        for i in range(40)
    ]
    rows = io.from_object(data)
    stay = np.delete(np.arange(40), [0, 11, 12, 39])
    slices = rows.only(stay)
    assert slices.table.column("tools").num_chunks > 1
    shape = detect_shape(rows.table.schema, ShapeOptions())
    for found in (
        lambda table: canonical_json(table, shape.columns).to_pylist(),
        lambda table: plain_texts(table, shape).to_pylist(),
        lambda table: same_texts(table, shape.columns).to_pylist(),
        lambda table: answered(table, shape).tolist(),
        lambda table: unread_keys(table, shape),
        lambda table: list(render_rows(table, shape, where=lambda row: Where(row=row)).refused),
        lambda table: first_words(table, shape).to_pylist(),
        lambda table: list(io.decode_rows(table)),
        io.digest_table,
    ):
        assert found(slices.table.combine_chunks()) == found(slices.table)
    vectors = io.embedding_column(slices, "vector")
    np.testing.assert_array_equal(
        Matrix.from_array(vectors).take(np.arange(36)),
        Matrix.from_array(io.embedding_column(rows, "vector")).take(stay),
    )
