"""Which rows a mixture draws: of each value those with the smallest hashes, the pinned ones first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.data import Dataset, Lengths
from sage_select.errors import UsageError
from sage_select.kernels import Limits, Request
from sage_select.pipeline.run import Run
from sage_select.seeds import stage_key
from sage_select.stages.inputs.limits import Protected
from sage_select.stages.inputs.mixing import MixGroups, Part, parts_of
from sage_select.values.mixture import Mixture

__all__ = ["Draw"]

RowNumbers = NDArray[np.int64]


@dataclass(frozen=True)
class Draw:
    """The rows that a mixture draws from, by their numbers among those that are in.

    Attributes
    ----------
    groups
        The values.
    of
        int64 (n,): the number of the value of each row.
    amounts
        int64 (n,): what each row counts: 1, or its tokens.
    lengths
        The tokens, where these are counted.
    pinned
        Rows that are drawn first.
    apart
        Rows that are no part of a mixture, since they are never trained: a later selection excludes or looks for them.
    """

    groups: MixGroups
    of: RowNumbers
    amounts: RowNumbers
    lengths: Lengths | None
    pinned: RowNumbers
    apart: RowNumbers

    @classmethod
    def of_rows(cls, data: Dataset, groups: MixGroups, protected: Protected, *, in_tokens: bool) -> Draw:
        """Return that of the rows that are in."""
        lengths = data.lengths if in_tokens else None
        amounts = np.ones(data.n, np.int64) if lengths is None else lengths.values
        apart = np.union1d(protected.excluded, protected.queries)
        return cls(groups, data.of_input(groups.of), amounts, lengths, protected.pinned, apart)

    @property
    def unit(self) -> str:
        """What is counted: rows, words or tokens."""
        return "rows" if self.lengths is None else "words" if self.lengths.unit == "words" else "tokens"

    @property
    def there(self) -> NDArray[np.bool_]:
        """Which rows can be drawn."""
        there = np.ones(len(self.of), np.bool_)
        there[self.apart] = False
        return there

    @property
    def rows(self) -> RowNumbers:
        """How many rows of each value can be drawn."""
        return self.counts(self.there)

    @property
    def total(self) -> int:
        """How much can be drawn, whatever the shares."""
        return int(self.amounts[self.there].sum())

    def counts(self, which: NDArray[np.bool_]) -> RowNumbers:
        """Return how many of these rows have each value."""
        return np.bincount(self.of[which], minlength=len(self.groups.names))

    def sums(self, which: NDArray[np.bool_]) -> RowNumbers:
        """Return what these rows of each value count together."""
        sums = np.zeros(len(self.groups.names), np.int64)
        np.add.at(sums, self.of[which], self.amounts[which])
        return sums

    def parts(self, mixture: Mixture) -> list[Part]:
        """Return the parts of a mixture of these rows, as `parts_of` does."""
        return parts_of(mixture, self.groups, self.rows, self.sums(self.there), self.unit)

    def part_of(self, parts: Sequence[Part]) -> RowNumbers:
        """Return the number of the part of each row, int64 (n,); -1 where its value has no share."""
        part_of_group = np.full(len(self.groups.names), -1, np.int64)
        for number, part in enumerate(parts):
            part_of_group[part.groups] = number
        return part_of_group[self.of]

    def refuse_pinned(self, data: Dataset, parts: Sequence[Part], wanted: Sequence[int] | None = None) -> None:
        """Raise where a row is pinned whose value has no share, or more of a part than is wanted of it.

        Raises
        ------
        UsageError
            As said.
        """
        part_of = self.part_of(parts)[self.pinned]
        left_out = self.pinned[part_of < 0]
        if len(left_out):
            more = f" (more such rows: {len(left_out) - 1:,})" if len(left_out) > 1 else ""
            raise UsageError(
                f"this row is pinned, and its value has no share of the mixture{more}",
                where=data.label(int(left_out[0])),
                hint="take its id out of the list of pins, or give its value a share",
            )
        for number, (part, share) in enumerate(zip(parts, wanted or (), strict=wanted is not None)):
            spent = int(self.amounts[self.pinned[part_of == number]].sum())
            if spent > share:
                raise UsageError(
                    f"the pinned {part.label} are more than their share of the mixture",
                    expected=f"at most {share:,} {self.unit}",
                    got=f"{spent:,}",
                    hint="pin fewer of these rows, or give their value a larger share",
                )

    def drawn(self, data: Dataset, parts: Sequence[Part], wanted: Sequence[int], run: Run) -> NDArray[np.bool_]:
        """Return which rows are drawn, bool (n,): those pinned, and then those with the smallest hashes of their ids.

        Values that are not named are drawn evenly (`_evenly`). By tokens, rows are passed over that no longer fit into
        what is wanted of their part.

        Parameters
        ----------
        data
            The rows.
        parts, wanted
            How much of which part.
        run
            The run, for its seed.

        Raises
        ------
        UsageError
            If no row is short enough.
        """
        key = stage_key(run.seed, "mix")
        order = kernels.bottom_k_hashes(data.hashes(key), data.n, threads=run.threads)
        later = self.there
        later[self.pinned] = False
        order = np.concatenate([self.pinned, order[later[order]]])
        part_of = self.part_of(parts)[order]
        drawn = np.zeros(data.n, np.bool_)
        for number, (part, amount) in enumerate(zip(parts, wanted, strict=True)):
            rows = order[part_of == number]
            if part.others:
                rows = self._evenly(rows, key)
            drawn[rows[:amount] if self.lengths is None else rows[_fitting(self.amounts[rows], amount)]] = True
        if not drawn.any():
            raise UsageError(
                f"no row is short enough for its share of the {self.unit} of the mixture",
                got=f"{max(wanted):,} {self.unit} at most",
                hint="give the mixture a larger size",
            )
        return drawn

    def _evenly(self, rows: RowNumbers, key: int) -> RowNumbers:
        """Return rows so that the first of them hold the values that they have in the proportions of all.

        Row i of a value with m rows stands at (i + u) / m, with a u from 0 to 1 by the hash of the value: systematic
        sampling, in which any number of rows has of each value what lies below one point, to less than a row, and no
        value is favoured for its name or size. Pinned rows stay first.
        """
        of = self.of[rows]
        values, places, sizes = np.unique(of, return_inverse=True, return_counts=True)
        hashes = kernels.keyed_hashes(key, pa.array([self.groups.names[value] for value in values], pa.string()))
        by_value = np.argsort(places, kind="stable")
        turns = np.empty(len(rows), np.float64)
        turns[by_value] = np.arange(len(rows)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        turns += (hashes >> np.uint64(11))[places] * 2.0**-53
        turns /= sizes[places]
        turns[np.isin(rows, self.pinned)] = -1
        return rows[np.argsort(turns, kind="stable")]


def _fitting(lengths: RowNumbers, budget: int) -> RowNumbers:
    """Return which rows, met in their order, fit into what those before leave of a budget."""
    limits = Limits(costs=lengths, budget=budget)
    return kernels.take_admissible(len(lengths), np.arange(len(lengths)), Request(len(lengths), limits=limits))
