"""How the examples of a step lie in its forward passes: sorted by length, or several in one sequence.

Whatever lies where, a step consumes the same examples, each whole, and its loss is the weighted sum over all of their
trained tokens: only what is computed on padding, and the rounding of the sum, depend on it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

__all__ = ["Layout", "next_fit"]


@dataclass(frozen=True)
class Layout:
    """The sequence that each entry of a schedule lies in.

    Parameters
    ----------
    sequences
        int32 (entries): number of the sequence within its step. Forward pass i, from 0, takes those from
        i * `per_pass` to (i + 1) * `per_pass`, of which one pass may have fewer.
    starts
        int64 (steps + 1): where the entries of each step begin, as in the schedule.
    lengths
        int64 (entries): tokens of the example of each entry.
    per_pass
        Sequences of a forward pass.
    packed
        Whether a sequence may hold several examples.
    """

    sequences: NDArray[np.int32]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    per_pass: int
    packed: bool = False

    @classmethod
    def in_order(cls, starts: NDArray[np.int64], lengths: NDArray[np.int64], *, per_pass: int) -> Layout:
        """Return the layout of one example a sequence, in the order of the step."""
        slots = np.arange(len(lengths)) - np.repeat(starts[:-1], np.diff(starts))
        return cls(slots.astype(np.int32), starts, lengths, per_pass)

    @classmethod
    def by_length(cls, starts: NDArray[np.int64], lengths: NDArray[np.int64], *, per_pass: int) -> Layout:
        """Return the layout of one example a sequence, the longest of a step first.

        None computes less on padding.
        """
        return cls.in_order(starts, lengths, per_pass=per_pass)._longest_first()

    @classmethod
    def packing(
        cls,
        starts: NDArray[np.int64],
        lengths: NDArray[np.int64],
        phases: NDArray[np.int32],
        *,
        per_pass: int,
        lookback: int,
    ) -> Layout:
        """Return the layout of `next_fit`, the longest sequences of a step first."""
        return cls(next_fit(starts, lengths, phases, lookback), starts, lengths, per_pass, packed=True)._longest_first()

    def first(self, steps: int) -> Layout:
        """Return that of the first steps."""
        end = int(self.starts[steps])
        return replace(
            self, sequences=self.sequences[:end], starts=self.starts[: steps + 1], lengths=self.lengths[:end]
        )

    @property
    def count(self) -> int:
        """Number of all sequences."""
        return len(self._keys()[0])

    @property
    def computed(self) -> int:
        """Tokens of all forward passes, padding included: each sequence is as long as the longest of its pass."""
        lengths, begin = self._keys()[1], self._passes()
        sizes = np.diff(np.r_[begin, len(lengths)])
        return int((np.maximum.reduceat(lengths, begin) * sizes).sum())

    @property
    def forward_passes(self) -> int:
        """Number of all forward passes."""
        return len(self._passes())

    @property
    def padding(self) -> float:
        """Share of the computed tokens that is padding."""
        return 1.0 - int(self.lengths.sum()) / self.computed

    def _longest_first(self) -> Layout:
        keys, lengths, of_entry = self._keys()
        step = keys // self._width
        order = np.lexsort((keys, -lengths, step))
        starts = np.searchsorted(step, np.arange(len(self.starts)))
        rank = np.arange(len(keys)) - starts[step]
        # Where one pass is smaller, its sequences are followed by numbers that none has.
        short, size = _smaller_pass(starts, lengths[order], self.per_pass)
        rank += np.where(rank >= (short * self.per_pass + size)[step], (self.per_pass - size)[step], 0)
        numbers = np.empty(len(keys), np.int32)
        numbers[order] = rank
        return Layout(numbers[of_entry], self.starts, self.lengths, self.per_pass, self.packed)

    def _passes(self) -> NDArray[np.int64]:
        """Return the number, among all sequences, of the first of each forward pass."""
        keys = self._keys()[0]
        passes = keys // self._width * self._width + keys % self._width // self.per_pass
        return np.flatnonzero(np.r_[True, passes[1:] != passes[:-1]])

    @property
    def _width(self) -> int:
        """More than the largest number of a sequence."""
        return int(np.diff(self.starts).max(initial=1)) + self.per_pass

    def _keys(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return a number for each sequence, ascending by step and sequence, its tokens, and which each entry is in."""
        step = np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))
        keys, of_entry = np.unique(step * self._width + self.sequences, return_inverse=True)
        return keys, np.bincount(of_entry, weights=self.lengths).astype(np.int64), of_entry


