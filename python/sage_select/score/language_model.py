"""Scores from a causal language model: how surprised it is by what the row would train it on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sage_select.cache import Blocks, Computed, compute_blocks, spans
from sage_select.errors import DataError, ResourceError, UsageError, Where
from sage_select.render.example import Example
from sage_select.render.extras import release_series, require
from sage_select.render.model_files import (
    load_causal_lm,
    load_tokenizer,
    model_content,
    model_revision,
    require_vocabulary,
)
from sage_select.render.refused import RefusedRows
from sage_select.render.tokens import RENDERING_VERSION, Encoded, Renderer
from sage_select.render.truncate import LongRow, context_length
from sage_select.score.batches import length_batches

if TYPE_CHECKING:
    from sage_select.score.token_loss import TokenLoss

__all__ = ["DEFAULT_MAX_LENGTH", "ScoreResult", "default_device", "default_dtype", "language_model_scores"]

#: The longest row, in tokens, where nobody says otherwise and the model takes more.
DEFAULT_MAX_LENGTH: Final = 2048
#: Rows held as tokens at a time, and as scores by a cache; they are sorted by length among themselves.
_BLOCK_ROWS: Final = 2048
_BATCH_TOKENS: Final = {"cuda": 32_768, "cpu": 4_096}
#: What is held of a block: its columns, and under which key of the metadata what there is to tell of it.
_COLUMNS: Final = ("loss", "cut_tokens", "left_out")
_FACTS: Final = b"facts"


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
    left_out_rows
        Those among them that training would leave out, scored by their last tokens.
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
    left_out_rows: int
    max_length: int
    model: str
    revision: str
    rendering: str
    device: str
    dtype: str
    notices: list[str] = field(default_factory=list)


class Examples(Protocol):
    """Rows as they are trained, read some at a time."""

    def __len__(self) -> int:
        """Return how many there are."""
        ...

    def __getitem__(self, rows: slice, /) -> Iterable[Example]:
        """Return those from one row to before another."""
        ...


def language_model_scores(
    examples: Examples,
    model: str,
    *,
    where: Callable[[int], Where] | None = None,
    max_length: int | None = None,
    chat_template: str | None = None,
    on_long_row: LongRow = "keep_turns",
    device: str | None = None,
    batch_tokens: int | None = None,
    blocks: Blocks = compute_blocks,
    progress: Callable[[int, int], None] | None = None,
) -> ScoreResult:
    """Return the mean loss per trained token of each example under a causal language model.

    Rows are rendered, masked and cut as for training. Memory is bounded by 2048 rows of tokens, one batch of
    activations and 256 MB of logits; float32 on a CPU, bfloat16 on a GPU.

    Parameters
    ----------
    examples
        The rows, in order: a list, or what reads them when they are needed.
    model
        A folder or a repository; loaded when the first score is computed.
    where
        Row number -> its place, for messages.
    max_length
        The most tokens of a row; by default the model's context, at most 2048.
    chat_template
        A Jinja template in place of the tokenizer's.
    on_long_row
        What becomes of rows that are longer, as in training (`sage_select.render.tokens.Renderer`). A row of which
        nothing can be kept so is scored by its last tokens, and counted.
    device
        A torch device; by default `cuda` where there is one, else `cpu`.
    batch_tokens
        Tokens of a batch with its padding; by default 4096 on a CPU and 32768 on a GPU. A GPU that has too little
        memory for it gets smaller batches.
    blocks
        Gives the scores of blocks of 2048 rows that are held, and has the others computed.
    progress
        Called with (rows done, rows) after each batch.

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
    A row's score does not depend on the rows around it beyond rounding: padding is masked. No batch holds rows of two
    blocks. Source: the per-row loss of loss-based selection, for example Paul et al. 2021 (arXiv 2107.07075), as mean
    negative log-likelihood.
    """
    device = default_device() if device is None else device
    loss = _RowLoss(model, device, max_length, chat_template, on_long_row, batch_tokens)
    place = where or (lambda row: Where(row=row))
    reached = 0

    def tell(done: int) -> None:
        nonlocal reached
        if progress is not None and done > reached:
            reached = done
            progress(done, len(examples))

    def compute(start: int, stop: int) -> Computed:
        values = loss.of(
            examples[start:stop],
            lambda row: place(start + row),
            lambda done: tell(start + done),
        )
        table = pa.table(values)
        table = table.replace_schema_metadata({_FACTS: json.dumps(loss.facts)})
        return Computed(table, lasting=not np.isnan(values["loss"]).any())

    parts, facts, done = [], dict[str, Any](), 0
    notices: list[str] = []
    for table in blocks(loss.identity, spans(len(examples), _BLOCK_ROWS), compute):
        parts.append(table)
        facts = json.loads(table.schema.metadata[_FACTS])
        notices += [notice for notice in facts["notices"] if notice not in notices]
        done += table.num_rows
        tell(done)
    facts = facts or loss.facts
    scores, cuts, left_out = (
        np.concatenate([part[name].to_numpy() for part in parts] or [np.empty(0)]) for name in _COLUMNS
    )
    scores = np.asarray(scores, np.float32)
    return ScoreResult(
        scores=scores,
        untrained=int(np.isnan(scores).sum()),
        cut_rows=int(np.count_nonzero(cuts)),
        cut_tokens=int(cuts.sum()),
        left_out_rows=int(left_out.sum()),
        max_length=facts["max_length"],
        model=model,
        revision=model_revision(model),
        rendering=facts["rendering"],
        device=device,
        dtype=loss.dtype,
        notices=[*notices, *loss.refused.lines()],
    )


class _RowLoss:
    """The loss of rows under a model that is loaded when it is first needed."""

    def __init__(
        self,
        model: str,
        device: str,
        max_length: int | None,
        chat_template: str | None,
        on_long_row: LongRow,
        batch_tokens: int | None,
    ) -> None:
        self._model, self._device = model, device
        self._max_length, self._template, self._on_long_row = max_length, chat_template, on_long_row
        self._batch_tokens = batch_tokens or _BATCH_TOKENS["cpu" if device == "cpu" else "cuda"]
        self.dtype = default_dtype(device)
        self.refused = RefusedRows()

    def identity(self) -> Mapping[str, Any] | None:
        """Return all that the loss of rows depends on beside them; None where the model's content is not known."""
        content = model_content(self._model)
        if content is None:
            return None
        return {
            "label": self._model,
            "model": content,
            "dtype": self.dtype,
            "device": self._device.partition(":")[0],
            "max_length": self._max_length,
            "chat_template": self._template,
            "on_long_row": self._on_long_row,
            "rendering": RENDERING_VERSION,
            "batch_tokens": self._batch_tokens,
            "block_rows": _BLOCK_ROWS,
            "libraries": release_series("torch", "transformers"),
        }

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What is told of the rendering, as plain values."""
        renderer, _ = self._loaded
        return {
            "max_length": renderer.max_length,
            "rendering": renderer.fingerprint,
            "notices": list(renderer.notices),
        }

    @cached_property
    def _loaded(self) -> tuple[Renderer, TokenLoss]:
        tokenizer = load_tokenizer(self._model)
        network = load_causal_lm(self._model, self.dtype)
        require_vocabulary(network, tokenizer, self._model)
        limit = context_length(network.config, tokenizer) or DEFAULT_MAX_LENGTH
        if self._max_length is not None and self._max_length > limit:
            raise UsageError(f"the model takes {limit} tokens, not {self._max_length}", where=self._model)
        most = self._max_length or min(limit, DEFAULT_MAX_LENGTH)
        return self._renderer(tokenizer, most, self._on_long_row), _placed(network, self._device)

    def _renderer(self, tokenizer: Any, max_length: int, on_long_row: LongRow) -> Renderer:
        return Renderer(tokenizer, max_length=max_length, chat_template=self._template, on_long_row=on_long_row)

    @cached_property
    def _last_tokens(self) -> Renderer:
        """What renders rows of which training would keep nothing."""
        renderer, _ = self._loaded
        return self._renderer(renderer.tokenizer, renderer.max_length, "keep_end")

    def of(
        self, examples: Iterable[Example], place: Callable[[int], Where], progress: Callable[[int], None]
    ) -> dict[str, NDArray[Any]]:
        """Return of each row the mean loss, NaN where nothing is trained, and how it was cut: `_COLUMNS`."""
        renderer, loss = self._loaded
        rows, left_out = [], []
        for row, one in enumerate(examples):
            encoded = self.refused.encoded(renderer, one, place(row)) or []
            left_out.append(any(part.left_out for part in encoded) and not any(part.trained for part in encoded))
            rows.append(self._last_tokens.encode_all(one, place(row)) if left_out[-1] else encoded)
        # A row may make several training examples; its loss is that of all their trained tokens.
        learned = [(index, one) for index, row in enumerate(rows) for one in row if one.trained]
        owners = np.array([index for index, _ in learned], np.int64)
        trained = np.array([one.trained for _, one in learned], np.float64)
        found = np.zeros(len(learned))
        finished = 0
        for batch in length_batches([len(one.input_ids) for _, one in learned], self._batch_tokens):
            found[batch] = _losses(loss, [learned[index][1] for index in batch])
            bad = next((index for index in batch if not np.isfinite(found[index])), None)
            if bad is not None:
                raise DataError(
                    "the model's loss on this row is not a finite number",
                    where=place(learned[bad][0]),
                    got=str(found[bad]),
                    hint="the model may be damaged, or need more precision than its device gives it",
                )
            finished += len(batch)
            progress(len(rows) * finished // len(learned))
        tokens = np.bincount(owners, weights=trained, minlength=len(rows))
        sums = np.bincount(owners, weights=found * trained, minlength=len(rows))
        means = np.full(len(rows), np.nan)
        np.divide(sums, tokens, out=means, where=tokens > 0)
        cuts = [sum(one.cut for one in row) for row in rows]
        values = (means.astype(np.float32), np.array(cuts, np.int64), np.array(left_out, np.bool_))
        return dict(zip(_COLUMNS, values, strict=True))


def default_device() -> str:
    """Return the torch device to use where none is named.

    Raises
    ------
    ResourceError
        The extra is missing.
    """
    return "cuda" if require("torch", "train").cuda.is_available() else "cpu"


def default_dtype(device: str) -> str:
    """Return the precision in which models run on a device; it refuses a device that there is not."""
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
