"""How likely a causal model finds what it writes itself: the mean log-probability of its tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sage_select.errors import DataError, ResourceError, UsageError, Where
from sage_select.render import Conversation, Example
from sage_select.render.extras import require
from sage_select.render.model_files import load_tokenizer, quiet
from sage_select.render.tokens import IGNORED, RENDERING_VERSION, Encoded, Renderer
from sage_select.render.truncate import context_length
from sage_select.rewriting.generate import generated
from sage_select.score.batches import length_batches
from sage_select.score.scoring_model import ScoringModel
from sage_select.score.token_rows import DEFAULT_MAX_LENGTH

__all__ = ["WrittenLikelihood"]

_EXTRA: Final = "train"
#: Tokens of a batch with its padding, those to be written among them.
_BATCH_TOKENS: Final = {"cuda": 32_768, "cpu": 4_096}
#: What stands in the place of the answer while its prompt is written: templates may write no empty turn.
_ANY_ANSWER: Final = "ok"
#: A conversation that tells how a template ends a turn.
_SHORT: Final = Conversation([{"role": "user", "content": "ok"}, {"role": "assistant", "content": _ANY_ANSWER}])


class WrittenLikelihood:
    """The mean log-probability of what a model writes for a row, its likeliest token each time.

    Parameters
    ----------
    source
        A folder or a repository with a causal language model, loaded when the first text is written.
    most
        The most tokens that are written for a row.

    Notes
    -----
    MNLP (Shen et al. 2017, arXiv 1707.05928): ``1/n sum_t log p(y_t | y_<t, x)`` in nats over the n tokens written, the
    one that ends the text among them; a sum alone would call long texts uncertain. Each token is found by a pass
    with a cache, and the log-probabilities of all in one more pass over the whole. Padding is masked, so that a row
    does not depend on others beyond rounding.
    """

    def __init__(self, source: str, *, most: int) -> None:
        self.source, self._most = source, most
        self._model = ScoringModel(source)
        self.shortened = 0

    def identity(self) -> Mapping[str, Any] | None:
        """Return all that a value depends on beside the row; None where the model's content is not known."""
        model = self._model.identity()
        return None if model is None else {**model, "most": self._most, "rendering": RENDERING_VERSION}

    @property
    def facts(self) -> dict[str, Any]:
        """What pins the model, for the manifest."""
        return {
            "model": self.source,
            "revision": self._model.revision,
            "device": self._model.place,
            "dtype": self._model.dtype,
            "max_new_tokens": self._most,
        }

    @cached_property
    def _loaded(self) -> tuple[Renderer, Any, Any, int]:
        """The renderer, the model, its loss of tokens, and the tokens that it takes."""
        from sage_select.score.token_means import TokenMeans

        tokenizer = load_tokenizer(self.source)
        model = self._model.load(tokenizer)
        limit = min(context_length(model.config, tokenizer) or DEFAULT_MAX_LENGTH, DEFAULT_MAX_LENGTH)
        if self._most >= limit:
            raise UsageError(
                f"the model takes {limit:,} tokens in all, and is to write up to {self._most:,}",
                where=self.source,
                expected="room for a prompt",
                hint="a smaller --max-new-tokens",
            )
        return Renderer(tokenizer, max_length=limit), model, TokenMeans(model, only_loss=True), limit

    @cached_property
    def _stops(self) -> list[int]:
        """The tokens that end a text: those of the model, and what the chat template ends a turn with."""
        renderer, model, *_ = self._loaded
        own = model.generation_config.eos_token_id
        ids = {renderer.tokenizer.eos_token_id, *([own] if isinstance(own, int) else own or [])}
        with suppress(DataError):  # a template that refuses such a conversation ends it as the model does
            turn = renderer.predicted(_SHORT)[0].text
            tokens = renderer.tokenizer(turn, add_special_tokens=False)["input_ids"]
            ids |= set([one for one in tokens if one in renderer.special_ids][-1:])
        return sorted(ids - {None})

    def of(
        self, examples: Iterable[Example], place: Callable[[int], Where], progress: Callable[[int], None]
    ) -> NDArray[np.float64]:
        """Return the mean log-probability for each row, in nats; the answer that a row may have has no part in it.

        A conversation is written on from before its last turn of the assistant, or from its end; a text from its end.
        Of a prompt that leaves too little room whole turns are left out, the oldest first, or else its first tokens:
        `shortened` counts such rows.

        Raises
        ------
        UsageError
            `source` is no causal language model, or takes too few tokens.
        DataError
            The chat template refuses a row, a row has nothing to go on from, or a value is not finite.
        ResourceError
            The extra is missing, or one row alone does not fit into memory.
        """
        prompts = [self._prompt(one, place(row)) for row, one in enumerate(examples)]
        found = np.zeros(len(prompts))
        done = 0
        lengths = [len(one) + self._most for one in prompts]
        for batch in length_batches(lengths, _BATCH_TOKENS["cpu" if self._model.place == "cpu" else "cuda"]):
            found[batch] = self._batch([prompts[row] for row in batch])
            bad = next((row for row in batch if not np.isfinite(found[row])), None)
            if bad is not None:
                raise DataError(
                    "what the model writes for this row has no finite probability",
                    where=place(bad),
                    got=str(found[bad]),
                    hint="the model may be damaged, or need more precision than its device gives it",
                )
            done += len(batch)
            progress(done)
        return found

    def _prompt(self, example: Example, where: Where) -> list[int]:
        renderer, *_, limit = self._loaded
        room = limit - self._most
        if isinstance(example, Conversation):
            ids = self._turn(renderer, example, where, room)
        else:
            ids = list(renderer.tokenizer(example.text, verbose=False)["input_ids"])
        if not ids:
            raise DataError("this row has nothing for a model to go on from", where=where, expected="words")
        self.shortened += len(ids) > room
        return ids[-room:]

    def _turn(self, renderer: Renderer, example: Conversation, where: Where, room: int) -> list[int]:
        """Return the tokens before the last answer of a conversation, or before the one that is still to come."""
        messages = [{**one, "weight": 0} if one["role"] == "assistant" else one for one in example.messages]
        if not messages or messages[-1]["role"] != "assistant":
            messages.append({"role": "assistant", "content": ""})
        messages[-1] = {"role": "assistant", "content": _ANY_ANSWER}
        found = renderer.predicted(Conversation(messages, example.tools), where)
        if not found:
            raise DataError("the chat template writes no turn of the assistant for this row", where=where)
        whole = found[-1].prompt
        shorter = found[-1].within(room)
        self.shortened += shorter is not None and len(shorter) < len(whole)
        return whole if shorter is None else shorter

    def _batch(self, prompts: list[list[int]]) -> NDArray[np.float64]:
        """Return the values of some prompts, by halves where they do not fit into memory."""
        torch = require("torch", _EXTRA)
        try:
            with quiet():
                return self._values(prompts)
        except torch.OutOfMemoryError:
            if len(prompts) == 1:
                raise ResourceError("one row does not fit into memory", where=self.source) from None
        torch.cuda.empty_cache()
        half = len(prompts) // 2
        return np.concatenate([self._batch(prompts[:half]), self._batch(prompts[half:])])

    def _values(self, prompts: list[list[int]]) -> NDArray[np.float64]:
        renderer, model, loss, _ = self._loaded
        pad = renderer.tokenizer.pad_token_id
        pad = pad if pad is not None else next(iter(self._stops), 0)
        written = generated(model, prompts, most=self._most, stops=self._stops, pad=pad)
        rows = []
        for prompt, tokens in zip(prompts, written, strict=True):
            end = next((place for place, token in enumerate(tokens, start=1) if token in self._stops), len(tokens))
            own = tokens[:end]
            rows.append(Encoded([*prompt, *own], [IGNORED] * len(prompt) + own, len(own), 0))
        found: NDArray[np.float64] = -loss(rows)[:, 0]
        return found
