"""The whole of a build from the costs of its stages."""

from __future__ import annotations

from dataclasses import dataclass

from sage_select.forecast import dedup_stage, evidence_stage, feature_stages, limit_stage, select_stage, table_stages
from sage_select.forecast.costs import Costs
from sage_select.forecast.stage import Stage
from sage_select.forecast.workload import Workload
from sage_select.ops import Dedup, Embed, Score
from sage_select.plan import working_order

__all__ = ["Prediction", "StagePrediction", "predict"]


@dataclass(frozen=True)
class StagePrediction:
    """One stage: bytes of the whole process at its height, and its seconds, None where they cannot be told."""

    name: str
    memory: float
    seconds: float | None


@dataclass(frozen=True)
class Prediction:
    """What a build is expected to take.

    Attributes
    ----------
    stages
        In the order in which they run.
    mapped
        Bytes of files mapped into memory, which the system can drop and read again.
    addresses
        Bytes of address space.
    start_seconds
        Seconds before the first stage and after the last.
    """

    stages: tuple[StagePrediction, ...]
    mapped: float
    addresses: float
    start_seconds: float

    @property
    def peak(self) -> StagePrediction:
        """The stage that needs the most memory."""
        return max(self.stages, key=lambda stage: stage.memory)

    @property
    def seconds(self) -> float:
        """Seconds in all, of the stages whose time can be told."""
        return self.start_seconds + sum(stage.seconds or 0.0 for stage in self.stages)

    @property
    def untold(self) -> tuple[str, ...]:
        """The stages whose time cannot be told."""
        return tuple(stage.name for stage in self.stages if stage.seconds is None)


def predict(work: Workload, costs: Costs) -> Prediction:
    """Return what the work will take.

    What a stage took from the pools of Arrow and Python stays with the process, for later stages to use again: at each
    height stands the largest such part so far.
    """
    held, pooled, mapped = costs.base_bytes, 0.0, 0.0
    told = []
    for stage in _stages(work, costs):
        pooled = max(pooled, stage.pooled)
        told.append(StagePrediction(stage.name, held + pooled + stage.working, stage.seconds))
        held += stage.leaves
        mapped += stage.mapped
    peak = max(stage.memory for stage in told)
    addresses = costs.base_addresses + costs.thread_addresses * (work.threads - 1) + peak - costs.base_bytes + mapped
    addresses += costs.torch_addresses if _has_model(work) else 0.0
    return Prediction(tuple(told), mapped, addresses, costs.start_ns * 1e-9)


def _has_model(work: Workload) -> bool:
    return work.score_model is not None or (work.vectors is not None and work.vectors.model is not None)


def _stages(work: Workload, costs: Costs) -> list[Stage]:
    plan = work.plan
    score, embed = plan.find(Score), plan.find(Embed)
    stages = [table_stages.read(work, costs), table_stages.ids(work, costs)]
    if lengths := limit_stage.limits(work, costs):
        stages.append(lengths)
    for part in working_order(
        plan.find(Dedup),
        scores_given=score is not None and score.given,
        vectors_given=embed is not None and embed.given,
    ):
        if part == "score" and score is not None:
            stages.append(feature_stages.score(work, costs, score))
        elif part == "embed" and embed is not None:
            stages.append(feature_stages.embed(work, costs))
        elif part == "exact copies":
            stages.append(dedup_stage.exact_copies(work, costs))
        elif part == "near copies":
            stages.append(dedup_stage.near_copies(work, costs))
    return [
        *stages,
        select_stage.select(work, costs),
        evidence_stage.evidence(work, costs),
        table_stages.write(work, costs),
    ]
