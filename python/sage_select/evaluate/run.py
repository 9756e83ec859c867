"""Measuring models on held-out rows: one model, or a tuned adapter beside its base."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sage_select.errors import UsageError
from sage_select.evaluate.held_out import DEFAULT_TURNS, HeldOut, prepare
from sage_select.evaluate.result import Evaluation
from sage_select.render.quiet import quiet_libraries
from sage_select.train import TrainConfig
from sage_select.train.hardware import require_training_packages
from sage_select.train.launchers import hidden_launchers
from sage_select.train.stages import Stages, silent_stages

__all__ = ["evaluate", "evaluate_tuned", "prepare_held_out"]


def evaluate(
    model: str | Path,
    adapter: str | Path | None,
    rows: Any,
    *,
    config: TrainConfig | None = None,
    turns: int | None = DEFAULT_TURNS,
    batch_tokens: int = 8192,
    stages: Stages | None = None,
    notice: Callable[[str], None] | None = None,
) -> Evaluation:
    """Measure one model on held-out rows.

    The loss is a mean over trained tokens, the same tokens that training would learn from. Figures of tools are taken
    from the trained turns of the assistant: given the turns of the row before it the model writes the turn greedily,
    and its calls are read from the text. Of turns that call tools, a turn is right where exactly the row's tools are
    called; of turns that call none, any call is a false one.

    Parameters
    ----------
    model
        Folder or repository id of a causal language model.
    adapter
        Folder of a LoRA adapter trained on it, or None for the model alone.
    rows
        Held-out rows in any shape that can be trained on: a path, rows in memory, rows already loaded, or what
        `prepare_held_out` made of them.
    config
        How rows are read and cut and how the model is held (`max_length`, `chat_template`, `precision`,
        `load_in_4bit`, ...); other settings have no effect. None: the defaults.
    turns
        The most turns that are generated of those that call tools, and of those that do not; None for all.
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
    return _Session(model, config, batch_tokens, stages, notice).run(rows, turns, [adapter])[0]


def evaluate_tuned(
    model: str | Path,
    adapter: str | Path,
    rows: Any,
    *,
    config: TrainConfig | None = None,
    turns: int | None = DEFAULT_TURNS,
    batch_tokens: int = 8192,
    stages: Stages | None = None,
    notice: Callable[[str], None] | None = None,
) -> tuple[Evaluation, Evaluation]:
    """Measure a base model and then the same model with an adapter; weights and rows are loaded once.

    Takes and raises what `evaluate` does; `compare` puts the two side by side.
    """
    base, tuned = _Session(model, config, batch_tokens, stages, notice).run(rows, turns, [None, adapter])
    return base, tuned


def prepare_held_out(
    rows: Any,
    config: TrainConfig,
    *,
    turns: int | None = DEFAULT_TURNS,
    stages: Stages | None = None,
    notice: Callable[[str], None] | None = None,
) -> HeldOut:
    """Make held-out rows ready to measure the model of `config` on, without loading its weights.

    Takes and raises what `evaluate` does: what is wrong with the rows is found here.
    """
    require_training_packages()
    with quiet_libraries():
        from sage_select.train.base_model import open_renderer
        from sage_select.train.selection import OrderedRows, load_selection

        ordered = rows if isinstance(rows, OrderedRows) else load_selection(rows, config)
        renderer = open_renderer(config)
        with (stages or silent_stages)("tokenising held-out rows") as progress:
            held_out = prepare(ordered, renderer, turns=turns, progress=progress)
    for text in (*renderer.notices, *held_out.notices):
        if notice is not None:
            notice(text)
    return held_out


class _Session:
    """How a model is held while it is measured."""

    def __init__(
        self,
        model: str | Path,
        config: TrainConfig | None,
        batch_tokens: int,
        stages: Stages | None,
        notice: Callable[[str], None] | None,
    ) -> None:
        require_training_packages()
        if batch_tokens < 1:
            raise UsageError("a batch holds 1 token or more", got=str(batch_tokens))
        self._config = TrainConfig(model=str(model)) if config is None else config.changed(model=str(model))
        self._batch_tokens = batch_tokens
        self._stages = stages or silent_stages
        self._notice = notice

    def run(self, rows: Any, turns: int | None, adapters: list[str | Path | None]) -> list[Evaluation]:
        """Measure the model with each adapter in turn; None is the model alone and must come first."""
        held_out = rows
        if not isinstance(rows, HeldOut):
            held_out = prepare_held_out(rows, self._config, turns=turns, stages=self._stages, notice=self._notice)
        with quiet_libraries(), hidden_launchers():
            from sage_select.evaluate.measure import measure
            from sage_select.render.adapted import load_adapter
            from sage_select.train.base_model import load_base_model
            from sage_select.train.hardware import precision_here

            with self._stages("loading the model"):
                precision = precision_here(self._config)
                model = load_base_model(self._config, precision, held_out.tokenizer)
            found = []
            for adapter in adapters:
                name = "the base model" if adapter is None else "the tuned model"
                if adapter is not None and (Path(adapter) / "config.json").is_file():
                    del model  # a whole model takes its place
                    model = load_base_model(self._as_whole(adapter), precision, held_out.tokenizer)
                elif adapter is not None:
                    model = load_adapter(model, Path(adapter))
                found.append(measure(model, held_out, batch_tokens=self._batch_tokens, stages=self._stages, name=name))
            return found

    def _as_whole(self, model: str | Path) -> TrainConfig:
        """Return the settings with another model."""
        return self._config.model_copy(update={"model": str(model)})
