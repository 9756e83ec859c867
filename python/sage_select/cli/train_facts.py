"""What a finished training run says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sage_select.display import counted
from sage_select.render.lost import KINDS
from sage_select.train.row_summary import DroppedRow, counts_by_reason
from sage_select.train.schedule import Plan

if TYPE_CHECKING:
    from sage_select.train import TrainConfig, TrainResult

__all__ = ["training_facts"]


def training_facts(result: TrainResult, config: TrainConfig) -> dict[str, object]:
    """Return the summary of a run: label -> what is said."""
    rows = result.rows
    facts: dict[str, object] = {
        "rows": f"{rows['rows_trained']:,} of {rows['rows_in']:,}",
        "tokens": f"{rows['tokens']:,} a pass, {rows['trained_tokens']:,} of them trained",
    }
    if rows["examples"] != rows["rows_trained"]:
        facts["examples"] = f"{rows['examples']:,}, because the chat template rewrites earlier turns"
    if rows["dropped"]:
        facts["dropped"] = counts_by_reason([DroppedRow(**one) for one in rows["dropped"]])
    if rows["tokens_cut"]:
        share = rows["tokens_cut"] / (rows["tokens"] + rows["tokens_cut"])
        facts["too long"] = (
            f"{counted(rows['truncated_rows'], 'row')} shortened, {rows['long_rows_dropped']:,} dropped "
            f"({rows['on_long_row']}): {rows['tokens_cut']:,} tokens, {100 * share:.2g} % of all"
        )
    if rows["lost_words"]:
        lost = (
            f"{name} of {counted(rows['lost_words'][kind]['rows'], 'row')}"
            for kind, name in KINDS.items()
            if kind in rows["lost_words"]
        )
        facts["lost"] = f"the chat template leaves out {', '.join(lost)}"
    plan = Plan(rows["examples"], config.batch_size * config.gradient_accumulation, result.steps)
    facts["steps"] = f"{steps_in_words(plan)}, in {result.precision} on {result.device}"
    if result.resumed_from:
        facts["steps"] = f"{facts['steps']}, resumed after step {result.resumed_from:,}"
    if result.steps == 1:
        facts["loss"] = f"{result.loss_first:.3f} in the one step, before it changed anything"
    else:
        facts["loss"] = f"{result.loss_first:.3f} at first, {result.loss_last:.3f} at last"
    facts["trained"] = f"{result.parameters['trained']:,} of {result.parameters['total']:,} weights ({result.adapter})"
    facts["adapter" if result.adapter != "full" else "model"] = result.weights
    facts["checkpoints"] = result.output_dir / "checkpoints"
    facts["logs"] = result.output_dir / "logs"
    return facts


def steps_in_words(plan: Plan) -> str:
    """Say how many rows a step took, and how often each row was seen.

    Examples
    --------
    >>> steps_in_words(Plan(rows=1, rows_per_step=16, steps=2))
    '2 of 1 row, 2 passes'
    >>> steps_in_words(Plan(rows=5, rows_per_step=2, steps=9))
    '9 of at most 2 rows, 3 passes'
    >>> steps_in_words(Plan(rows=40, rows_per_step=16, steps=1))
    '1 of 16 rows, 0.4 passes'
    """
    most = min(plan.rows_per_step, plan.rows)
    even = plan.rows % most == 0 or plan.consumed == plan.steps * most
    passes = f"{plan.passes:.3g} pass{'' if plan.passes == 1 else 'es'}"
    return f"{plan.steps:,} of {'' if even else 'at most '}{most:,} row{'' if most == 1 else 's'}, {passes}"
