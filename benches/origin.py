"""The selector that this library descends from, SAGE's `hybrid`, written anew from its rules in plain Python.

1. Features of a text: its words (letters, digits, `_`; lower case; three characters or more), each with its share of
   the words of the text.
2. 60 % of the budget (rounded down): the rows with the highest loss, ties to the lowest row.
3. The rest, from the other rows and blind to the rows of step 2: first the row with the longest feature vector, then
   again and again the row whose greatest similarity to those picked in this step is least. Similarity is the dot
   product of the feature vectors; ties go to the lowest row.

As in the original every pick compares every candidate with all picks before it: O(n k**2) comparisons of
dictionaries. That is what its users waited for.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

Features = dict[str, float]


def features(text: str) -> Features:
    """Return the share of each word of three or more characters."""
    words = [word for word in re.findall(r"[a-zA-Z0-9_]+", text.lower()) if len(word) > 2]
    return {word: count / len(words) for word, count in Counter(words).items()}


def similarity(left: Features, right: Features) -> float:
    """Return the dot product over the words that both have."""
    return sum(left[word] * right[word] for word in left.keys() & right.keys())


def diversity(rows: Sequence[Features], k: int) -> list[int]:
    """Pick `k` rows, the farthest first."""
    candidates = list(range(len(rows)))
    picks: list[int] = []
    while len(picks) < k:
        if picks:
            pick = min(candidates, key=lambda row: max(similarity(rows[row], rows[other]) for other in picks))
        else:
            pick = max(candidates, key=lambda row: similarity(rows[row], rows[row]))
        picks.append(pick)
        candidates.remove(pick)
    return picks


def hybrid(texts: Sequence[str], losses: Sequence[float], k: int) -> list[int]:
    """Pick 60 % of `k` rows by loss and the rest by diversity."""
    top = sorted(range(len(texts)), key=lambda row: -losses[row])[: int(k * 0.6)]
    taken = set(top)
    others = [row for row in range(len(texts)) if row not in taken]
    return top + [others[pick] for pick in diversity([features(texts[row]) for row in others], k - len(top))]
