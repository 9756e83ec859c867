"""Rows of like length, so that little of a batch is padding."""

from __future__ import annotations

from collections.abc import Sequence

from sage_select.errors import UsageError

__all__ = ["length_batches"]


def length_batches(lengths: Sequence[int], batch_tokens: int) -> list[list[int]]:
    """Return row numbers in batches, longest rows first.

    A batch holds at most `batch_tokens` tokens with its padding, and at least one row. Rows of no tokens are left
    out.

    Raises
    ------
    UsageError
        `batch_tokens` is not positive.

    Examples
    --------
    >>> length_batches([2, 5, 3, 0], 6)
    [[1], [2, 0]]
    """
    if batch_tokens < 1:
        raise UsageError(f"a batch cannot hold {batch_tokens} tokens", expected="at least 1")
    batches: list[list[int]] = []
    for row in sorted(range(len(lengths)), key=lambda row: (-lengths[row], row)):
        if not lengths[row]:
            break
        if batches and lengths[batches[-1][0]] * (len(batches[-1]) + 1) <= batch_tokens:
            batches[-1].append(row)
        else:
            batches.append([row])
    return batches
