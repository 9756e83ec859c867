"""Scores from a causal language model: how surprised it is by what the row would train it on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from sage_select.errors import DataError, ResourceError, UsageError, Where
from sage_select.render.example import Example
from sage_select.render.extras import require
from sage_select.render.model_files import load_causal_lm, load_tokenizer, model_revision, require_vocabulary
from sage_select.render.refused import RefusedRows
from sage_select.render.tokens import Encoded, Renderer
from sage_select.render.truncate import context_length
from sage_select.score.batches import length_batches

if TYPE_CHECKING:
    from sage_select.score.token_loss import TokenLoss

__all__ = ["DEFAULT_MAX_LENGTH", "ScoreResult", "default_device", "language_model_scores"]

#: The longest row, in tokens, where nobody says otherwise and the model takes more.
DEFAULT_MAX_LENGTH: Final = 2048
#: Rows held as tokens at a time; they are sorted by length among themselves.
_WINDOW_ROWS: Final = 2048
_BATCH_TOKENS: Final = {"cuda": 32_768, "cpu": 4_096}


@dataclass(frozen=True)
class ScoreResult:
    """One number a row, and what it is made of.

    Parameters
    ----------
    scores
        float32, mean loss per trained token in nats; NaN where the row has nothing to train.
    untrained
        Rows that have nothing to train, or that the chat template refuses (their score is NaN); the caller says what
        becomes of them.
    cut_rows, cut_tokens
        Rows longer than `max_length`, and the tokens left out of them.
    max_length
        The most tokens a row was given.
    model, revision
        The model, and the commit or digest that pins it.
    rendering
        Fingerprint of tokenizer and template.
    device, dtype
        Where and in what precision it ran.
    notices
        What the user should know.
    """

    scores: NDArray[np.float32]
    untrained: int
    cut_rows: int
    cut_tokens: int
    max_length: int
    model: str
    revision: str
    rendering: str
    device: str
    dtype: str
    notices: list[str] = field(default_factory=list)


def language_model_scores(
    examples: Iterable[Example],
    model: str,
    *,
    total: int | None = None,
    where: Callable[[int], Where] | None = None,
    max_length: int | None = None,
    chat_template: str | None = None,
    device: str | None = None,
    batch_tokens: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ScoreResult:
    """Return the mean loss per trained token of each example under a causal language model.

    Rows are rendered, masked and cut as for training. Memory is bounded by 2048 rows of tokens, one batch of
    activations and 256 MB of logits; float32 on a CPU, bfloat16 on a GPU.

    Parameters
    ----------
    examples
        The rows, in order; read once.
    model
        A folder or a repository.
    total
        How many examples there are, for `progress`.
    where
        Row number -> its place, for messages.
    max_length
        The most tokens of a row; by default the model's context, at most 2048.
    chat_template
        A Jinja template in place of the tokenizer's.
    device
        A torch device; by default `cuda` where there is one, else `cpu`.
    batch_tokens
        Tokens of a batch with its padding; by default 4096 on a CPU and 32768 on a GPU. A GPU that has too little
        memory for it gets smaller batches.
    progress
        Called with (rows done, total) after each batch.

    Raises
    ------
    UsageError
        `model` is no causal language model, or an option makes no sense.
    DataError
        The loss of a row is not finite.
    ResourceError
        The extra is missing, or one row alone does not fit into memory.

    Notes
    -----
    A row's score does not depend on the rows around it beyond rounding: padding is masked. Source: the per-row loss
    of loss-based selection, for example Paul et al. 2021 (arXiv 2107.07075), as mean negative log-likelihood.
    """
    device = default_device() if device is None else device
    tokenizer = load_tokenizer(model)
    dtype = _dtype(device)
    network = load_causal_lm(model, dtype)
    require_vocabulary(network, tokenizer, model)
    limit = context_length(network.config, tokenizer) or DEFAULT_MAX_LENGTH
    if max_length is not None and max_length > limit:
        raise UsageError(f"the model takes {limit} tokens, not {max_length}", where=model)
    renderer = Renderer(tokenizer, max_length=max_length or min(limit, DEFAULT_MAX_LENGTH), chat_template=chat_template)
    loss = _placed(network, device)
    tokens = batch_tokens or _BATCH_TOKENS["cpu" if device == "cpu" else "cuda"]
    scores: list[NDArray[np.float32]] = []
    cuts: list[int] = []
    place = where or (lambda row: Where(row=row))
    refused = RefusedRows()
    done = 0
    for window in _windows(examples):
        rows = [refused.encoded(renderer, example, place(done + index)) or [] for index, example in enumerate(window)]
        # A row may make several training examples; its loss is that of all their trained tokens.
        encoded = [(index, one) for index, row in enumerate(rows) for one in row if one.trained]
        owners = np.array([index for index, _ in encoded], np.int64)
        trained = np.array([one.trained for _, one in encoded], np.float64)
        found = np.zeros(len(encoded))
        finished = 0
        for batch in length_batches([len(one.input_ids) for _, one in encoded], tokens):
            found[batch] = _losses(loss, [encoded[index][1] for index in batch])
            bad = next((index for index in batch if not np.isfinite(found[index])), None)
            if bad is not None:
                raise DataError(
                    "the model's loss on this row is not a finite number",
                    where=place(done + encoded[bad][0]),
                    got=str(found[bad]),
                    hint="the model may be damaged, or need more precision than its device gives it",
                )
            finished += len(batch)
            if progress is not None:
                reached = done + len(window) * finished // len(encoded)
                progress(reached, total if total is not None else done + len(window))
        tokens_of = np.bincount(owners, weights=trained, minlength=len(window))
        sums = np.bincount(owners, weights=found * trained, minlength=len(window))
        means = np.full(len(window), np.nan)
        np.divide(sums, tokens_of, out=means, where=tokens_of > 0)
        scores.append(means.astype(np.float32))
        cuts += [cut for row in rows if (cut := sum(one.cut for one in row))]
        done += len(window)
    joined = np.concatenate(scores) if scores else np.empty(0, np.float32)
    return ScoreResult(
        scores=joined,
        untrained=int(np.isnan(joined).sum()),
        cut_rows=len(cuts),
        cut_tokens=sum(cuts),
        max_length=renderer.max_length,
        model=model,
        revision=model_revision(model),
        rendering=renderer.fingerprint,
        device=device,
        dtype=dtype,
        notices=[*renderer.notices, *refused.lines()],
    )


def default_device() -> str:
    """Return the torch device to use where none is named.

    Raises
    ------
    ResourceError
        The extra is missing.
    """
    return "cuda" if require("torch", "train").cuda.is_available() else "cpu"


def _dtype(device: str) -> str:
    torch = require("torch", "train")
    try:
        kind = torch.device(device).type
    except RuntimeError:
        raise UsageError(f"there is no device {device!r}", expected="cpu, cuda or cuda:N") from None
    if kind == "cuda" and not torch.cuda.is_available():
        raise ResourceError(f"the device {device!r} is not there", hint="leave it out, or name cpu")
    return "bfloat16" if kind == "cuda" and torch.cuda.is_bf16_supported() else "float32"


def _placed(network: Any, device: str) -> TokenLoss:
    from sage_select.score.token_loss import TokenLoss

    torch = require("torch", "train")
    try:
        return TokenLoss(network.to(device))
    except torch.OutOfMemoryError:
        raise ResourceError(f"the model does not fit into the memory of {device}") from None


def _windows(examples: Iterable[Example]) -> Iterator[list[Example]]:
    source = iter(examples)
    while window := list(islice(source, _WINDOW_ROWS)):
        yield window


def _losses(loss: TokenLoss, rows: list[Encoded]) -> NDArray[np.float64]:
    """Return the loss of each row, by halves where a batch does not fit into memory."""
    torch = require("torch", "train")
    try:
        return loss(rows)
    except torch.OutOfMemoryError:
        if len(rows) == 1:
            raise ResourceError(
                f"one row of {len(rows[0].input_ids)} tokens does not fit into memory",
                hint="give a smaller maximum length",
            ) from None
    torch.cuda.empty_cache()
    half = len(rows) // 2
    return np.concatenate([_losses(loss, rows[:half]), _losses(loss, rows[half:])])
