"""Rules: some words are edited, without a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from sage_select.augmenters.augmenter import Augmenter, Draft, augmenter
from sage_select.declare.option import Option
from sage_select.pipeline.cost import Cost, Size
from sage_select.pipeline.run import Run
from sage_select.rewriting.edits import EDITS, edited

__all__ = ["Rules"]


@augmenter("rules", place=10)
class Rules(Augmenter):
    """Some words are edited: typing errors, case, marks, contractions, neighbours swapped; no model.

    After EDA (Wei and Zou 2019, "EDA: Easy Data Augmentation Techniques for Boosting Performance on Text
    Classification Tasks", EMNLP-IJCNLP), with edits that leave a request what it asks for: no word is replaced by a
    synonym, and of words only English ones that say little may be left out. Numbers, negations, names and whatever
    must stay (`rewriting.protected`) are never edited. Works on words of any script that puts spaces between words;
    typing errors are made in scripts with capital letters, contractions and words left out in English.

    Cost: about ten microseconds a word, in Python.
    """

    rate: Annotated[
        float, Option("share of the words that are edited, one at least", gt=0, le=0.5, flag="--augment-rate")
    ] = 0.1
    edits: Annotated[
        list[Literal["typo", "case", "mark", "contraction", "filler", "swap"]] | None,
        Option(
            "which edits there are: typo, case, mark (the last one left out), contraction (do not, don't), filler (a "
            "word such as please left out) or swap (of two words)",
            flag="--augment-edit",
            metavar="EDIT",
            example=["typo", "case"],
            default="all of them",
        ),
    ] = None

    def rewrite(self, drafts: Sequence[Draft], run: Run) -> Sequence[Sequence[str]]:
        """Return the texts with some words edited; as they are where nothing can be."""
        names = tuple(self.edits or EDITS)
        made = []
        with run.reporter.progress("editing words") as progress:
            for done, draft in enumerate(drafts, start=1):
                made.append(edited(draft.texts, draft.kept, self.rate, names, draft.draws()))
                if done % 256 == 0 or done == len(drafts):
                    progress(done, len(drafts))
        return made

    def describe(self) -> str:
        """Return how many words are edited, and how."""
        kinds = f" ({', '.join(self.edits)})" if self.edits else ""
        return f"{self.rate:.3g} of the words edited{kinds}"

    def cost(self, size: Size) -> Cost:
        """Return the cost of each word, which is some steps of Python; of memory, the new texts."""
        words = size.word_bytes * size.n
        return Cost(words, size.seconds(rows=20 * size.n, text=5 * words))
