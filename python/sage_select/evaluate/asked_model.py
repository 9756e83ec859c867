"""A loaded model and what evaluators ask of it: losses of rows, answers to prompts, likelihoods of completions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sage_select.evaluate.likelihoods import Likelihoods
from sage_select.evaluate.thinking import begins_thought, thought_end
from sage_select.render.tokens import Encoded
from sage_select.rewriting.generate import generated
from sage_select.score.batches import length_batches

__all__ = ["Answer", "AskedModel", "Question", "stop_tokens"]

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Question:
    """What a model is to go on from.

    Parameters
    ----------
    prompt
        Its tokens.
    prompt_end
        Its last words: a thought may have begun there.
    """

    prompt: Sequence[int]
    prompt_end: str = ""


@dataclass(frozen=True)
class Answer:
    """What a model wrote.

    Parameters
    ----------
    text
        Its words through the token that ended it, special tokens among them.
    at_limit
        Whether it was cut off because it had become too long.
    """

    text: str
    at_limit: bool


class AskedModel:
    """A causal language model in evaluation mode, perhaps with an adapter.

    Parameters
    ----------
    model, tokenizer
        Both of transformers.
    batch_tokens
        Tokens in one forward pass, with padding. Changes the time, not the result beyond rounding.
    context
        The most tokens that the model takes; None where nobody knows.
    """

    def __init__(self, model: Any, tokenizer: Any, *, batch_tokens: int, context: int | None = None) -> None:
        self.model, self.tokenizer = model.eval(), tokenizer
        self._batch_tokens, self._context = batch_tokens, context
        self._likelihoods = Likelihoods(
            self.model, lambda rows: self.losses(rows, lambda _done, _total: None), batch_tokens
        )

    def losses(self, rows: Sequence[Encoded], progress: Progress) -> list[float]:
        """Return the sum of the losses of the trained tokens of each row, in nats."""
        from sage_select.score.token_means import TokenMeans

        means_of = TokenMeans(self.model, only_loss=True)
        losses = [0.0] * len(rows)
        done = 0
        for batch in length_batches([len(row.input_ids) for row in rows], self._batch_tokens):
            means = means_of([rows[index] for index in batch])[:, 0].tolist()
            for index, mean in zip(batch, means, strict=True):
                losses[index] = mean * rows[index].trained
            done += len(batch)
            progress(done, len(rows))
        return losses

    def answers(
        self,
        questions: Sequence[Question],
        *,
        most: int,
        ends: Collection[int],
        inside: Collection[int],
        thinking: int = 0,
        progress: Progress,
    ) -> list[Answer]:
        """Return what the model writes after each prompt, the likeliest token each time.

        Parameters
        ----------
        questions
            The prompts.
        most
            Tokens of an answer at most.
        ends, inside
            Tokens that end answers as the template writes them, and those that stand inside of answers and so never
            end one; the model's own stops count as well.
        thinking
            Tokens that may be thought before the answer, which do not count for `most`.
        progress
            Called with (answers done, answers).
        """
        stops = stop_tokens(self.model, self.tokenizer, ends, inside)
        pad = next((token for token in (self.tokenizer.pad_token_id, *stops) if token is not None), 0)
        found = [Answer("", False)] * len(questions)
        done = 0
        for batch in length_batches([len(one.prompt) + most for one in questions], self._batch_tokens):
            prompts = [questions[index].prompt for index in batch]
            written = [_ended(one, stops) for one in generated(self.model, prompts, most=most, stops=stops, pad=pad)]
            for index, tokens in zip(
                batch, self._thought_out(questions, batch, written, most, thinking, stops, pad), strict=True
            ):
                found[index] = self._answer(tokens, stops)
            done += len(batch)
            progress(done, len(questions))
        return found

    def _thought_out(
        self,
        questions: Sequence[Question],
        batch: Sequence[int],
        written: list[list[int]],
        most: int,
        thinking: int,
        stops: Sequence[int],
        pad: int,
    ) -> list[list[int]]:
        """Return answers, those that were cut off while thinking, or after it, with as much room as others have."""
        more = []
        for place, (index, tokens) in enumerate(zip(batch, written, strict=True)):
            room = thinking
            if self._context is not None:
                room = min(room, self._context - len(questions[index].prompt) - most)
            if room > 0 and tokens[-1:] and tokens[-1] not in stops and self._thinks(questions[index], tokens):
                more.append((place, room))
        # Those that go on together are the longest of the batch: some at a time.
        lengths = [len(questions[batch[place]].prompt) + most + room for place, room in more]
        for part in length_batches(lengths, self._batch_tokens):
            places = [more[one][0] for one in part]
            room = min(more[one][1] for one in part)
            prompts = [[*questions[batch[place]].prompt, *written[place]] for place in places]
            for place, tokens in zip(
                places, generated(self.model, prompts, most=room, stops=stops, pad=pad), strict=True
            ):
                written[place] = self._within(questions[batch[place]], [*written[place], *_ended(tokens, stops)], most)
        return written

    def _thinks(self, question: Question, tokens: Sequence[int]) -> bool:
        return begins_thought(self._decoded(tokens), question.prompt_end)

    def _within(self, question: Question, tokens: list[int], most: int) -> list[int]:
        """Return an answer with at most so many tokens behind what was thought."""
        text = self._decoded(tokens)
        end = thought_end(text, question.prompt_end)
        if end is None:
            return tokens  # it came to no end
        thought = len(self.tokenizer(text[:end], add_special_tokens=False, verbose=False)["input_ids"])
        return tokens[: thought + most]

    def _decoded(self, tokens: Sequence[int]) -> str:
        # Special tokens stay: some of them mark a tool call, or its end.
        return str(self.tokenizer.decode(list(tokens), skip_special_tokens=False))

    def _answer(self, tokens: Sequence[int], stops: Collection[int]) -> Answer:
        return Answer(self._decoded(tokens), not tokens or tokens[-1] not in stops)

    def likelihoods(
        self,
        prompts: Sequence[Sequence[int]],
        completions: Sequence[Sequence[int]],
        progress: Progress,
        wanted: Sequence[int] | None = None,
    ) -> list[list[float]]:
        """Return of each prompt the log-probability of each completion after it, in nats: the sum over its tokens.

        What the model makes of a prompt is computed once and shared by all completions, where it comes to the same as
        computing each alone: that is tried with the first prompt.

        Parameters
        ----------
        prompts
            Tokens, at least one each.
        completions
            Tokens, at least one each; the same for all prompts.
        progress
            Called with (prompts done, prompts).
        wanted
            Of each prompt the number of a completion whose value is wanted, where of all others the likeliest alone is:
            those that cannot be it, nor as likely, may then have minus infinity. None: all are computed.
        """
        return self._likelihoods(prompts, completions, progress, wanted)


def _ended(tokens: Sequence[int], stops: Collection[int]) -> list[int]:
    """Return tokens through the first that ends an answer."""
    end = next((place for place, token in enumerate(tokens, start=1) if token in stops), None)
    return list(tokens[:end])


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
