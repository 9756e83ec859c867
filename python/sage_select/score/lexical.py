"""What the words of a row say of it, without a model: each measure with its formula, its direction and its cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.kernels.call import Progress

__all__ = ["LEXICAL_MEASURES", "LexicalMeasure", "LexicalMeasureName", "lexical_scores"]

LexicalMeasureName = Literal[
    "difficulty", "words", "characters", "entropy", "diversity", "compression", "rarity", "repetition"
]
Texts: TypeAlias = pa.Array | pa.ChunkedArray
#: Below so many bytes a text is compressed to about as many, whatever it says.
_COMPRESSIBLE: Final = 256
#: Bytes of a distinct n-gram and its count, at most; bytes of a word with the space behind it, about.
_NGRAM_BYTES: Final = 34
_WORD_BYTES: Final = 6


@dataclass(frozen=True)
class Short:
    """Of which rows a measure says little.

    Attributes
    ----------
    count
        How many of some texts are too short, with the setting of the measure.
    said
        What is said of these; `{n}` stands for the setting.
    """

    count: Callable[[Texts, int], int]
    said: str


@dataclass(frozen=True)
class LexicalMeasure:
    """One measure.

    Attributes
    ----------
    summary, formula
        What it is, in a phrase, and how it is computed: `n` stands for its setting.
    kernel
        Gives a number a text, (n,); takes the setting by its name.
    setting, default
        The one whole number that it takes, as the kernel calls it, and what it is where nothing is said; None where it
        takes none.
    higher_is_harder
        Which end is hard.
    alone
        Whether the number of a row follows from that row alone.
    short
        The rows that are too short for it, where there are such.
    work
        How long a byte of text takes, in that of `difficulty`.
    counted
        Whether all distinct n-grams are held in memory at once.
    """

    summary: str
    formula: str
    kernel: Callable[..., NDArray[Any]]
    setting: str | None = None
    default: int | None = None
    higher_is_harder: bool = True
    alone: bool = True
    short: Short | None = None
    work: float = 1.0
    counted: bool = False

    def told(self, size: int | None) -> str:
        """Return what it is with its formula, for a setting."""
        formula = self.formula if size is None else self.formula.replace("{n}", str(size))
        return f"{self.summary}: {formula}"

    def bytes(self, text_bytes: float) -> float:
        """Return what is held at once beside the numbers, of so many bytes of text, at most."""
        return text_bytes / _WORD_BYTES * _NGRAM_BYTES if self.counted else 0.0


def _of_few_words(texts: Texts, words: int) -> int:
    return int(np.count_nonzero(kernels.word_counts(texts) < words))


def _of_few_bytes(texts: Texts, _: int) -> int:
    return int(pc.sum(pc.less(pc.binary_length(texts), _COMPRESSIBLE)).as_py() or 0)


#: All measures, by name: with the words of `LexicalMeasureName`, which a test compares.
LEXICAL_MEASURES: Final[Mapping[LexicalMeasureName, LexicalMeasure]] = {
    "difficulty": LexicalMeasure(
        "lexical difficulty", "log2(1 + words) + entropy of the words in bits", kernels.lexical_difficulty
    ),
    "words": LexicalMeasure("length", "words", kernels.word_counts, work=0.1),
    "characters": LexicalMeasure("length", "characters", kernels.character_counts, work=0.1),
    "entropy": LexicalMeasure("entropy of the row's own words", "-sum p log2 p, in bits", kernels.lexical_entropy),
    "diversity": LexicalMeasure(
        "lexical diversity (MATTR)",
        "the share of distinct words in a run of {n} words, the mean over all runs",
        kernels.lexical_diversity,
        setting="window",
        default=50,
        short=Short(
            _of_few_words,
            "have fewer than {n} words: their share of distinct words is that of the whole row, "
            "which is the higher the shorter the row",
        ),
    ),
    "compression": LexicalMeasure(
        "compression ratio",
        "bytes by DEFLATE, level 6, divided by bytes in UTF-8",
        kernels.compression_ratio,
        short=Short(
            _of_few_bytes,
            f"have fewer than {_COMPRESSIBLE} bytes: so short a text is compressed little, whatever it says",
        ),
        work=5.0,
    ),
    "rarity": LexicalMeasure(
        "n-gram rarity",
        "the mean over the row's distinct {n}-grams of -log2 of the share of all rows that have it, in bits",
        kernels.ngram_rarity,
        setting="length",
        default=1,
        alone=False,
        work=6.0,
        counted=True,
    ),
    "repetition": LexicalMeasure(
        "repetition",
        "the share of {n}-grams of words that repeat one before",
        kernels.ngram_repetition,
        setting="length",
        default=4,
        higher_is_harder=False,
        short=Short(_of_few_words, "have fewer than {n} words: they repeat nothing"),
        work=2.0,
    ),
}


def lexical_scores(
    texts: Texts,
    measure: LexicalMeasureName = "difficulty",
    *,
    size: int | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> NDArray[Any]:
    """Return a lexical measure of each text: (n,) of float32, or of int64 where it counts.

    Words are those of `sage_select.kernels.word_counts`, in any script. A text without words, or without characters,
    gets 0. The default is `log2(1 + t) + H`: `t` is the number of words and `H` the entropy of the text's own words, so
    a row is hard that is long and says much; repeating itself adds little, and length enters by its logarithm, so that
    it does not drown the rest.

    Parameters
    ----------
    texts
        Strings, as `sage_select.render.plain_texts` gives them.
    measure
        A name in `LEXICAL_MEASURES`, which has the formulas; docs/lexical-scores.md says what each is good for.
    size
        The one number that a measure takes: words of a run, of `diversity`, or of an n-gram, of `rarity` and
        `repetition`. None for the default of the measure.
    threads
        Threads to use; all by default. The scores do not depend on it.
    progress
        Called with (done, total) while it runs.

    Examples
    --------
    >>> lexical_scores(pa.array(["a b a b", "one two three four"]), "entropy").tolist()
    [1.0, 2.0]
    """
    chosen = LEXICAL_MEASURES[measure]
    settings = {} if chosen.setting is None else {chosen.setting: chosen.default if size is None else size}
    return chosen.kernel(texts, **settings, threads=threads, progress=progress)
