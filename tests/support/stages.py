"""Stages run alone, on small tables."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from sage_select import io
from sage_select.data import Dataset
from sage_select.pipeline import Run, Stage
from sage_select.pipeline.run import Recorder, Silence
from sage_select.stages import Source

__all__ = ["alone", "dataset"]


def alone(*steps: Stage, seed: int = 0, threads: int | None = 2) -> Run:
    """Return a run of these stages that tells nobody."""
    return Run(steps, seed, Recorder(Silence()), threads)


def dataset(table: pa.Table | io.Rows, *later: Stage, **source: Any) -> Dataset:
    """Return the rows of a table as the source gives them to the stages after it."""
    first = Source(path="table", **source)
    return first.dataset(table if isinstance(table, io.Rows) else io.from_object(table), alone(first, *later))
