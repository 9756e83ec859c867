"""A base model held in memory while it, and adapters on it, are measured one after the other."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sage_select.errors import DataError, UsageError
from sage_select.evaluate.held_out import HeldOut
from sage_select.evaluate.result import Evaluation
from sage_select.io.tables.digest import digest_files
from sage_select.paths import user_path
from sage_select.render.adapter_files import MODEL_FOLDER, adapter_digest, adapter_folder
from sage_select.render.model_files import model_revision
from sage_select.render.quiet import quiet_libraries
from sage_select.train import TrainConfig
from sage_select.train.from_adapter import base_of_run
from sage_select.train.hardware import require_training_packages
from sage_select.train.launchers import hidden_launchers
from sage_select.train.replaced import RECORD_NAME
from sage_select.train.stages import Stages, silent_stages

__all__ = ["EvaluationSession", "digest_of_run", "trained_weights"]


class EvaluationSession:
    """Measures a base model and what was trained from it; the base's weights are loaded once, when first needed.

    Parameters
    ----------
    config
        Which model, how its weights are held, and how rows are read.
    batch_tokens
        Tokens in one forward pass, with padding.
    stages
        Told of the work.

    Raises
    ------
    UsageError
        If a batch holds nothing.
    ResourceError
        If a package is missing.
    """

    def __init__(self, config: TrainConfig, *, batch_tokens: int = 8192, stages: Stages | None = None) -> None:
        require_training_packages()
        if batch_tokens < 1:
            raise UsageError("a batch holds 1 token or more", got=str(batch_tokens))
        self.config = config
        self._batch_tokens = batch_tokens
        self._stages = stages or silent_stages
        self._model: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._model = None

    def measure(
        self,
        held_out: HeldOut,
        adapter: str | Path | None = None,
        *,
        digest: str | None = None,
        name: str | None = None,
    ) -> Evaluation:
        """Measure the base, or what was trained from it.

        Parameters
        ----------
        held_out
            What it is measured on.
        adapter
            Folder of an adapter, or of a whole model trained from the base, or of the run that holds either; None for
            the base.
        digest
            What its files have to have as theirs (`Evaluation.adapter_digest`); None: whatever they have.
        name
            What it is called where the work is told.

        Raises
        ------
        UsageError
            If the folder holds neither, or the adapter was trained on another base model.
        DataError
            If files are damaged, have another digest, or are changed while they are measured.
        """
        weights = None if adapter is None else trained_weights(adapter)
        found = None if weights is None else self._digest(weights, digest)
        title = name or ("the base model" if weights is None else "the tuned model")
        with quiet_libraries(), hidden_launchers():
            if weights is None:
                evaluation = self._measured(self._base(held_out), held_out, title)
            elif (weights / "config.json").is_file():
                self._model = None  # a whole model takes its place
                whole = self._loaded(self.config.model_copy(update={"model": str(weights)}), held_out)
                evaluation = self._measured(whole, held_out, title)
            else:
                evaluation = self._adapted(weights, held_out, title)
        if weights is not None and self._digest(weights) != found:
            raise DataError("the adapter was changed while it was measured", where=str(weights))
        return evaluation.of_adapter(found)

    def _adapted(self, folder: Path, held_out: HeldOut, title: str) -> Evaluation:
        from sage_select.render.adapted import load_adapter

        recorded = base_of_run(folder)
        revision = None if recorded is None else model_revision(self.config.model)
        if recorded != revision:
            raise UsageError(
                "the adapter was trained on another base model",
                where=self.config.model,
                expected=recorded,
                got=revision,
                hint="name the model of its run with --model",
            )
        base = self._base(held_out)
        self._model = None  # what is half adapted is no base: where the adapter cannot be loaded it is loaded again
        adapted = load_adapter(base, folder)
        evaluation = self._measured(adapted, held_out, title)
        self._model = adapted.unload()
        return evaluation

    def _base(self, held_out: HeldOut) -> Any:
        if self._model is None:
            self._model = self._loaded(self.config, held_out)
        return self._model

    def _loaded(self, config: TrainConfig, held_out: HeldOut) -> Any:
        from sage_select.train.base_model import load_base_model
        from sage_select.train.hardware import precision_here

        with self._stages("loading the model"):
            return load_base_model(config, precision_here(self.config), held_out.tokenizer)

    def _measured(self, model: Any, held_out: HeldOut, title: str) -> Evaluation:
        from sage_select.evaluate.measure import measure

        return measure(model, held_out, batch_tokens=self._batch_tokens, stages=self._stages, name=title)

    def _digest(self, weights: Path, expected: str | None = None) -> str:
        """Return the digest of files of weights, where it is the one that is expected."""
        whole = weights / "config.json"
        files = [whole, *sorted(weights.glob("*.safetensors"))] if whole.is_file() else []
        found = digest_files(files) if files else adapter_digest(weights)
        if expected not in (None, found):
            raise DataError(
                "the adapter is not the one that was trained",
                where=str(weights),
                expected=expected,
                got=found,
                hint="its files were changed or replaced since: train it again",
            )
        return found


def trained_weights(folder: str | Path) -> Path:
    """Return the folder of an adapter or of a whole model: this one, or the one inside the folder of a run.

    Raises
    ------
    UsageError
        If there is neither.
    """
    place = user_path(folder)
    for one in (place, place / MODEL_FOLDER):
        if (one / "config.json").is_file():
            return one
    return adapter_folder(folder)


def digest_of_run(weights: Path) -> str | None:
    """Return the digest that the run around a folder of weights recorded of them when it had trained them, if any."""
    try:
        record = json.loads((weights.parent / RECORD_NAME).read_text(encoding="utf-8"))
        found = record["result"]["adapter_digest"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return found if isinstance(found, str) else None
