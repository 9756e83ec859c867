"""The examples of a step as the tensors of its forward passes, each example with its place in the training order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from sage_select.render.tokens import IGNORED
from sage_select.train.packing import Layout
from sage_select.train.schedule import Schedule

__all__ = ["StepCollator"]


class StepCollator:
    """Makes the forward passes of a step.

    Sequences are padded on the right, by their length (a pad token that is also the end token stays trained).

    Parameters
    ----------
    table
        All examples: `input_ids` and `labels` (large_list<int32>).
    schedule, layout
        Which of them each step consumes, and in which sequence of it each lies.
    pad_token_id
        Fills `input_ids` after the end of a sequence; never attended to, never trained.
    """

    def __init__(self, table: pa.Table, schedule: Schedule, layout: Layout, pad_token_id: int) -> None:
        self._ids, self._starts = _flat(table["input_ids"])
        self._labels = _flat(table["labels"])[0]
        self._pad_token_id = pad_token_id
        self.follow(schedule, layout)

    def follow(self, schedule: Schedule, layout: Layout) -> None:
        """Go by another schedule of the same examples from now on, such as one of which more is known."""
        self._schedule, self._layout = schedule, layout

    def __call__(self, steps: Sequence[Mapping[str, Any]]) -> dict[str, list[dict[str, torch.Tensor]]]:
        """Return the forward passes of the one step in `steps`, numbered from 0, as `passes`.

        Each has `input_ids` and `labels` (-100 where not trained), int64 (sequences, longest), and what keeps
        examples apart: an `attention_mask` where each has a sequence of its own, else `position_ids`, which begin anew
        with each. With them `owner` (int64, of the same shape), the number of the example within the pass, and, one an
        example, `place`, `slot` (int64) and `weight` (float32).
        """
        (step,) = (int(one["step"]) for one in steps)
        return {"passes": list(self._passes(step))}

    def _passes(self, step: int) -> Iterator[dict[str, torch.Tensor]]:
        start, end = self._schedule.starts[step : step + 2].tolist()
        sequences = self._layout.sequences[start:end]
        order = np.argsort(sequences, kind="stable")
        bounds = np.arange(0, int(sequences.max()) + 1, self._layout.per_pass)
        begins = np.searchsorted(sequences[order], bounds).tolist()
        for first, begin, stop in zip(bounds.tolist(), begins, [*begins[1:], len(order)], strict=True):
            slots = order[begin:stop]
            yield self._tensors(start, slots, sequences[slots] - first)

    def _tensors(self, start: int, slots: NDArray[np.int64], sequences: NDArray[np.int32]) -> dict[str, torch.Tensor]:
        entries = start + slots
        places = self._schedule.places[entries]
        begins = self._starts[places]
        lengths = self._layout.lengths[entries]
        filled = np.zeros(int(sequences[-1]) + 1, np.int64)
        shape = (len(filled), int(np.bincount(sequences, weights=lengths).max()))
        ids = np.full(shape, self._pad_token_id, np.int64)
        labels = np.full(shape, IGNORED, np.int64)
        owner, positions, mask = (np.zeros(shape, np.int64) for _ in range(3))
        rows = zip(sequences.tolist(), begins.tolist(), lengths.tolist(), strict=True)
        for number, (row, begin, length) in enumerate(rows):
            there = slice(filled[row], filled[row] + length)
            ids[row, there] = self._ids[begin : begin + length]
            # Nothing tells the first token of an example, least of all the one before it.
            labels[row, there.start + 1 : there.stop] = self._labels[begin + 1 : begin + length]
            owner[row, there] = number
            positions[row, there] = np.arange(length)
            mask[row, there] = 1
            filled[row] += length
        apart = {"position_ids": positions} if self._layout.packed else {"attention_mask": mask}
        arrays = {"input_ids": ids, "labels": labels, **apart, "owner": owner, "place": places, "slot": slots}
        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
        return {**tensors, "weight": torch.from_numpy(self._schedule.weights[entries])}


def _flat(lists: pa.ChunkedArray) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return the values of all lists, one after the other, and where each begins, over the same memory if it can be."""
    array = lists.combine_chunks()
    offsets = array.offsets.to_numpy()
    return array.values.to_numpy(), offsets
