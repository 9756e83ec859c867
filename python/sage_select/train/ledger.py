"""The record of what was consumed: one line for each optimizer step, written as the step ends.

It is the proof that rows were trained in the planned order, and holds the loss of every row for free.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from sage_select.errors import DataError
from sage_select.train.json_lines import JsonLines, read_json_lines

__all__ = ["Ledger", "Step", "losses_at_both_ends", "read_steps"]


@dataclass(frozen=True)
class Step:
    """One optimizer step.

    Parameters
    ----------
    step
        Number of the step, from 1.
    rows
        Ids of the rows in the order consumed, across all forward passes of the step.
    losses
        Mean loss in nats per trained token of each row, before its weight.
    tokens
        Trained tokens of each row.
    entropies
        Mean entropy in nats of what the model expects at the trained tokens of each row, None where it is not known.
    """

    step: int
    rows: list[str]
    losses: list[float]
    tokens: list[int]
    entropies: list[float | None]

    def check(self) -> None:
        """Raise TypeError or ValueError where a part is of another kind, or the lists differ in length."""
        kinds = (
            (self.rows, str),
            (self.losses, int | float),
            (self.tokens, int),
            (self.entropies, int | float | None),
        )
        if type(self.step) is not int or not all(isinstance(part, list) for part, _ in kinds):
            raise TypeError("a step has a number and lists")
        if not all(isinstance(one, kind) for part, kind in kinds for one in part):
            raise TypeError("ids are text, losses and tokens are numbers")
        if len({len(part) for part, _ in kinds}) != 1:
            raise ValueError("a loss and a count of tokens for each row")

    @property
    def mean_loss(self) -> float:
        """Mean loss per trained token of the step."""
        return sum(loss * n for loss, n in zip(self.losses, self.tokens, strict=True)) / sum(self.tokens)


class Ledger:
    """Appends steps to a JSON-lines file, each flushed as it ends. Until `open` the file is not touched.

    Parameters
    ----------
    path
        The file.
    row_ids
        Id of each trained row, by its place in the training order.
    after
        Steps up to this number are kept from an earlier part of the run, later ones are cut off.
    written
        Whether steps are written: by one process of several.

    Raises
    ------
    DataError
        The earlier part does not hold these steps. What follows them may be damaged.
    """

    def __init__(self, path: Path, row_ids: Sequence[str], *, after: int, written: bool = True) -> None:
        self._lines = JsonLines(path, written=written)
        self._row_ids = row_ids
        self._pending = Step(after + 1, [], [], [], [])
        self._kept = list(islice(read_steps(path), after)) if path.is_file() and after else []
        if [step.step for step in self._kept] != list(range(1, after + 1)):
            raise DataError(
                "the record of consumed rows does not reach the checkpoint",
                where=str(path),
                expected=f"{after} steps",
                got=f"{len(self._kept)} steps",
                hint="start the run again with --force",
            )

    def open(self) -> None:
        """Put a record of the kept steps in the place of what is there, at once, and durably."""
        self._lines.open(map(asdict, self._kept))

    def ids(self, places: Iterable[int]) -> list[str]:
        """Return the ids of the rows at these places of the training order."""
        return [self._row_ids[place] for place in places]

    def add(
        self,
        places: Iterable[int],
        losses: Iterable[float],
        tokens: Iterable[int],
        entropies: Iterable[float | None] | None = None,
    ) -> None:
        """Note rows: their places in the training order, losses, trained tokens and, where known, entropies."""
        before = len(self._pending.rows)
        self._pending.rows.extend(self.ids(places))
        self._pending.losses.extend(losses)
        self._pending.tokens.extend(tokens)
        self._pending.entropies.extend([None] * (len(self._pending.rows) - before) if entropies is None else entropies)

    def end_step(self) -> Step:
        """Write the step into the record, which must be open, and return it."""
        done = self._pending
        self._lines.write(asdict(done))
        self._pending = Step(done.step + 1, [], [], [], [])
        return done

    def sync(self) -> None:
        """Bring all steps to the disk, so that no checkpoint outlives them."""
        self._lines.sync()

    def close(self) -> None:
        """Close the file, if it is open."""
        self._lines.close()


def read_steps(path: Path) -> Iterator[Step]:
    """Read a ledger; a line torn by a crash ends it.

    Raises
    ------
    DataError
        A line is no such record.
    """
    return read_json_lines(path, _step, "consumed rows")


def _step(values: Mapping[str, Any]) -> Step:
    # Runs of an earlier version did not record entropies.
    step = Step(**{"entropies": [None] * len(values.get("rows", ())), **values})
    step.check()
    return step


def losses_at_both_ends(steps: Sequence[Step]) -> tuple[float, float]:
    """Return the mean loss per trained token in the first and in the last tenth of the steps.

    Examples
    --------
    >>> both = [None, None]
    >>> losses_at_both_ends([Step(1, ["a", "b"], [4.0, 1.0], [1, 2], both), Step(2, ["a"], [1.0], [1], [None])])
    (2.0, 1.0)
    """
    tenth = max(1, len(steps) // 10)

    def mean(part: Sequence[Step]) -> float:
        weighted = sum(loss * n for step in part for loss, n in zip(step.losses, step.tokens, strict=True))
        return weighted / sum(n for step in part for n in step.tokens)

    return mean(steps[:tenth]), mean(steps[-tenth:])
