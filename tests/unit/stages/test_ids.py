"""Row ids: the row's own, or what it says."""

from __future__ import annotations

import pyarrow as pa
import pytest

from sage_select import io
from sage_select.errors import DataError
from sage_select.render import ShapeOptions, detect_shape, same_texts
from sage_select.stages.inputs.ids import row_ids


def ids(table: pa.Table, id_column: str | None = None) -> list[str]:
    rows = io.from_object(table)
    shape = detect_shape(table.schema, ShapeOptions())
    plain, nothing = row_ids(rows, shape, id_column)
    assert nothing is None
    # What tells whether rows say the same is made on the way, and changes no id.
    beside, contents = row_ids(rows, shape, id_column, contents=True)
    found: list[str] = plain.to_pylist()
    assert beside.to_pylist() == found
    assert contents is not None
    same = same_texts(rows.table, shape.columns).to_pylist()
    assert [len(set(pair)) for pair in zip(contents.to_pylist(), same, strict=True)] == [2] * len(same)
    assert len(set(contents.to_pylist())) == len(set(same))
    return found


def test_content_names_the_rows_and_copies_are_numbered() -> None:
    a, b, a1, a2 = ids(pa.table({"text": ["a", "b", "a", "a"]}))
    assert len(a) == 32
    assert a != b
    assert (a1, a2) == (f"{a}-1", f"{a}-2")


def test_ids_do_not_depend_on_chunks_or_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows enough for several chunks of the kernel, in Arrow chunks that are cut elsewhere."""
    texts = [str(number % 1999) for number in range(5000)]
    whole = ids(pa.table({"text": texts}))
    monkeypatch.setenv("SAGE_THREADS", "3")
    chunks = [texts[:1], [], texts[1:3000], texts[3000:]]
    assert ids(pa.table({"text": pa.chunked_array(chunks, pa.string())})) == whole


def test_ids_do_not_depend_on_other_columns_or_column_order() -> None:
    plain = ids(pa.table({"prompt": ["p"], "completion": ["c"]}))
    assert ids(pa.table({"loss": [1.0], "completion": ["c"], "prompt": ["p"]})) == plain


def test_given_ids_are_kept() -> None:
    table = pa.table({"text": ["a", "b"], "name": ["x", "y"], "number": [7, 8]})
    assert ids(table, "name") == ["x", "y"]
    assert ids(table, "number") == ["7", "8"]


def test_an_existing_sage_row_id_is_kept() -> None:
    assert ids(pa.table({"text": ["a", "b"], "sage_row_id": ["1", "2"]})) == ["1", "2"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["a", "b", "a"], "stands twice"),
        (["a", None, "b"], "has no id"),
        (["a", "", "b"], "has no id"),
        ([1.5, 2, 3], "ids must be"),
    ],
)
def test_bad_ids(values: list[object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        ids(pa.table({"text": ["a", "b", "c"], "name": values}), "name")
