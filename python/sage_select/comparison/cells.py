"""What became of one arm under one seed: what it cost, what it got right on every row, or why it failed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

__all__ = ["Cell", "MetricRows", "read_cell", "write_cell"]

Floats = np.ndarray[Any, np.dtype[np.float64]]
_RECORD: Final = "cell.json"
_ROWS: Final = "figures.arrow"


@dataclass(frozen=True)
class MetricRows:
    """What each row adds to the sums of a metric.

    Attributes
    ----------
    row_ids
        The rows it is over.
    sums
        float64 (rows, parts).
    """

    row_ids: tuple[str, ...]
    sums: Floats


@dataclass(frozen=True)
class Cell:
    """One arm under one seed.

    Attributes
    ----------
    arm, seed
        Which.
    error
        Why there are no figures: the error, in a line; None where there are.
    adapter_digest
        Of the adapter that was evaluated.
    evaluated
        Names what it was evaluated on, and how.
    rows, tokens, steps
        Rows trained, tokens consumed and optimizer steps.
    select_seconds, train_seconds, evaluate_seconds, memory_bytes
        What it took; None where that is not known, as of work that was done before.
    metrics
        Metric -> what each row adds to it.
    """

    arm: str
    seed: int
    error: str | None = None
    adapter_digest: str | None = None
    evaluated: str | None = None
    rows: int = 0
    tokens: int = 0
    steps: int = 0
    select_seconds: float | None = None
    train_seconds: float | None = None
    evaluate_seconds: float | None = None
    memory_bytes: int | None = None
    metrics: Mapping[str, MetricRows] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        """Return plain values, without what is said of single rows."""
        return {name: value for name, value in asdict(replace(self, metrics={})).items() if name != "metrics"}


def write_cell(cell: Cell, folder: Path) -> None:
    """Write a cell into its folder: the figures of its rows, then the record that says they are whole."""
    table = pa.table(
        {
            "metric": pa.array([name for name, one in cell.metrics.items() for _ in one.row_ids], pa.string()),
            "row_id": pa.array([row for one in cell.metrics.values() for row in one.row_ids], pa.string()),
            "sums": pa.array(
                [row.tolist() for one in cell.metrics.values() for row in one.sums], pa.list_(pa.float64())
            ),
        }
    )
    temporary = folder / f".{_ROWS}"
    with pa.OSFile(str(temporary), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    temporary.replace(folder / _ROWS)
    temporary = folder / f".{_RECORD}"
    temporary.write_text(json.dumps(cell.facts(), indent=2) + "\n", encoding="utf-8")
    temporary.replace(folder / _RECORD)


def read_cell(folder: Path) -> Cell | None:
    """Return the cell that was written into a folder; None where there is none that is whole."""
    try:
        facts = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
        with pa.OSFile(str(folder / _ROWS)) as file:
            table = pa.ipc.open_file(file).read_all()
        metrics = {}
        for name in dict.fromkeys(table["metric"].to_pylist()):
            own = table.filter(pa.compute.equal(table["metric"], name))
            metrics[name] = MetricRows(tuple(own["row_id"].to_pylist()), np.array(own["sums"].to_pylist(), np.float64))
        return Cell(**facts, metrics=metrics)
    except (OSError, ValueError, TypeError, KeyError, pa.ArrowException):
        return None
