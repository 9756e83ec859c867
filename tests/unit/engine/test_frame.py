"""Frames: what is found out about rows, and only when it is asked for."""

from __future__ import annotations

import dataclasses

import numpy as np
import pyarrow as pa
import pytest

from sage_select import io
from sage_select.engine.frame import Frame, Lengths
from sage_select.engine.local.source import frame_of
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
