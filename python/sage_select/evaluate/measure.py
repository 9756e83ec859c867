"""A model on held-out rows: the loss of every row, and the turn it generates at each prediction point."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from transformers import GenerationConfig

from sage_select.evaluate.held_out import HeldOut, Question
from sage_select.evaluate.result import Evaluation, Prediction
from sage_select.render.tokens import Encoded
from sage_select.score.batches import length_batches
from sage_select.score.token_loss import TokenLoss
from sage_select.train.stages import Stages

__all__ = ["measure"]


def measure(
    model: Any,
    held_out: HeldOut,
    *,
    batch_tokens: int,
    stages: Stages,
    name: str,
) -> Evaluation:
    """Measure a loaded model.

    Parameters
    ----------
    model
        A causal language model, perhaps with an adapter.
    held_out
        What it is measured on.
    batch_tokens
        Tokens in one forward pass, with padding. Changes the time, not the result beyond rounding.
    stages, name
        Told about the two parts of the work on the model called `name`.
    """
    model.eval()
    with torch.inference_mode():
        with stages(f"loss of {name}") as progress:
            losses = _losses(model, held_out.examples, batch_tokens, progress)
        answers = []
        if held_out.questions:
            with stages(f"answers of {name}") as progress:
                answers = _answers(model, held_out, batch_tokens, progress)
    rows, tokens = [0.0] * len(held_out.row_ids), [0] * len(held_out.row_ids)
    for row, one, loss in zip(held_out.owners, held_out.examples, losses, strict=True):
        rows[row] += loss
        tokens[row] += one.trained
    return Evaluation(held_out, tuple(rows), tuple(tokens), tuple(_predictions(held_out, answers)))


def _predictions(held_out: HeldOut, answers: Sequence[tuple[str, bool]]) -> Iterator[Prediction]:
    for question, (text, at_limit) in zip(held_out.questions, answers, strict=True):
        parsed = held_out.reader.read(text, question.prompt_end)
        yield Prediction(
            row_id=held_out.row_ids[question.row],
            message=question.message,
            expected=question.expected,
            predicted=tuple(sorted(parsed.names)),
            failures=parsed.failures,
            at_limit=at_limit,
            text=text,
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
    model: Any, held_out: HeldOut, batch_tokens: int, progress: Callable[[int, int], None]
) -> list[tuple[str, bool]]:
    """Return each turn as it is generated greedily, and whether it was cut off."""
    questions, tokenizer = held_out.questions, held_out.tokenizer
    stops = _stop_tokens(model, held_out)
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
    answers = [("", False)] * len(questions)
    done = 0
    lengths = [len(question.prompt) + held_out.max_new_tokens for question in questions]
    for batch in length_batches(lengths, batch_tokens):
        ids, mask = _left_padded([questions[index] for index in batch], pad)
        generated = model.generate(
            input_ids=ids.to(model.device), attention_mask=mask.to(model.device), generation_config=settings
        )
        for index, tokens in zip(batch, generated[:, ids.shape[1] :].tolist(), strict=True):
            answers[index] = _answer(tokenizer, tokens, stops)
        done += len(batch)
        progress(done, len(questions))
    return answers


def _answer(tokenizer: Any, tokens: list[int], stops: list[int]) -> tuple[str, bool]:
    """Return the words of a generated turn through its first stop token, and whether there was none."""
    end = next((place for place, token in enumerate(tokens, start=1) if token in stops), None)
    # Special tokens stay: some of them mark a tool call, or its end.
    return str(tokenizer.decode(tokens[:end], skip_special_tokens=False)), end is None


def _stop_tokens(model: Any, held_out: HeldOut) -> list[int]:
    known = model.generation_config.eos_token_id
    known = [known] if isinstance(known, int) else list(known or [])
    stops = {*known, held_out.tokenizer.eos_token_id, *held_out.stops} - {None}
    return sorted(stops - held_out.inside)


def _left_padded(questions: Sequence[Question], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    longest = max(len(question.prompt) for question in questions)
    ids = torch.full((len(questions), longest), pad)
    mask = torch.zeros_like(ids)
    for place, question in enumerate(questions):
        start = longest - len(question.prompt)
        ids[place, start:] = torch.tensor(question.prompt)
        mask[place, start:] = 1
    return ids, mask
