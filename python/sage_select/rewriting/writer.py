"""Models that write texts: a causal one after a prompt, or one that reads a text and writes another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple

from sage_select.errors import ResourceError, UsageError
from sage_select.render.extras import release_series, require
from sage_select.render.model_files import (
    load_tokenizer,
    load_writer,
    model_content,
    model_revision,
    quiet,
    require_vocabulary,
)
from sage_select.render.truncate import context_length
from sage_select.rewriting.generate import drawn, generated
from sage_select.score.batches import length_batches
from sage_select.score.scoring_model import default_device, default_dtype

__all__ = ["Asked", "Writer", "Written"]

_EXTRA: Final = "train"
#: A text may get so many times its tokens, and some more, and at most so many.
_TIMES: Final = 2
_MORE: Final = 16
_MOST: Final = 512
#: Tokens of a batch with its padding, those to be written among them.
_BATCH_TOKENS: Final = {"cuda": 32_768, "cpu": 4_096}
#: What ends a text of a model that goes on where it has no chat template to tell it.
_ENDS: Final = "\n"


class Asked(NamedTuple):
    """A text for a model to write another after: what it says, and the seed of its draws, below 2**63."""

    text: str
    seed: int


@dataclass(frozen=True)
class Written:
    """What a model wrote.

    Attributes
    ----------
    texts
        One for each that was asked; the text itself where it is longer than the model reads, or what the model wrote
        has no end.
    too_long, endless
        How many of each there are.
    """

    texts: list[str]
    too_long: int
    endless: int


class Writer:
    """A model that writes texts, loaded when the first is written.

    Parameters
    ----------
    source
        A folder or a repository, causal (decoder alone) or with an encoder.
    prompt
        What the model is given, with `{text}` for the text. A causal model with a chat template is given it as the
        user's turn.
    temperature
        0 for the likeliest token each time; above it tokens are drawn, the likelier the more often.

    Raises
    ------
    ResourceError
        The extra is missing.
    """

    def __init__(self, source: str, *, prompt: str = "{text}", temperature: float = 0.0) -> None:
        self.source, self._prompt, self._temperature = source, prompt, temperature
        self.device = default_device()
        self.dtype = default_dtype(self.device)

    def identity(self) -> dict[str, Any] | None:
        """Return all that a text depends on beside what is asked; None where the model's content is not known."""
        content = model_content(self.source)
        if content is None:
            return None
        return {
            "label": self.source,
            "model": content,
            "device": self.device.partition(":")[0],
            "dtype": self.dtype,
            "prompt": self._prompt,
            "temperature": self._temperature,
            "libraries": release_series("torch", "transformers"),
        }

    @cached_property
    def _tokenizer(self) -> Any:
        return load_tokenizer(self.source)

    @cached_property
    def _model(self) -> Any:
        torch = require("torch", _EXTRA)
        model = load_writer(self.source, self.dtype)
        require_vocabulary(model, self._tokenizer, self.source)
        try:
            return model.to(self.device)
        except torch.OutOfMemoryError:
            raise ResourceError(f"the model does not fit into the memory of {self.device}", where=self.source) from None

    @property
    def _encodes(self) -> bool:
        return bool(getattr(self._model.config, "is_encoder_decoder", False))

    @property
    def _limit(self) -> int:
        return context_length(self._model.config, self._tokenizer) or _MOST

    @property
    def _chats(self) -> bool:
        return not self._encodes and bool(getattr(self._tokenizer, "chat_template", None))

    @property
    def facts(self) -> dict[str, Any]:
        """What pins the model, for the manifest."""
        return {
            "model": self.source,
            "revision": model_revision(self.source),
            "device": self.device,
            "dtype": self.dtype,
            "prompt": self._prompt,
            "temperature": self._temperature,
        }

    def write(self, asked: Sequence[Asked], progress: Callable[[int, int], None] | None = None) -> Written:
        """Return what the model writes after each text.

        Texts are batched by length, and by what they say, so that their order changes nothing; which others there are
        changes no more than the rounding of a model's arithmetic does. Draws are those of each text.

        Raises
        ------
        UsageError
            If the source is no such model.
        DataError
            If its files are damaged.
        ResourceError
            If there is too little memory for it, or for one text alone.
        """
        prompts = [self._tokens(one.text) for one in asked]
        room = [_room(len(ids)) for ids in prompts]
        lengths = [len(ids) + new for ids, new in zip(prompts, room, strict=True)]
        most = [
            max(len(ids), new) if self._encodes else both for ids, new, both in zip(prompts, room, lengths, strict=True)
        ]
        texts = [one.text for one in asked]
        fits = [place for place, length in enumerate(most) if length <= self._limit and prompts[place]]
        # Whatever order they came in.
        fits.sort(key=lambda place: (lengths[place], asked[place]))
        done = endless = 0
        for batch in length_batches(
            [lengths[place] for place in fits], _BATCH_TOKENS["cpu" if self.device == "cpu" else "cuda"]
        ):
            places = [fits[index] for index in batch]
            made = self._batch([prompts[place] for place in places], [asked[place].seed for place in places])
            for place, text in zip(places, made, strict=True):
                texts[place] = texts[place] if text is None else text
                endless += text is None
            done += len(batch)
            if progress is not None:
                progress(done, len(fits))
        return Written(texts, len(asked) - len(fits), endless)

    def _tokens(self, text: str) -> list[int]:
        """Return what the model is given for a text."""
        given = self._prompt.replace("{text}", text)
        if not self._chats:
            return list(self._tokenizer(given, verbose=False)["input_ids"])
        try:
            written = self._tokenizer.apply_chat_template(
                [{"role": "user", "content": given}], add_generation_prompt=True, tokenize=False
            )
        except Exception as error:  # a template may raise whatever it likes
            raise UsageError(
                "the chat template of the model cannot write a user's turn", where=self.source, got=str(error)[:200]
            ) from None
        return list(self._tokenizer(written, add_special_tokens=False, verbose=False)["input_ids"])

    def _batch(self, prompts: list[list[int]], seeds: list[int]) -> list[str | None]:
        """Return what the model writes, by halves where a batch does not fit into memory."""
        torch = require("torch", _EXTRA)
        try:
            with quiet():
                return self._generated(prompts, seeds)
        except torch.OutOfMemoryError:
            if len(prompts) == 1:
                raise ResourceError("one text does not fit into memory", where=self.source) from None
        torch.cuda.empty_cache()
        half = len(prompts) // 2
        return self._batch(prompts[:half], seeds[:half]) + self._batch(prompts[half:], seeds[half:])

    def _generated(self, prompts: list[list[int]], seeds: list[int]) -> list[str | None]:
        own = self._model.generation_config
        stops = own.eos_token_id if own.eos_token_id is not None else self._tokenizer.eos_token_id
        stops = [stops] if isinstance(stops, int) else list(stops or [])
        pad = next(
            (token for token in (self._tokenizer.pad_token_id, own.pad_token_id, *stops) if token is not None), 0
        )
        written = generated(
            self._model,
            prompts,
            most=_room(max(map(len, prompts))),
            stops=stops,
            pad=pad,
            draw=drawn(self._temperature, seeds) if self._temperature else None,
            encodes=self._encodes,
            decoder_start_token_id=own.decoder_start_token_id,
            forced_bos_token_id=own.forced_bos_token_id,
            forced_eos_token_id=own.forced_eos_token_id,
            bos_token_id=own.bos_token_id,
            bad_words_ids=own.bad_words_ids,
        )
        # What comes beyond the room of a row is there for longer ones alone.
        return [
            self._text(tokens[: _room(len(prompt))], stops) for prompt, tokens in zip(prompts, written, strict=True)
        ]

    def _text(self, tokens: list[int], stops: list[int]) -> str | None:
        """Return the words through the first stop, or the first line of a model that goes on; None without an end."""
        # The first token may be what a decoder starts with, and stop as well.
        end = next((place for place, token in enumerate(tokens[1:], start=1) if token in stops), None)
        text = str(self._tokenizer.decode(tokens[:end], skip_special_tokens=True))
        if not (self._encodes or self._chats) and _ENDS in text.strip():
            return text.strip().partition(_ENDS)[0].strip()
        return None if end is None else text.strip()


def _room(tokens: int) -> int:
    """Return how many tokens may be written after so many."""
    return min(_TIMES * tokens + _MORE, _MOST)
