"""What a training run hands back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from sage_select.train.kinds import KINDS
from sage_select.train.methods import LIKELIHOOD
from sage_select.train.row_summary import RowSummary
from sage_select.train.schedule_summary import ScheduleSummary

__all__ = ["TrainResult"]


@dataclass(frozen=True)
class TrainResult:
    """A finished run.

    Parameters
    ----------
    output_dir
        The folder that holds everything.
    cached
        True if the run was there already, finished, and nothing was done.
    resumed_from
        The step at which the run was taken up again, 0 for a fresh one.
    steps
        Optimizer steps of the whole run; fewer than were planned where it was stopped early.
    loss_first, loss_last
        Mean loss in nats per trained token in the first and the last tenth of the steps.
    method, loss_of
        The training method, and what these losses are those of: `negative log-likelihood`, or the method's own.
    rows
        Counts of `sage_select.train.RowSummary.as_dict`.
    schedule
        What the steps consumed and computed, as `sage_select.train.ScheduleSummary.as_dict` has it.
    precision, device
        How the weights were computed.
    fingerprint
        Names the run: its tokens in order, model and settings.
    adapter
        What was trained: `lora`, `dora`, or `full`, the model itself.
    parameters
        How many weights were `trained`, and how many there are in `total`.
    adapter_digest
        Of the settings and the weights that were trained.
    notices
        What the user should know.
    held_out
        What the evaluations during training came to: `rows` and their trained `tokens`; the `first`, the `best` and
        the `last` one, each with `step` and `loss`, a negative log-likelihood under any method (`loss_of`);
        `weights_of`, the step whose weights are left, and `stopped_early`. None where nothing was held out.
    replay
        What was replayed beside the rows of the selection (`sage_select.train.replaying.Replay.facts`), the `buffer`,
        and in `update` whether the rows were offered to it, and what became of them. None where no buffer was named.
    """

    output_dir: Path
    cached: bool
    resumed_from: int
    steps: int
    loss_first: float
    loss_last: float
    rows: Mapping[str, Any]
    schedule: Mapping[str, Any]
    precision: str
    device: str
    fingerprint: str
    adapter: str
    parameters: Mapping[str, int]
    adapter_digest: str
    notices: tuple[str, ...]
    held_out: Mapping[str, Any] | None = None
    method: str = "sft"
    loss_of: str = LIKELIHOOD
    replay: Mapping[str, Any] | None = None

    @property
    def lora_weights(self) -> Path:
        """The folder of the adapter and the tokenizer, for `PeftModel.from_pretrained`."""
        return self.output_dir / KINDS["lora"].folder

    @property
    def weights(self) -> Path:
        """The folder of what was trained, and the tokenizer: `lora_weights`, or `tuned_model` of a whole model."""
        return self.output_dir / KINDS[self.adapter].folder

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            **self.__dict__,
            "output_dir": str(self.output_dir),
            self.weights.name: str(self.weights),
            "rows": dict(self.rows),
            "parameters": dict(self.parameters),
            "schedule": dict(self.schedule),
            "notices": list(self.notices),
            "held_out": None if self.held_out is None else dict(self.held_out),
            "replay": None if self.replay is None else dict(self.replay),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], output_dir: Path) -> TrainResult:
        """Return the result that `as_dict` described, with the folder where it now lies.

        Raises
        ------
        KeyError, ValueError
            If a part is missing, or of another type.
        """
        parts = {one.name: values[one.name] for one in fields(cls) if one.default is MISSING or one.name in values}
        TypeAdapter(RowSummary).validate_python(parts["rows"])
        if parts["adapter"] not in KINDS:
            raise ValueError("unknown kind of adapter")
        TypeAdapter(ScheduleSummary).validate_python(parts["schedule"])
        result: TrainResult = TypeAdapter(cls).validate_python({**parts, "output_dir": output_dir})
        return result
