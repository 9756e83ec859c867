"""Where predictions come from, one source a file: a file, a column, a classifier, or a model that writes."""

from __future__ import annotations

from sage_select.predictors.predictor import (
    PREDICTORS,
    Form,
    Labelled,
    Predictor,
    check_predictions,
    predictions_of,
    predictor,
)

__all__ = ["PREDICTORS", "Form", "Labelled", "Predictor", "check_predictions", "predictions_of", "predictor"]
