"""Pairs of expected and predicted things, each in at most one pair: as many as can be, and as many as come first."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["greedy_pairs", "most_pairs"]


def most_pairs(fits: Sequence[Sequence[bool]]) -> list[int | None]:
    """Return for each row the column it is paired with, so that as many rows as can be have one.

    By augmenting paths (Kuhn 1955): a row that has a pair keeps one, so that earlier rows come first where not all can
    have one. Time rows x rows x columns at most.

    Parameters
    ----------
    fits
        For each row, whether each column fits it.

    Examples
    --------
    >>> most_pairs([[True, True], [True, False]]), greedy_pairs([[True, True], [True, False]])
    ([1, 0], [0, None])
    """
    owner: dict[int, int] = {}

    def find(row: int, seen: set[int]) -> bool:
        # A path never meets a column twice, so that it is no deeper than there are columns.
        for column, fit in enumerate(fits[row]):
            if fit and column not in seen:
                seen.add(column)
                if column not in owner or find(owner[column], seen):
                    owner[column] = row
                    return True
        return False

    for row in range(len(fits)):
        find(row, set())
    columns = {row: column for column, row in owner.items()}
    return [columns.get(row) for row in range(len(fits))]


def greedy_pairs(fits: Sequence[Sequence[bool]]) -> list[int | None]:
    """Return for each row the first column that fits it and that no row before it has.

    As BFCL's checker pairs parallel calls: a row may be left without one although all could have one.
    """
    taken: set[int] = set()
    found = []
    for row in fits:
        column = next((place for place, fit in enumerate(row) if fit and place not in taken), None)
        if column is not None:
            taken.add(column)
        found.append(column)
    return found
