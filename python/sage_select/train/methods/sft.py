"""Supervised fine-tuning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sage_select.train.methods.method import LIKELIHOOD, Material, Method, method

if TYPE_CHECKING:
    from sage_select.train.own_loss import Objective

__all__ = ["SupervisedFineTuning"]


@method("sft", place=10)
class SupervisedFineTuning(Method):
    """The trained tokens as they stand: their negative log-likelihood."""

    @classmethod
    def loss_of(cls) -> str:
        """Return that it is the model's own."""
        return LIKELIHOOD

    def objective(self, model: Any, material: Material) -> Objective:
        """Return the loss that the model itself gives."""
        from sage_select.train.own_loss import plain_objective

        return plain_objective(model, material.rows.table["input_ids"][0].as_py())
