"""What the words of a text say of it, as one number a text: the kernels of lexical scores.

All take text columns, and refuse others, and null, with DataError. Words are those of `word_counts`, in any script; a
text without words, or without characters, gets 0. No number depends on the threads, nor, but for `ngram_rarity`, on
other texts. They take time by the bytes of the text, and a float32 a text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sage_select import _native
from sage_select.kernels import arrays
from sage_select.kernels.call import Progress, as_int, map_errors, resolve_threads

__all__ = [
    "character_counts",
    "compression_ratio",
    "lexical_difficulty",
    "lexical_diversity",
    "lexical_entropy",
    "ngram_rarity",
    "ngram_repetition",
]

Texts: TypeAlias = pa.Array | pa.ChunkedArray
Values: TypeAlias = NDArray[np.float32]
ArrayT = TypeVar("ArrayT", bound=NDArray[Any])
_MOST: Final = 2**31 - 1


def lexical_difficulty(texts: Texts, *, threads: int | None = None, progress: Progress | None = None) -> Values:
    """Score how long and how varied each text is: ``log2(1 + t) + H``.

    `t` is the number of words and `H` the entropy of `lexical_entropy`.

    Examples
    --------
    >>> lexical_difficulty(pa.array(["", "word", "one two three", "Two two two"])).tolist()
    [0.0, 1.0, 3.5849626064300537, 2.0]
    """
    return _called(_native.lexical_difficulty, texts, (), threads, progress)


def lexical_entropy(texts: Texts, *, threads: int | None = None, progress: Progress | None = None) -> Values:
    """Return the Shannon entropy of each text's own words, in bits: ``H = -sum p(w) log2 p(w)``.

    `p(w)` is the share of the text's words that are `w`. At most ``log2(t)`` of `t` words, where none is said twice.

    Examples
    --------
    >>> lexical_entropy(pa.array(["", "word word", "a b a b", "one two three four"])).tolist()
    [0.0, 0.0, 1.0, 2.0]
    """
    return _called(_native.lexical_entropy, texts, (), threads, progress)


def lexical_diversity(
    texts: Texts, *, window: int, threads: int | None = None, progress: Progress | None = None
) -> Values:
    """Return the moving-average type-token ratio of each text (MATTR).

    It is the mean, over all runs of `window` words, of the share of the run's words that are distinct: unlike the share
    in the whole text, no function of length. A text of fewer words is one run. Covington & McFall, "Cutting the Gordian
    Knot: The Moving-Average Type-Token Ratio", Journal of Quantitative Linguistics 17(2), 2010.

    Raises
    ------
    UsageError
        `window` is below 1.

    Examples
    --------
    >>> lexical_diversity(pa.array(["", "a b c d", "a b a b a b", "a a a a a a"]), window=4).tolist()
    [0.0, 1.0, 0.5, 0.25]
    """
    return _called(_native.lexical_diversity, texts, (_count(window, "window"),), threads, progress)


def compression_ratio(texts: Texts, *, threads: int | None = None, progress: Progress | None = None) -> Values:
    """Return the bytes of each text by DEFLATE divided by its bytes in UTF-8.

    Low where a text repeats itself; 1 or a little more where nothing is gained, as in most texts below a hundred bytes.
    DEFLATE (RFC 1951) is written by libdeflate at level 6, without header and checksum: the same bytes on every
    machine. Repetitions are found up to 32 KiB back.

    Examples
    --------
    >>> [f"{ratio:.3f}" for ratio in compression_ratio(pa.array(["", "abc" * 100]))]
    ['0.000', '0.030']
    """
    return _called(_native.compression_ratio, texts, (), threads, progress)


def ngram_rarity(texts: Texts, *, length: int, threads: int | None = None, progress: Progress | None = None) -> Values:
    """Return how rare the n-grams of each text are among all of these texts, in bits: the mean of ``log2(n / df)``.

    The mean is over the distinct runs of `length` words of the text, of which `df` of the `n` texts have each. A text
    of fewer words is one n-gram, which no longer text has. The number of a text depends on the others, and on their
    order never. The mean inverse document frequency (Spärck Jones 1972).

    Counts are exact, in 12 to 34 bytes for each distinct n-gram of all texts, which are taken apart twice.

    Raises
    ------
    UsageError
        `length` is below 1.
    ResourceError
        The memory for the counts cannot be had.

    Examples
    --------
    >>> ngram_rarity(pa.array(["a b", "a a a", "a", "a c c"]), length=1).tolist()
    [1.0, 0.0, 0.0, 1.0]
    """
    return _called(_native.ngram_rarity, texts, (_count(length, "length"),), threads, progress)


def ngram_repetition(
    texts: Texts, *, length: int, threads: int | None = None, progress: Progress | None = None
) -> Values:
    """Return the share of each text's n-grams that repeat one before: ``1 - distinct / all`` runs of `length` words.

    A text of fewer words repeats nothing. It is seq-rep-n of Welleck et al., "Neural Text Generation with Unlikelihood
    Training" (ICLR 2020), and what the repetition rules of Gopher (Rae et al. 2021, A.1) look for.

    Raises
    ------
    UsageError
        `length` is below 1.

    Examples
    --------
    >>> ngram_repetition(pa.array(["a b a b a", "a b c d", "x x x x x", "a"]), length=2).tolist()
    [0.5, 0.0, 0.75, 0.0]
    """
    return _called(_native.ngram_repetition, texts, (_count(length, "length"),), threads, progress)


def character_counts(
    texts: Texts, *, threads: int | None = None, progress: Progress | None = None
) -> NDArray[np.int64]:
    """Count the characters of each text: Unicode scalar values of its form NFC, int64 (n,).

    Examples
    --------
    >>> character_counts(pa.array(["", "abc", "été", "東京"])).tolist()
    [0, 3, 3, 2]
    """
    return _called(_native.character_counts, texts, (), threads, progress)


def _count(value: int, name: str) -> int:
    return as_int(value, name, minimum=1, maximum=_MOST)


def _called(
    kernel: Callable[..., ArrayT],
    texts: Texts,
    settings: tuple[int, ...],
    threads: int | None,
    progress: Progress | None,
) -> ArrayT:
    column = arrays.texts(texts)
    with map_errors():
        return kernel(column, *settings, resolve_threads(threads), progress)
