"""The logits of a model after some tokens alone, as the model itself makes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from sage_select.errors import UsageError
from sage_select.train.own_loss import ROUNDING, alone, as_in_use

__all__ = ["After", "Head"]


@dataclass(frozen=True)
class After:
    """What a model says after some tokens.

    Parameters
    ----------
    logits
        (n, vocabulary), in the precision of the model, in the order of the tokens, sequence by sequence.
    hidden
        (n, width): what entered the output layer.
    router
        The loss of a mixture of experts that balances its experts; None where the model has none.
    """

    logits: torch.Tensor
    hidden: torch.Tensor
    router: torch.Tensor | None


class Head:
    """Keeps the output layer of a model from computing what nobody asks for.

    The hidden states after other tokens are taken away in front of the output layer, so that the logits of a whole
    pass are never there. Classes that do more with their logits than treat each alone are found out by trying: of these
    all are computed, and those asked for kept.

    Parameters
    ----------
    model
        A causal language model, perhaps with an adapter. Its output layer gets a hook, which stays and does nothing
        outside of `__call__`.
    row
        Token ids, with which it is tried.

    Raises
    ------
    UsageError
        It has no output layer.
    """

    def __init__(self, model: Any, row: Sequence[int]) -> None:
        self._base = model.get_base_model() if hasattr(model, "get_base_model") else model
        self._asked: torch.Tensor | None = None
        self._alone = True
        self._hidden: torch.Tensor | None = None
        output = self._base.get_output_embeddings()
        if output is None:
            raise UsageError(
                f"{type(self._base).__name__} has no output layer of its own, by which its logits could be asked for",
                hint="choose another model, or train without a teacher: --method sft",
            )
        output.register_forward_pre_hook(self._before_output)
        self._alone = self._is_own(model, row)

    def __call__(self, model: Any, inputs: dict[str, torch.Tensor], asked: torch.Tensor, **options: Any) -> After:
        """Return what the model says after the tokens that `asked` marks.

        Parameters
        ----------
        model
            That of the head, as the trainer holds it.
        inputs
            Those of its forward pass, without labels.
        asked
            bool, of the shape of `input_ids`.
        options
            What else the forward pass is told.
        """
        self._asked = asked
        try:
            outputs = model(**inputs, use_cache=False, **options)
        finally:
            self._asked = None
        logits, hidden = outputs.logits, self._hidden
        self._hidden = None
        if hidden is None:
            raise TypeError(f"{type(self._base).__name__} makes its logits without its output layer")
        return After(logits if self._alone else logits[asked], hidden, getattr(outputs, "aux_loss", None))

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def _before_output(self, _layer: torch.nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...] | None:
        if self._asked is None:
            return None
        self._hidden = arguments[0][self._asked.to(arguments[0].device)]
        return (self._hidden, *arguments[1:]) if self._alone else None

    def _is_own(self, model: Any, row: Sequence[int]) -> bool:
        """Say whether the logits are the same where the others are not computed."""
        inputs = alone(self._base, torch.tensor([[int(token) for token in row[:16]] * 2], device=self._base.device))
        del inputs["labels"], inputs["owner"]
        asked = torch.zeros_like(inputs["input_ids"], dtype=torch.bool)
        asked[:, ::3] = True
        with as_in_use(model), torch.no_grad():
            all_of_them = model(**inputs, use_cache=False).logits[asked].float()
            try:
                few = self(model, inputs, asked).logits.float()
            except (MemoryError, torch.OutOfMemoryError):
                raise
            except Exception:
                return False
        if few.shape != all_of_them.shape:
            return False
        apart = (few - all_of_them).abs().max().item()
        return bool(apart <= ROUNDING[self._base.dtype == torch.float32] * max(1.0, all_of_them.abs().max().item()))
