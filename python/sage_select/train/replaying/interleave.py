"""Where rows are replayed: after each new row as many as are owed, exactly, in the order in which they are drawn."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sage_select.train.rounds import Rounds
from sage_select.train.schedule import NO_PHASE
from sage_select.train.schedule_file import within_row

if TYPE_CHECKING:
    from sage_select.replay.ratio import Ratio
    from sage_select.train.config import TrainConfig
    from sage_select.train.data import TrainingRows

__all__ = ["Draws", "Interleaved", "interleaved", "steps_of_passes"]


class Draws:
    """The rows that are replayed, one after the other: none again before all others were.

    Parameters
    ----------
    size
        How many rows there are.
    draw
        Gives so many different ones in the order of a draw, by the number of the draw, from 0, and their count.
    expected
        How many will be asked for, where that is known: of a buffer that has more no more are drawn, so that the rule
        of drawing decides among them.
    repeat
        Whether rows are drawn again when all were.
    """

    def __init__(
        self, size: int, draw: Callable[[int, int], NDArray[np.int64]], *, expected: int | None, repeat: bool
    ) -> None:
        self._size, self._draw, self._expected, self._repeat = size, draw, expected, repeat
        self._rows: list[int] = []
        self._number = 0

    @classmethod
    def recorded(cls, rows: Sequence[int]) -> Draws:
        """Return draws that were made."""
        return cls(len(rows), lambda _number, _count: np.array(rows, np.int64), expected=None, repeat=False)

    def __getitem__(self, place: int) -> int | None:
        """Return the row that is drawn there, None where there is none any more."""
        while place >= len(self._rows):
            if not self._size or (self._number and not self._repeat):
                return None
            left = self._size if self._expected is None else max(1, self._expected - len(self._rows))
            self._rows += self._draw(self._number, min(self._size, left)).tolist()
            self._number += 1
        return self._rows[place]


@dataclass(frozen=True)
class Interleaved:
    """The examples that each step consumes.

    Attributes
    ----------
    starts
        int64 (steps + 1): where the entries of each step begin, and where the last ones end.
    places
        int64 (entries): of an example among the new ones and, behind all of these, those that may be replayed.
    phases
        int32 (entries): that of the example; of a replayed one that of the new row before it.
    drawn
        int64: the rows replayed, as they were drawn, each as often as it is.
    missing
        What is owed at the end beyond what a row more would have been: rows, or tokens; 0 unless rows ran out.
    """

    starts: NDArray[np.int64]
    places: NDArray[np.int64]
    phases: NDArray[np.int32]
    drawn: NDArray[np.int64]
    missing: int

    @property
    def steps(self) -> int:
        """Optimizer steps."""
        return len(self.starts) - 1


def interleaved(
    new: TrainingRows,
    pool: TrainingRows | None,
    draws: Draws,
    ratio: Ratio,
    config: TrainConfig,
    *,
    steps: int | None = None,
) -> Interleaved:
    """Return the steps of a run that replays rows among new ones.

    After each new row, with all of its examples, follow the rows that are owed by then: of what the ratio says of all
    new rows so far, in all passes, never a row more has been replayed, nor is one missing. No step has new rows of two
    passes.

    Parameters
    ----------
    new, pool
        New rows in their order, and those that may be replayed, tokenised; None: there are none.
    draws
        Which of these are drawn, by their number.
    steps
        How many there are, of a run that was planned before.

    Raises
    ------
    UsageError
        If the run would never end.

    Notes
    -----
    Cost: some hundred nanoseconds for each new row of each pass.
    """
    limit = config.max_steps if steps is None else steps
    units = _Units.of(new, pool)
    # It refuses what would never end.
    Rounds.of(len(new.row_ids), config)
    costs = units.tokens if ratio.basis == "tokens_of_total" else np.ones(len(units.tokens), np.int64)
    owed = _Owed(ratio, draws, costs[: units.new], costs[units.new :])
    per_step = config.batch_size * config.gradient_accumulation
    parts: list[_Pass] = []
    taken = 0
    while True:
        one = units.pass_(owed)
        parts.append(one)
        count = -(-len(one.places) // per_step)
        here = steps_of_passes(len(parts), count, taken, limit, config.epochs)
        if here is not None:
            break
        taken += count
    sizes = [np.diff(np.r_[np.arange(0, len(one.places), per_step), len(one.places)]) for one in parts]
    starts = np.r_[0, np.cumsum(np.concatenate(sizes))][: taken + here + 1].astype(np.int64)
    end = int(starts[-1])
    lengths = np.cumsum([0, *(len(one.places) for one in parts)])
    begins = np.concatenate([one.begins + start for one, start in zip(parts, lengths[:-1], strict=True)])
    is_new = np.concatenate([one.is_new for one in parts])
    consumed = begins < end
    drawn = np.array([draws[place] for place in range(int((consumed & ~is_new).sum()))], np.int64)
    amounts = np.tile(owed.amounts, len(parts))[: int((consumed & is_new).sum())]
    return Interleaved(
        starts=starts,
        places=np.concatenate([one.places for one in parts])[:end],
        phases=np.concatenate([one.phases for one in parts])[:end],
        drawn=drawn,
        missing=owed.missing(int(amounts.sum()), drawn) if owed.ran_out else 0,
    )


def steps_of_passes(passes: int, last: int, before: int, limit: int | None, epochs: float) -> int | None:
    """Return how many steps of the last of some passes a run takes; None where it goes on after it.

    Parameters
    ----------
    last, before
        Steps of the last pass, and of those before it.
    limit
        All steps of the run, where they are said.

    Examples
    --------
    >>> [steps_of_passes(number, 3, 3 * (number - 1), None, 2.5) for number in (1, 2, 3)]
    [None, None, 2]
    """
    if limit is not None:
        return limit - before if before + last >= limit else None
    if passes < epochs:
        return None
    return math.ceil((epochs - (passes - 1)) * last)


@dataclass(frozen=True)
class _Pass:
    """A pass over the new rows: places and phases of its entries, where each row begins, and whether it is new."""

    places: NDArray[np.int64]
    phases: NDArray[np.int32]
    begins: NDArray[np.int64]
    is_new: NDArray[np.bool_]


@dataclass(frozen=True)
class _Units:
    """Rows with their examples: the new ones, and behind them those that may be replayed.

    Attributes
    ----------
    first, counts, tokens
        int64 (rows): place of the first example of each, how many there are, and their tokens.
    phases
        int32 (new rows).
    """

    first: NDArray[np.int64]
    counts: NDArray[np.int64]
    tokens: NDArray[np.int64]
    phases: NDArray[np.int32]

    @classmethod
    def of(cls, new: TrainingRows, pool: TrainingRows | None) -> _Units:
        parts = [one for one in (new, pool) if one is not None]
        first = np.concatenate([np.flatnonzero(within_row(one.row_ids) == 0) + before for one, before in _after(parts)])
        examples = sum(len(one.row_ids) for one in parts)
        lengths = np.concatenate([one.lengths for one in parts])
        begins = first[: int((within_row(new.row_ids) == 0).sum())]
        return cls(
            first=first,
            counts=np.diff(np.r_[first, examples]),
            tokens=np.add.reduceat(lengths, first),
            phases=new.facts["phase"].fill_null(NO_PHASE).to_numpy()[begins],
        )

    @property
    def new(self) -> int:
        """How many rows are new."""
        return len(self.phases)

    def pass_(self, owed: _Owed) -> _Pass:
        """Return the next pass over the new rows."""
        n, first_draw = self.new, owed.drawn
        after = owed.pass_()
        total = owed.drawn - first_draw
        is_new = np.zeros(n + total, np.bool_)
        is_new[np.arange(n) + np.r_[0, np.cumsum(after)[:-1]]] = True
        units = np.empty(n + total, np.int64)
        units[is_new] = np.arange(n)
        units[~is_new] = [n + owed.row(place) for place in range(first_draw, owed.drawn)]
        counts = self.counts[units]
        begins = np.cumsum(counts) - counts
        within = np.arange(counts.sum()) - np.repeat(begins, counts)
        return _Pass(
            places=np.repeat(self.first[units], counts) + within,
            # The first row is new.
            phases=np.repeat(self.phases[np.cumsum(is_new) - 1], counts),
            begins=begins,
            is_new=is_new,
        )


class _Owed:
    """What is owed, in whole numbers: the ratio is `part / of` for each row, or token, that is new.

    Parameters
    ----------
    amounts, costs
        What each new row counts, and what each does that may be replayed: 1, or its tokens.
    """

    def __init__(self, ratio: Ratio, draws: Draws, amounts: NDArray[np.int64], costs: NDArray[np.int64]) -> None:
        self._part, self._of = ratio.of_new.numerator, ratio.of_new.denominator
        self._draws, self._costs = draws, costs.tolist()
        self._owed = 0
        self.amounts = amounts
        self.drawn = 0
        self.ran_out = False

    def pass_(self) -> list[int]:
        """Return how many rows are replayed after each new row of the next pass."""
        part, of, owed, found = self._part, self._of, self._owed, []
        before = self.drawn
        for amount in self.amounts.tolist():
            owed += part * amount
            while owed > 0 and not self.ran_out:
                row = self._draws[self.drawn]
                if row is None:
                    self.ran_out = True
                elif owed >= (cost := of * self._costs[row]):
                    owed -= cost
                    self.drawn += 1
                else:
                    break
            found.append(self.drawn - before)
            before = self.drawn
        self._owed = owed
        return found

    def row(self, place: int) -> int:
        """Return the row that was drawn there, and counted."""
        row = self._draws[place]
        if row is None:
            raise IndexError(place)
        return row

    def missing(self, amount: int, drawn: NDArray[np.int64]) -> int:
        """Return what is owed after so much that is new, and these rows: whole rows, or tokens."""
        paid = sum(self._costs[row] for row in drawn.tolist())
        return int(self._part * amount // self._of - paid)


def _after(parts: Sequence[TrainingRows]) -> list[tuple[TrainingRows, int]]:
    """Return each part with the examples before it."""
    before = np.cumsum([0, *(len(one.row_ids) for one in parts)])
    return list(zip(parts, before.tolist(), strict=False))
