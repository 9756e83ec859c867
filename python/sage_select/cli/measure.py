"""Measuring, as `sage-train` does it: rows that are checked before training, then figures, filed and shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sage_select.cli.console import Console
from sage_select.errors import UsageError

if TYPE_CHECKING:
    from sage_select.evaluate import Overlap
    from sage_select.train import TrainConfig, TrainResult
    from sage_select.train.selection import OrderedRows

__all__ = ["Measurement", "measured_facts", "measurement_of"]


@dataclass(frozen=True)
class Measurement:
    """Held-out rows that were found sound, and where the figures go."""

    console: Console
    config: TrainConfig
    held_out: OrderedRows
    overlap: Overlap
    result_path: Path | None

    def run(self, trained: TrainResult) -> dict[str, Any]:
        """Measure the tuned model beside its base, write the figures and return them."""
        from sage_select.evaluate import compare, evaluate_tuned, write_comparison

        base, tuned = evaluate_tuned(
            self.config.model,
            trained.lora_weights,
            self.held_out,
            config=self.config,
            stages=self.console.progress,
        )
        comparison = {**compare(base, tuned, seed=self.config.seed), "held_out": self.overlap.as_dict()}
        if self.result_path is not None:
            write_comparison(self.result_path, comparison)
        return comparison


def measurement_of(
    console: Console,
    config: TrainConfig,
    selection: Path,
    eval_data: str | None,
    result_path: Path | None,
    *,
    is_demo: bool,
) -> Measurement | None:
    """Return the measurement to make after training, None where there are no held-out rows.

    Parameters
    ----------
    console, config, selection
        Of the run.
    eval_data
        Path of the held-out rows, or `none`; None for the built-in ones where the run `is_demo`, else for none.
    result_path
        Where the figures go, if anywhere.
    is_demo
        Whether the selection is one of the demo data.

    Raises
    ------
    UsageError
        If the rows are not there, or a result is wanted without rows.
    DataError
        If they are damaged, or all of them are among the rows to train on.
    OutputError
        If the result file is not ours to replace.
    """
    from sage_select import demo
    from sage_select.evaluate import check_result_path, find_overlap
    from sage_select.train.selection import load_selection

    path = None if eval_data in (None, "none") else Path(str(eval_data))
    if eval_data is None and is_demo:
        path = demo.heldout_path()
        console.notice("measuring on the built-in held-out rows of the demo data")
    if path is None:
        if result_path is not None:
            raise UsageError("--eval-result needs held-out rows", hint="name them with --eval-data")
        return None
    if not path.exists():
        raise UsageError("there are no such held-out rows", where=str(path), hint="name them with --eval-data")
    if result_path is not None:
        inputs = [given for given in (selection, path, config.model, config.chat_template) if given is not None]
        check_result_path(result_path, inputs=inputs, folder=config.output_dir)
    held_out, trained = load_selection(path, config), load_selection(selection, config)
    with console.progress("comparing held-out rows with the selection") as progress:
        overlap = find_overlap(held_out, trained, progress=progress)
    apart = overlap.apart(held_out)
    for notice in overlap.notices:
        console.notice(notice)
    return Measurement(console, config, apart, overlap, result_path)


def measured_facts(comparison: Mapping[str, Any]) -> dict[str, object]:
    """Return the lines of the summary."""
    loss = [comparison[f"loss_{part}"] for part in ("base", "tuned", "difference")]
    low, high = comparison["loss_interval"]
    measures: dict[str, object] = {
        "loss": f"base {loss[0]:.3f}, tuned {loss[1]:.3f}: {loss[2]:+.3f} [{low:+.3f}, {high:+.3f}]"
    }
    if comparison["accuracy_base"] is not None:
        base, tuned, change = (comparison[f"accuracy_{part}"] for part in ("base", "tuned", "difference"))
        low, high = comparison["accuracy_interval"]
        measures["tools right"] = f"base {base:.1%}, tuned {tuned:.1%}: {change:+.1%} [{low:+.1%}, {high:+.1%}]"
    return measures
