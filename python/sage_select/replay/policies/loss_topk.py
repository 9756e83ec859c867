"""Loss top-k: the rows of the highest scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.declare.option import Option
from sage_select.replay.policies.policy import Candidates, Membership, Policy, policy
from sage_select.replay.rows import ReplayRows
from sage_select.seeds import stage_key

__all__ = ["LossTopK"]

#: Scores of rows once offered by which an outlier is judged, and the fewest that say anything.
_SAMPLE: Final = 256
_FEWEST: Final = 20
#: The deviation of a normal distribution is so many median deviations.
_NORMAL: Final = 1.4826
#: Halves of the largest float64 after which nothing is left of it.
_NOTHING: Final = 2200.0


def _descending(scores: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Return keys that rise as scores fall, -0 and 0 being one; the highest of all where there is no score."""
    bits = (-np.where(np.isnan(scores), -np.inf, scores) + 0.0).view(np.uint64)
    sign = np.uint64(1 << 63)
    return np.where(bits & sign, ~bits, bits | sign)


@policy("loss_topk", place=50, needs_always=frozenset({"scores"}), leaves="lower score")
class LossTopK(Policy):
    """The rows of the highest scores, as SAGE has it; what a model knows least is replayed.

    Rows of wrong labels have the highest losses of all, and would stay for good: `outlier_guard` leaves rows out whose
    score lies so many robust deviations above the median of a uniform sample of 256 scores that were offered, once
    there are 20 and not half of them are equal. A score is that of the model of its day: with `score_half_life` it
    counts half after so many updates, so that a row has to be scored again to stay. Offer a row again, with its new
    score, to do so.
    """

    outlier_guard: Annotated[
        float | None,
        Option("robust deviations above the median from which a score is an outlier", gt=0, default="none is"),
    ] = None
    score_half_life: Annotated[
        float | None, Option("updates after which a score counts half", gt=0, default="it counts as it is")
    ] = None

    def keep(self, candidates: Candidates) -> Membership:
        """Return the rows of the highest scores."""
        rows, state = candidates.rows, dict(candidates.state)
        scores = rows.scores
        if self.score_half_life is not None:
            # Powers of two by whole steps of 1/64: the same on every machine.
            steps = np.round(np.minimum((candidates.update - rows.scored) / self.score_half_life, _NOTHING) * 64)
            scores = scores * np.ldexp(_ROOTS[steps.astype(np.int64) % 64], -(steps.astype(np.int64) // 64).astype(int))
        reasons: dict[int, str] = {}
        if self.outlier_guard is not None:
            sample = _sampled(state.get("scores", []), candidates)
            state["scores"] = sample
            values = np.array([score for _, score in sample])
            middle = float(np.median(values)) if len(values) else 0.0
            spread = _NORMAL * float(np.median(np.abs(values - middle))) if len(values) else 0.0
            if len(values) >= _FEWEST and spread > 0:
                out = np.flatnonzero(rows.scores[candidates.held :] > middle + self.outlier_guard * spread)
                reasons = {int(candidates.held + row): "outlier" for row in out}
        some = np.arange(rows.n)
        if reasons:
            some = np.delete(some, list(reasons))
        ids = rows.ids if len(some) == rows.n else rows.ids.take(pa.array(some))
        highest = kernels.smallest_keys(_descending(scores[some]), min(candidates.capacity, len(some)), ids)
        return Membership(np.sort(some[highest]), state, reasons)

    def without(
        self, state: Mapping[str, Any], rows: ReplayRows, words: NDArray[np.uint64], seed: int
    ) -> Mapping[str, Any]:
        """Return the state without the scores of deleted rows."""
        del rows
        gone = set(kernels.keyed_words(_sample_key(seed), words).tolist())
        sample = [[key, score] for key, score in state.get("scores", []) if int(key) not in gone]
        return {**state, "scores": sample} if "scores" in state else state


#: 2 ** (-i / 64), each the nearest float64.
_ROOTS: Final = np.array([float.fromhex((2.0 ** (-step / 64)).hex()) for step in range(64)])


def _sample_key(seed: int) -> int:
    return stage_key(seed, "replay score sample")


def _sampled(sample: Any, candidates: Candidates) -> list[list[Any]]:
    """Return the scores of the smallest hashes of those sampled before and those offered now."""
    new = candidates.rows.take(np.arange(candidates.held, candidates.rows.n))
    keys = new.keyed(_sample_key(candidates.seed)).tolist()
    known = {int(key): float(score) for key, score in sample}
    known |= {key: score for key, score in zip(keys, new.scores.tolist(), strict=True) if not np.isnan(score)}
    return [[str(key), known[key]] for key in sorted(known)[:_SAMPLE]]
