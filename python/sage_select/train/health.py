"""Whether a run still learns: it stops where it does not, before hours are spent and good checkpoints are gone."""

from __future__ import annotations

import math
from collections import deque
from typing import Any, Final

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from sage_select.errors import DataError

__all__ = ["Health"]

#: Steps in a row with a gradient of zero that stop a run: one alone may be of rows without weight.
_ZERO_STEPS: Final = 3
#: Steps in a row whose gradient is no number in float16: the library lowers its loss scale in each, from 2**16 on.
_SCALED_STEPS: Final = 20
#: Steps at either end whose losses are compared.
_LOSSES: Final = 10
#: How far above its beginning the loss is in a runaway.
_RISEN: Final = 1.5
#: How to learn gently.
_GENTLER: Final = "lower --learning-rate, lengthen --warmup or use --fp32 or --bf16; the checkpoints before it are kept"


class Health(TrainerCallback):  # type: ignore[misc]
    """Stops a run whose gradients are no numbers or zero, whose loss runs away, or that changed nothing.

    A loss runs away when it was below that of guessing each token at random (the logarithm of the vocabulary), and
    then is above it, and half as high again as at the beginning, in ten steps in a row. A curriculum that grows harder
    does not get there: it is what a broken model says.

    Parameters
    ----------
    vocabulary
        Tokens that the model chooses from.
    scaled
        Whether the loss is scaled (float16): the library then leaves out gradients without numbers, a few in a row.

    Raises
    ------
    DataError
        By the methods, as said; the weights are those before the faulty step where that can be.
    """

    def __init__(self, *, vocabulary: int, scaled: bool) -> None:
        self._guessing = math.log(max(2, vocabulary))
        self._most_broken = _SCALED_STEPS if scaled else 0
        self._zero = self._broken = 0
        self._first: list[float] = []
        self._last: deque[float] = deque(maxlen=_LOSSES)
        self._begun_as: list[torch.Tensor] = []

    def on_train_begin(
        self,
        args: TrainingArguments,  # noqa: ARG002 (the signature is the library's)
        state: TrainerState,  # noqa: ARG002
        control: TrainerControl,  # noqa: ARG002
        *,
        model: torch.nn.Module,
        **_: Any,
    ) -> None:
        """Remember what the weights are like."""
        self.remember(model)

    def remember(self, model: torch.nn.Module) -> None:
        """Remember weights by which nothing has been learned."""
        self._begun_as = _sums(model)

    def on_pre_optimizer_step(
        self,
        args: TrainingArguments,  # noqa: ARG002
        state: TrainerState,
        control: TrainerControl,  # noqa: ARG002
        *,
        model: torch.nn.Module,
        **_: Any,
    ) -> None:
        """Look at the gradients of a step before they change anything."""
        gradients = [one.grad for one in model.parameters() if one.requires_grad and one.grad is not None]
        # The largest of them: squares of small ones would vanish.
        largest = torch._foreach_norm(gradients, math.inf)
        size = float(torch.stack([one.float().to("cpu") for one in largest]).max())
        step = state.global_step + 1
        if not math.isfinite(size):
            self._broken += 1
            if self._broken > self._most_broken:
                raise DataError(
                    f"training diverged: the gradient became {size} at step {step}",
                    hint=_GENTLER,
                )
            return
        self._broken = 0
        self._zero = self._zero + 1 if size == 0 else 0
        if self._zero >= _ZERO_STEPS:
            raise DataError(
                f"nothing is learned: the gradient is zero in {_ZERO_STEPS} steps in a row, up to step {step}",
                hint="rows of weight 0 teach nothing, and in float16 small gradients vanish: look at sage_weight, or "
                "use --bf16 or --fp32",
            )

    def step_ended(self, step: int, loss: float) -> None:
        """Look at the mean loss of a finished step."""
        self._last.append(loss)
        if len(self._first) < _LOSSES:
            self._first.append(loss)
            return
        begun = sum(self._first) / len(self._first)
        bound = max(self._guessing, _RISEN * begun)
        if begun < self._guessing and all(one > bound for one in self._last):
            raise DataError(
                f"training diverged: the loss ran away, above {bound:.2f} in the {_LOSSES} steps up to step {step}",
                expected=f"less than at the beginning ({begun:.2f}), and than by guessing ({self._guessing:.2f})",
                got=f"{loss:.2f}",
                hint=_GENTLER,
            )

    def on_train_end(
        self,
        args: TrainingArguments,  # noqa: ARG002
        state: TrainerState,
        control: TrainerControl,  # noqa: ARG002
        *,
        model: torch.nn.Module,
        **_: Any,
    ) -> None:
        """Refuse a result that is what the run began with."""
        self.check_changed(model, state.global_step)

    def check_changed(self, model: torch.nn.Module, steps: int) -> None:
        """Refuse weights that are after so many steps what they were."""
        now = _sums(model)
        if self._begun_as and all(torch.equal(one, other) for one, other in zip(now, self._begun_as, strict=True)):
            raise DataError(
                f"nothing was learned: after {steps} steps no weight has changed",
                hint="the rate may be too small for the precision: raise --learning-rate, shorten --warmup, train "
                "longer, or use --fp32",
            )


def _sums(model: torch.nn.Module) -> list[torch.Tensor]:
    """Return two sums of each trained weight, which a change of any value changes but by a rare accident."""
    found = []
    for one in model.parameters():
        if one.requires_grad:
            values = one.detach().double().flatten()
            # Weighed by place, so that an exchange of values shows.
            places = torch.arange(1, len(values) + 1, device=values.device, dtype=torch.float64)
            found.append(torch.stack([values.sum(), (values * places).sum()]).to("cpu"))
    return found
