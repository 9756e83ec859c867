"""Length: short rows before long ones."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray

from sage_select.data import Dataset
from sage_select.declare.option import Option
from sage_select.errors import UsageError
from sage_select.orders.rule import Arrangement, OrderRule, order, said_if_equal, sorted_by
from sage_select.pipeline.cost import Cost, Size
from sage_select.pipeline.run import Run

__all__ = ["Length"]


@order("length", place=40, nested=True)
class Length(OrderRule):
    """By length, the shortest row first, equal ones shuffled.

    The length of a row is what the selection counts for a budget in tokens: words, or the tokens of its tokenizer.
    Cost: the words of the rows that are in, and a sort.
    """

    length_first: Annotated[
        Literal["shortest", "longest"], Option("which end of the lengths comes first: shortest or longest")
    ] = "shortest"

    def arrange(self, shuffle: NDArray[np.int64], data: Dataset, run: Run) -> Arrangement:
        """Return the rows by length.

        Raises
        ------
        UsageError
            If there are neither rows nor lengths.
        """
        if not data.has_lengths:
            raise UsageError("order 'length' needs rows", hint="pass data, or lengths as an array")
        lengths = data.lengths.values
        said_if_equal(self, lengths, "length", run)
        return Arrangement(sorted_by(lengths if self.length_first == "shortest" else -lengths, shuffle))

    def cost(self, size: Size) -> Cost:
        """Return the cost of counting the words, and of sorting the rows by them."""
        return Cost(32.0 * size.n, size.seconds(text=size.word_bytes * size.n, rows=2 * size.n))

    def describe(self) -> str:
        """Return the rule."""
        return f"by length, the {self.length_first} row first; equal ones by keyed hash"
