"""The costs of scores and vectors."""

from __future__ import annotations

from typing import Final

from sage_select.forecast.costs import Costs
from sage_select.forecast.stage import Stage
from sage_select.forecast.workload import Model, Workload
from sage_select.ops import Score

__all__ = ["embed", "score", "used_in_file"]

#: The table of n-gram counts that the hashing encoder keeps: 2^22 slots of 4 bytes.
_SLOTS: Final = 4 << 22
#: A pointer and a length for each text, as the kernels take them.
_REFERENCE: Final = 16
_NANO: Final = 1e-9


def score(work: Workload, costs: Costs, step: Score) -> Stage:
    """Return what one number a row costs."""
    n = work.rows
    held = 4.0 * n
    if step.model is not None:
        return _model("score", work.score_model, costs, held, held, work.table.words * n)
    if step.lexical:
        words = work.table.words * n
        nanoseconds = words * (costs.words_ns + costs.lexical_ns * costs.threaded(work.threads))
        return Stage("score", _REFERENCE * n + held, words, held, 0.0, _told(work, nanoseconds))
    # Read as float64, and checked.
    return Stage("score", 8 * n + held, 0.0, held, float(work.score_item * n), n * _NANO)


def embed(work: Workload, costs: Costs) -> Stage:
    """Return what one vector a row costs, and what of it stays for the selection."""
    vectors, n = work.vectors, work.rows
    if vectors is None:
        raise RuntimeError("a plan without vectors has no embed stage")
    values = float(n * vectors.dimensions)
    words = work.table.words * n
    checked = values * costs.value_ns * costs.threaded(work.threads)
    if vectors.origin == "model":
        return _model("embed", vectors.model, costs, 8 * values, 4 * values, words)
    if vectors.origin == "hashing":
        nanoseconds = words * (costs.words_ns + costs.encode_ns * costs.threaded(work.threads)) + checked
        # What the encoder made is copied when it is checked.
        working = 8 * values + _REFERENCE * n + _SLOTS
        return Stage("embed", working, words, 4 * values, 0.0, _told(work, nanoseconds))
    lying = vectors.item * values
    if vectors.origin == "column":
        return Stage("embed", lying + 4 * values, 0.0, 4 * values, 0.0, checked * _NANO)
    made = 4.0 * n if used_in_file(work) else 4 * values
    working = made + (lying if vectors.copied else 0.0)
    return Stage("embed", working, 0.0, 0.0 if used_in_file(work) else made, lying, checked * _NANO)


def used_in_file(work: Workload) -> bool:
    """Return whether vectors are used where a file of them is mapped: float32 that need not be scaled to length 1."""
    vectors = work.vectors
    in_file = vectors is not None and vectors.origin == "file" and vectors.item == 4 and not vectors.copied
    return in_file and work.select.metric != "cosine"


def _told(work: Workload, nanoseconds: float) -> float | None:
    """Return how long words take, where that is known of their script."""
    return nanoseconds * _NANO if work.table.plain_words else None


def _model(name: str, model: Model | None, costs: Costs, working: float, leaves: float, words: float) -> Stage:
    """Return what a model costs: its library stays, its weights do not; its time depends on what it is."""
    weights = 0.0 if model is None or model.bytes is None else float(model.bytes)
    return Stage(name, costs.torch_bytes + weights + working, words, costs.torch_bytes + leaves, weights, None)
