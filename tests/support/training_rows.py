"""Tokenised examples to train on, made by hand."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from sage_select.train.data import TrainingRows
from sage_select.train.preflight.calls import Calls
from sage_select.train.row_summary import RowSummary


def training_rows(table: pa.Table, **facts: list[Any]) -> TrainingRows:
    """Return the examples of a table of `input_ids` and `labels`, each a row of its own: a, b, c, ...

    `facts` are ids (`row_id`), `weight`, `origin`, `parent_id`, `phase` and `task` where they are not the common ones.
    """
    n = table.num_rows
    known = pa.table(
        {
            "origin": pa.array(facts.get("origin", ["core"] * n), pa.string()),
            "parent_id": pa.array(facts.get("parent_id", [None] * n), pa.string()),
            "phase": pa.array(facts.get("phase", [None] * n), pa.int32()),
            "task": pa.array(facts.get("task", [None] * n), pa.string()),
        }
    )
    weighed = table.append_column("weight", pa.array(facts.get("weight", [1.0] * n), pa.float32()))
    ids = facts.get("row_id", [chr(ord("a") + number) for number in range(n)])
    return TrainingRows(weighed, ids, known, "digest", RowSummary(n, n, (), 0, 0, 0, 0, examples=n), Calls())
