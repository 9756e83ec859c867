"""What names a training example wherever it is met: its row, its number among those of the row, and its tokens."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sage_select.render.tokens import IGNORED
from sage_select.train.data import TrainingRows

__all__ = ["TokenisedExample", "blocks_of", "examples_of"]

#: Tokens of the examples that are asked about at once, and written: a process that is killed loses no more.
_BLOCK: Final = 16_384


@dataclass(frozen=True)
class TokenisedExample:
    """One training example.

    Parameters
    ----------
    row_id, number
        Its row, and how many of the examples of that row come before it.
    ids, labels
        int32 (tokens,), labels -100 where not trained.
    """

    row_id: str
    number: int
    ids: NDArray[np.int32]
    labels: NDArray[np.int32]

    @property
    def trained(self) -> int:
        """Trained tokens; nothing tells the first one of an example, so that it is never trained."""
        return int((self.labels[1:] != IGNORED).sum())

    @property
    def digest(self) -> bytes:
        """16 bytes that name its tokens and which of them are trained."""
        return hashlib.blake2b(self.ids.tobytes() + self.labels.tobytes(), digest_size=16).digest()


def examples_of(rows: TrainingRows) -> Iterator[TokenisedExample]:
    """Yield the training examples in their order."""
    seen = Counter[str]()
    columns: list[Any] = [rows.table[name] for name in ("input_ids", "labels")]
    for place, row_id in enumerate(rows.row_ids):
        ids, labels = (column[place].values.to_numpy(zero_copy_only=False) for column in columns)
        yield TokenisedExample(row_id, seen[row_id], ids, labels)
        seen[row_id] += 1


def blocks_of(examples: Iterable[TokenisedExample]) -> Iterator[list[TokenisedExample]]:
    """Yield examples that follow each other, as many as reach so many tokens."""
    block: list[TokenisedExample] = []
    tokens = 0
    for one in examples:
        block.append(one)
        tokens += len(one.ids)
        if tokens >= _BLOCK:
            yield block
            block, tokens = [], 0
    if block:
        yield block
