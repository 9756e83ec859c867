"""A model on held-out rows: the loss of every row, and the turn it generates at each prediction point."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from transformers import GenerationConfig

from sage_select.evaluate.held_out import HeldOut, Question
from sage_select.evaluate.result import Evaluation, Prediction
from sage_select.evaluate.tool_calls import parse_tool_calls
from sage_select.render.tokens import Encoded
from sage_select.score.batches import length_batches
from sage_select.score.token_loss import TokenLoss
from sage_select.train.run import Stages

__all__ = ["measure"]


def measure(
    model: Any,
    tokenizer: Any,
    held_out: HeldOut,
    *,
    batch_tokens: int,
    stages: Stages,
    name: str,
) -> Evaluation:
    """Measure a loaded model.

    Parameters
    ----------
    model, tokenizer
        A causal language model, perhaps with an adapter, and its tokenizer.
    batch_tokens
        Tokens in one forward pass, with padding. Changes the time, not the result beyond rounding.
    stages, name
        Told about the two parts of the work on the model called `name`.
    """
    model.eval()
    with torch.inference_mode():
        with stages(f"loss of {name}") as progress:
            losses = _losses(model, held_out.rows, batch_tokens, progress)
        with stages(f"answers of {name}") as progress:
            texts = _answers(model, tokenizer, held_out, batch_tokens, progress)
    predictions = []
    for question, text in zip(held_out.questions, texts, strict=True):
        parsed = parse_tool_calls(text)
        predictions.append(
            Prediction(
                held_out.row_ids[question.row], question.expected, tuple(sorted(parsed.names)), parsed.failures, text
            )
        )
    return Evaluation(
        row_ids=held_out.row_ids,
        row_losses=tuple(losses),
        row_tokens=tuple(row.trained for row in held_out.rows),
        predictions=tuple(predictions),
        truncated_rows=sum(row.cut > 0 for row in held_out.rows),
        tokens_cut=sum(row.cut for row in held_out.rows),
        dropped=held_out.dropped,
    )


def _losses(
    model: Any, rows: Sequence[Encoded], batch_tokens: int, progress: Callable[[int, int], None]
) -> list[float]:
    """Return the sum of the token losses of each row, in nats."""
    mean_losses = TokenLoss(model)
    losses = [0.0] * len(rows)
    done = 0
    for batch in length_batches([len(row.input_ids) for row in rows], batch_tokens):
        means = mean_losses([rows[index] for index in batch]).tolist()
        for index, mean in zip(batch, means, strict=True):
            losses[index] = mean * rows[index].trained
        done += len(batch)
        progress(done, len(rows))
    return losses


def _answers(
    model: Any, tokenizer: Any, held_out: HeldOut, batch_tokens: int, progress: Callable[[int, int], None]
) -> list[str]:
    """Return the turn generated greedily at each prediction point."""
    questions = held_out.questions
    stops = _stop_tokens(model, tokenizer, held_out)
    pad = next((token for token in (tokenizer.pad_token_id, *stops) if token is not None), 0)
    # What is left out here would be taken from the model's own settings.
    settings = GenerationConfig(
        do_sample=False,
        num_beams=1,
        repetition_penalty=1.0,
        no_repeat_ngram_size=0,
        max_new_tokens=held_out.max_new_tokens,
        eos_token_id=stops or None,
        pad_token_id=pad,
    )
    texts = [""] * len(questions)
    done = 0
    lengths = [len(question.prompt) + held_out.max_new_tokens for question in questions]
    for batch in length_batches(lengths, batch_tokens):
        ids, mask = _left_padded([questions[index] for index in batch], pad)
        generated = model.generate(
            input_ids=ids.to(model.device), attention_mask=mask.to(model.device), generation_config=settings
        )
        for index, tokens in zip(batch, generated[:, ids.shape[1] :].tolist(), strict=True):
            texts[index] = _text(tokenizer, tokens, stops)
        done += len(batch)
        progress(done, len(questions))
    return texts


def _text(tokenizer: Any, tokens: list[int], stops: list[int]) -> str:
    """Return the words of a generated turn, which ends at the first stop token."""
    for place, token in enumerate(tokens):
        if token in stops:
            # A stop token that is no special one may belong to the words, as the last brace of a call does.
            tokens = tokens[: place + (token not in tokenizer.all_special_ids)]
            break
    # Special tokens within stay: some of them mark a tool call.
    return str(tokenizer.decode(tokens, skip_special_tokens=False))


def _stop_tokens(model: Any, tokenizer: Any, held_out: HeldOut) -> list[int]:
    known = model.generation_config.eos_token_id
    known = [known] if isinstance(known, int) else list(known or [])
    stops = {*known, tokenizer.eos_token_id, held_out.end_token} - {None}
    return sorted(stops)


def _left_padded(questions: Sequence[Question], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    longest = max(len(question.prompt) for question in questions)
    ids = torch.full((len(questions), longest), pad)
    mask = torch.zeros_like(ids)
    for place, question in enumerate(questions):
        start = longest - len(question.prompt)
        ids[place, start:] = torch.tensor(question.prompt)
        mask[place, start:] = 1
    return ids, mask
