"""Interleave: groups take turns."""

from __future__ import annotations

import heapq
from typing import Annotated

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sage_select import io
from sage_select.data import Dataset
from sage_select.declare.option import Option
from sage_select.errors import UsageError
from sage_select.orders.rule import Arrangement, OrderRule, order
from sage_select.pipeline.cost import Cost, Size
from sage_select.pipeline.run import Run

__all__ = ["Interleave", "turns"]


@order("interleave", place=50, implied_by="order_by")
class Interleave(OrderRule):
    """The values of a column take turns, each by its share of the whole.

    After every number of rows m, a value of n_g among n rows has had more than m n_g / n - 1 of them and fewer than
    m n_g / n + 1: any stretch of training sees the mixture of the whole. Rows without a value are a group of their own;
    within a group rows are shuffled. `turns` states the rule. Cost: n log(groups).
    """

    order_by: Annotated[str, Option("the column whose values take turns", metavar="COLUMN")]

    def check_input(self, data: Dataset) -> None:
        """Refuse rows without the column.

        Raises
        ------
        UsageError
            If there is no such column, or there are only arrays.
        DataError
            If it holds something else than text, whole numbers or truth values.
        """
        self._values(data)

    def arrange(self, shuffle: NDArray[np.int64], data: Dataset, run: Run) -> Arrangement:
        """Return the rows, group after group taking its turn."""
        codes = pc.dictionary_encode(self._values(data), null_encoding="encode").combine_chunks()
        groups = np.asarray(codes.indices.to_numpy(), np.int64)
        if data.n > 1 and len(codes.dictionary) in (1, data.n):
            value = codes.dictionary[0].as_py()
            had = "no value" if value is None else f"the value {value!r}"
            had = had if len(codes.dictionary) == 1 else "values of their own"
            run.reporter.notice(
                f"order interleave: all {data.n:,} rows have {had} in column {self.order_by!r}: the order is a shuffle"
            )
        return Arrangement(shuffle[turns(groups[shuffle])])

    def _values(self, data: Dataset) -> pa.ChunkedArray:
        """Return the column as strings, null where a row has no value."""
        if data.rows is None:
            raise UsageError("order 'interleave' goes by a column of the rows, and there are none", hint="pass data")
        return io.group_column(data.rows, self.order_by, nulls=True)

    def cost(self, size: Size) -> Cost:
        """Return the cost of the groups, and of a turn of each row, which is a step of Python."""
        return Cost(250.0 * size.n, size.seconds(rows=10 * size.n))

    def describe(self) -> str:
        """Return the rule."""
        return f"the values of {self.order_by!r} take turns by their shares; each in the order of a keyed shuffle"


def turns(groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return rows so that after each the share of every group is that of the whole, but for less than one row.

    Parameters
    ----------
    groups
        int64 (n,): the group of each row, from 0. The rows of a group keep their order.

    Returns
    -------
    rows
        int64 (n,): row numbers.

    Notes
    -----
    With k groups let e = 1 / (2 k - 2). Row i (from 0) of a group that has the share s of all rows comes at the
    earliest at turn ceil((i + e) / s) and at the latest at turn floor((i + 1 - e) / s) + 1, turns counted from 1. Of
    the rows whose time has come the one with the earliest latest turn is next, of several the first of the input.
    Tijdeman (1980, "The chairman assignment problem", Discrete Mathematics 32) shows that rows can be placed so, and
    for rows that take one turn each the earliest latest turn first finds it wherever it can be done. After each turn
    a group has then had at most 1 - e rows more or fewer than its share. With two groups that is half a row, row i
    at (i + 1/2) / s; with more, these middles alone would not keep it below one row.
    """
    n = len(groups)
    sizes = np.bincount(groups, minlength=1).astype(np.int64)
    present = int(np.count_nonzero(sizes))
    if present < 2:
        return np.arange(n)
    by_group = np.argsort(groups, kind="stable")
    starts = np.repeat(np.cumsum(sizes) - sizes, sizes)
    number, size = np.empty(n, np.int64), sizes[groups]
    number[by_group] = np.arange(n) - starts
    # Whole numbers throughout, in which (i + e) / s is (i n) / size + n / (c size); i n and what is left fit 64 bits.
    c = 2 * present - 2
    turn, left = np.divmod(number * n, size)
    earliest = turn - (-(left * c + n) // (c * size))
    turn, left = np.divmod((number + 1) * n, size)
    latest = turn + (left * c - n) // (c * size) + 1
    # One number a row, by which the heap compares: the latest turn, then the place in the input.
    urgent = (latest * n + np.arange(n)).tolist()
    coming = np.argsort(earliest, kind="stable").tolist()
    when = earliest[coming].tolist()
    heap: list[int] = []
    found: list[int] = []
    next_one = 0
    for now in range(1, n + 1):
        while next_one < n and when[next_one] <= now:
            heapq.heappush(heap, urgent[coming[next_one]])
            next_one += 1
        found.append(heapq.heappop(heap) % n)
    return np.array(found, np.int64)
