"""Paraphrase: a model says it in other words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

from pydantic import field_validator

from sage_select.augmenters.augmenter import Augmenter, Draft, augmenter
from sage_select.augmenters.by_model import Temperature, rewritten
from sage_select.data import Dataset
from sage_select.declare.option import Option
from sage_select.pipeline.cost import Cost, Size
from sage_select.pipeline.model_cost import model_cost
from sage_select.pipeline.run import Run
from sage_select.render.model_files import is_local
from sage_select.values.location import ModelName

__all__ = ["Paraphrase"]

_PROMPT: Final = (
    "Say the following message in other words. Keep its meaning, its language, and every number, name, quotation and "
    "piece of code exactly as it is. Reply with the new message alone.\n\n{text}"
)


@augmenter("paraphrase", place=20, held=True)
class Paraphrase(Augmenter):
    """A language model says it in other words; needs the train extra.

    A causal model with a chat template is given the prompt as the user's turn; without one it goes on after the prompt,
    and its first line counts. One with an encoder (T5, BART) is given the prompt as well: those trained to paraphrase
    have their own, such as `paraphrase: {text}`.

    The same texts, seed, model and machine give the same words: draws are those of each row. What a model writes is not
    the same on every machine; the manifest names the model, its revision and its precision.
    """

    model: Annotated[
        ModelName,
        Option("a model that writes texts (path or repository), causal or with an encoder", flag="--augment-model"),
    ]
    prompt: Annotated[
        str,
        Option("what it is given, {text} for the text", flag="--augment-prompt", default="a request to say it again"),
    ] = _PROMPT
    temperature: Temperature = 0.8

    @field_validator("prompt")
    @classmethod
    def _with_text(cls, prompt: str) -> str:
        if "{text}" not in prompt:
            raise ValueError("prompt has no {text}, which stands for the text to say in other words")
        return prompt

    def check_input(self, data: Dataset) -> None:
        """Refuse a model that is not there."""
        del data
        is_local(str(self.model))

    def rewrite(self, drafts: Sequence[Draft], run: Run) -> Sequence[Sequence[str]]:
        """Return the texts as the model says them."""
        texts = [draft.texts for draft in drafts]
        return rewritten(self, drafts, texts, str(self.model), self.prompt, self.temperature, "augment_model", run)

    def cost(self, size: Size) -> Cost | None:
        """Return the memory of the weights."""
        return model_cost(str(self.model), 2 * size.word_bytes * size.n)

    def describe(self) -> str:
        """Return the model."""
        how = f"temperature {self.temperature:g}" if self.temperature else "its likeliest words"
        return f"model {self.model}, {how}"
