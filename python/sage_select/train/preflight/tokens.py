"""What tokenised examples are like: their lengths, and the stretches of them that are trained."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

__all__ = ["Answers", "Lengths", "answers_of", "lengths_of"]

#: Answers of an example that are counted by their place; the rest are one.
_PLACES: Final = 5
_PERCENTILES: Final = {"p10": 10, "median": 50, "p90": 90, "p99": 99}


@dataclass(frozen=True)
class Answers:
    """The stretches of trained tokens in a row: of a conversation one a turn, as a rule; a plain text is one.

    Attributes
    ----------
    count, with_end
        How many there are, and how many of them end in a token by which a model stops.
    by_place
        For the first, second, ... of an example, and all later ones together: `place`, how many there are (`answers`)
        and their `tokens`.
    """

    count: int
    with_end: int
    by_place: list[dict[str, Any]]


@dataclass(frozen=True)
class Lengths:
    """How long examples are, in tokens.

    Attributes
    ----------
    spread
        `min`, `p10`, `median`, `mean`, `p90`, `p99`, `max`.
    histogram
        How many examples (`examples`) there are of at most `up_to` tokens and more than the entry before.
    """

    spread: dict[str, float]
    histogram: list[dict[str, int]]


def answers_of(table: pa.Table, ends: Iterable[int]) -> Answers:
    """Count the stretches of trained tokens.

    Parameters
    ----------
    table
        Columns `input_ids` and `labels` (large_list<int32>), as `TrainingRows.table` has them.
    ends
        Ids of the tokens that end a turn or a text.

    Notes
    -----
    Cost: a few passes over all tokens, without a loop over rows.
    """
    labels, starts = _flat(table, "labels")
    tokens, _ = _flat(table, "input_ids")
    trained = labels >= 0
    first = np.zeros(len(labels), np.bool_)
    first[starts[:-1][np.diff(starts) > 0]] = True
    # A stretch begins where a trained token follows one that is not, or begins an example.
    begins = np.flatnonzero(trained & (first | ~np.concatenate([[False], trained[:-1]])))
    after = np.concatenate([trained[1:] & ~first[1:], [False]])
    last = np.flatnonzero(trained & ~after)
    owners = np.searchsorted(starts, begins, side="right") - 1
    place = np.arange(len(begins)) - np.searchsorted(owners, owners)
    sizes = last - begins + 1
    by_place = []
    for number in range(min(_PLACES + 1, int(place.max(initial=-1)) + 1)):
        own = place == number if number < _PLACES else place >= number
        name = str(number + 1) if number < _PLACES else f"{number + 1} and later"
        by_place.append({"place": name, "answers": int(own.sum()), "tokens": int(sizes[own].sum())})
    with_end = int(np.isin(tokens[last], np.fromiter(ends, np.int64)).sum())
    return Answers(len(begins), with_end, by_place)


def lengths_of(table: pa.Table) -> Lengths:
    """Say how long examples are; the bounds of the histogram are powers of two, as far as there are examples."""
    lengths = np.diff(_flat(table, "input_ids")[1])
    spread = {name: float(np.percentile(lengths, share)) for name, share in _PERCENTILES.items()}
    spread = {"min": int(lengths.min()), **spread, "mean": float(lengths.mean()), "max": int(lengths.max())}
    bounds = 2 ** np.arange(0, int(np.ceil(np.log2(max(1, lengths.max())))) + 1)
    counts = np.bincount(np.searchsorted(bounds, lengths), minlength=len(bounds))
    begin = int(np.flatnonzero(counts)[0])
    histogram = [
        {"up_to": int(bound), "examples": int(count)}
        for bound, count in zip(bounds[begin:], counts[begin:], strict=True)
    ]
    return Lengths(spread, histogram)


def _flat(table: pa.Table, name: str) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return the values of a column of lists, and where each list begins, the end of all at the end."""
    column = table.column(name).combine_chunks()
    lists = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
    offsets = lists.offsets.to_numpy()
    values = lists.values.to_numpy()[offsets[0] : offsets[-1]]
    return values, offsets - offsets[0]
