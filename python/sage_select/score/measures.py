"""What a language model says of a row, as one number: each measure with its formula, its direction and what it costs.

A row has trained tokens y_1, ..., y_n; p_t is the model's distribution over the vocabulary at the place of y_t, given
all that stands before it in the row. A row that makes several training examples has the trained tokens of all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["MEASURES", "Figures", "Measure", "MeasureName", "needed"]

#: What passes found of rows: `loss`, `entropy`, `el2n`, and of further passes `answer_loss` and `reference_loss`;
#: float64 (n,).
Figures = Mapping[str, NDArray[np.float64]]
MeasureName = Literal["loss", "perplexity", "entropy", "mnlp", "el2n", "ifd", "learnability"]


@dataclass(frozen=True)
class Measure:
    """One measure.

    Attributes
    ----------
    summary
        What it is, in a phrase.
    of
        Makes it of what the passes found.
    higher_is_harder
        Which end is the uncertain one.
    further
        What it needs beside the one pass that all others share: `answers` (a pass over the answers alone) or
        `reference` (a pass of another model); None where it needs nothing.
    """

    summary: str
    of: Callable[[Figures], NDArray[np.float64]]
    higher_is_harder: bool = True
    further: Literal["answers", "reference"] | None = None


def _exp(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return powers of e; those beyond float64 are infinite, and refused as scores where they are used."""
    with np.errstate(over="ignore"):
        return np.exp(values)


#: All measures, by name: with the words of `MeasureName`, which a test compares.
MEASURES: Final[Mapping[MeasureName, Measure]] = {
    "loss": Measure("mean token loss", lambda of: of["loss"]),
    "perplexity": Measure("perplexity", lambda of: _exp(of["loss"])),
    "entropy": Measure("mean token entropy", lambda of: of["entropy"]),
    "mnlp": Measure("mean log-probability of the tokens (MNLP)", lambda of: -of["loss"], higher_is_harder=False),
    "el2n": Measure("mean norm of the error (EL2N)", lambda of: of["el2n"]),
    "ifd": Measure(
        "instruction-following difficulty (IFD)", lambda of: _exp(of["loss"] - of["answer_loss"]), further="answers"
    ),
    "learnability": Measure(
        "loss beyond that of a reference model (learnability)",
        lambda of: of["loss"] - of["reference_loss"],
        further="reference",
    ),
}


def needed(names: list[MeasureName]) -> set[str]:
    """Return the passes that these measures need beside the one that all share.

    Examples
    --------
    >>> needed(["loss", "ifd"])
    {'answers'}
    """
    return {further for name in names if (further := MEASURES[name].further) is not None}