def _smaller_pass(
    starts: NDArray[np.int64], lengths: NDArray[np.int64], per_pass: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return which forward pass of each step has fewer sequences than the others, and how many, to compute the least.

    Parameters
    ----------
    starts
        int64 (steps + 1): where the sequences of each step begin.
    lengths
        Their tokens, the longest of each step first.

    Notes
    -----
    Of passes of given sizes those compute the least that take sequences by length; which of them is the smaller one is
    tried. Cost: O(sequences).
    """
    counts = np.diff(starts)
    passes = -(-counts // per_pass)
    size = counts - (passes - 1) * per_pass
    first = np.r_[0, np.cumsum(passes)]
    step = np.repeat(np.arange(len(counts)), passes)
    number = np.arange(first[-1]) - first[step]
    # The longest of a pass while none before it was the smaller one, and once one was.
    before = lengths[starts[step] + number * per_pass]
    after = lengths[np.minimum(starts[step] + number * per_pass + size[step], starts[step + 1] - 1)]
    after[number == passes[step] - 1] = 0
    sums = [np.r_[0, np.cumsum(values)] for values in (before, after)]
    here = np.arange(len(step))
    computed = (
        per_pass * (sums[0][here] - sums[0][first[step]])
        + size[step] * before
        + per_pass * (sums[1][first[step + 1]] - sums[1][here])
    )
    best = np.minimum.reduceat(computed, first[:-1])
    least = here[computed == best[step]]
    last = np.searchsorted(step[least], np.arange(len(counts)), side="right") - 1
    return number[least[last]], size


def next_fit(
    starts: NDArray[np.int64], lengths: NDArray[np.int64], phases: NDArray[np.int32], lookback: int
) -> NDArray[np.int32]:
    """Return the number of the sequence, within its step, of each entry: next-fit with a bounded look-back.

    In the order of the step each example goes into the first of the last `lookback` sequences that has room for it and
    is of its phase, else into a new one. No sequence is longer than the longest example of its step, so that a packed
    forward pass takes no more memory, and looks no further back, than one with that example does anyway.

    Parameters
    ----------
    starts
        int64 (steps + 1): where the entries of each step begin.
    lengths, phases
        Tokens and phase of each entry.
    lookback
        Sequences that an example may go into.

    Notes
    -----
    Cost: O(entries * lookback) time, O(steps * lookback) memory; the steps are worked on side by side. Source:
    next-k-fit, Johnson 1974.
    """
    sizes = np.diff(starts)
    numbers = np.empty(len(lengths), np.int32)
    # Steps with many entries first, so that those that have an entry at a slot are always the first ones.
    steps = np.argsort(-sizes, kind="stable")
    begin, sizes = starts[:-1][steps], sizes[steps]
    lookback = min(lookback, int(sizes.max(initial=1)))
    filled = sizes > 0
    begin, sizes = begin[filled], sizes[filled]
    capacity = np.maximum.reduceat(lengths, np.sort(begin))[np.argsort(np.argsort(begin))] if len(begin) else begin
    room = np.full((len(begin), lookback), -1, np.int64)
    phase = np.zeros((len(begin), lookback), np.int32)
    newest = np.full(len(begin), -1, np.int32)
    for slot in range(int(sizes.max(initial=0))):
        there = int(np.searchsorted(-sizes, -slot, side="left"))  # steps with more than `slot` entries
        entry = begin[:there] + slot
        length, kind = lengths[entry], phases[entry]
        fits = (room[:there] >= length[:, None]) & (phase[:there] == kind[:, None])
        found = fits.any(axis=1)
        into = np.where(found, fits.argmax(axis=1), lookback - 1)
        new = np.flatnonzero(~found)
        room[new] = np.roll(room[new], -1, axis=1)
        phase[new] = np.roll(phase[new], -1, axis=1)
        newest[new] += 1
        room[new, -1] = capacity[new]
        phase[new, -1] = kind[new]
        every = np.arange(there)
        room[every, into] -= length
        numbers[entry] = newest[:there] - (lookback - 1 - into)
    return numbers
