"""Which tokens are trained: those that cover a character of what the assistant says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["tokens_within"]

Span = tuple[int, int]


def tokens_within(offsets: Sequence[Span], spans: Iterable[Span]) -> list[bool]:
    """Return for each token whether it covers a character of a span.

    A token that reaches over the edge of a span counts, because else its part of the answer would never be learned.
    Offsets may be empty: where a tokenizer trims white space, such a token covers what lies between its neighbours;
    a token without any character of its own (a word-start mark) belongs to what follows it.

    Parameters
    ----------
    offsets
        (first character, end) of each token, in order.
    spans
        (first character, end), in order, apart from each other.

    Examples
    --------
    >>> tokens_within([(0, 2), (2, 5), (5, 6)], [(3, 5)])
    [False, True, False]
    """
    within = [False] * len(offsets)
    edges = iter(spans)
    span = next(edges, None)
    covered = 0
    for index, (start, end) in enumerate(offsets):
        if start == end:
            start = min(covered, start)
            last = max(end, start + 1)
        else:
            last = end
        covered = max(covered, end)
        while span is not None and span[1] <= start:
            span = next(edges, None)
        if span is None:
            break
        within[index] = start < span[1] and span[0] < last
    return within
