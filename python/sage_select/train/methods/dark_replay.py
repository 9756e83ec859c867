"""Dark experience replay: what the model said of replayed rows when it had been trained on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar

from sage_select.train.methods.method import Material, Method, method
from sage_select.train.settings.declared import Setting

if TYPE_CHECKING:
    from sage_select.train.distilling.row_logits import ReplayedLogits
    from sage_select.train.own_loss import Objective

__all__ = ["DarkReplay"]


@method("dark_replay", place=30)
class DarkReplay(Method):
    """What the model said of replayed rows once it knew them, beside their tokens (arXiv 2004.07211)."""

    replays: ClassVar[bool] = True

    dark_alpha: Annotated[
        float,
        Setting(
            "weight, at each trained token of a replayed row, of KL(stored || now): how far the model is from what "
            "--replay-logits stored of it",
            gt=0,
        ),
    ] = 0.5
    dark_beta: Annotated[
        float,
        Setting(
            "weight of the token itself there; 0 leaves it out (DER), else it is DER++. Rows of which nothing is "
            "stored, and all of the selection, have theirs in full",
            ge=0,
        ),
    ] = 0.5

    def content(self, material: Material) -> Mapping[str, str]:
        """Tell of how many replayed rows there is something stored; the commit of the buffer names it."""
        found = _stored(material)
        material.notice("no row is replayed: all are trained on their own tokens" if found is None else found.told())
        return {}

    def objective(self, model: object, material: Material) -> Objective:
        """Return alpha * KL(stored || model) + beta * negative log-likelihood; the latter where nothing is stored."""
        from sage_select.train.distilling.divergences import forward_kl
        from sage_select.train.distilling.head import Head
        from sage_select.train.distilling.objective import Distilled
        from sage_select.train.distilling.row_logits import TEMPERATURE
        from sage_select.train.own_loss import plain_objective

        row, found = material.rows.table["input_ids"][0].as_py(), _stored(material)
        if found is None or not found.taught:
            return plain_objective(model, row)
        return Distilled(
            Head(model, row),
            found.teacher(),
            alpha=self.dark_alpha,
            temperature=TEMPERATURE,
            divergence=forward_kl,
            own=self.dark_beta,
        )


def _stored(material: Material) -> ReplayedLogits | None:
    """Return what is stored of the rows that are replayed; None where none is."""
    from sage_select.train.distilling.row_logits import ReplayedLogits

    if material.replayed is None:
        return None
    held = {row_id: place for place, row_id in enumerate(material.replayed["row_id"].to_pylist())}
    logits = material.replayed["logits"].combine_chunks()
    return ReplayedLogits(material.rows, held, logits, material.renderer.tokenizer)
