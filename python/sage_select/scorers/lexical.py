"""How hard a row looks from its words alone."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from sage_select.data import Dataset
from sage_select.errors import UsageError
from sage_select.pipeline.cost import Cost, Size
from sage_select.pipeline.run import Run
from sage_select.score import lexical_scores
from sage_select.scorers.scorer import Scorer, scorer

__all__ = ["Lexical"]


@scorer("lexical", place=10, turnable=False, alone=True, of_words=True)
class Lexical(Scorer):
    """Lexical difficulty: log2(1 + words) + entropy of the words in bits."""

    def score(self, data: Dataset, run: Run) -> NDArray[Any]:
        """Return the difficulty of each row."""
        if data.rows is None:
            raise UsageError("there are no words to score", hint="pass scores, or data with text")
        run.reporter.notice(
            "no scores given: rows are scored by lexical difficulty, log2(1 + words) + entropy of the words"
        )
        return lexical_scores(data.texts)

    def cost(self, size: Size) -> Cost:
        """Return the cost of the numbers, and the time that the words take."""
        return Cost(16.0 * size.n, size.seconds(text=size.word_bytes * size.n))

    def describe(self) -> str:
        """Return the rule."""
        return "lexical difficulty: log2(1 + words) + entropy of the words in bits"
