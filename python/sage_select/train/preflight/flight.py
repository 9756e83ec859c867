"""A run without the run: the report on its rows, its steps, and what they take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sage_select.render.quiet import quiet_libraries
from sage_select.train.config import TrainConfig
from sage_select.train.from_adapter import with_adapter
from sage_select.train.hardware import require_training_packages
from sage_select.train.pacing import decides_meanwhile
from sage_select.train.packing import Layout
from sage_select.train.preflight.estimate import Estimate, estimate
from sage_select.train.preflight.report import Preflight
from sage_select.train.prepare import Prepared, prepare
from sage_select.train.rounds import Rounds
from sage_select.train.schedule_summary import ScheduleSummary
from sage_select.train.stages import Stages, silent_stages

if TYPE_CHECKING:
    from sage_select.train.schedule import Schedule

__all__ = ["Flight", "preflight"]


@dataclass(frozen=True)
class Flight:
    """What a run would be.

    Attributes
    ----------
    prepared
        All that is known before weights are loaded.
    schedule
        Its steps, as far as the shapes of forward passes can be known without the model.
    padding
        Share of the computed tokens that is padding: of the rows of a step `in_order`, `sorted` by length, `packed`.
    estimate
        What it takes.
    rounds
        Of an order that is decided while training: `rounds`, before how many of them what is left is `measured`, and
        `forward_passes` for that; None of one that is known. The figures of `schedule` on tokens and padding are then
        those of the rows in the order of the selection.
    """

    prepared: Prepared
    schedule: ScheduleSummary
    padding: dict[str, float]
    estimate: Estimate
    rounds: dict[str, int] | None

    @property
    def replay(self) -> Mapping[str, Any] | None:
        """What would be replayed, as `TrainResult.replay` has it; None where no buffer is named."""
        replay: Mapping[str, Any] | None = self.prepared.about["replay"]
        return replay

    @property
    def report(self) -> Preflight:
        """The report on its rows."""
        return self.prepared.preflight

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            **self.report.as_dict(),
            "schedule": self.schedule.as_dict(),
            "padding": self.padding,
            "rounds": self.rounds,
            "replay": self.replay,
            "estimate": self.estimate.as_dict(),
            "precision": self.prepared.precision,
            "fingerprint": self.prepared.fingerprint,
        }


def preflight(
    selection: Any,
    config: TrainConfig,
    *,
    eval_data: Any = None,
    stages: Stages | None = None,
    notice: Callable[[str], None] | None = None,
    check: bool = True,
) -> Flight:
    """Return what a run with these settings would be; nothing is trained, loaded or written.

    Parameters
    ----------
    selection, config, eval_data
        As `train` takes them.
    stages, notice
        Told what is going on, and each notice as it arises.
    check
        Whether rows are refused of which more is lost than `max_dropped` and `max_truncated` allow.

    Raises
    ------
    UsageError, DataError, ResourceError
        As `train`, before its model is loaded.

    Notes
    -----
    Cost: all rows are tokenised, as before training; the files of the model's weights are read once, for their digest.
    """
    require_training_packages()
    with quiet_libraries():
        config = with_adapter(config)
        prepared = prepare(
            selection,
            config,
            eval_data,
            stages=stages or silent_stages,
            notice=notice or (lambda _text: None),
            sources={},
            check=check,
        )
        schedule = prepared.schedule
        layouts = _layouts(schedule, prepared, config)
        layout = layouts["packed" if config.packing else "sorted"]
        longest = int(layout.lengths.max()) * config.batch_size
        rounds = Rounds.of(len(prepared.rows.row_ids), config) if decides_meanwhile(config) else None
        # Which rows are measured is not known: no fewer tokens than those of the shortest ones.
        shortest = np.cumsum(np.sort(prepared.rows.lengths))
        measured = sum(int(shortest[left - 1]) for left in rounds.measured) if rounds else 0
        price = estimate(config, prepared.precision, tokens=layout.computed, longest=longest, measured=measured)
    summary = ScheduleSummary.of(schedule, layout, prepared.schedule_digest)
    if rounds is not None:
        summary = replace(summary, kendall_tau=None)
    return Flight(
        prepared,
        summary,
        {name: one.padding for name, one in layouts.items()},
        price,
        None if rounds is None else _rounds(rounds, config),
    )


def _rounds(rounds: Rounds, config: TrainConfig) -> dict[str, int]:
    return {
        "rounds": rounds.count,
        "measured": len(rounds.measured),
        "forward_passes": rounds.passes_to_measure(config.batch_size),
    }


def _layouts(schedule: Schedule, prepared: Prepared, config: TrainConfig) -> dict[str, Layout]:
    starts, lengths = schedule.starts, prepared.rows.lengths[schedule.places]
    lookback, per_pass = config.packing_lookback, config.batch_size
    return {
        "in_order": Layout.in_order(starts, lengths, per_pass=per_pass),
        "sorted": Layout.by_length(starts, lengths, per_pass=per_pass),
        "packed": Layout.packing(starts, lengths, schedule.phases, per_pass=per_pass, lookback=lookback),
    }
