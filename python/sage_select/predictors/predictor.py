"""What a predictor is."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sage_select.data import Dataset, Predictions
from sage_select.declare.faults import fault
from sage_select.declare.registry import Registry
from sage_select.declare.settings import Settings
from sage_select.errors import DataError, Where
from sage_select.kernels import Matrix
from sage_select.pipeline.cost import Cost, Size
from sage_select.pipeline.run import Run

__all__ = [
    "FORM_HELP",
    "PREDICTORS",
    "Form",
    "Labelled",
    "Predictor",
    "check_predictions",
    "predictions_of",
    "predictor",
]

#: What numbers of classes are.
Form = Literal["probabilities", "logits"]
FORM_HELP: Final = "what these numbers are: probabilities, which sum to 1, or logits"

#: How far the sum of a row may be from 1: what rounding to float16 does to it, twice over.
_SLACK: Final = 1e-3
#: Numbers that are looked at together.
_BLOCK: Final = 1 << 20


@dataclass(frozen=True)
class Labelled:
    """The labelled rows that a predictor learns from.

    Attributes
    ----------
    vectors
        float32 (m, d), by the encoder of the rows.
    labels
        `string` (m,).
    names
        `string` (m,): what tells them apart whatever their order, such as digests of what they say.
    """

    vectors: NDArray[np.float32]
    labels: pa.Array
    names: pa.Array


class Predictor(Settings):
    """A model that says how likely each class is for each row, or how likely what it writes itself.

    Attributes
    ----------
    given
        Whether the predictions are there already, one for each row of the input.
    learns
        Whether it learns from the labelled rows, by their vectors.
    writes
        Whether it tells the mean log-probability of what it writes, and knows no classes.
    implied_by
        The option that chooses this predictor where none is named.
    """

    given: ClassVar[bool] = False
    learns: ClassVar[bool] = False
    writes: ClassVar[bool] = False

    @abstractmethod
    def predict(self, data: Dataset, labelled: Labelled | None, run: Run) -> Predictions:
        """Return the predictions for the rows that are in; `labelled` is there where the predictor learns.

        `predictions_of` makes them of an array of probabilities or logits, and checks it.
        """

    def preview(self, data: Dataset, size: Size) -> Size:
        """Return the size of the input with what is known of it here, as `Stage.preview` does."""
        del data
        return size

    def classes(self, size: Size) -> int:
        """Return of how many classes something is predicted; 0 where that is not known."""
        del size
        return 0

    def cost(self, size: Size) -> Cost | None:
        """Return what the predictions take; None where that is not known."""
        del size
        return None


#: All predictors, by name.
PREDICTORS: Registry[Predictor] = Registry("predictor", "sage_select.predictors", Predictor)
predictor = PREDICTORS.register


def predictions_of(values: Any, form: Form, name: str, data: Dataset) -> Predictions:
    """Return probabilities or logits of the rows that are in, checked, as predictions.

    Parameters
    ----------
    values
        Shape (n, classes), numpy or an Arrow array of lists of floats.
    form
        `logits` become probabilities: `exp` of each, less the largest of the row, over their sum, in float64.
    name
        What messages call them.
    data
        The rows that are in, for their places.

    Raises
    ------
    DataError
        A NaN, an infinity, rows of several widths, fewer than two classes, a probability below 0, or a row whose
        probabilities do not sum to 1 within 0.001: the first such row is named.
    """
    matrix = Matrix.from_array(values, metric="dot", name=name)
    if matrix.d < 2:
        raise DataError("there is nothing to be uncertain of", where=name, expected="two classes or more", got="one")
    if form == "logits":
        rows = np.concatenate([np.empty((0, matrix.d), np.float32), *map(_softmax, _blocks(matrix))])
        rows.flags.writeable = False
        return Predictions(Matrix.from_array(rows, metric="dot", name=name))
    start = 0
    for block in _blocks(matrix):
        _check(block, start, name, data)
        start += len(block)
    return Predictions(matrix)


def check_predictions(found: Any, predictor: Predictor, n: int) -> None:
    """Refuse what a predictor returned, where it is not one prediction for each of `n` rows.

    Raises
    ------
    ResourceError
        As said: a fault of the predictor.
    """
    expected = f"Predictions with {'log_likelihoods' if predictor.writes else 'probabilities'} of {n:,} rows"
    values = None
    if isinstance(found, Predictions):
        values = found.log_likelihoods if predictor.writes else found.probabilities
    if values is None or len(values) != n:
        got = type(found).__name__ if values is None else f"{len(values):,} rows"
        raise fault(predictor, "did not give one prediction a row", expected=expected, got=got)


def _blocks(matrix: Matrix) -> Iterator[NDArray[np.float32]]:
    step = max(1, _BLOCK // matrix.d)
    for start in range(0, matrix.n, step):
        yield matrix.take(np.arange(start, min(start + step, matrix.n)))


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    wide = logits.astype(np.float64)
    wide -= wide.max(axis=1, keepdims=True)
    np.exp(wide, out=wide)
    wide /= wide.sum(axis=1, keepdims=True)
    return wide.astype(np.float32)


def _check(block: NDArray[np.float32], start: int, name: str, data: Dataset) -> None:
    sums = block.sum(axis=1, dtype=np.float64)
    below = np.asarray((block < 0).any(axis=1))
    bad = np.flatnonzero(below | (np.abs(sums - 1) > _SLACK))
    if not len(bad):
        return
    row = int(bad[0])
    got = f"{block[row].min():g}" if below[row] else f"a sum of {sums[row]:g}"
    raise DataError(
        "this row has no probabilities" + (f" (nor have {len(bad) - 1:,} of the next rows)" if len(bad) > 1 else ""),
        where=Where(file=name, row=int(data.input_rows(np.array([start + row]))[0])),
        expected="numbers from 0 that sum to 1",
        got=got,
        hint="--predictions-are logits (predictions_are='logits') says that these are logits",
    )
