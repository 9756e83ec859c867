"""Frames: what is found out about rows, and only when it is asked for."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from sage_select import io
from sage_select.engine import frame as frames
from sage_select.engine.frame import Frame, Lengths
from sage_select.engine.lineage import EXACT_COPY
from sage_select.engine.local.source import frame_of
from sage_select.io.private import mapped
from sage_select.kernels import Matrix
from sage_select.kernels.matrix import Metric
from sage_select.render import ShapeOptions

TABLE = pa.table({"question": ["one two", "", "it's"], "answer": ["a", "b c", "three"]})


@pytest.fixture
def frame() -> Frame:
    return frame_of(io.from_object(TABLE), ShapeOptions(), None)


def test_rows_are_as_long_as_they_have_words(frame: Frame) -> None:
    assert frame.has_lengths
    assert frame.lengths.unit == "words"
    assert frame.lengths.values.tolist() == [3, 2, 3]
    assert frame.lengths_of(np.array([2, 1, 1])).values.tolist() == [3, 2, 2]


def test_lengths_that_were_measured_win(frame: Frame) -> None:
    measured = dataclasses.replace(frame, measured=Lengths(np.array([5, 6, 7]), "tokens"))
    assert measured.lengths is measured.measured
    some = measured.lengths_of(np.array([2, 0]))
    assert (some.values.tolist(), some.unit) == ([7, 5], "tokens")


def test_arrays_alone_have_no_lengths() -> None:
    frame = Frame(n=3)
    assert not frame.has_lengths
    with pytest.raises(RuntimeError):
        frame.lengths_of(np.array([0]))


@pytest.mark.parametrize("room", [True, False])
@pytest.mark.parametrize("metric", ["cosine", "dot"])
def test_a_large_matrix_without_some_rows_lies_in_a_file(
    room: bool, metric: Metric, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors = np.random.default_rng(2).standard_normal((500, 7)).astype(np.float32)
    frame = Frame(n=500, matrix=Matrix.from_array(vectors, metric=metric))
    rows = np.array([0, 3, 499])
    plain = frame.drop(rows, EXACT_COPY).matrix
    calls = []

    def spied(blocks: Any) -> Any:
        calls.append(mapped(blocks) if room else None)
        return calls[-1]

    monkeypatch.setattr(frames, "MAPPED_BYTES", 1 << 10)
    monkeypatch.setattr(frames, "_BLOCK_BYTES", 1 << 9)
    monkeypatch.setattr(frames, "mapped", spied)
    large = frame.drop(rows, EXACT_COPY).matrix
    assert plain is not None
    assert large is not None
    assert len(calls) == 1
    assert large.borrowed
    assert (large.n, large.metric, large.name) == (497, metric, "embeddings")
    every = np.arange(497)
    np.testing.assert_array_equal(large.take(every), plain.take(every))


def test_large_vectors_given_for_all_rows_of_the_input_lie_in_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = np.random.default_rng(3).standard_normal((500, 7)).astype(np.float32)
    frame = Frame(n=500).drop(np.array([5, 6, 90]), EXACT_COPY)
    stay = np.delete(np.arange(500), [5, 6, 90])
    assert isinstance(frame.vectors_of_input(vectors), pa.ChunkedArray)
    monkeypatch.setattr(frames, "MAPPED_BYTES", 1 << 10)
    monkeypatch.setattr(frames, "_BLOCK_BYTES", 1 << 9)
    found = frame.vectors_of_input(vectors)
    assert not found.flags.writeable
    np.testing.assert_array_equal(found, vectors[stay])
    assert Matrix.from_array(found, metric="dot").borrowed
    monkeypatch.setattr(frames, "mapped", lambda _blocks: None)
    assert isinstance(frame.vectors_of_input(vectors), pa.ChunkedArray)
