"""Measuring, as `sage-train` does it: rows that are checked before training, then figures, filed and shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sage_select.cli.console import Console
from sage_select.errors import UsageError
from sage_select.paths import user_path

if TYPE_CHECKING:
    from sage_select.evaluate import HeldOut, Overlap
    from sage_select.train import TrainConfig, TrainResult

__all__ = ["Measurement", "evaluated_file", "held_out_file", "measured_facts", "measurement_of"]


@dataclass(frozen=True)
class Measurement:
    """Held-out rows that were found sound, and where the figures go."""

    console: Console
    config: TrainConfig
    held_out: HeldOut
    overlap: Overlap
    result_path: Path | None

    def run(self, trained: TrainResult) -> dict[str, Any]:
        """Measure the tuned model beside its base, write the figures, and return them without the single turns."""
        from sage_select.evaluate import compare, evaluate_tuned, write_comparison

        base, tuned = evaluate_tuned(
            self.config.model,
            trained.weights,
            self.held_out,
            config=self.config,
            stages=self.console.progress,
        )
        comparison = {**compare(base, tuned), "held_out": self.overlap.as_dict()}
        if self.result_path is not None:
            write_comparison(self.result_path, comparison)
        return {name: value for name, value in comparison.items() if name != "turns"}


def held_out_file(console: Console, eval_data: str | None, *, is_demo: bool) -> Path | None:
    """Return the file of held-out rows that is meant, None for none.

    Parameters
    ----------
    eval_data
        Its path, or `none`; None for the built-in one where the run `is_demo`, else for none.

    Raises
    ------
    UsageError
        If it is not there.
    """
    from sage_select import demo

    if eval_data is None and is_demo:
        console.notice("measuring on the built-in held-out rows of the demo data")
        return demo.heldout_path()
    if eval_data in (None, "none"):
        return None
    path = user_path(Path(str(eval_data)))
    if not path.exists():
        raise UsageError("there are no such held-out rows", where=str(path), hint="name them with --eval-data")
    return path


def evaluated_file(config: TrainConfig, held_out: Path | None) -> Path | None:
    """Return the rows that are evaluated during training: those measured after it, where that is asked for.

    A split of the selection takes their place.
    """
    return held_out if config.evaluates and not config.eval_split else None


def measurement_of(
    console: Console,
    config: TrainConfig,
    selection: Path,
    path: Path | None,
    result_path: Path | None,
    *,
    eval_turns: str | None,
) -> Measurement | None:
    """Return the measurement to make after training, None where there are no held-out rows.

    Parameters
    ----------
    console, config, selection
        Of the run.
    path
        The held-out rows, if any.
    result_path
        Where the figures go, if anywhere.
    eval_turns
        The most turns of each kind that are generated, or `all`.

    Raises
    ------
    UsageError
        If a result is wanted without rows.
    DataError
        If they are damaged, or all of them are among the rows to train on.
    OutputError
        If the result file is not ours to replace.
    """
    from sage_select.evaluate import check_result_path, find_overlap, prepare_held_out
    from sage_select.train.replaying.replay import may_be_replayed
    from sage_select.train.selection import load_selection

    turns = _most_turns(eval_turns)
    if path is None:
        if result_path is not None:
            raise UsageError("--eval-result needs held-out rows", hint="name them with --eval-data")
        return None
    if result_path is not None:
        inputs: dict[str, str | Path | None] = {
            "selection": selection,
            "eval_data": path,
            "model": config.model,
            "chat_template": config.chat_template,
        }
        check_result_path(result_path, inputs=inputs, folder=config.output_dir)
    held_out, trained = load_selection(path, config), load_selection(selection, config)
    with console.progress("comparing held-out rows with the selection") as progress:
        overlap = find_overlap(held_out, trained, progress=progress)
    apart = overlap.apart(held_out)
    replayed = [] if (rows := may_be_replayed(config, trained)) is None else [find_overlap(apart, rows)]
    for one in replayed:
        apart = one.apart(apart)
        overlap = replace(overlap, overlapping=(*overlap.overlapping, *one.overlapping))
    for text in overlap.notices:
        console.notice(text)
    prepared = prepare_held_out(apart, config, turns=turns, stages=console.progress, notice=console.notice_once)
    return Measurement(console, config, prepared, overlap, result_path)


def _most_turns(given: str | None) -> int | None:
    from sage_select.evaluate import DEFAULT_TURNS

    if given is None:
        return DEFAULT_TURNS
    if given == "all":
        return None
    if not given.isdecimal():
        raise UsageError("--eval-turns is no number of turns", expected="a whole number, or all", got=given)
    return int(given)


def measured_facts(comparison: Mapping[str, Any]) -> dict[str, object]:
    """Return the lines of the summary: each figure, what it means and which end of it is good."""
    facts: dict[str, object] = {
        "loss": f"{_figure(comparison, 'loss', '.3f', 1)} nats a trained token (less is better)",
    }
    if comparison["no_tool_figure"]:
        facts["tools"] = f"no figures: {comparison['no_tool_figure']}"
    if comparison["accuracy_base"] is not None:
        turns = _turns(comparison, "calling")
        facts["tools right"] = (
            f"{_figure(comparison, 'accuracy', '.1f', 100, '%')} of {turns} that call tools "
            "name exactly the row's tools (more is better)"
        )
    if comparison["false_calls_base"] is not None:
        turns = _turns(comparison, "other")
        facts["false calls"] = (
            f"{_figure(comparison, 'false_calls', '.1f', 100, '%')} of {turns} that call none "
            "call a tool (less is better)"
        )
    left_out = comparison["turns_left_out"]
    if left_out:
        facts["not judged"] = "; ".join(f"{count:,} turns: {why}" for why, count in left_out.items())
    for name, words in (("turns_at_limit", "cut off"), ("parse_failures", "unreadable")):
        base, tuned = comparison[f"{name}_base"], comparison[f"{name}_tuned"]
        if base or tuned:
            what = f"after {comparison['max_new_tokens']} tokens" if words == "cut off" else "in a call"
            facts[words] = f"base {base:,}, tuned {tuned:,} of the generated turns, {what}"
    return facts


def _turns(comparison: Mapping[str, Any], kind: str) -> str:
    judged, there = comparison[f"turns_{kind}_judged"], comparison[f"turns_{kind}"]
    return f"{judged:,} turns" if judged == there else f"{judged:,} of {there:,} turns"


def _figure(comparison: Mapping[str, Any], name: str, digits: str, scale: int, unit: str = "") -> str:
    """Return both values, their difference and what is to be made of it."""
    base, tuned, change = (comparison[f"{name}_{part}"] * scale for part in ("base", "tuned", "difference"))
    text = f"base {base:{digits}}{unit}, tuned {tuned:{digits}}{unit}: {change:+{digits}}{unit}"
    if comparison[f"{name}_interval"] is None:
        return f"{text}, {comparison[f'{name}_interval_none']};"
    low, high = (bound * scale for bound in comparison[f"{name}_interval"])
    worse = change > 0 if name != "accuracy" else change < 0
    verdict = "no clear difference" if low <= 0 <= high else "worse" if worse else "better"
    return f"{text} [{low:+{digits}}, {high:+{digits}}], {verdict};"
