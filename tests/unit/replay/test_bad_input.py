"""What a replay buffer refuses: one clear error of the right class, and nothing has changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from sage_select.errors import DataError, UsageError
from sage_select.replay import ReplayBuffer


def rows(ids: Any = ("a", "b"), **more: Any) -> pa.Table:
    return pa.table({"sage_row_id": pa.array(list(ids)), "text": [f"text {one}" for one in ids], **more})


VECTORS = np.eye(2, 3, dtype=np.float32)


def offered(*given: Any, **more: Any) -> Callable[[ReplayBuffer], object]:
    return lambda buffer: buffer.update(*given, **more)


#: What is done to a buffer that holds rows x and y, with vectors of width 3.
WRONG: dict[str, tuple[Callable[[ReplayBuffer], object], type[Exception], str]] = {
    "null id": (offered(rows(("a", None)), embeddings=VECTORS), DataError, "row 1, column 'sage_row_id'"),
    "null ids": (offered(pa.table({"sage_row_id": pa.nulls(2)})), DataError, "row 0"),
    "id twice": (offered(rows(("a", "a"))), DataError, "row 1.*there twice"),
    "no ids": (offered(pa.table({"text": ["a"]})), UsageError, "rows have no ids"),
    "ids of floats": (offered(rows((1.0, 2.0))), DataError, "text or whole numbers"),
    "ids of truth": (offered(rows((True, False))), DataError, "text or whole numbers"),
    "ids of bytes": (offered(rows((b"a", b"b"))), DataError, "text or whole numbers"),
    "ids of another type": (offered(rows((1, 2)), embeddings=VECTORS), DataError, "another type.*\n.*string"),
    "a column renamed": (
        offered(rows().rename_columns(["sage_row_id", "txt"]), embeddings=VECTORS),
        DataError,
        "column 'txt': a column that earlier rows have not",
    ),
    "a column missing": (
        offered(rows().select(["sage_row_id"]), embeddings=VECTORS),
        DataError,
        "column 'text': a column of earlier rows is missing",
    ),
    "a column of another type": (
        offered(pa.table({"sage_row_id": ["a", "b"], "text": [1, 2]}), embeddings=VECTORS, evolve=True),
        DataError,
        "column 'text': a column of another type",
    ),
    "a column twice": (offered(pa.table([["a"], ["b"]], names=["sage_row_id"] * 2)), DataError, "two columns"),
    "a column of ours": (offered(rows(sage_replay_vector=[1, 2])), DataError, "our own name"),
    "NaN": (offered(rows(), scores=[1, float("nan")]), DataError, "row 1.*no finite"),
    "inf": (offered(rows(), scores=[float("-inf"), 1]), DataError, "row 0.*no finite"),
    "a score missing": (offered(rows(), scores=[1, None]), DataError, "row 1.*no finite"),
    "scores of text": (offered(rows(), scores=["a", "b"]), DataError, "scores are numbers"),
    "a column of scores of text": (offered(rows(), scores="text"), DataError, "scores are numbers"),
    "too few scores": (offered(rows(), scores=[1]), UsageError, "one number a row"),
    "no column of scores": (offered(rows(), scores="loss"), UsageError, "column 'loss'"),
    "a group missing": (offered(rows(), groups=["a", None]), DataError, "row 1: a row has no group"),
    "too few groups": (offered(rows(), groups=["a"]), UsageError, "one a row"),
    "groups of lists": (offered(rows(), groups=[["a"], ["b"]]), DataError, "groups are text"),
    "half a token": (offered(rows(), lengths=[1.5, 1]), DataError, "row 0: lengths are whole"),
    "fewer than no tokens": (offered(rows(), lengths=[1, -1]), DataError, "row 1: lengths are whole"),
    "another width": (offered(rows(), embeddings=VECTORS[:, :2]), DataError, "another width.*\n.*3.*\n.*2"),
    "no vectors": (offered(rows()), DataError, "come otherwise than before"),
    "vectors in a column": (offered(rows(e=VECTORS.tolist()), embeddings="e"), DataError, "otherwise than before"),
    "vectors of NaN": (offered(rows(), embeddings=VECTORS * np.nan), DataError, "row 0: .* no finite number"),
    "vectors beyond float32": (offered(rows(), embeddings=[[1e300, 1, 1]] * 2), DataError, "no finite number"),
    "vectors of no width": (offered(rows(), embeddings=VECTORS[:, :0]), UsageError, "one vector a row"),
    "one vector": (offered(rows(), embeddings=VECTORS[0]), UsageError, "one vector a row"),
    "vectors of text": (offered(rows(), embeddings=[["a"], ["b"]]), DataError, "embeddings are numbers"),
    "an empty list": (offered([]), UsageError, "rows without columns"),
    "no table": (offered(3), UsageError, "not a table"),
    "nothing": (offered(None), UsageError, "not a table"),
    "a path": (offered("rows.jsonl"), UsageError, "not a table"),
    "a list of numbers": (offered([1, 2]), UsageError, "not a table"),
    "a dict without an id": (offered([{"sage_row_id": "a"}, {"text": "b"}]), DataError, "row 1.*no id"),
    "no capacity": (lambda buffer: buffer.resize(0), UsageError, "capacity: expected at least 1"),
    "less than no capacity": (lambda buffer: buffer.resize(-3), UsageError, "capacity"),
    "capacity of nothing": (lambda buffer: buffer.resize(None), UsageError, "how many"),  # type: ignore[arg-type]
    "half a capacity": (lambda buffer: buffer.resize(2.5), UsageError, "whole number"),  # type: ignore[arg-type]
    "no such commit": (lambda buffer: buffer.rollback(99), UsageError, "no such commit"),
    "no such snapshot": (lambda buffer: buffer.release(99), UsageError, "no such snapshot"),
    "another seed": (lambda buffer: buffer.merge(ReplayBuffer.open(None, seed=3)), UsageError, "another seed"),
    "another policy": (
        lambda buffer: buffer.merge(ReplayBuffer.open(None, policy="fifo")),
        UsageError,
        "another policy",
    ),
    "no buffer": (lambda buffer: buffer.merge({}), UsageError, "only a replay buffer"),  # type: ignore[arg-type]
    "nothing to delete": (lambda buffer: buffer.delete(), UsageError, "ids, or a condition"),
    "a null to delete": (lambda buffer: buffer.delete(["a", None]), UsageError, "ids are text"),
    "a condition of text": (lambda buffer: buffer.delete(where="a"), UsageError, "condition"),  # type: ignore[arg-type]
    "a condition on nothing": (
        lambda buffer: buffer.delete(where=pa.compute.field("user") == 1),
        UsageError,
        "cannot be met",
    ),
}


@pytest.mark.parametrize("where", ["memory", "folder"])
@pytest.mark.parametrize("case", WRONG)
def test_it_is_refused_and_nothing_has_changed(case: str, where: str, tmp_path: Path) -> None:
    wrong, kind, message = WRONG[case]
    path = None if where == "memory" else tmp_path / "buffer"
    buffer = ReplayBuffer.open(path, 4)
    buffer.update(rows(("x", "y")), embeddings=VECTORS)
    before = (buffer.table(), buffer.members(), buffer.history(), buffer.stats(), buffer.settings)
    files = {} if path is None else {one.name: one.read_bytes() for one in path.iterdir()}
    with pytest.raises(kind, match=f"(?s){message}"):
        wrong(buffer)
    assert (buffer.table(), buffer.members(), buffer.history(), buffer.stats(), buffer.settings) == before
    if path is not None:
        assert {one.name: one.read_bytes() for one in path.iterdir()} == files
    buffer.update(rows(), embeddings=VECTORS)
    assert len(buffer) == 4


@pytest.mark.parametrize(
    "given",
    [
        {"capacity": 0},
        {"capacity": "many"},
        {"capacity": 2.5},
        {"policy": "best"},
        {"draw": "best"},
        {"seed": -1},
        {"outlier_guard": 3.0},
        {"unknown": 1},
        {"policy": "loss_topk", "outlier_guard": -1},
        {"policy": "loss_topk", "score_half_life": float("nan")},
        {"commit": 3},
    ],
)
def test_a_buffer_that_cannot_be(given: dict[str, Any], tmp_path: Path) -> None:
    for path in (None, tmp_path / "buffer"):
        with pytest.raises(UsageError):
            ReplayBuffer.open(path, **given)
    assert not (tmp_path / "buffer").exists()


@pytest.mark.parametrize(
    "given",
    [
        {"capacity": 5},
        {"policy": "reservoir"},
        {"seed": 2},
        {"draw": "passes"},
        {"id_column": "id"},
        {"outlier_guard": 4.0},
        {"score_half_life": 1.0},
    ],
)
def test_a_buffer_is_opened_as_what_it_was_made(given: dict[str, Any], tmp_path: Path) -> None:
    own: dict[str, Any] = {"capacity": 4, "policy": "loss_topk", "seed": 1, "outlier_guard": 3.0}
    ReplayBuffer.open(tmp_path / "buffer", **own)
    for same in ({}, own, {"seed": 1}, {"capacity": 4, "outlier_guard": 3}):
        assert ReplayBuffer.open(tmp_path / "buffer", **same).capacity == 4
    with pytest.raises(UsageError, match=r"was made with another|does not use"):
        ReplayBuffer.open(tmp_path / "buffer", **given)


def test_an_older_commit_cannot_be_changed(tmp_path: Path) -> None:
    ReplayBuffer.open(tmp_path / "buffer", 4).update(rows())
    buffer = ReplayBuffer.open(tmp_path / "buffer", commit=0)
    for change in (
        lambda: buffer.update(rows()),
        buffer.snapshot,
        lambda: buffer.resize(3),
        lambda: buffer.rollback(0),
    ):
        with pytest.raises(UsageError, match="older commit cannot be changed"):
            change()
    assert len(buffer) == buffer.history().num_rows == 0


@pytest.mark.parametrize(
    "make",
    [
        lambda columns: pa.table(columns),
        lambda columns: pa.table(columns).to_reader(1),
        lambda columns: pa.record_batch(columns),
        lambda columns: pl.DataFrame(columns),
        lambda columns: pd.DataFrame(columns),
        lambda columns: [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)],
        lambda columns: pa.table({name: pa.array(one).dictionary_encode() for name, one in columns.items()}),
        lambda columns: pa.table({name: pa.chunked_array([one[:1], one[1:]]) for name, one in columns.items()}),
    ],
)
def test_whatever_holds_rows(make: Callable[[dict[str, list[Any]]], Any], tmp_path: Path) -> None:
    columns = {"sage_row_id": ["é", "日本 語", "\u0000", "x" * 100_000], "n": [1, 2, 3, 4]}
    buffer = ReplayBuffer.open(tmp_path / "buffer", 9)
    assert buffer.update(make(columns), scores=[1, 2, 3, 4], groups=pl.Series(list("abca"))).entered == 4
    buffer = ReplayBuffer.open(tmp_path / "buffer")
    assert buffer.ids().to_pylist() == columns["sage_row_id"]
    assert buffer.update(make(columns)).repeated == 4
    assert buffer.draw(2, exclude=make({name: one[:2] for name, one in columns.items()})).num_rows == 2
    receipt = buffer.delete(make({name: one[1:] for name, one in columns.items()}))
    assert len(receipt.deleted) == 3
    assert buffer.ids().to_pylist() == ["é"]


def test_whole_numbers_name_rows(tmp_path: Path) -> None:
    buffer = ReplayBuffer.open(tmp_path / "buffer", 9, id_column="n")
    buffer.update(pa.table({"n": [1, 2, 3, 2**62]}), groups=pa.chunked_array([[1, 1], [2, 2]]))
    assert buffer.ids().to_pylist() == ["1", "2", "3", str(2**62)]
    assert buffer.draw(1, exclude=[1, "2", np.int64(3)])["n"].to_pylist() == [2**62]
    assert buffer.stats()["groups"] == {"1": 2, "2": 2}
    buffer.delete([2, "3"])
    assert ReplayBuffer.open(tmp_path / "buffer").table()["n"].to_pylist() == [1, 2**62]


def test_no_rows_change_nothing() -> None:
    buffer = ReplayBuffer.open(None, 4)
    assert buffer.update(rows(()).cast(pa.schema([("sage_row_id", "string"), ("text", "string")]))).offered == 0
    assert buffer.commit == 0
    buffer.update(rows())
    assert buffer.delete([]) == buffer.delete(where=pa.compute.field("text") == "none")
    assert buffer.commit == 1
    assert buffer.commits() == [0, 1]


@pytest.mark.parametrize("values", [["a", "b"], [1, 2], [{"a": [1]}, {"a": []}], [["q"], []], [[{"r": "x"}], []]])
def test_a_column_of_nothing_gets_its_type_later(values: list[Any], tmp_path: Path) -> None:
    buffer = ReplayBuffer.open(tmp_path / "buffer", 9)
    some = [rows((f"{one}0", f"{one}1"), c=column) for one, column in enumerate((pa.nulls(2), values, pa.nulls(2)))]
    for one in some:
        buffer.update(one)
        buffer = ReplayBuffer.open(tmp_path / "buffer")
    assert buffer.table()["c"].to_pylist() == [None, None, *values, None, None]
    buffer.delete(["00", "11"])
    assert ReplayBuffer.open(tmp_path / "buffer").table()["c"].to_pylist() == [None, values[0], None, None]
    with pytest.raises(DataError, match="column 'c'"):
        buffer.update(rows(("y", "z"), c=[b"x", b"y"]))


def test_columns_that_may_change(tmp_path: Path) -> None:
    path = tmp_path / "buffer"
    buffer = ReplayBuffer.open(path, 9)
    buffer.update(pa.table({"sage_row_id": ["a"], "x": [1]}))
    buffer.update(pa.table({"y": [["q"]], "sage_row_id": ["b"]}), evolve=True)
    buffer.update(pa.table({"sage_row_id": ["c"], "x": [3]}), evolve=True)
    expected = [
        {"sage_row_id": "a", "x": 1, "y": None},
        {"sage_row_id": "b", "x": None, "y": ["q"]},
        {"sage_row_id": "c", "x": 3, "y": None},
    ]
    assert ReplayBuffer.open(path).table().to_pylist() == expected
    assert ReplayBuffer.open(path, commit=1).table().to_pylist() == [{"sage_row_id": "a", "x": 1}]
    buffer.delete(["a"])
    assert ReplayBuffer.open(path).table().to_pylist() == expected[1:]
    with pytest.raises(DataError, match="column 'y'"):
        buffer.update(pa.table({"sage_row_id": ["d"], "x": [3]}))


def test_whether_a_column_may_be_null_and_what_is_told_beside_it_is_no_part_of_its_type(tmp_path: Path) -> None:
    strict = pa.schema(
        [pa.field("sage_row_id", pa.string(), nullable=False), pa.field("x", pa.int64(), nullable=False)],
        metadata={"pandas": "of another library"},
    )
    buffer = ReplayBuffer.open(tmp_path / "buffer", 9)
    buffer.update(pa.table({"sage_row_id": ["a"], "x": [1]}, schema=strict))
    buffer.update(pa.table({"x": pa.array([None], pa.int64()), "sage_row_id": ["b"]}))
    table = ReplayBuffer.open(tmp_path / "buffer").table()
    assert table["x"].to_pylist() == [1, None]
    assert table.schema.metadata is None
    assert table.schema.field("x").nullable


def test_the_smallest_buffer(tmp_path: Path) -> None:
    buffer = ReplayBuffer.open(tmp_path / "buffer", 1)
    for one in range(30):
        buffer.update(rows((str(one),)))
        assert len(buffer) == 1
    whole = ReplayBuffer.open(None, 1)
    whole.update(rows([str(one) for one in range(30)]))
    assert ReplayBuffer.open(tmp_path / "buffer").ids().equals(whole.ids())


def test_a_buffer_that_is_empty_again(tmp_path: Path) -> None:
    path = tmp_path / "buffer"
    buffer = ReplayBuffer.open(path, 3, "herding")
    buffer.update(rows(e=[[1.0, 2.0], [2.0, 1.0]]), embeddings="e")
    buffer.delete(["a", "b"])
    buffer = ReplayBuffer.open(path)
    assert (len(buffer), buffer.table().num_rows, buffer.draw(0).num_rows) == (0, 0, 0)
    assert buffer.table().column_names == ["sage_row_id", "text", "e"]
    buffer.update(rows(("c", "d", "e", "f"), e=[[1.0]] * 4), embeddings="e")
    assert len(ReplayBuffer.open(path)) == 3
    with pytest.raises(DataError, match="another width"):
        buffer.update(rows(("g",), e=[[1.0, 2.0]]), embeddings="e")


def test_a_column_comes_though_no_row_does(tmp_path: Path) -> None:
    for path in (None, tmp_path / "buffer"):
        buffer = ReplayBuffer.open(path, 1)
        buffer.update(pa.table({"sage_row_id": [str(one) for one in range(50)]}))
        assert buffer.draw(1, step=0).column_names == ["sage_row_id"]
        lost = next(one for one in range(50, 99) if not buffer.update(pa.table({"sage_row_id": [str(one)]})).entered)
        assert buffer.update(pa.table({"sage_row_id": [str(lost)], "y": [1]}), evolve=True).passed_by == 1
        assert buffer.table().column_names == buffer.draw(1, step=0).column_names == ["sage_row_id", "y"]
        if path is not None:
            assert ReplayBuffer.open(path).table().equals(buffer.table())
