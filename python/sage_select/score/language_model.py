"""One pass of a causal language model over rows: how surprised it is by what each would train it on."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sage_select.cache import Blocks, Computed, compute_blocks, spans
from sage_select.errors import Where
from sage_select.render.example import Example
from sage_select.render.truncate import LongRow
from sage_select.score.batches import Work
from sage_select.score.row_means import RowMeans
from sage_select.score.scoring_model import ScoringModel
from sage_select.score.token_rows import TokenRows

__all__ = ["ScoreResult", "language_model_scores"]

#: Rows held as tokens at a time, and as scores by a cache; they are sorted by length among themselves.
_BLOCK_ROWS: Final = 2048
#: Under which key of the metadata of a block it stands what there is to tell of it.
_FACTS: Final = b"facts"


@dataclass(frozen=True)
class ScoreResult:
    """What a pass found of each row, and how it was made.

    Parameters
    ----------
    figures
        `loss`, and unless only that was asked for `entropy` and `el2n`: float64 (n,), means over the trained tokens of
        a row; NaN where it has none.
    tokens
        int64 (n,), the trained tokens of each row.
    untrained
        Rows that have nothing to train, or that the chat template refuses (their figures are NaN); the caller says
        what becomes of them.
    cut_rows, cut_tokens
        Rows longer than `max_length`, and the tokens left out of them.
    left_out_rows
        Those among them that training would leave out, scored by their last tokens.
    max_length
        The most tokens a row was given.
    model
        What scored.
    revision
        The commit or digest that pins the model, without its adapter.
    rendering
        Fingerprint of tokenizer and template.
    work
        What the model was shown, and how long that took: nothing where all was held.
    notices
        What the user should know.
    """

    figures: dict[str, NDArray[np.float64]]
    tokens: NDArray[np.int64]
    untrained: int
    cut_rows: int
    cut_tokens: int
    left_out_rows: int
    max_length: int
    model: ScoringModel
    revision: str
    rendering: str
    work: Work
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
    model: ScoringModel,
    *,
    over: Literal["rows", "answers"] = "rows",
    where: Callable[[int], Where] | None = None,
    max_length: int | None = None,
    chat_template: str | None = None,
    on_long_row: LongRow = "keep_turns",
    batch_tokens: int | None = None,
    blocks: Blocks = compute_blocks,
    progress: Callable[[int, int], None] | None = None,
) -> ScoreResult:
    """Return the means over the trained tokens of each example under a causal language model, by one forward pass.

    Rows are rendered, masked and cut as for training. Memory is bounded by 2048 rows of tokens, one batch of
    activations and three times 128 MB of logits.

    Parameters
    ----------
    examples
        The rows, in order: a list, or what reads them when they are needed.
    model
        Loaded when the first figure is computed.
    over
        What the model is shown: `rows`; or `answers`, each unbroken stretch of trained tokens by itself, behind the
        token that begins a text (the BOS token of the tokenizer, else its EOS token), and of these the loss alone is
        found. The means are over the same tokens.
    where
        Row number -> its place, for messages.
    max_length
        The most tokens of a row; by default the model's context, at most 2048.
    chat_template
        A Jinja template in place of the tokenizer's.
    on_long_row
        What becomes of rows that are longer, as in training (`sage_select.render.tokens.Renderer`). A row of which
        nothing can be kept so is scored by its last tokens, and counted.
    batch_tokens
        Tokens of a batch with its padding; by default 4096 on a CPU and 32768 on a GPU. Where memory does not suffice
        for it batches are halved, from then on all of that size.
    blocks
        Gives the figures of blocks of 2048 rows that are held, and has the others computed.
    progress
        Called with (rows done, rows) after each batch.

    Raises
    ------
    UsageError
        `model` is no causal language model, or an option makes no sense.
    DataError
        The loss of a row is not finite.
    ResourceError
        The extra or the device is missing, or one row alone does not fit into memory.

    Notes
    -----
    A row's figures do not depend on the rows around it beyond rounding: padding is masked. No batch holds rows of two
    blocks.
    """
    rows = TokenRows(model, max_length, on_long_row, chat_template=chat_template, batch_tokens=batch_tokens)
    means = RowMeans(rows, over)
    place = where or (lambda row: Where(row=row))
    reached = 0

    def tell(done: int) -> None:
        nonlocal reached
        if progress is not None and done > reached:
            reached = done
            progress(done, len(examples))

    def compute(start: int, stop: int) -> Computed:
        means.load()
        begun = time.monotonic()
        values = means.of(
            examples[start:stop],
            lambda row: place(start + row),
            lambda done: tell(start + done),
        )
        means.work.seconds += time.monotonic() - begun
        table = pa.table(values)
        table = table.replace_schema_metadata({_FACTS: json.dumps(means.facts)})
        return Computed(table, lasting=not np.isnan(values["loss"]).any())

    def identity() -> Mapping[str, Any] | None:
        known = means.identity()
        return None if known is None else {**known, "block_rows": _BLOCK_ROWS}

    parts, facts, done = [], dict[str, Any](), 0
    notices: list[str] = []
    for table in blocks(identity, spans(len(examples), _BLOCK_ROWS), compute):
        parts.append(table)
        facts = json.loads(table.schema.metadata[_FACTS])
        notices += [notice for notice in facts["notices"] if notice not in notices]
        done += table.num_rows
        tell(done)
    facts = facts or means.facts
    found = {
        name: np.concatenate([part[name].to_numpy() for part in parts] or [np.empty(0, kind)])
        for name, kind in means.columns.items()
    }
    cuts, left_out, tokens = found.pop("cut_tokens"), found.pop("left_out"), found.pop("tokens")
    return ScoreResult(
        figures=found,
        tokens=tokens,
        untrained=int(np.isnan(found["loss"]).sum()),
        cut_rows=int(np.count_nonzero(cuts)),
        cut_tokens=int(cuts.sum()),
        left_out_rows=int(left_out.sum()),
        max_length=facts["max_length"],
        model=model,
        revision=model.revision,
        rendering=facts["rendering"],
        work=means.work,
        notices=[*notices, *means.refused.lines()],
    )
