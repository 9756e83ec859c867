"""How much of a text stands in another one: the share of its phrases, runs of some words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from sage_select.kernels import Phrases, phrases

__all__ = ["PHRASE_WORDS", "Near", "PhraseIndex", "PhraseSets"]

#: Words of a phrase: eight in a row are rarely the same by chance, even where texts come from templates.
PHRASE_WORDS: Final = 8
#: More of the rarest phrases of a text are looked up than have to be, and so many of those must be found: fewer texts
#: are compared as a whole.
_MORE: Final = 4
#: Meetings of phrases that are held in memory at a time.
_AT_ONCE: Final = 4_000_000

Hashes = np.ndarray[Any, np.dtype[np.uint64]]
Numbers = np.ndarray[Any, np.dtype[np.int64]]


class PhraseSets:
    """The distinct phrases of texts; a text of fewer words is one phrase, which no longer text has.

    Parameters
    ----------
    found
        Of the texts, in order.
    """

    def __init__(self, found: Phrases) -> None:
        self.hashes = found.hashes
        self.bags = found.bags
        self.starts = np.concatenate(([0], found.ends[:-1])) if len(found.ends) else found.ends
        self.lengths = found.ends - self.starts

    @classmethod
    def of(
        cls, texts: pa.ChunkedArray | pa.Array, *, length: int = PHRASE_WORDS, threads: int | None = None
    ) -> PhraseSets:
        """Return the phrases of `length` words of texts (`string`, no nulls)."""
        return cls(phrases(texts, length=length, threads=threads))

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, text: int) -> Hashes:
        start = self.starts[text]
        return self.hashes[start : start + self.lengths[text]]

    def share_in(self, text: int, others: PhraseSets, other: int) -> float:
        """Return the share of the phrases of a text that a text of `others` has; 0 where it has none."""
        own = self[text]
        return len(np.intersect1d(own, others[other], assume_unique=True)) / len(own) if len(own) else 0.0


class Near(NamedTuple):
    """Texts that have enough of the phrases of indexed ones: the indexed text, the other, and the share."""

    text: int
    other: int
    share: float


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
    Whoever has s of the n phrases of a text has m of any n - s + m of them. So only that many of each text are looked
    up, the rarest, and few texts are compared as a whole.
    """

    def __init__(self, texts: PhraseSets, share: float) -> None:
        self._texts = texts
        self._share = share
        lengths = texts.lengths
        needed = np.ceil(share * lengths - 1e-9).astype(np.int64)
        self._least = np.minimum(needed, _MORE)
        owners = np.repeat(np.arange(len(texts)), lengths)
        _, inverse, counts = np.unique(texts.hashes, return_inverse=True, return_counts=True)
        rarest_first = np.lexsort((counts[inverse], owners))
        ranks = np.arange(len(owners)) - texts.starts[owners]
        looked_up = rarest_first[ranks < (lengths - needed + self._least)[owners]]
        looked_up = looked_up[np.argsort(texts.hashes[looked_up], kind="stable")]
        self._owners = owners[looked_up]
        self._keys, self._starts, self._counts = np.unique(
            texts.hashes[looked_up], return_index=True, return_counts=True
        )

    def within(self, others: PhraseSets) -> Iterator[Near]:
        """Yield each text and other text that has enough of its phrases, by the other's number, then the text's."""
        if not len(self._keys):
            return
        places = np.minimum(np.searchsorted(self._keys, others.hashes), len(self._keys) - 1)
        met = np.flatnonzero(self._keys[places] == others.hashes)
        places, having = places[met], np.repeat(np.arange(len(others)), others.lengths)[met]
        meetings = np.concatenate(([0], np.cumsum(self._counts[places])))
        first = 0
        while first < len(places):
            # Through the last other text that begins before there are too many.
            full = int(np.searchsorted(meetings, meetings[first] + _AT_ONCE, side="right")) - 1
            last = int(np.searchsorted(having, having[min(max(full, first), len(having) - 1)], side="right"))
            yield from self._enough(places[first:last], having[first:last], others)
            first = last

    def _enough(self, places: Numbers, having: Numbers, others: PhraseSets) -> Iterator[Near]:
        counts = self._counts[places]
        ends = np.cumsum(counts)
        steps = np.arange(ends[-1]) - np.repeat(ends - counts, counts)
        texts = self._owners[np.repeat(self._starts[places], counts) + steps]
        pairs, times = np.unique(np.repeat(having, counts) * len(self._texts) + texts, return_counts=True)
        for pair in pairs[times >= self._least[pairs % len(self._texts)]].tolist():
            other, text = divmod(pair, len(self._texts))
            share = self._texts.share_in(text, others, other)
            if share >= self._share:
                yield Near(text, other, share)
