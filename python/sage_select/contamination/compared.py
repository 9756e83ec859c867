"""Rows of any shape, as they are compared: their words, and what single ones of them hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pyarrow as pa

from sage_select.errors import DataError, Where
from sage_select.kernels.arrays import some_rows
from sage_select.render import Example, Shape, plain_text, plain_texts, to_example
from sage_select.render.values import python_values

__all__ = ["ComparedRows", "storable"]

#: Rows that are Python objects at a time.
_BATCH: Final = 1024

Numbers = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class ComparedRows:
    """Rows to compare.

    Parameters
    ----------
    table
        The rows as read.
    shape
        How a row is read.
    where
        Number of a row -> its place, for messages.
    order
        int64: the numbers of the rows that are compared, in the order in which they are counted here.
    texts
        The words of the rows of the table, where they are known.
    """

    table: pa.Table
    shape: Shape
    where: Callable[[int], Where]
    order: Numbers
    texts: pa.ChunkedArray | None = None

    def __len__(self) -> int:
        return len(self.order)

    def at(self, places: Numbers) -> ComparedRows:
        """Return the rows at these places."""
        return replace(self, order=self.order[places])

    def words(self) -> pa.ChunkedArray | pa.Array:
        """Return the words of each row (`string`, no nulls); of one that cannot be read, none."""
        if self.texts is not None:
            return some_rows(self.texts, self.order)
        try:
            return plain_texts(self.table, self.shape, rows=self.order)
        except DataError:
            found = {place: plain_text(example) for place, example in self.examples(range(len(self)))}
            return storable(found, range(len(self)))

    def examples(self, places: Sequence[int]) -> Iterator[tuple[int, Example]]:
        """Yield each of these places with what its row holds, but for rows that cannot be read."""
        names = list(dict.fromkeys(self.shape.columns))
        for start in range(0, len(places), _BATCH):
            some = places[start : start + _BATCH]
            numbers = self.order[np.array(some, np.int64)]
            batch = self.table.select(names).take(pa.array(numbers))
            columns = [python_values(batch.column(name)) for name in names]
            for place, number, values in zip(some, numbers.tolist(), zip(*columns, strict=True), strict=True):
                try:
                    yield place, to_example(dict(zip(names, values, strict=True)), self.shape, self.where(number))
                except DataError:
                    continue


def storable(texts: Mapping[int, str], places: Sequence[int] | range) -> pa.Array:
    """Return the texts of these places, empty where there is none, and without half characters: no text holds them."""
    return pa.array([texts.get(place, "").encode(errors="replace").decode() for place in places], pa.string())
