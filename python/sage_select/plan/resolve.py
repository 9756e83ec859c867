"""Fill in what a pipeline leaves open, and refuse what cannot work, before any row is read."""

from __future__ import annotations

from sage_select.errors import UsageError
from sage_select.ops import OPS, Dedup, Embed, Op, Score, Select
from sage_select.spec import Pipeline

__all__ = ["refuse_unused_vectors", "resolve"]


def refuse_unused_vectors(select: Select, dedup: Dedup | None) -> None:
    """Refuse vectors that were given where nothing compares any: they were meant for something.

    Raises
    ------
    UsageError
        As said.
    """
    if not select.needs_embedding and (dedup is None or not dedup.near):
        raise UsageError(
            f"strategy {select.strategy!r} does not use embeddings",
            hint="leave the embeddings out, or choose diversity or hybrid, or --dedup near",
        )


def resolve(pipeline: Pipeline) -> Pipeline:
    """Return the pipeline with a strategy, without copies, and with the score and embed steps that these need.

    Where nothing is said, exact copies leave, and the strategy is hybrid with scores and diversity without.

    Raises
    ------
    UsageError
        If vectors are named that nothing uses.
    """
    given: dict[str, Op] = {step.name: step for step in pipeline.steps}
    select = pipeline.step(Select).chosen(scored=Score.name in given)
    given[Select.name] = select
    dedup = pipeline.find(Dedup) or Dedup()
    given[Dedup.name] = dedup
    if select.strategy == "target" and select.queries is None and select.query_column is None:
        raise UsageError("strategy 'target' needs queries", hint="name them with --queries or --query-column")
    if select.needs_score:
        given.setdefault(Score.name, Score())
    if select.needs_embedding or dedup.near:
        given.setdefault(Embed.name, Embed())
    elif Embed.name in given:
        refuse_unused_vectors(select, dedup)
    return Pipeline(seed=pipeline.seed, steps=tuple(given[name] for name in OPS if name in given))
