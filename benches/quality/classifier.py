"""What a selection is judged by, and where the scores come from: logistic regression on MiniLM vectors."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

__all__ = ["accuracy", "proxy_losses"]

#: The share of the rows that the proxy sees.
_PROXY_SHARE = 0.05
#: How much of the proxy's belief is spread evenly, so that a label it never saw has a finite loss.
_DOUBT = 0.01

Vectors = NDArray[np.float32]
Labels = NDArray[np.int64]


def accuracy(vectors: Vectors, labels: Labels, test_vectors: Vectors, test_labels: Labels) -> float:
    """Return the share of the test rows that a classifier trained on the rows gets right."""
    return float(np.mean(_fitted(vectors, labels).predict(test_vectors) == test_labels))


def proxy_losses(vectors: Vectors, labels: Labels, classes: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return the cross-entropy of every row under a classifier that saw 5 % of them, drawn at random."""
    seen = rng.choice(len(labels), round(_PROXY_SHARE * len(labels)), replace=False)
    model = _fitted(vectors[seen], labels[seen])
    belief = np.full((len(labels), classes), _DOUBT / classes, np.float32)
    belief[:, model.classes_] += (1 - _DOUBT) * model.predict_proba(vectors)
    return -np.log(belief[np.arange(len(labels)), labels])


def _fitted(vectors: Vectors, labels: Labels) -> LogisticRegression:
    with warnings.catch_warnings():
        # Few rows a class is what is asked for here.
        warnings.filterwarnings("ignore", message="The number of unique classes")
        return LogisticRegression(C=20, tol=1e-4, max_iter=1000).fit(vectors, labels)
