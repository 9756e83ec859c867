"""How hard a row looks from its words alone."""

from __future__ import annotations

from typing import Annotated, Any, Final

from numpy.typing import NDArray

from sage_select.data import Dataset
from sage_select.declare.option import Option
from sage_select.display import counted
from sage_select.errors import UsageError
from sage_select.pipeline.cost import Cost, Size
from sage_select.pipeline.run import Run
from sage_select.score import LEXICAL_MEASURES, LexicalMeasure, LexicalMeasureName, lexical_scores
from sage_select.scorers.scorer import Scorer, scorer

__all__ = ["Lexical"]

#: The share of rows that are too short for their measure from which on it is said.
_MANY: Final = 0.01


@scorer("lexical", place=10, always_finite=True, of_words=True)
class Lexical(Scorer):
    """Lexical difficulty, log2(1 + words) + entropy of the words in bits, or another measure of the words."""

    lexical_measure: Annotated[
        LexicalMeasureName,
        Option(
            "what is measured: difficulty (log2(1 + words) + entropy), words or characters (how many), entropy (of the "
            "row's own words), diversity (MATTR: distinct words in runs of one length), compression (bytes by DEFLATE "
            "over bytes), rarity (of its n-grams among all rows), or repetition (share of n-grams said before, lower "
            "is harder); docs/lexical-scores.md has the formulas"
        ),
    ] = "difficulty"
    lexical_window: Annotated[
        int | None, Option("words of a run, of diversity", ge=1, default="50", when={"lexical_measure": "diversity"})
    ] = None
    lexical_ngram: Annotated[
        int | None,
        Option(
            "words of an n-gram, of rarity and repetition",
            ge=1,
            default="1 of rarity, 4 of repetition",
            when={"lexical_measure": ("rarity", "repetition")},
        ),
    ] = None

    @property
    def measure(self) -> LexicalMeasure:
        """What is measured."""
        return LEXICAL_MEASURES[self.lexical_measure]

    @property
    def size(self) -> int | None:
        """The number that the measure takes; None where it takes none."""
        given = self.lexical_window if self.measure.setting == "window" else self.lexical_ngram
        return self.measure.default if given is None else given

    @property
    def higher_is_harder(self) -> bool:
        """As the measure declares."""
        return self.measure.higher_is_harder

    @property
    def may_be_turned(self) -> bool:
        """Not of difficulty, which says by its name which end is hard."""
        return self.lexical_measure != "difficulty"

    @property
    def sees_rows_alone(self) -> bool:
        """As the measure declares."""
        return self.measure.alone

    def unused_options(self) -> list[str]:
        """Return the settings that do not count, or say what holds anyway."""
        return [*super().unused_options(), *(["lexical_measure"] if self.lexical_measure == "difficulty" else [])]

    def score(self, data: Dataset, run: Run) -> NDArray[Any]:
        """Return the measure of each row."""
        if data.rows is None:
            raise UsageError("there are no words to score", hint="pass scores, or data with text")
        if "lexical_measure" not in self.model_fields_set:
            run.reporter.notice(
                "no scores given: rows are scored by lexical difficulty, log2(1 + words) + entropy of the words"
            )
        elif self.measure.short is not None:
            short = self.measure.short.count(data.texts, self.size or 0)
            if short > _MANY * data.n:
                run.reporter.notice(
                    f"{counted(short, 'row')} of {data.n:,} {self.measure.short.said.replace('{n}', str(self.size))}"
                )
        with run.reporter.progress(f"scoring by {self.measure.summary}") as progress:
            return lexical_scores(
                data.texts, self.lexical_measure, size=self.size, threads=run.threads, progress=progress
            )

    def cost(self, size: Size) -> Cost:
        """Return the cost of the numbers, and the time that the words take."""
        text = size.word_bytes * size.n
        return Cost(16.0 * size.n + self.measure.bytes(text), size.seconds(text=text * self.measure.work))

    def describe(self) -> str:
        """Return the rule."""
        return self.measure.told(self.size)
