"""What the model that a run has trained says of rows that come into a replay buffer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from sage_select.errors import UsageError
from sage_select.train.distilling.row_logits import TEMPERATURE, row_logits
from sage_select.train.distilling.vocabulary import known_tokens, vocabulary_digest

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from sage_select.train.config import TrainConfig
    from sage_select.train.data import TrainingRows
    from sage_select.train.stages import Stages

__all__ = ["ModelLogits", "refuse_too_many", "trained_model"]


def refuse_too_many(config: TrainConfig, tokenizer: Any) -> None:
    """Raise UsageError where as many tokens are to be stored as there are, or more: a bucket for others is left."""
    known = known_tokens(tokenizer)
    if config.replay_logits >= known:
        raise UsageError(
            f"there are only {known:,} tokens",
            expected=f"--replay-logits {known - 1} or less",
            got=f"--replay-logits {config.replay_logits}",
        )


class ModelLogits:
    """The most likely tokens of the trained model at the trained tokens of rows, found when it is called.

    Parameters
    ----------
    config
        The settings of the run.
    rows
        The training examples of the selection.
    tokenizer
        By which they were tokenised.
    model
        Gives the trained model, with `get_base_model`, which may have to be loaded.
    stages
        Told what is going on.
    """

    def __init__(
        self, config: TrainConfig, rows: TrainingRows, tokenizer: Any, model: Callable[[], Any], stages: Stages
    ) -> None:
        self._config, self._rows, self._tokenizer = config, rows, tokenizer
        self._model, self._stages = model, stages

    def __call__(self, row_ids: Sequence[str]) -> pa.StructArray:
        """Return what it says of rows of these ids, as `distilling.row_logits` describes it.

        Raises
        ------
        DataError
            If it says something that is no number.
        """
        from sage_select.train.distilling.examples import blocks_of, examples_of
        from sage_select.train.distilling.log_probs import LogProbs
        from sage_select.train.own_loss import as_in_use

        wanted = {*row_ids}
        examples = [one for one in examples_of(self._rows) if one.row_id in wanted]
        model, said = self._model(), []
        with self._stages("logits of rows for the replay buffer") as progress, as_in_use(model):
            log_probs = LogProbs(
                model,
                examples[0].ids.tolist(),
                k=self._config.replay_logits,
                known=known_tokens(self._tokenizer),
                temperatures=(TEMPERATURE,),
                batch_size=self._config.batch_size,
            )
            for block in blocks_of(examples):
                said += log_probs(block)
                progress(len(said), len(examples))
        return row_logits(row_ids, examples, said, vocabulary_digest(self._tokenizer))


def trained_model(config: TrainConfig, tokenizer: Any, weights: Path) -> Any:
    """Return the model that a run has trained, from what it wrote.

    Parameters
    ----------
    weights
        The folder of its adapter, or of the model itself.
    """
    from sage_select.train.distilling.teacher import frozen_model
    from sage_select.train.kinds import KINDS

    if KINDS[config.adapter].lora is None:
        return frozen_model(config.changed(model=str(weights)), tokenizer, None)
    return frozen_model(config, tokenizer, weights)
