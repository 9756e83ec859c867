"""What was asked, expected and answered, as a table: a row for each record of each model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from typing import Any, Final

import pyarrow as pa

from sage_select.evaluate.result import Evaluation
from sage_select.evaluate.tool_calls import ToolCall

__all__ = ["records_table"]

#: Columns of all records, null where one has no such thing; what else one has stands as JSON in `other`.
_SCHEMA: Final = pa.schema(
    [
        ("model", pa.string()),
        ("evaluator", pa.string()),
        ("row_id", pa.string()),
        ("message", pa.int64()),
        ("expected", pa.string()),
        ("predicted", pa.string()),
        ("correct", pa.bool_()),
        ("failures", pa.int64()),
        ("at_limit", pa.bool_()),
        ("text", pa.string()),
        ("loss", pa.float64()),
        ("tokens", pa.int64()),
        ("other", pa.string()),
    ]
)
#: What stands in the rows themselves.
_LEFT_OUT: Final = ("offered", "accepted")


def records_table(evaluations: Mapping[str, Evaluation]) -> pa.Table:
    """Return the records of models by name, `base` and `tuned`.

    Columns: `model`, `evaluator`, `row_id`, `message`; `expected` and `predicted`, calls as a JSON list of
    `{"name", "arguments"}`, else text; `correct`, `failures`, `at_limit`, `text`, `loss`, `tokens`, each null where a
    record has none; `other`, the rest as JSON.
    """
    rows = [
        {"model": name, "evaluator": measured.evaluator, **_values(record)}
        for name, evaluation in evaluations.items()
        for measured in evaluation.measured
        for record in measured.records
    ]
    return pa.Table.from_pylist(rows, _SCHEMA)


def _values(record: Any) -> dict[str, Any]:
    found = asdict(record) if is_dataclass(record) and not isinstance(record, type) else dict(vars(record))
    found = {name: value for name, value in found.items() if name not in _LEFT_OUT}
    for name in ("expected", "predicted"):
        value = getattr(record, name, None)
        if value is not None and not isinstance(value, str):
            found[name] = json.dumps(_plain(value), ensure_ascii=False, default=str)
    if hasattr(record, "correct"):
        found["correct"] = bool(record.correct)
    other = {name: value for name, value in found.items() if name not in _SCHEMA.names}
    own = {name: value for name, value in found.items() if name in _SCHEMA.names}
    return {**own, "other": json.dumps(other, ensure_ascii=False, default=str) if other else None}


def _plain(value: Any) -> Any:
    if isinstance(value, ToolCall):
        return {"name": value.name, "arguments": value.arguments}
    return [_plain(one) for one in value] if isinstance(value, tuple | list) else value
