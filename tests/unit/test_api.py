"""`select` from Python: what it returns and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import sage_select
from sage_select import DataError, SageError, UsageError

VECTORS = np.eye(6, dtype=np.float32)
TABLE = pa.table({"text": [f"row {i}" for i in range(6)], "loss": [0.5, 3, 1, 2, 0, 4]})


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({}, UsageError, "nothing to select from"),
        ({"scores": [1, 2], "k": 1, "budget": "10%"}, UsageError, "k or budget, not both"),
        ({"scores": [1, 2], "k": 3, "strategy": "loss_topk"}, UsageError, "more than the 2 rows"),
        ({"scores": [1, 2], "strategy": "los_topk"}, UsageError, "did you mean 'loss_topk'"),
        ({"scores": "loss", "strategy": "loss_topk"}, UsageError, "names a column"),
        ({"embeddings": VECTORS, "strategy": "loss_topk"}, UsageError, "needs scores"),
        ({"scores": [1, 2], "strategy": "diversity"}, UsageError, "no rows to embed"),
        ({"scores": [1.0, np.nan], "strategy": "loss_topk"}, DataError, "row 1"),
        ({"scores": [1.0, 1e300], "strategy": "loss_topk"}, DataError, "row 1"),
        ({"scores": ["a", "b"], "strategy": "loss_topk"}, DataError, "numbers expected"),
        ({"scores": [[1], [2]], "strategy": "loss_topk"}, DataError, "does not fit"),
        ({"scores": [1, 2, 3], "embeddings": VECTORS}, DataError, "does not fit"),
        ({"embeddings": [[1.0], [1.0, 2.0]], "strategy": "diversity"}, DataError, "differ in width"),
        ({"embeddings": np.zeros((3, 2), np.float32), "strategy": "diversity"}, DataError, "row 0"),
        ({"data": TABLE, "scores": "los"}, UsageError, "'loss'"),
        ({"data": 7}, UsageError, "__arrow_c_stream__"),
        ({"data": "absent.jsonl"}, UsageError, "absent.jsonl"),
        ({"scores": [1, 2], "strategy": "random", "metric": "dot"}, UsageError, "does not use metric"),
    ],
)
def test_refused(arguments: dict[str, Any], error: type[SageError], message: str) -> None:
    with pytest.raises(error, match=message):
        sage_select.select(**arguments)


def test_what_a_selection_is() -> None:
    chosen = sage_select.select(TABLE, k=2, strategy="loss_topk", scores="loss")
    assert repr(chosen) == "Selection(2 of 6 rows)"
    assert chosen.indices.tolist() == [5, 1]
    assert chosen.reasons == ["score", "score"]
    assert np.isnan(chosen.gains).all()
    assert chosen.table().sort_by("sage_rank")["loss"].to_pylist() == [4.0, 3.0]
    assert chosen.evidence == {}


def test_the_evidence_says_how() -> None:
    chosen = sage_select.select(embeddings=VECTORS, k=2, strategy="diversity")
    assert chosen.evidence == {"objective": "facility", "objective_method": "dense"}


def test_progress_is_called_from_the_calling_thread() -> None:
    seen: list[tuple[int, int]] = []
    vectors = np.random.default_rng(0).normal(size=(3000, 32))
    sage_select.select(embeddings=vectors, k=100, strategy="diversity", progress=lambda *step: seen.append(step))
    assert seen
    assert all(0 <= done <= total for done, total in seen)
