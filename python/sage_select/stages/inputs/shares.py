"""From shares to whole numbers: how much of each group is in a mixture."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["apportioned", "filled", "largest_total"]


def apportioned(total: int, weights: Sequence[int]) -> list[int]:
    """Return whole numbers that add up to `total`, each within one of its share.

    By largest remainders (Hamilton): each has its share rounded down, and of what is left those whose remainders are
    largest have one more; of equal ones the first. All in whole numbers, so that nothing is rounded.

    Parameters
    ----------
    total
        What is shared out, from 0.
    weights
        Whole numbers from 0; shares are to one another as these. At least one is above 0.

    Examples
    --------
    >>> apportioned(10, [35, 30, 20, 15])
    [4, 3, 2, 1]
    >>> apportioned(1, [1, 1])
    [1, 0]
    """
    whole = sum(weights)
    parts = [divmod(total * weight, whole) for weight in weights]
    counts = [count for count, _ in parts]
    by_remainder = sorted(range(len(parts)), key=lambda place: (-parts[place][1], place))
    for place in by_remainder[: total - sum(counts)]:
        counts[place] += 1
    return counts


def largest_total(available: Sequence[int], weights: Sequence[int]) -> tuple[int, int]:
    """Return the largest total of which no share is more than there is of its group, and the group that limits it.

    Parameters
    ----------
    available
        How much there is of each group.
    weights
        As of `apportioned`.

    Examples
    --------
    >>> largest_total([40, 10], [3, 1])
    (40, 1)
    """
    whole = sum(weights)
    # A group has at most its share rounded up: no more than there is, as that is a whole number.
    return min((there * whole // weight, place) for place, (there, weight) in _with_share(available, weights))


def filled(total: int, available: Sequence[int], weights: Sequence[int]) -> list[int]:
    """Return whole numbers that add up to `total`, where what one group lacks is shared out among the others.

    Groups that have less than their share give all that there is, and the others share out the rest by their weights;
    so on until none lacks anything. `total` is at most what the groups with a share have together.

    Examples
    --------
    >>> filled(12, [2, 20, 20], [2, 1, 1])
    [2, 5, 5]
    """
    counts = [0] * len(weights)
    open_groups = [place for place, _ in _with_share(available, weights)]
    while open_groups:
        rest = total - sum(counts)
        parts = apportioned(rest, [weights[place] for place in open_groups])
        short = {place for place, part in zip(open_groups, parts, strict=True) if part > available[place]}
        if not short:
            for place, part in zip(open_groups, parts, strict=True):
                counts[place] = part
            break
        for place in short:
            counts[place] = available[place]
        open_groups = [place for place in open_groups if place not in short]
    return counts


def _with_share(available: Sequence[int], weights: Sequence[int]) -> list[tuple[int, tuple[int, int]]]:
    pairs = zip(available, weights, strict=True)
    return [(place, pair) for place, pair in enumerate(pairs) if pair[1]]
