"""Values of many rows, a block of rows at a time: those held are read, the others computed and held."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import pyarrow as pa

from sage_select.cache.folder import Cache

__all__ = ["Blocks", "Computed", "HeldBlocks", "compute_blocks", "spans"]

#: The first row of a block, and the row after its last.
Span = tuple[int, int]


class Computed(NamedTuple):
    """The values of a block, and whether they may be held: not where something is wrong that has to be told again."""

    table: pa.Table
    lasting: bool = True


Identity = Callable[[], Mapping[str, Any] | None]
Compute = Callable[[int, int], Computed]


class Blocks(Protocol):
    """Gives the values of blocks, in their order.

    `identity` returns all that the values depend on beside the rows, as plain values, None where that is not known;
    `compute` gives those of the rows from the first number to before the second.
    """

    def __call__(self, identity: Identity, of: Sequence[Span], compute: Compute) -> Iterator[pa.Table]:
        """Yield the values of each block."""
        ...


def spans(n: int, rows: int) -> list[Span]:
    """Return blocks of so many rows, the last of what is left.

    Examples
    --------
    >>> spans(5, 2)
    [(0, 2), (2, 4), (4, 5)]
    """
    return [(start, min(start + rows, n)) for start in range(0, n, rows)]


def compute_blocks(identity: Identity, of: Sequence[Span], compute: Compute) -> Iterator[pa.Table]:
    """Yield the values of each block, none of them held."""
    del identity
    for span in of:
        yield compute(*span).table


@dataclass(frozen=True)
class HeldBlocks:
    """`Blocks` that are held in a cache.

    Parameters
    ----------
    cache
        Where.
    identity
        Who computes them: added to what the computation itself knows of.
    key
        Names the content of the rows of a block: the same for the same rows in the same order, wherever they lie.
    count
        Told of each block how many rows it has, and whether it was held.
    """

    cache: Cache
    identity: Mapping[str, Any]
    key: Callable[[int, int], str]
    count: Callable[[int, bool], None]

    def __call__(self, identity: Identity, of: Sequence[Span], compute: Compute) -> Iterator[pa.Table]:
        """Yield the values of each block; one that is computed is on the disk before the next begins."""
        known = identity() if self.cache.usable else None
        producer = None if known is None else self.cache.producer({**self.identity, **known})
        for start, stop in of:
            key = "" if producer is None else self.key(start, stop)
            table = None if producer is None else producer.get(key)
            self.count(stop - start, table is not None)
            if table is None:
                table, lasting = compute(start, stop)
                if producer is not None and lasting:
                    producer.put(key, table)
            yield table
