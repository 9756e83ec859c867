"""What a scorer is."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from sage_select.data import Dataset
from sage_select.declare.faults import fault
from sage_select.declare.registry import Registry
from sage_select.declare.settings import Settings
from sage_select.errors import DataError, Where
from sage_select.pipeline.cost import Cost, Size
from sage_select.pipeline.run import Run

__all__ = ["SCORERS", "Scorer", "finite_scores", "one_a_row", "scorer"]

_NO_SCORES: Final = "did not give one number a row"
_FLOAT32_MOST: Final = float(np.finfo(np.float32).max)


class Scorer(Settings):
    """A rule that gives each row a number.

    Attributes
    ----------
    given
        Whether the numbers are there already, one for each row of the input.
    alone
        Whether the number of a row follows from that row alone, to the last bit, whatever other rows there are.
    turnable
        Whether the stage's `higher_is_harder` may say otherwise: not where the rule itself knows which end is hard.
    always_finite
        Whether no row of whatever text lacks a number.
    of_words
        Whether the number follows from the words of a row alone, and knows nothing of how right it is.
    implied_by
        The option that chooses this scorer where none is named.
    """

    given: ClassVar[bool] = False
    alone: ClassVar[bool] = False
    turnable: ClassVar[bool] = True
    always_finite: ClassVar[bool] = False
    of_words: ClassVar[bool] = False

    @property
    def sees_rows_alone(self) -> bool:
        """Whether `alone` holds with these settings."""
        return self.alone

    @property
    def may_be_turned(self) -> bool:
        """Whether `turnable` holds with these settings."""
        return self.turnable

    @property
    def higher_is_harder(self) -> bool:
        """Which end of its numbers is hard, where nobody says otherwise."""
        return True

    @abstractmethod
    def score(self, data: Dataset, run: Run) -> NDArray[Any]:
        """Return one number for each row that is in, (n,) of any type of numbers; none needs to be checked here.

        `run.tell` takes facts for the manifest, `run.reporter` notices and progress.
        """

    def preview(self, data: Dataset, size: Size) -> Size:
        """Return the size of the input with what is known of it here, as `Stage.preview` does."""
        del data
        return size

    def first_scores(self, data: Dataset) -> NDArray[Any] | None:
        """Return the numbers of the first rows, as far as a dry run can know them; None where it cannot."""
        del data
        return None

    def cost(self, size: Size) -> Cost | None:
        """Return what the numbers take, none of which is held by then; None where that is not known."""
        del size
        return None

    def where(self, data: Dataset) -> Where:
        """Return where a number stands that is refused, but for its row."""
        del data
        return Where(file=f"scorer {self.name}")


#: All scorers, by name.
SCORERS: Registry[Scorer] = Registry("scorer", "sage_select.scorers", Scorer)
scorer = SCORERS.register


def one_a_row(values: Any, scorer: Scorer, n: int) -> NDArray[Any]:
    """Return what a scorer returned as an array, where it is one number for each of `n` rows.

    Raises
    ------
    ResourceError
        If it is not: a fault of the scorer.
    """
    try:
        array = np.asarray(values)
    except ValueError:
        raise fault(scorer, _NO_SCORES, expected=f"{n:,} numbers", got="lists of several lengths") from None
    if array.shape != (n,) or array.dtype.kind not in "fiu":
        kind = f"{type(values).__name__} of dtype {array.dtype} and shape {array.shape}"
        got = "nothing" if values is None else kind
        raise fault(scorer, _NO_SCORES, expected=f"numbers, shape ({n},): one for each row that is in", got=got)
    return array


def finite_scores(
    values: NDArray[Any], data: Dataset, where: Where, *, hint: str = "mend the score, or take the row out of the input"
) -> NDArray[np.float32]:
    """Return the numbers of the rows that are in as float32, every one of them finite.

    `where` names the file or column; the row is added where a number is refused. Float32 values are returned as they
    are, not copied.

    Raises
    ------
    DataError
        If a number is NaN, infinite or beyond float32.
    """
    # Two reductions that need no memory; NaN fails both comparisons.
    if not len(values) or (float(values.min()) >= -_FLOAT32_MOST and float(values.max()) <= _FLOAT32_MOST):
        return np.asarray(values, np.float32)
    wide = np.asarray(values, np.float64)
    bad = np.flatnonzero(~(np.abs(wide) <= _FLOAT32_MOST))
    if len(bad):
        row = int(bad[0])
        # A place that has a row is one in the rows themselves, of a column.
        in_rows = data.rows if where.row is not None else None
        raise DataError(
            "a score must be a finite number" if len(bad) == 1 else f"{len(bad):,} scores are not finite numbers",
            where=dataclasses.replace(where, row=int(data.input_rows(bad[:1])[0]), line=None)
            if in_rows is None
            else in_rows.where(row, where.column),
            expected="a number within float32",
            got="null or NaN" if in_rows is not None and np.isnan(wide[row]) else str(wide[row]),
            hint=hint,
        )
    return wide.astype(np.float32)
