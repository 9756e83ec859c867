"""Rows of like length, so that little of a batch is padding, and of so many that they fit into memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sage_select.errors import ResourceError, UsageError
from sage_select.render.encoded import Encoded
from sage_select.render.extras import require
from sage_select.render.quiet import quiet_libraries

__all__ = ["Passes", "Work", "length_batches"]

#: What torch says where a CPU has no memory left; of a GPU it raises an error of its own.
_NO_MEMORY: Final = ("can't allocate memory", "not enough memory")


def length_batches(lengths: Sequence[int], batch_tokens: int) -> list[list[int]]:
    """Return row numbers in batches, longest rows first.

    A batch holds at most `batch_tokens` tokens with its padding, and at least one row. Rows of no tokens are left
    out.

    Raises
    ------
    UsageError
        `batch_tokens` is not positive.

    Examples
    --------
    >>> length_batches([2, 5, 3, 0], 6)
    [[1], [2, 0]]
    """
    if batch_tokens < 1:
        raise UsageError(f"a batch cannot hold {batch_tokens} tokens", expected="at least 1")
    batches: list[list[int]] = []
    for row in sorted(range(len(lengths)), key=lambda row: (-lengths[row], row)):
        if not lengths[row]:
            break
        if batches and lengths[batches[-1][0]] * (len(batches[-1]) + 1) <= batch_tokens:
            batches[-1].append(row)
        else:
            batches.append([row])
    return batches


@dataclass
class Work:
    """What a model was shown.

    Attributes
    ----------
    tokens
        Tokens of rows.
    places
        The same with the padding of their batches.
    seconds
        How long that took, rendering included and loading not.
    """

    tokens: int = 0
    places: int = 0
    seconds: float = 0.0

    @property
    def padding(self) -> float:
        """The share of padding among all that went through the model."""
        return 1 - self.tokens / self.places if self.places else 0.0

    def line(self) -> str:
        """Return what is told of it, empty where there was none."""
        if not self.tokens:
            return ""
        rate = f": {self.tokens / self.seconds:,.0f} a second" if self.seconds else ""
        return f"{self.tokens:,} tokens in {self.seconds:,.1f} s{rate}, {100 * self.padding:.1f} % padding beside them"


class Passes:
    """Passes of a model over rows, in batches that are halved where memory does not suffice.

    Parameters
    ----------
    of
        Returns the values of each row of a batch, an array with a row each; called again with less of it where it
        raises for want of memory.
    batch_tokens
        Tokens of a batch with its padding.
    work
        Told of what went through.
    """

    def __init__(self, of: Callable[[Sequence[Encoded]], NDArray[Any]], batch_tokens: int, work: Work) -> None:
        self._of, self._batch_tokens, self._work = of, batch_tokens, work
        self._too_many: float = np.inf

    def __call__(self, rows: Sequence[Encoded]) -> Iterator[tuple[list[int], NDArray[Any]]]:
        """Yield the numbers of the rows of a batch, and their values; rows without tokens are in none.

        Raises
        ------
        ResourceError
            One row alone does not fit into memory.
        """
        for batch in length_batches([len(one.input_ids) for one in rows], self._batch_tokens):
            yield batch, self._values([rows[index] for index in batch])

    def _values(self, rows: Sequence[Encoded]) -> NDArray[Any]:
        """Return the values of each row of a batch, by halves where it does not fit into memory."""
        torch = require("torch", "train")
        longest = max(len(row.input_ids) for row in rows)
        places = longest * len(rows)
        if places < self._too_many or len(rows) == 1:
            try:
                with quiet_libraries():
                    found = self._of(rows)
            except RuntimeError as error:  # torch.OutOfMemoryError is one
                if not isinstance(error, torch.OutOfMemoryError) and not any(one in str(error) for one in _NO_MEMORY):
                    raise
                if len(rows) == 1:
                    raise ResourceError(
                        f"one row of {longest} tokens does not fit into memory",
                        hint="give a smaller maximum length",
                    ) from None
                self._too_many = min(self._too_many, places)
            else:
                self._work.tokens += sum(len(row.input_ids) for row in rows)
                self._work.places += places
                return found
            torch.cuda.empty_cache()
        half = len(rows) // 2
        return np.concatenate([self._values(rows[:half]), self._values(rows[half:])])
