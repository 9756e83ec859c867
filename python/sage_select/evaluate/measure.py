"""A model on held-out rows: the loss of every row, and the turn it generates at each prediction point."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import torch

from sage_select.evaluate.held_out import HeldOut
from sage_select.evaluate.result import Evaluation, Prediction
from sage_select.render.tokens import Encoded
from sage_select.rewriting.generate import generated
from sage_select.score.batches import length_batches
from sage_select.score.token_means import TokenMeans
from sage_select.train.stages import Stages

__all__ = ["measure", "stop_tokens"]


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
        parsed = held_out.reader.calls(text, question.prompt_end, question.tools)
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
    means_of = TokenMeans(model, only_loss=True)
    losses = [0.0] * len(rows)
    done = 0
    for batch in length_batches([len(row.input_ids) for row in rows], batch_tokens):
        means = means_of([rows[index] for index in batch])[:, 0].tolist()
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
    stops = stop_tokens(model, tokenizer, held_out.stops, held_out.inside)
    pad = next((token for token in (tokenizer.pad_token_id, *stops) if token is not None), 0)
    answers = [("", False)] * len(questions)
    done = 0
    lengths = [len(question.prompt) + held_out.max_new_tokens for question in questions]
    for batch in length_batches(lengths, batch_tokens):
        prompts = [questions[index].prompt for index in batch]
        written = generated(model, prompts, most=held_out.max_new_tokens, stops=stops, pad=pad)
        for index, tokens in zip(batch, written, strict=True):
            answers[index] = _answer(tokenizer, tokens, stops)
        done += len(batch)
        progress(done, len(questions))
    return answers


def _answer(tokenizer: Any, tokens: list[int], stops: list[int]) -> tuple[str, bool]:
    """Return the words of a generated turn through its first stop token, and whether there was none."""
    end = next((place for place, token in enumerate(tokens, start=1) if token in stops), None)
    # Special tokens stay: some of them mark a tool call, or its end.
    return str(tokenizer.decode(tokens[:end], skip_special_tokens=False)), end is None


def stop_tokens(model: Any, tokenizer: Any, ends: Collection[int], inside: Collection[int]) -> list[int]:
    """Return the tokens by which a turn of a model ends, ascending.

    Parameters
    ----------
    model, tokenizer
        Whose own stops they are as well.
    ends, inside
        Tokens that end turns as the template writes them, and those that stand inside of turns and so never end one.
    """
    known = model.generation_config.eos_token_id
    known = [known] if isinstance(known, int) else list(known or [])
    stops = {*known, tokenizer.eos_token_id, *ends} - {None}
    return sorted(stops - set(inside))
