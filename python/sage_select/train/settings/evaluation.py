"""When held-out rows are evaluated during training, and what follows from it."""

from __future__ import annotations

from typing import Annotated, Literal

from sage_select.declare import Settings
from sage_select.train.settings.declared import Setting, Share, Whole

__all__ = ["EvaluationSettings"]


class EvaluationSettings(Settings):
    """Evaluation during training."""

    eval_split: Annotated[
        Share | None,
        Setting(
            "hold this share of the selection out, rows with all that was augmented of them, and evaluate on it during "
            "training",
            metavar="SHARE",
            gt=0,
            lt=1,
            default="none",
            others=("val_size", "val_set_size", "split_dataset_ratio"),
        ),
    ] = None
    eval_steps: Annotated[
        Whole | None,
        Setting(
            "steps between two evaluations, on --eval-split, else on the rows of --eval-data; the last step is "
            "evaluated too",
            ge=1,
            default="a tenth of the steps",
        ),
    ] = None
    early_stopping: Annotated[
        Whole | None,
        Setting(
            "stop after so many evaluations in a row without a lower loss than before",
            ge=1,
            default="never",
            others=("early_stopping_patience", "early_stop_interval"),
        ),
    ] = None
    final_weights: Annotated[
        Literal["last", "best"],
        Setting(
            "which weights are left: those of the last step, or of the evaluation with the lowest loss (of equal ones "
            "the first)",
            default="last, and best with --early-stopping",
            words={"load_best_model_at_end": "best"},
        ),
    ] = "last"

    @property
    def evaluates(self) -> bool:
        """Whether anything of this is asked for."""
        return self.final_weights == "best" or any(
            value is not None for value in (self.eval_split, self.eval_steps, self.early_stopping)
        )

    def eval_interval(self, steps: int) -> int:
        """Return the steps between two evaluations of a run of so many."""
        return self.eval_steps or max(1, steps // 10)
