"""Held-out rows, to find those of them that other rows repeat."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sage_select.contamination.compared import ComparedRows, storable
from sage_select.contamination.phrases import PHRASE_WORDS, Near, PhraseIndex, PhraseSets
from sage_select.render import Conversation, Example, Text, plain_text

__all__ = ["NEAR_SHARE", "HeldOutRows", "named_alike"]

#: A row is a near copy of a held-out row where it has this share of its phrases, and of those of its answers.
NEAR_SHARE: Final = 0.8


class HeldOutRows:
    """The held-out rows; system turns and tools have no part in what is compared.

    What is shared by question and answer counts: rows about one document are no copies of each other while their
    answers differ.

    Parameters
    ----------
    rows
        The held-out rows, in any shape.
    length
        Words of a phrase.
    share
        The share of the phrases of a held-out row, and of those of its answers, that a near copy of it has.
    threads
        Threads to use, None for all.

    Notes
    -----
    Memory is bounded by the held-out rows; other rows pass by in batches. Rows become Python objects only where words
    or phrases say that they may be copies.
    """

    def __init__(
        self,
        rows: ComparedRows,
        *,
        length: int = PHRASE_WORDS,
        share: float = NEAR_SHARE,
        threads: int | None = None,
    ) -> None:
        self._rows, self._length, self._share, self._threads = rows, length, share, threads
        self._sets = self.phrases_of(rows)
        self._index = PhraseIndex(self._sets, share)
        self._answers: dict[int, str] = {}
        #: Hash of words -> the rows of these words; and what these rows say, once it is known.
        self._by_bag: dict[int, list[int]] = {}
        for place, bag in enumerate(self._sets.bags.tolist()):
            self._by_bag.setdefault(bag, []).append(place)
        self._saying: dict[int, dict[str, list[int]]] = {}

    @property
    def repeated(self) -> int:
        """How many of the rows say the same as an earlier one."""
        alike = [bag for bag, places in self._by_bag.items() if len(places) > 1]
        self._learn(alike)
        return sum(len(places) - 1 for bag in alike for places in self._saying[bag].values())

    def phrases_of(self, rows: ComparedRows) -> PhraseSets:
        """Return the phrases of rows, as those of the held-out rows are cut."""
        return self._phrases(rows.words())

    def saying_the_same(self, batch: ComparedRows, sets: PhraseSets) -> Iterator[tuple[int, int]]:
        """Yield each held-out row, and the row of the batch, in order, that says the same: turns and calls are equal.

        White space and Unicode form do not count, and neither does the shape of the row.
        """
        bags = sets.bags.tolist()
        alike = [other for other, bag in enumerate(bags) if bag in self._by_bag]
        self._learn(dict.fromkeys(bags[other] for other in alike))
        for other, example in batch.examples(alike):
            for place in self._saying[bags[other]].get(_said(example), ()):
                yield place, other

    def near_copies(self, batch: ComparedRows, sets: PhraseSets) -> Iterator[Near]:
        """Yield each held-out row, the row of the batch, in order, that is a near copy of it, and the share."""
        found = list(self._index.within(sets))
        texts, others = sorted({one.text for one in found}), sorted({one.other for one in found})
        unknown = [text for text in texts if text not in self._answers]
        self._answers.update((place, _answers(example)) for place, example in self._rows.examples(unknown))
        places = {place: number for number, place in enumerate(texts)}
        numbers = {other: number for number, other in enumerate(others)}
        expected = self._phrases(storable(self._answers, texts))
        given = self._phrases(storable({other: _answers(one) for other, one in batch.examples(others)}, others))
        for one in found:
            own = places[one.text]
            if not expected.lengths[own] or expected.share_in(own, given, numbers[one.other]) >= self._share:
                yield one

    def _phrases(self, texts: pa.ChunkedArray | pa.Array) -> PhraseSets:
        return PhraseSets.of(texts, length=self._length, threads=self._threads)

    def _learn(self, bags: Iterable[int]) -> None:
        """Find out what the rows of these words say."""
        places = [place for bag in bags if bag not in self._saying for place in self._by_bag[bag]]
        for place, example in self._rows.examples(places):
            rows = self._saying.setdefault(int(self._sets.bags[place]), {})
            rows.setdefault(_said(example), []).append(place)


def named_alike(ids: pa.Array | pa.ChunkedArray, others: pa.Array | pa.ChunkedArray) -> np.ndarray[Any, np.dtype[Any]]:
    """Return for each id (`string`) the place of the first equal one of `others`, int64, -1 where there is none.

    A mere number is the id of rows that have nothing to do with each other: it proves nothing.
    """
    found = pc.fill_null(pc.index_in(ids, value_set=others, skip_nulls=True), -1)
    number = pc.fill_null(pc.match_substring_regex(ids, r"^\p{Nd}+$"), True)
    return np.where(number.to_numpy(zero_copy_only=False), -1, found.to_numpy(zero_copy_only=False)).astype(np.int64)


def _said(example: Example) -> str:
    """Return a text that is equal for rows whose turns and calls are, whatever their shape."""
    if isinstance(example, Text):
        return _spaced(example.text)
    turns = [
        [turn["role"], _spaced(turn["content"]), [call["function"] for call in turn.get("tool_calls", ())]]
        for turn in example.messages
    ]
    return json.dumps(turns, sort_keys=True, default=str)


def _spaced(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def _answers(example: Example) -> str:
    """Return what the assistant says; of a text, nothing apart from the text."""
    if isinstance(example, Text):
        return ""
    return plain_text(Conversation([turn for turn in example.messages if turn["role"] == "assistant"]))
