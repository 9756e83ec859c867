"""Measuring models on held-out rows: one model, or a tuned adapter beside its base."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from sage_select.evaluate.evaluator import AUTO, Evaluator, chosen_evaluators
from sage_select.evaluate.held_out import DEFAULT_TURNS, HeldOut, prepare
from sage_select.evaluate.material import Limits
from sage_select.evaluate.result import Evaluation
from sage_select.evaluate.session import EvaluationSession
from sage_select.render.quiet import quiet_libraries
from sage_select.train import TrainConfig
from sage_select.train.hardware import require_training_packages
from sage_select.train.stages import Stages, silent_stages

__all__ = ["evaluate", "evaluate_adapters", "evaluate_tuned", "prepare_held_out"]

#: Rows that a notice names.
_NAMED: Final = 3
#: What is asked where nothing else is said.
_USUAL: Final = ("loss", "tool_calls")


def evaluate(
    model: str | Path,
    adapter: str | Path | None,
    rows: Any,
    *,
    config: TrainConfig | None = None,
    evaluators: str | Sequence[str | Evaluator] = _USUAL,
    turns: int | None = DEFAULT_TURNS,
    limits: Limits | None = None,
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
    evaluators
        Who asks: names of `sage_select.evaluators`, or these with their options; `auto` for all that apply.
    turns
        The most turns that are generated of those that call tools, and of those that do not; None for all.
    limits
        All limits of what is generated, in place of `turns`.
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
    with _session(model, config, batch_tokens, stages) as session:
        held_out = _held_out(rows, session.config, turns, stages, notice, limits, evaluators)
        return session.measure(held_out, adapter)


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
    with _session(model, config, batch_tokens, stages) as session:
        held_out = _held_out(rows, session.config, turns, stages, notice)
        return session.measure(held_out, None), session.measure(held_out, adapter)


def evaluate_adapters(
    model: str | Path,
    adapters: Mapping[str, str | Path | None],
    held_out: HeldOut,
    *,
    config: TrainConfig | None = None,
    digests: Mapping[str, str] | None = None,
    batch_tokens: int = 8192,
    stages: Stages | None = None,
) -> Iterator[tuple[str, Evaluation]]:
    """Yield the evaluation of each of several adapters on the same rows; weights of the base are loaded once.

    Parameters
    ----------
    model
        Folder or repository id of the base model.
    adapters
        Name -> folder of an adapter, or of a whole model that was trained from the base, or of the run that holds
        either; None for the base itself.
    held_out
        What `prepare_held_out` made of the rows.
    config
        As in `evaluate`.
    digests
        Name -> `adapter_digest` that the adapter has to have, as the run that trained it recorded: another is refused.
    batch_tokens, stages
        As in `evaluate`.

    Raises
    ------
    UsageError
        If a folder holds no adapter, or one of another base model.
    DataError
        If an adapter is damaged, is not the one of its digest, or is changed while it is measured. Whoever wants to go
        on with the others calls `EvaluationSession.measure` for each.
    """
    with _session(model, config, batch_tokens, stages) as session:
        for name, adapter in adapters.items():
            expected = (digests or {}).get(name)
            yield name, session.measure(held_out, adapter, digest=expected, name=name)


def prepare_held_out(
    rows: Any,
    config: TrainConfig,
    *,
    evaluators: str | Sequence[str | Evaluator] = _USUAL,
    turns: int | None = DEFAULT_TURNS,
    limits: Limits | None = None,
    automatic: bool | None = None,
    stages: Stages | None = None,
    notice: Callable[[str], None] | None = None,
) -> HeldOut:
    """Make held-out rows ready to measure the model of `config` on, without loading its weights.

    Takes and raises what `evaluate` does: what is wrong with the rows is found here. Evaluators that do not apply to
    the rows are left out where they are `automatic`, by default where none is named, and refused otherwise.
    """
    require_training_packages()
    asked = _chosen(evaluators)
    if automatic is None:
        automatic = evaluators in (AUTO, _USUAL) or list(evaluators) == [AUTO]
    with quiet_libraries():
        from sage_select.train.base_model import open_renderer
        from sage_select.train.selection import OrderedRows, load_selection

        ordered = rows if isinstance(rows, OrderedRows) else load_selection(rows, config)
        renderer = open_renderer(config)
        with (stages or silent_stages)("tokenising held-out rows") as progress:
            held_out = prepare(
                ordered,
                renderer,
                turns=turns,
                limits=limits,
                evaluators=asked,
                automatic=automatic,
                progress=progress,
            )
    for text in (*renderer.notices, *held_out.notices, *_dropped(held_out)):
        if notice is not None:
            notice(text)
    return held_out


def _dropped(held_out: HeldOut) -> Iterator[str]:
    """Yield what is to be said of rows that are not measured."""
    if held_out.dropped:
        named = ", ".join(held_out.dropped[:_NAMED]) + ", ..." * (len(held_out.dropped) > _NAMED)
        yield (
            f"{len(held_out.dropped):,} of {len(held_out.dropped) + len(held_out.row_ids):,} held-out rows are not "
            f"measured: too long, refused by the chat template, or without a token to train (rows {named})"
        )


def _session(
    model: str | Path, config: TrainConfig | None, batch_tokens: int, stages: Stages | None
) -> EvaluationSession:
    settings = TrainConfig(model=str(model)) if config is None else config.changed(model=str(model))
    return EvaluationSession(settings, batch_tokens=batch_tokens, stages=stages)


def _held_out(
    rows: Any,
    config: TrainConfig,
    turns: int | None,
    stages: Stages | None,
    notice: Callable[[str], None] | None,
    limits: Limits | None = None,
    evaluators: str | Sequence[str | Evaluator] = _USUAL,
) -> HeldOut:
    if isinstance(rows, HeldOut):
        return rows
    return prepare_held_out(
        rows, config, evaluators=evaluators, turns=turns, limits=limits, stages=stages, notice=notice
    )


def _chosen(evaluators: str | Sequence[str | Evaluator]) -> list[Evaluator]:
    """Return evaluators, those that are named by their names with the options that they have by default."""
    if isinstance(evaluators, str) or all(isinstance(one, str) for one in evaluators):
        return chosen_evaluators([str(one) for one in evaluators] if not isinstance(evaluators, str) else evaluators)
    return [one if isinstance(one, Evaluator) else chosen_evaluators([one])[0] for one in evaluators]
