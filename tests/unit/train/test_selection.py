"""Rows come in the order of the selection, whatever the order of the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sage_select import io
from sage_select.errors import DataError, UsageError
from sage_select.render import ShapeOptions, detect_shape
from sage_select.train import TrainConfig
from sage_select.train.selection import load_selection

Chats = Callable[..., pa.Table]
CONFIG = TrainConfig(model="m")


def write(table: pa.Table, path: Path, **manifest: Any) -> Path:
    shape = detect_shape(table.schema, ShapeOptions())
    io.write(table, path, {"shape": shape.to_dict(), **manifest})
    return path


def test_a_selection_says_itself_how_it_is_read(tmp_path: Path, chats: Chats) -> None:
    path = write(chats(3, sage_position=[2, 0, 1]), tmp_path / "out.arrow", seed=7)
    rows = load_selection(path, CONFIG)
    assert rows.manifest is not None
    assert rows.manifest["seed"] == 7
    assert rows.shape.name == "messages"
    assert rows.notices == ()
    assert [row.row_id for row in rows] == ["row-1", "row-2", "row-0"]
    assert [row.number for row in rows] == [1, 2, 0]
    assert [row.weight for row in rows] == [1.0, 1.0, 1.0]
    assert next(iter(rows)).values["messages"][0]["content"] == "find hotel 1"


@given(positions=st.permutations(range(8)))
def test_rows_come_by_position(positions: list[int]) -> None:
    table = pa.table({"text": [f"t{i}" for i in range(8)], "sage_position": positions})
    rows = load_selection(table, CONFIG)
    assert [positions[row.number] for row in rows] == list(range(8))


def test_positions_may_have_gaps() -> None:
    rows = load_selection(pa.table({"text": ["a", "b"], "sage_position": [900, -3]}), CONFIG)
    assert [row.number for row in rows] == [1, 0]


def test_a_plain_table_comes_in_file_order_with_notices(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "b"}\n{"text": "a"}\n')
    rows = load_selection(path, CONFIG)
    assert [row.values["text"] for row in rows] == ["b", "a"]
    assert [row.row_id for row in rows] == ["0", "1"]
    assert any("no manifest" in text for text in rows.notices)
    assert any("file order" in text for text in rows.notices)


def test_named_columns_win_over_the_manifest(tmp_path: Path) -> None:
    table = pa.table({"text": ["a"], "title": ["b"], "sage_position": [0]})
    path = write(table, tmp_path / "out.parquet")
    assert next(iter(load_selection(path, CONFIG))).values == {"text": "a"}
    named = TrainConfig(model="m", text_column="title")
    assert next(iter(load_selection(path, named))).values == {"title": "b"}


def test_any_arrow_stream_is_a_selection() -> None:
    class Stream:
        def __arrow_c_stream__(self, requested_schema: object = None) -> object:
            return pa.table({"text": ["a", "b"]}).__arrow_c_stream__(requested_schema)

    assert len(load_selection(Stream(), CONFIG)) == 2


def test_weights_are_read(chats: Chats) -> None:
    rows = load_selection(chats(2, sage_weight=pa.array([0.5, 0.0], pa.float32())), CONFIG)
    assert [row.weight for row in rows] == [0.5, 0.0]


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"sage_position": [0, 1, 1]}, r"row 2, column 'sage_position'.*\n.*rows 1 and 2"),
        ({"sage_position": pa.array([0, None, 1])}, r"row 1, column 'sage_position'"),
        ({"sage_position": [0.0, 1.0, 2.0]}, r"whole numbers"),
        ({"sage_weight": [1.0, float("nan"), 1.0]}, r"row 1, column 'sage_weight'"),
        ({"sage_weight": [1.0, 1.0, -1.0]}, r"row 2, column 'sage_weight'"),
        ({"sage_weight": pa.array([None, 1.0, 1.0])}, r"row 0, column 'sage_weight'"),
        ({"sage_weight": ["1", "2", "x"]}, r"column 'sage_weight'"),
        ({"sage_row_id": pa.array(["a", None, "c"])}, r"row 1, column 'sage_row_id'"),
    ],
)
def test_impossible_values_are_refused_with_their_place(columns: dict[str, Any], says: str) -> None:
    with pytest.raises(DataError, match=says):
        load_selection(pa.table({"text": ["a", "b", "c"], **columns}), CONFIG)


def test_a_changed_selection_is_refused(tmp_path: Path, chats: Chats) -> None:
    path = write(chats(2), tmp_path / "out.arrow")
    path.write_bytes(path.read_bytes().replace(b"find hotel", b"find motel"))
    with pytest.raises(DataError, match="changed or damaged"):
        load_selection(path, CONFIG)


def test_a_manifest_without_a_shape_is_refused(tmp_path: Path, chats: Chats) -> None:
    io.write(chats(2), tmp_path / "out.arrow", {"shape": {"name": "messages"}})
    with pytest.raises(DataError, match="does not say how rows are read"):
        load_selection(tmp_path / "out.arrow", CONFIG)


@pytest.mark.parametrize("shape", [5, [], "messages", {"name": "text", "fields": 1, "columns": 2}, {"name": 1}])
def test_a_shape_that_is_none_is_refused(shape: Any, tmp_path: Path, chats: Chats) -> None:
    io.write(chats(2), tmp_path / "out.arrow", {"shape": shape})
    with pytest.raises(DataError, match="does not say how rows are read"):
        load_selection(tmp_path / "out.arrow", CONFIG)


def test_a_shape_of_columns_that_are_not_there_is_refused(tmp_path: Path) -> None:
    shape = detect_shape(["prompt", "completion"], ShapeOptions()).to_dict()
    io.write(pa.table({"qrompt": ["a"], "completion": ["b"]}), tmp_path / "out.arrow", {"shape": shape})
    with pytest.raises(DataError, match=r"columns which are not there(?s:.*)got: no prompt"):
        load_selection(tmp_path / "out.arrow", CONFIG)


def test_verification_can_be_left_out(tmp_path: Path, chats: Chats) -> None:
    path = write(chats(2), tmp_path / "out.arrow")
    manifest = tmp_path / "out.arrow.manifest.json"
    manifest.write_text(manifest.read_text().replace("messages", "nessages"))
    with pytest.raises(DataError, match="changed or damaged"):
        load_selection(path, CONFIG)
    with pytest.raises(DataError, match="does not say how rows are read"):
        load_selection(path, TrainConfig(model="m", verify=False))
    write(chats(2), path.with_name("b.arrow"))
    path.with_name("b.arrow").write_bytes(path.read_bytes().replace(b"find ", b"fond "))
    rows = load_selection(path.with_name("b.arrow"), TrainConfig(model="m", verify=False))
    assert next(iter(rows)).values["messages"][0]["content"].startswith("fond ")


def test_something_else_is_no_selection() -> None:
    with pytest.raises(UsageError, match="not a table"):
        load_selection(3, CONFIG)
    with pytest.raises(UsageError):
        load_selection("/no/such/file.arrow", CONFIG)
