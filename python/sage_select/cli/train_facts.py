"""What a finished training run says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sage_select.display import counted
from sage_select.render.lost import KINDS
from sage_select.train.methods import LIKELIHOOD
from sage_select.train.row_summary import DroppedRow, counts_by_reason
from sage_select.train.schedule_summary import ScheduleSummary

if TYPE_CHECKING:
    from sage_select.train import TrainResult

__all__ = [
    "held_out_in_words",
    "padding_in_words",
    "replay_facts",
    "row_facts",
    "steps_in_words",
    "training_facts",
]


def training_facts(result: TrainResult) -> dict[str, object]:
    """Return the summary of a run: label -> what is said."""
    facts = row_facts(result.rows)
    schedule = ScheduleSummary(**result.schedule)
    facts["steps"] = f"{steps_in_words(schedule)}, in {result.precision} on {result.device}"
    if result.resumed_from:
        facts["steps"] = f"{facts['steps']}, resumed after step {result.resumed_from:,}"
    if result.replay is not None:
        facts.update(replay_facts(result.replay))
    facts["padding"] = padding_in_words(schedule)
    if schedule.kendall_tau is not None and schedule.kendall_tau < 1:
        facts["order"] = f"Kendall's tau {schedule.kendall_tau:.3f} with the order of the selection"
    if result.steps == 1:
        facts["loss"] = f"{result.loss_first:.3f} in the one step, before it changed anything"
    else:
        facts["loss"] = f"{result.loss_first:.3f} at first, {result.loss_last:.3f} at last"
    if result.loss_of != LIKELIHOOD:
        facts["loss"] = f"{facts['loss']}: that of {result.loss_of}"
    if result.held_out is not None:
        kind = "loss" if result.loss_of == LIKELIHOOD else LIKELIHOOD
        facts.update(held_out_facts(result.held_out, result.schedule["steps"], kind))
    facts["trained"] = f"{result.parameters['trained']:,} of {result.parameters['total']:,} weights ({result.adapter})"
    facts["adapter" if result.adapter != "full" else "model"] = result.weights
    facts["checkpoints"] = result.output_dir / "checkpoints"
    facts["logs"] = result.output_dir / "logs"
    return facts


def row_facts(rows: Mapping[str, Any]) -> dict[str, object]:
    """Return what became of the rows, as `RowSummary.as_dict` has it: label -> what is said."""
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
    return facts


def replay_facts(replay: Mapping[str, Any]) -> dict[str, object]:
    """Return what is replayed beside the rows of the selection, and what became of the buffer: label -> what is said.

    Parameters
    ----------
    replay
        The facts of `sage_select.train.replaying.Replay`, with the `buffer`.
    """
    commit = "not there yet" if replay["commit"] is None else f"commit {replay['commit']:,}"
    most = "once" if replay["most"] == 1 else f"at most {replay['most']:,} times"
    buffer = f"{counted(replay['holds'], 'row')} in {replay['buffer']} ({commit})"
    facts: dict[str, object] = {
        "replayed": f"{replay['times']:,} beside {replay['new_times']:,} of the selection ({replay['ratio']} "
        f"{replay['basis']}), {replay['tokens']:,} tokens beside {replay['new_tokens']:,}: "
        f"{counted(replay['rows'], 'row')}, each {most}, of the {buffer}"
        if replay["times"]
        else f"nothing, of the {buffer}"
    }
    update = replay.get("update") or {}
    if update.get("done"):
        facts["buffer"] = (
            f"offered {counted(update['offered'], 'row')}: they were there already"
            if "made_before" in update
            else f"offered {counted(update['offered'], 'row')}: {update['entered']:,} came in, {update['left']:,} "
            f"left, {update['repeated']:,} were there; commit {update['commit']:,}"
        )
    return facts


def held_out_in_words(held_out: Mapping[str, Any], kind: str = "loss") -> str:
    """Say what evaluations came to; `kind` is what their losses are called."""
    ends = ", ".join(
        f"{held_out[name]['loss']:.3f} at {name} (step {held_out[name]['step']:,})"
        for name in ("first", "best", "last")
    )
    return f"{kind} {ends}, on {counted(held_out['rows'], 'row')}"


def held_out_facts(held_out: Mapping[str, Any], steps: int, kind: str = "loss") -> dict[str, object]:
    """Return what the evaluations during training came to, and which weights are left."""
    facts: dict[str, object] = {"held out": held_out_in_words(held_out, kind)}
    if held_out["stopped_early"]:
        facts["stopped"] = f"after step {steps:,}, since the loss on held-out rows fell no more"
    if held_out["weights_of"] != steps:
        facts["weights"] = f"of step {held_out['weights_of']:,}, the best evaluation"
    return facts


def steps_in_words(schedule: ScheduleSummary) -> str:
    """Say how many rows a step took, and how often each row was seen."""
    most = schedule.rows_per_step
    passes = f"{schedule.passes:.3g} pass{'' if schedule.passes == 1 else 'es'}"
    most_words = f"{'' if schedule.even else 'at most '}{most:,} row{'' if most == 1 else 's'}"
    return f"{schedule.steps:,} of {most_words}, {passes}"


def padding_in_words(schedule: ScheduleSummary) -> str:
    """Say what was computed on padding, and what it would have been."""
    packed = f", {schedule.examples:,} examples in {schedule.sequences:,} sequences"
    return (
        f"{_percent(schedule.padding_share)} of all tokens computed, "
        f"{_percent(schedule.padding_share_in_order)} with the rows of a step in order"
        + (packed if schedule.sequences < schedule.examples else "")
    )


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"
