"""Back translation: a model translates, and another back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from sage_select.augmenters.augmenter import Augmenter, Draft, augmenter
from sage_select.augmenters.by_model import Temperature, rewritten
from sage_select.data import Dataset
from sage_select.declare.option import Option
from sage_select.pipeline.cost import Cost, Size, in_turn
from sage_select.pipeline.model_cost import model_cost
from sage_select.pipeline.run import Run
from sage_select.render.model_files import is_local
from sage_select.values.location import ModelName

__all__ = ["BackTranslation"]


@augmenter("back_translation", place=30, held=True)
class BackTranslation(Augmenter):
    """A model translates into another language, and another back; needs the train extra.

    Sennrich, Haddow and Birch 2016 (arXiv 1511.06709) made parallel text so; Yu et al. 2018 (arXiv 1804.09541)
    paraphrases. For models that translate from one language into one other, such as Marian's.
    """

    there: Annotated[
        ModelName,
        Option(
            "a model that translates the rows (path or repository), such as Helsinki-NLP/opus-mt-en-de",
            flag="--augment-there",
        ),
    ]
    back: Annotated[
        ModelName,
        Option("a model that translates back, such as Helsinki-NLP/opus-mt-de-en", flag="--augment-back"),
    ]
    temperature: Temperature = 0.0

    def check_input(self, data: Dataset) -> None:
        """Refuse models that are not there."""
        del data
        for model in (self.there, self.back):
            is_local(str(model))

    def rewrite(self, drafts: Sequence[Draft], run: Run) -> Sequence[Sequence[str]]:
        """Return the texts as they come back."""
        texts: Sequence[Sequence[str]] = [draft.texts for draft in drafts]
        for name, model in (("augment_there", self.there), ("augment_back", self.back)):
            texts = rewritten(self, drafts, texts, str(model), "{text}", self.temperature, name, run)
        return texts

    def cost(self, size: Size) -> Cost | None:
        """Return the memory of the weights of both, which are there one after the other."""
        words = 2 * size.word_bytes * size.n
        return in_turn(*(model_cost(str(model), words) for model in (self.there, self.back)))

    def describe(self) -> str:
        """Return the models."""
        return f"translated by {self.there}, and back by {self.back}"
