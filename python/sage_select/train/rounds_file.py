"""The record of rounds: what the model made of the examples that were left when each was decided, one line a round."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sage_select.errors import DataError
from sage_select.train.json_lines import JsonLines, read_json_lines

__all__ = ["RoundRecord", "RoundsRecord", "read_rounds"]


@dataclass(frozen=True)
class RoundRecord:
    """How one round was decided.

    Parameters
    ----------
    round, step
        Its number through all passes, from 0, and its first step, from 1.
    rows, examples
        The row of each example that its pass had not trained, in the order of the selection, and which of the examples
        of its row it is.
    losses
        Mean loss in nats per trained token of each of these, by the model before the step; empty where all are taken.
    digest
        Names all of this, the examples taken, and the rounds before.
    """

    round: int
    step: int
    rows: list[str]
    examples: list[int]
    losses: list[float]
    digest: str

    @classmethod
    def of(
        cls,
        number: int,
        step: int,
        left: tuple[list[str], list[int]],
        losses: NDArray[np.float64] | None,
        taken: NDArray[np.int64],
        *,
        before: str,
    ) -> RoundRecord:
        """Return the record of a round that takes the examples at the places `taken`; `before` names those before."""
        rows, examples = left
        means = np.zeros(0) if losses is None else losses
        digest = hashlib.blake2b(f"{before} {number} {step}".encode(), digest_size=16)
        digest.update("\n".join(rows).encode())
        for numbers in (np.array(examples, "<i8"), means.astype("<f8"), taken.astype("<i8")):
            digest.update(numbers.tobytes())
        return cls(number, step, rows, examples, means.tolist(), digest.hexdigest())

    def check(self) -> None:
        """Raise TypeError or ValueError where a part is of another kind, or the lists differ in length."""
        if type(self.round) is not int or type(self.step) is not int or not isinstance(self.digest, str):
            raise TypeError("a round has numbers and a digest")
        kinds = ((self.rows, str), (self.examples, int), (self.losses, int | float))
        if not all(isinstance(part, list) and all(isinstance(one, kind) for one in part) for part, kind in kinds):
            raise TypeError("ids are text, examples and losses are numbers")
        if len(self.examples) != len(self.rows) or len(self.losses) not in (0, len(self.rows)):
            raise ValueError("a number and a loss for each row")
        if not all(map(math.isfinite, self.losses)):
            raise ValueError("losses are finite")


class RoundsRecord:
    """Appends rounds to a JSON-lines file, each on the disk before its first step. Until `open` it is not touched.

    Parameters
    ----------
    path
        The file.
    begun
        Rounds of an earlier part of the run whose first step its checkpoint includes: these are kept.
    next_step
        The step, from 1, that follows the checkpoint: a round that was decided for it is kept too.
    written
        Whether rounds are written: by one process of several.

    Raises
    ------
    DataError
        The earlier part does not hold these rounds. What follows them may be damaged.
    """

    def __init__(self, path: Path, *, begun: int = 0, next_step: int = 1, written: bool = True) -> None:
        self.path = path
        self._lines = JsonLines(path, written=written)
        self.is_open = False
        lines = read_rounds(path) if begun and path.is_file() else iter(())
        self.made: list[RoundRecord] = list(islice(lines, begun))
        if len(self.made) != begun:
            raise self.unfit(f"{len(self.made)} rounds", f"{begun} rounds")
        try:
            following = next(lines, None)
        except DataError:
            following = None
        if following is not None and following.step == next_step:
            self.made.append(following)

    def open(self) -> None:
        """Put a record of the rounds so far in the place of what is there, at once, and durably."""
        self._lines.open(map(asdict, self.made))
        self.is_open = True

    def add(self, one: RoundRecord) -> None:
        """Add a round: on the disk at once where the record is open, with those before it when it is opened."""
        self.made.append(one)
        if self.is_open:
            self._lines.write(asdict(one))
            self._lines.sync()

    def close(self) -> None:
        """Close the file, if it is open."""
        self._lines.close()

    def unfit(self, got: str, expected: str) -> DataError:
        """Return the error of a record by which the run cannot go on."""
        return DataError(
            "the record of rounds is not that of the checkpoint",
            where=str(self.path),
            expected=expected,
            got=got,
            hint="start the run again with --force",
        )


def read_rounds(path: Path) -> Iterator[RoundRecord]:
    """Read a record of rounds; a line torn by a crash ends it.

    Raises
    ------
    DataError
        A line is no such record.
    """
    return read_json_lines(path, _round, "rounds")


def _round(values: Mapping[str, Any]) -> RoundRecord:
    one = RoundRecord(**values)
    one.check()
    return one
