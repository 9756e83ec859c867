"""How much of a text stands in another one: the share of its phrases of eight words."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

__all__ = ["PHRASE_WORDS", "PhraseIndex", "Phrases", "share_of"]

#: Words of a phrase: eight in a row are rarely the same by chance, even where texts come from templates.
PHRASE_WORDS: Final = 8
#: A word is a run of letters, digits and marks; in scripts that write no spaces, each character is one.
_UNSPACED: Final = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD: Final = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+")

Hashes = np.ndarray[Any, np.dtype[np.uint64]]


class Phrases:
    """Turns texts into sets of phrases, each a 64-bit hash; one object gives equal phrases equal hashes."""

    def __init__(self) -> None:
        self._words: dict[str, int] = {}
        generator = np.random.Generator(np.random.Philox(0))
        self._factors = generator.integers(1, 2**63, PHRASE_WORDS + 1, dtype=np.uint64) * np.uint64(2) + np.uint64(1)

    def of(self, text: str) -> Hashes:
        """Return the distinct phrases of a text, sorted; a text of fewer words is one phrase, an empty one none.

        Case and Unicode form do not count.
        """
        words = _WORD.findall(unicodedata.normalize("NFKC", text).casefold())
        ids = np.array([self._words.setdefault(word, len(self._words) + 1) for word in words], dtype=np.uint64)
        if not len(ids):
            return ids
        length = min(len(ids), PHRASE_WORDS)
        windows = np.lib.stride_tricks.sliding_window_view(ids, length)
        # The length counts, so that a short text is not found in the middle of a long one.
        return np.unique((windows * self._factors[:length]).sum(axis=1) + np.uint64(length) * self._factors[-1])


class PhraseIndex:
    """Texts, to find those of which another text has most phrases.

    Parameters
    ----------
    texts
        Phrases of each text.
    share
        How much of a text the other must have, in (0, 1].

    Notes
    -----
    Whoever has the share s of n phrases has one of any n - ceil(s n) + 1 of them. So only that many of each text are
    looked up, the rarest, and few texts are compared as a whole.
    """

    def __init__(self, texts: Sequence[Hashes], share: float) -> None:
        self._texts = texts
        self._share = share
        everything = np.concatenate([*texts, np.empty(0, np.uint64)])
        _, inverse, counts = np.unique(everything, return_inverse=True, return_counts=True)
        ends = np.cumsum([0, *map(len, texts)])
        rarest = [np.empty(0, np.uint64)]
        for text, start, end in zip(texts, ends, ends[1:], strict=False):
            needed = math.ceil(share * len(text) - 1e-9)
            order = np.argsort(counts[inverse[start:end]], kind="stable")
            rarest.append(text[order[: len(text) - needed + 1]] if len(text) else text)
        keys = np.concatenate(rarest)
        owners = np.repeat(np.arange(-1, len(texts)), [len(part) for part in rarest])
        order = np.argsort(keys, kind="stable")
        self._owners = owners[order]
        self._keys, self._starts, self._counts = np.unique(keys[order], return_index=True, return_counts=True)

    def within(self, other: Hashes) -> dict[int, float]:
        """Return the share of their phrases that `other` has, for the texts of which it has enough, in order."""
        if not len(self._keys):
            return {}
        places = np.minimum(np.searchsorted(self._keys, other), len(self._keys) - 1)
        places = places[self._keys[places] == other]
        runs = [
            self._owners[start : start + count]
            for start, count in zip(self._starts[places], self._counts[places], strict=True)
        ]
        found = {}
        for place in np.unique(np.concatenate([np.empty(0, np.int64), *runs])).tolist():
            share = share_of(self._texts[place], other)
            if share >= self._share:
                found[place] = share
        return found


def share_of(text: Hashes, other: Hashes) -> float:
    """Return the share of the phrases of `text` that `other` has; 0 where it has none."""
    return len(np.intersect1d(text, other, assume_unique=True)) / len(text) if len(text) else 0.0
