"""What a model writes after prompts: of several at once, each as it would alone but for the rounding of arithmetic."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final

from sage_select.render.extras import require

__all__ = ["drawn", "generated"]

_EXTRA: Final = "train"
#: What the likeliest tokens must have in all, of which one is drawn (Holtzman et al. 2020, nucleus sampling).
_NUCLEUS: Final = 0.95


def generated(
    model: Any,
    prompts: Sequence[Sequence[int]],
    *,
    most: int,
    stops: Sequence[int],
    pad: int,
    draw: Callable[[Any, Any], Any] | None = None,
    encodes: bool = False,
    **own: Any,
) -> list[list[int]]:
    """Return the tokens that a model writes after each prompt, those behind a stop among them: the caller cuts there.

    Parameters
    ----------
    model
        A model of transformers; its own settings of generation count for nothing.
    prompts
        Token ids, at least one each.
    most
        Tokens that are written at most.
    stops
        Tokens that end a text.
    pad
        A token to pad with.
    draw
        What `drawn` returns, for these prompts; None for the likeliest token each time.
    encodes
        Whether the model has an encoder, which reads the prompts.
    own
        Other settings of generation that the model needs.
    """
    torch = require("torch", _EXTRA)
    transformers = require("transformers", _EXTRA)
    longest = max(map(len, prompts))
    ids = torch.full((len(prompts), longest), pad)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        # A causal model goes on at the right end.
        start = 0 if encodes else longest - len(prompt)
        ids[row, start : start + len(prompt)] = torch.tensor(list(prompt))
        mask[row, start : start + len(prompt)] = 1
    # What is left out here would be taken from the model's own settings.
    settings = transformers.GenerationConfig(
        do_sample=False,
        num_beams=1,
        repetition_penalty=1.0,
        no_repeat_ngram_size=0,
        max_new_tokens=most,
        eos_token_id=list(stops) or None,
        pad_token_id=pad,
        **own,
    )
    found = model.generate(
        input_ids=ids.to(model.device),
        attention_mask=mask.to(model.device),
        generation_config=settings,
        logits_processor=None if draw is None else [draw],
    )
    written: list[list[int]] = found[:, 0 if encodes else longest :].tolist()
    return written


def drawn(temperature: float, seeds: Sequence[int]) -> Callable[[Any, Any], Any]:
    """Return what turns the likeliest token of each row into one that is drawn: Gumbel noise, of each row its own.

    The largest of log-probabilities and such noise is a draw by these probabilities (Gumbel 1954).

    Parameters
    ----------
    temperature
        Above 0: what logits are divided by.
    seeds
        One a row, below 2**63: its draws are the same whatever other rows there are.
    """
    torch = require("torch", _EXTRA)
    rows = []
    for seed in seeds:
        generator = torch.Generator()
        generator.manual_seed(seed)
        rows.append(generator)

    def draw(ids: Any, scores: Any) -> Any:
        del ids
        likely = torch.log_softmax(scores.float() / temperature, dim=-1)
        ordered, order = torch.sort(likely, dim=-1, descending=True, stable=True)
        before = torch.cumsum(ordered.exp(), dim=-1) - ordered.exp()
        beyond = torch.zeros_like(likely, dtype=torch.bool).scatter(-1, order, before > _NUCLEUS)
        noise = torch.stack([torch.rand(scores.shape[-1], generator=one) for one in rows])
        noise = -torch.log(-torch.log(noise.clamp(1e-20, 1 - 1e-7)))
        return (likely + noise.to(likely.device)).masked_fill(beyond, -math.inf)

    return draw
