"""Prefixes of completions as a trie, and which of them a model is still to be asked of.

What a model makes of a prefix gives the log-probabilities of all prefixes that are a token longer. No prefix is more
likely than what it begins with, so where the likeliest completion alone is wanted, prefixes that are less likely than a
whole completion are out with all that begins with them: the likeliest, and all that are as likely, are found exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Due", "Search", "Trie"]

#: Rounds of a search after which it asks of one prefix more at a time.
_PATIENCE: Final = 2

_Numbers = NDArray[np.int64]


def _by_length(prefix: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
    return len(prefix), prefix


class Trie:
    """The prefixes of completions, numbered by length: 0 is the empty one.

    A prefix that stands in several completions is there once, and so is a completion that is there twice.

    Parameters
    ----------
    completions
        Tokens, at least one each; some may be equal, or begin others.

    Attributes
    ----------
    tokens, parents, depths
        Of each prefix its last token, the prefix without it, and its length, int64 (prefixes,).
    ends
        Of each completion the prefix that is all of it, int64 (completions,).
    children, begins
        The prefixes that are a token longer than prefix p are `children[begins[p]:begins[p + 1]]`.
    inner
        Whether a prefix has such, bool (prefixes,).
    """

    def __init__(self, completions: Sequence[Sequence[int]]) -> None:
        whole = [tuple(one) for one in completions]
        prefixes = sorted({one[:length] for one in whole for length in range(len(one) + 1)}, key=_by_length)
        numbers = {prefix: number for number, prefix in enumerate(prefixes)}
        self.tokens = np.array([one[-1] if one else -1 for one in prefixes], dtype=np.int64)
        self.parents = np.array([numbers[one[:-1]] if one else -1 for one in prefixes], dtype=np.int64)
        self.depths = np.array([len(one) for one in prefixes], dtype=np.int64)
        self.ends = np.array([numbers[one] for one in whole], dtype=np.int64)
        counts = np.bincount(self.parents[1:], minlength=len(prefixes))
        # Prefixes of one length are sorted, so that those that share all but the last token stand together.
        self.children = np.argsort(self.parents[1:], kind="stable").astype(np.int64) + 1
        self.begins = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        self.inner = counts > 0
        #: Where nothing branches, a pass goes on to the last prefix after which there is something to ask.
        self._last = np.arange(len(prefixes))
        for prefix in range(len(prefixes) - 1, -1, -1):
            after = self.after(prefix)
            if len(after) == 1 and self.inner[after[0]]:
                self._last[prefix] = self._last[after[0]]

    def after(self, prefix: int) -> _Numbers:
        """Return the prefixes that are a token longer."""
        return self.children[self.begins[prefix] : self.begins[prefix + 1]]

    def afters(self, prefixes: _Numbers) -> tuple[_Numbers, _Numbers]:
        """Return the places of prefixes, and what comes after them, one prefix after the other."""
        counts = self.begins[prefixes + 1] - self.begins[prefixes]
        owners = np.repeat(np.arange(len(prefixes)), counts)
        starts = np.repeat(self.begins[prefixes] - np.cumsum(counts) + counts, counts)
        return owners, self.children[starts + np.arange(len(owners))]

    def last(self, prefixes: _Numbers) -> _Numbers:
        """Return how far a pass goes that is to tell what comes after prefixes: on until something branches."""
        return self._last[prefixes]

    def cover(self) -> _Numbers:
        """Return prefixes whose passes tell of all others: the longest that anything comes after."""
        longer = np.zeros(len(self.inner), dtype=bool)
        longer[self.parents[1:][self.inner[1:]]] = True
        return np.flatnonzero(self.inner & ~longer & (self.depths > 0))

    def paths(self, prefixes: _Numbers) -> _Numbers:
        """Return the prefixes of one token, of two, and so on, of each: (prefixes, longest), -1 behind the last."""
        found = np.full((len(prefixes), int(self.depths[prefixes].max(initial=0))), -1)
        rows, at = np.arange(len(prefixes)), prefixes
        while len(rows):
            left = self.depths[at] > 0
            rows, at = rows[left], at[left]
            found[rows, self.depths[at] - 1] = at
            at = self.parents[at]
        return found


class Due(NamedTuple):
    """What is to be asked next: passes over prompts and prefixes behind them.

    Attributes
    ----------
    prompts, prefixes
        Of each pass the number of a prompt and the longest prefix, int64 (passes,).
    """

    prompts: _Numbers
    prefixes: _Numbers


class Search:
    """What is known of the prefixes after some prompts.

    Parameters
    ----------
    trie
        The prefixes.
    prompts
        How many prompts there are.
    wanted
        Of each prompt a completion that is looked at in any case, where the likeliest alone are wanted; None for all.
    """

    def __init__(self, trie: Trie, prompts: int, wanted: Sequence[int] | None) -> None:
        self._trie, self._rounds = trie, 0
        self._wanted = None if wanted is None else np.array(wanted, dtype=np.int64)
        #: Log-probabilities; minus infinity where unknown.
        self._sums = np.full((prompts, len(trie.tokens)), -np.inf)
        self._known = np.zeros(self._sums.shape, dtype=bool)
        self._sums[:, 0], self._known[:, 0] = 0.0, True
        #: Whether anything comes after a prefix that is not known yet.
        self.open = np.repeat(trie.inner[None], prompts, axis=0)

    def due(self) -> Due:
        """Return what is to be asked next, nothing where all is known."""
        self._rounds += 1
        prompts = np.arange(len(self._sums))
        if self._wanted is None:
            cover = self._trie.cover() if self._rounds == 1 else np.zeros(0, dtype=np.int64)
            return Due(np.repeat(prompts, len(cover)), np.tile(cover, len(prompts)))
        if self._rounds == 1:
            # All that the wanted one begins with in one pass: it is often the likeliest as well.
            prefixes = self._trie.parents[self._trie.ends[self._wanted]]
            some = prefixes > 0
            if some.any():
                return Due(prompts[some], prefixes[some])
        return self._likeliest()

    def _likeliest(self) -> Due:
        """Return the likeliest prefixes of each prompt that may begin the likeliest completion."""
        best = self._sums[:, self._trie.ends].max(axis=1)
        prompts, prefixes = np.nonzero(self.open & self._known & (self._sums >= best[:, None]))
        order = np.lexsort((prefixes, -self._sums[prompts, prefixes], prompts))
        prompts, prefixes = prompts[order], prefixes[order]
        place = np.arange(len(prompts)) - np.searchsorted(prompts, prompts)
        # One at a time asks of the fewest; of more where that was not enough, since a pass of few takes long for each.
        some = place < 1 + self._rounds // _PATIENCE
        return Due(prompts[some], self._trie.last(prefixes[some]))

    def take(self, prompts: _Numbers, prefixes: _Numbers, values: NDArray[np.float64]) -> None:
        """Take what a model says of the tokens that come after prefixes.

        Parameters
        ----------
        prompts, prefixes
            int64 (n,); the shorter ones of a prompt before those that begin with them, or known before.
        values
            The log-probabilities of the last tokens of all `after` them, one prefix after the other.
        """
        trie = self._trie
        owners, after = trie.afters(prefixes)
        depths = trie.depths[after]
        for depth in np.unique(depths):
            these = depths == depth
            rows, longer = prompts[owners[these]], after[these]
            self._sums[rows, longer] = self._sums[rows, trie.parents[longer]] + values[these]
            self._known[rows, longer] = True
        self.open[prompts, prefixes] = False

    def found(self) -> list[list[float]]:
        """Return of each prompt the log-probability of each completion; minus infinity where it was not looked at."""
        values: list[list[float]] = self._sums[:, self._trie.ends].tolist()
        return values
