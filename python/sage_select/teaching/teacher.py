"""A teacher in memory that writes answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from sage_select.errors import UsageError
from sage_select.evaluate.measure import stop_tokens
from sage_select.rewriting.generate import drawn, generated
from sage_select.train.distilling.teacher import frozen_model
from sage_select.train.launchers import hidden_launchers

if TYPE_CHECKING:
    from sage_select.teaching.prompts import Prompt, Prompts
    from sage_select.train.config import TrainConfig

__all__ = ["Teacher"]


class Teacher:
    """The model of a configuration, frozen.

    Parameters
    ----------
    config, tokenizer, adapter
        As `train.distilling.teacher.frozen_model` takes them.
    prompts
        What it is going to be asked, from which follows what ends an answer.

    Raises
    ------
    UsageError
        If nothing ends an answer, or the model cannot be used.
    """

    def __init__(self, config: TrainConfig, tokenizer: Any, adapter: Path | None, prompts: Prompts) -> None:
        with hidden_launchers():
            self._model = frozen_model(config, tokenizer, adapter)
        self._stops = stop_tokens(self._model.get_base_model(), tokenizer, prompts.ends, prompts.inside)
        if not self._stops:
            raise UsageError("the teacher has no token that ends an answer", where=config.model)
        self._pad = int(self._stops[0] if tokenizer.pad_token_id is None else tokenizer.pad_token_id)

    def answers(
        self, asked: Sequence[Prompt], most: int, temperature: float, seeds: Sequence[int]
    ) -> list[tuple[list[int], bool]]:
        """Return the tokens of each answer, through the one that ends it, and whether there is such a one.

        Parameters
        ----------
        asked
            Prompts that are answered at once.
        most
            Tokens of an answer at most.
        temperature, seeds
            0 for the likeliest tokens; above it, the seed of the draws of each.
        """
        draw = drawn(temperature, seeds) if temperature else None
        prompts = [one.ids for one in asked]
        with torch.inference_mode():
            written = generated(self._model, prompts, most=most, stops=self._stops, pad=self._pad, draw=draw)
        return [self._cut(tokens) for tokens in written]

    def _cut(self, tokens: list[int]) -> tuple[list[int], bool]:
        end = next((place for place, token in enumerate(tokens, start=1) if token in self._stops), None)
        return tokens[:end], end is not None
