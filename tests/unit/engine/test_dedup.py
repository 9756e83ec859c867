"""The dedup stage on small frames."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pyarrow as pa
import pytest

from sage_select import io
from sage_select.engine.frame import Frame
from sage_select.engine.lineage import EXACT_COPY
from sage_select.engine.local.dedup import without_exact_copies, without_near_copies
from sage_select.engine.local.embed import embed_rows
from sage_select.engine.local.source import frame_of
from sage_select.errors import DataError, UsageError
from sage_select.kernels import Matrix, Metric
from sage_select.ops import Dedup, Embed
from sage_select.render import ShapeOptions
from sage_select.strategies import near_copies as rule

NEAR = Dedup(mode="near")


class Silence:
    def notice(self, text: str) -> None:
        """Say nothing."""

    @contextmanager
    def progress(self, label: str) -> Iterator[Callable[[int, int], None]]:
        """Show nothing."""
        yield lambda _done, _total: None


def texts(*rows: str) -> Frame:
    return frame_of(io.from_object(pa.table({"text": rows})), ShapeOptions(), None, dedup=Dedup())


def limited(frame: Frame, pinned: Sequence[int], excluded: Sequence[int]) -> Frame:
    return dataclasses.replace(frame, pinned=np.array(pinned, np.int64), excluded=np.array(excluded, np.int64))


def exact(frame: Frame, *first: int, last: Sequence[int] = ()) -> Frame:
    return without_exact_copies(limited(frame, first, last), Dedup())


def near(frame: Frame, *first: int, last: Sequence[int] = (), dedup: Dedup = NEAR) -> Frame:
    return without_near_copies(limited(frame, first, last), dedup, 0, Silence(), 2)


def directions(*degrees: float, metric: Metric = "cosine", lengths: float = 1) -> Frame:
    angles = np.radians(degrees)
    rows = lengths * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return Frame(n=len(rows), matrix=Matrix.from_array(rows, metric=metric))


def test_the_first_of_equal_rows_stays() -> None:
    frame = exact(texts("a b", "c", " a\nb", "C", "c", "a b"))
    assert frame.n == 3
    assert frame.lineage.representatives.tolist() == [0, 1, 0, 3, 1, 0]
    assert frame.lineage.counts() == {EXACT_COPY: 3}
    facts = frame.evidence["dedup"]
    assert facts["mode"] == "exact"
    assert facts["groups"] == 2
    assert [group["rows"] for group in facts["largest_groups"]] == [3, 2]
    assert frame.ids is not None
    assert facts["largest_groups"][0]["kept"] == frame.ids[0].as_py()


def test_rows_that_come_first_stay() -> None:
    frame = exact(texts("a", "b", "a", "a", "b"), 3, 2)
    assert frame.lineage.representatives.tolist() == [3, 1, 2, 3, 1]
    assert frame.input_rows(frame.pinned).tolist() == [3, 2]
    vectors = near(directions(0, 10, 90, 5, 100), 3, 1)
    assert vectors.lineage.representatives.tolist() == [3, 1, 2, 3, 2]


def test_no_row_leaves_for_one_that_comes_last() -> None:
    frame = exact(texts("a", "b", "a", "c", "b", "d"), last=[5, 4, 0])
    assert frame.lineage.representatives.tolist() == [2, 1, 2, 3, 1, 5]
    assert near(directions(0, 10, 90), last=[0]).lineage.representatives.tolist() == [1, 1, 2]


def test_no_vectors_at_all() -> None:
    assert near(Frame(n=0, matrix=Matrix.from_array(np.empty((0, 3), np.float32)))).n == 0


def test_arrays_say_nothing() -> None:
    frame = directions(0, 90)
    with pytest.raises(UsageError, match="no rows to compare"):
        exact(frame)
    assert without_exact_copies(frame, NEAR) is frame


@pytest.mark.parametrize("dedup", [Dedup(), Dedup(mode="none")])
def test_a_row_that_has_no_text_is_named(dedup: Dedup) -> None:
    rows = io.from_object(pa.table({"text": pa.array([b"a", b"\xff"], pa.binary())}))
    with pytest.raises(DataError, match="row 0"):
        frame_of(rows, ShapeOptions(), None, dedup=dedup)


@pytest.mark.parametrize("metric", ["cosine", "dot", "sqeuclidean"])
def test_near_copies_are_those_by_cosine(metric: Metric) -> None:
    frame = near(directions(0, 17, 40, 57, 34, metric=metric, lengths=3))
    # 18.2 degrees are a cosine of 0.95.
    assert frame.lineage.representatives.tolist() == [0, 0, 2, 2, 2]
    assert frame.matrix is not None
    assert frame.matrix.metric == metric
    np.testing.assert_allclose(
        frame.lineage.similarities,
        [np.nan, np.cos(np.radians(17)), np.nan, *[np.cos(np.radians(17)), np.cos(np.radians(6))]],
        rtol=1e-6,
    )
    facts = frame.evidence["dedup"]
    assert facts["method"] == "all pairs"
    assert facts["threshold"] == 0.95
    assert facts["evaluations"] > 0
    assert near(directions(0, 17, 40), dedup=Dedup(mode="near", threshold=0.99)).n == 3


def test_rows_without_words_are_near_to_none() -> None:
    rows = io.from_object(pa.table({"text": ["...", "book a table", "!", "book a table.", "?"]}))
    frame = frame_of(rows, ShapeOptions(), None)
    embedded = embed_rows(frame, Embed(dimensions=64), "cosine", Silence(), 2)
    assert embedded.wordless.tolist() == [0, 2, 4]
    found = near(embedded)
    assert found.lineage.representatives.tolist() == [0, 1, 2, 1, 4]
    assert found.evidence["dedup"]["wordless_rows"] == 3
    assert found.wordless.tolist() == [0, 2, 3]
    # A row that comes first and has no words does not keep another in any case.
    pinned = near(embedded, 0, 3, last=[4])
    assert pinned.lineage.representatives.tolist() == [0, 3, 2, 3, 4]


def test_many_rows_are_compared_in_near_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(1)
    rows = random.normal(size=(3000, 16)).astype(np.float32)
    rows[1500:] = rows[:1500] + random.normal(size=(1500, 16)) * 0.05
    frame = Frame(n=3000, matrix=Matrix.from_array(rows))
    everywhere = near(frame)
    monkeypatch.setattr(rule, "ALL_PAIRS_LIMIT", 2999)
    cells = near(frame)
    facts = cells.evidence["dedup"]
    assert facts["method"] == "near cells"
    assert facts["all_pairs_limit"] == 2999
    assert facts["probe"] == 8
    assert 0.99 < facts["recall"] <= 1
    assert facts["evaluations"] < everywhere.evidence["dedup"]["evaluations"]
    assert everywhere.n <= cells.n <= everywhere.n + 15
    # The cells depend on the seed alone.
    np.testing.assert_array_equal(near(frame).lineage.representatives, cells.lineage.representatives)
