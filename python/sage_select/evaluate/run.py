"""Measuring models on held-out rows: one model, or a tuned adapter beside its base."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sage_select.errors import UsageError
from sage_select.evaluate.result import Evaluation
from sage_select.render.quiet import quiet_libraries
from sage_select.train import TrainConfig
from sage_select.train.hardware import require_training_packages
from sage_select.train.run import Stages, silent_stages

__all__ = ["evaluate", "evaluate_tuned"]


def evaluate(
    model: str | Path,
    adapter: str | Path | None,
    rows: Any,
    *,
    config: TrainConfig | None = None,
    batch_tokens: int = 8192,
    stages: Stages | None = None,
    notice: Callable[[str], None] | None = None,
) -> Evaluation:
    """Measure one model on held-out rows.

    The loss is a mean over trained tokens, the same tokens that training would learn from. Tool-selection accuracy
    is taken at each conversation's first trained assistant turn: the model writes the turn greedily, its calls are
    read from the text, and it is right where the set of tools called is the set that the row's own turn calls (the
    empty set where that turn only speaks).

    Parameters
    ----------
    model
        Folder or repository id of a causal language model.
    adapter
        Folder of a LoRA adapter trained on it, or None for the model alone.
    rows
        Held-out rows in any shape that can be trained on: a path, rows in memory, or rows already loaded.
    config
        How rows are read and cut and how the model is held (`max_length`, `chat_template`, `precision`,
        `load_in_4bit`, ...); other settings have no effect. None: the defaults.
    batch_tokens
        Tokens in one forward pass, with padding.
    stages, notice
        As in `sage_select.train.train`.

    Raises
    ------
    UsageError
        If the model, the adapter or the rows are not there.
    DataError
        If rows are damaged or none has an answer to measure.
    ResourceError
        If a package is missing.
    """
    return _Session(model, rows, config, batch_tokens, stages, notice).run([adapter])[0]


def evaluate_tuned(
    model: str | Path,
    adapter: str | Path,
    rows: Any,
    *,
    config: TrainConfig | None = None,
    batch_tokens: int = 8192,
    stages: Stages | None = None,
    notice: Callable[[str], None] | None = None,
) -> tuple[Evaluation, Evaluation]:
    """Measure a base model and then the same model with an adapter; weights and rows are loaded once.

    Takes and raises what `evaluate` does; `compare` puts the two side by side.
    """
    base, tuned = _Session(model, rows, config, batch_tokens, stages, notice).run([None, adapter])
    return base, tuned


class _Session:
    """Held-out rows, and how to hold the model that is measured on them."""

    def __init__(
        self,
        model: str | Path,
        rows: Any,
        config: TrainConfig | None,
        batch_tokens: int,
        stages: Stages | None,
        notice: Callable[[str], None] | None,
    ) -> None:
        require_training_packages()
        if batch_tokens < 1:
            raise UsageError("a batch holds 1 token or more", got=str(batch_tokens))
        settings = {} if config is None else config.model_dump()
        self._config = TrainConfig(**{**settings, "model": str(model)})
        self._rows = rows
        self._batch_tokens = batch_tokens
        self._stages = stages or silent_stages
        self._notice = notice or (lambda _text: None)

    def run(self, adapters: list[str | Path | None]) -> list[Evaluation]:
        """Measure the model with each adapter in turn; None is the model alone and must come first."""
        with quiet_libraries():
            from sage_select.evaluate.held_out import prepare
            from sage_select.evaluate.measure import measure
            from sage_select.train.adapter import load_adapter
            from sage_select.train.base_model import load_base_model, open_renderer
            from sage_select.train.hardware import precision_here
            from sage_select.train.selection import OrderedRows, load_selection

            rows = self._rows
            ordered = rows if isinstance(rows, OrderedRows) else load_selection(rows, self._config)
            renderer = open_renderer(self._config)
            with self._stages("tokenising held-out rows") as progress:
                held_out = prepare(ordered, renderer, progress=progress)
            for text in renderer.notices:
                self._notice(text)
            with self._stages("loading the model"):
                model = load_base_model(self._config, precision_here(self._config), renderer.tokenizer)
            found = []
            for adapter in adapters:
                name = "the base model" if adapter is None else "the tuned model"
                if adapter is not None:
                    model = load_adapter(model, Path(adapter))
                found.append(
                    measure(
                        model,
                        renderer.tokenizer,
                        held_out,
                        batch_tokens=self._batch_tokens,
                        stages=self._stages,
                        name=name,
                    )
                )
            return found
