"""The losses of examples under the model as it is, between two steps: nothing of the training changes by it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from sage_select.train.collate import StepCollator
from sage_select.train.own_loss import RowLosses, as_in_use
from sage_select.train.packing import Layout
from sage_select.train.processes import ALONE, Processes
from sage_select.train.schedule import NO_PHASE, Schedule

if TYPE_CHECKING:
    from sage_select.train.data import TrainingRows

__all__ = ["ForwardPasses", "LossesOfExamples"]

#: Forward passes between two moments at which several processes ask each other whether one was told to stop.
_ASKED: Final = 16


class ForwardPasses:
    """Forward passes over examples, those of about one length together, the longest first.

    Parameters
    ----------
    rows
        All examples.
    places
        int64: which of them, each once.
    batch_size
        Examples of a forward pass.
    pad_token_id
        Fills sequences up.
    """

    def __init__(self, rows: TrainingRows, places: NDArray[np.int64], batch_size: int, pad_token_id: int) -> None:
        lengths = rows.lengths[places]
        order = np.argsort(-lengths, kind="stable")
        count = len(places)
        starts = np.r_[np.arange(0, count, batch_size), count].astype(np.int64)
        nothing = pa.chunked_array([pa.nulls(count, pa.string())])
        weights, phases = np.ones(count, np.float32), np.full(count, NO_PHASE, np.int32)
        schedule = Schedule(starts, places[order], weights, phases, nothing, nothing, nothing, len(rows.row_ids))
        layout = Layout.in_order(starts, lengths[order], per_pass=batch_size)
        self._collate = StepCollator(rows.table, schedule, layout, pad_token_id)
        self._count = schedule.steps

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        return map(self.__getitem__, range(self._count))

    def __getitem__(self, number: int) -> dict[str, torch.Tensor]:
        """Return the inputs of a pass, as `StepCollator` makes them."""
        (one,) = self._collate([{"step": number}])["passes"]
        return one


@dataclass(frozen=True)
class LossesOfExamples:
    """Gives the mean loss per trained token of examples that are trained, by a model as it is.

    The model, its gradients and the state of all random numbers stay as they are; dropout is off. Several processes
    share the forward passes, and each has all losses in the end.

    Parameters
    ----------
    rows
        All examples.
    batch_size
        Examples of a forward pass, those of about one length together.
    pad_token_id
        Fills sequences up.
    losses
        Gives the losses of the rows of a forward pass, by the model and its inputs as `StepCollator` makes them.
    stopped
        Asked now and then, by all processes together, whether to leave; it raises what leaves.
    progress
        Called with (examples done, examples).
    processes
        Those that share the work.
    """

    rows: TrainingRows
    batch_size: int
    pad_token_id: int
    losses: Callable[[Any, dict[str, torch.Tensor]], RowLosses]
    stopped: Callable[[], None]
    progress: Callable[[int, int], None]
    processes: Processes = ALONE

    def __call__(self, model: Any, places: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return float64 losses in nats, one for each of these places."""
        passes = ForwardPasses(self.rows, places, self.batch_size, self.pad_token_id)
        found: list[tuple[list[int], list[float]]] = []
        count, rank = self.processes.count, self.processes.rank
        asked = 1 if count == 1 else _ASKED
        with as_in_use(model), torch.no_grad():
            # As many turns in each process, the last of them perhaps without a pass.
            for turn in range(-(-len(passes) // count)):
                if turn % asked == 0:
                    self.stopped()
                    self.progress(min(turn * count * self.batch_size, len(places)), len(places))
                if (number := turn * count + rank) < len(passes):
                    one = passes[number]
                    rows = self.losses(model, one)
                    means = rows.sums.double() / rows.tokens
                    found.append((one["place"].tolist(), means.tolist()))
        self.progress(len(places), len(places))
        losses = np.full(len(places), np.nan)
        for own, of_pass in self.processes.gathered(found):
            losses[np.searchsorted(places, own)] = of_pass
        return losses
