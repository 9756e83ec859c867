"""Predictions of a logistic regression on the vectors of the labelled rows."""

from __future__ import annotations

import warnings
from typing import Annotated, Any, ClassVar, Final

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from sage_select.data import Dataset, Predictions
from sage_select.declare.option import Option
from sage_select.errors import DataError, UsageError
from sage_select.pipeline.run import Run
from sage_select.predictors.predictor import Labelled, Predictor, predictions_of, predictor
from sage_select.render.extras import release_series, require

__all__ = ["Logistic"]

_EXTRA: Final = "embed"
#: Rows that are predicted together.
_BLOCK: Final = 1 << 16
_ITERATIONS: Final = 2000


@predictor("logistic", place=10, learns=True)
class Logistic(Predictor):
    """A logistic regression on the vectors of the labelled rows; needs the embed extra.

    Multinomial, with an intercept and an L2 penalty, fitted by scikit-learn (L-BFGS) on one thread. The labelled rows
    are taken in an order of their own, so that theirs does not matter.
    """

    metric: ClassVar[str] = "dot"

    head_c: Annotated[
        float,
        Option("the inverse strength of the regularisation of the classifier, C of scikit-learn", gt=0),
    ] = 20.0

    def predict(self, data: Dataset, labelled: Labelled | None, run: Run) -> Predictions:
        """Return the probabilities of the labels, in their order as texts.

        Raises
        ------
        UsageError
            If no labelled row has a label.
        DataError
            If all have the same.
        ResourceError
            If scikit-learn is missing.
        """
        if labelled is None:
            raise UsageError("a logistic regression learns from labelled rows, and there are none")
        classes = pc.unique(labelled.labels).sort()
        if len(classes) < 2:
            raise DataError(
                "all labelled rows have the same label, so that there is nothing to tell apart",
                expected="two labels or more",
                got=repr(classes[0].as_py())[:80] if len(classes) else "no labelled row",
                hint="label rows of other kinds first, such as those of --strategy random or diversity",
            )
        order = np.asarray(pc.sort_indices(labelled.names).to_numpy())
        codes = pc.index_in(labelled.labels, value_set=classes).to_numpy()[order]
        rows = self._fitted(labelled.vectors[order], codes, data, run)
        run.tell(
            predictor={
                "name": self.name,
                "rows": len(codes),
                "labels": len(classes),
                "labels_of_one_row": int(np.count_nonzero(np.bincount(codes) == 1)),
                "head_c": self.head_c,
                "libraries": release_series("scikit-learn", "scipy", "numpy"),
            }
        )
        return predictions_of(rows, "probabilities", "the classifier", data)

    def _fitted(self, vectors: NDArray[np.float32], codes: NDArray[Any], data: Dataset, run: Run) -> NDArray[Any]:
        """Return what the classifier says of the rows, float32 (n, labels), read-only."""
        linear_model = require("sklearn.linear_model", _EXTRA)
        limits = require("threadpoolctl", _EXTRA).threadpool_limits
        matrix = data.matrix
        if matrix is None:
            raise UsageError("a logistic regression needs vectors", hint="pass embeddings, or data with text")
        model = linear_model.LogisticRegression(C=self.head_c, max_iter=_ITERATIONS)
        # Sums of several threads are rounded in another order each time.
        with limits(limits=1), run.reporter.progress("predicting") as progress, warnings.catch_warnings():
            # What does not converge is told below; few rows of many labels are what there is at the beginning.
            warnings.simplefilter("ignore")
            model.fit(vectors.astype(np.float64), codes)
            if int(np.max(model.n_iter_)) >= _ITERATIONS:
                run.reporter.notice(
                    f"the classifier has not settled in {_ITERATIONS:,} iterations: a smaller --head-c does sooner"
                )
            found = np.empty((data.n, len(model.classes_)), np.float32)
            for start in range(0, data.n, _BLOCK):
                rows = np.arange(start, min(start + _BLOCK, data.n))
                found[rows] = model.predict_proba(matrix.take(rows).astype(np.float64))
                progress(int(rows[-1]) + 1, data.n)
        found.flags.writeable = False
        return found

    def describe(self) -> str:
        """Return how the classifier is fitted."""
        return f"logistic regression on the vectors of the labelled rows (C {self.head_c:g})"
