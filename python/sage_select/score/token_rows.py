"""Rows as the tokens that a causal language model is shown: rendered and cut as training does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any, Final

from sage_select.errors import UsageError, Where
from sage_select.render.example import Example
from sage_select.render.model_files import load_config, load_tokenizer
from sage_select.render.refused import RefusedRows
from sage_select.render.tokens import RENDERING_VERSION, Encoded, Renderer
from sage_select.render.truncate import LongRow, context_length
from sage_select.score.batches import Work
from sage_select.score.scoring_model import ScoringModel

__all__ = ["DEFAULT_MAX_LENGTH", "TokenRows", "rendering_of"]

#: The longest row, in tokens, where nobody says otherwise and the model takes more.
DEFAULT_MAX_LENGTH: Final = 2048
_BATCH_TOKENS: Final = {"cuda": 32_768, "cpu": 4_096}


class TokenRows:
    """Rows as tokens of a model, which is loaded with its tokenizer when it is first needed.

    Parameters
    ----------
    model
        The model.
    max_length
        The most tokens of a row; by default the model's context, at most 2048.
    on_long_row
        What becomes of rows that are longer, as in training; those of which nothing is kept so are shown by their last
        tokens.
    chat_template
        A Jinja template in place of the tokenizer's.
    batch_tokens
        Tokens of a batch with its padding; by default 4096 on a CPU and 32768 on a GPU, or `batch_share` of that.
    """

    def __init__(
        self,
        model: ScoringModel,
        max_length: int | None,
        on_long_row: LongRow,
        *,
        chat_template: str | None = None,
        batch_tokens: int | None = None,
        batch_share: float = 1.0,
    ) -> None:
        self.model = model
        self._max_length, self._template, self._on_long_row = max_length, chat_template, on_long_row
        usual = _BATCH_TOKENS["cpu" if model.place == "cpu" else "cuda"]
        self.batch_tokens = batch_tokens or int(batch_share * usual)
        self.refused = RefusedRows()
        self.work = Work()
        model.dtype  # noqa: B018  what there is not is refused before a row is read

    def identity(self) -> Mapping[str, Any] | None:
        """Return all that what the model says of rows depends on; None where its content is not known."""
        of_model = self.model.identity()
        if of_model is None:
            return None
        return {
            **of_model,
            "max_length": self._max_length,
            "chat_template": self._template,
            "on_long_row": self._on_long_row,
            "rendering": RENDERING_VERSION,
            "batch_tokens": self.batch_tokens,
        }

    @cached_property
    def loaded(self) -> tuple[Renderer, Any]:
        """What renders rows, and the model of transformers.

        Raises
        ------
        UsageError
            It is no causal language model, or takes fewer tokens than are asked for.
        """
        name = self.model.name
        config = load_config(name)
        tokenizer = load_tokenizer(name)
        limit = context_length(config, tokenizer) or DEFAULT_MAX_LENGTH
        if self._max_length is not None and self._max_length > limit:
            raise UsageError(f"the model takes {limit} tokens, not {self._max_length}", where=name)
        most = self._max_length or min(limit, DEFAULT_MAX_LENGTH)
        network = self.model.load(tokenizer)
        return self._renderer_of(tokenizer, most, self._on_long_row), network

    @property
    def renderer(self) -> Renderer:
        """What renders rows."""
        return self.loaded[0]

    @cached_property
    def _rendering(self) -> str:
        return self.renderer.fingerprint

    @property
    def facts(self) -> dict[str, Any]:
        """What is told of the rendering of the rows so far, as plain values."""
        return {
            "max_length": self.renderer.max_length,
            "rendering": self._rendering,
            "notices": list(self.renderer.notices),
        }

    def encoded(
        self, examples: Iterable[Example], place: Callable[[int], Where]
    ) -> tuple[list[list[Encoded]], list[bool]]:
        """Return the training examples of each row, and which rows training would leave out."""
        rows, left_out = [], []
        for row, one in enumerate(examples):
            encoded = self.refused.encoded(self.renderer, one, place(row)) or []
            left_out.append(any(part.left_out for part in encoded) and not any(part.trained for part in encoded))
            rows.append(self._last_tokens.encode_all(one, place(row)) if left_out[-1] else encoded)
        return rows, left_out

    def _renderer_of(self, tokenizer: Any, max_length: int, on_long_row: LongRow) -> Renderer:
        return Renderer(tokenizer, max_length=max_length, chat_template=self._template, on_long_row=on_long_row)

    @cached_property
    def _last_tokens(self) -> Renderer:
        """What renders rows of which training would keep nothing."""
        return self._renderer_of(self.renderer.tokenizer, self.renderer.max_length, "keep_end")


def rendering_of(model: str, on_long_row: LongRow) -> str:
    """Return the fingerprint of what makes tokens of rows for a model; its weights are not loaded."""
    return Renderer(load_tokenizer(model), max_length=DEFAULT_MAX_LENGTH, on_long_row=on_long_row).fingerprint
