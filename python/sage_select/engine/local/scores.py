"""A table of scores: what a language model says of each row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from sage_select.data import Dataset
from sage_select.engine.base import Outcome
from sage_select.engine.local.row_table import RowTable, Writing
from sage_select.errors import DataError
from sage_select.pipeline import Run
from sage_select.score import MEASURES, MeasureName
from sage_select.scorers.model import Model
from sage_select.stages import Score, Source

__all__ = ["write_scores"]

#: The column that counts the trained tokens of each row.
_TOKENS: Final = "tokens"
#: Counts changes of what a table of scores holds.
_VERSION: Final = 1


def write_scores(
    source: Source, scorer: Model, measures: Sequence[MeasureName], how: Writing, *, device: str | None = None
) -> Outcome | None:
    """Score rows by a language model and commit a table: the ids of rows, a column a measure, and the trained tokens.

    Parameters
    ----------
    source, scorer
        The rows, and the model; which measure the scorer would give to a selection does not matter.
    measures
        The columns. All that need no further pass come from one.
    how
        Where to, and how.
    device
        Where this process runs the model, in place of what the scorer says.

    Returns
    -------
    Outcome
        As `run` does; None in a process that is not the first.

    Raises
    ------
    SageError
        As `RowTable.write`.
    """
    here = scorer if device is None else scorer.changed(score_device=device)

    def columns(data: Dataset, run: Run) -> tuple[dict[str, Any], dict[str, Any]]:
        said = {
            name: {"of": MEASURES[name].summary, "higher_is_harder": MEASURES[name].higher_is_harder}
            for name in measures
        }
        return _columns(data, here.figures(data, run, measures), measures), {"scores": said}

    table = RowTable("scores", _VERSION, Score(scorer=scorer), Score(scorer=here), list(measures), columns)
    return table.write(source, how)


def _columns(data: Dataset, figures: dict[str, Any], measures: Sequence[MeasureName]) -> dict[str, Any]:
    """Return the columns: measures, the losses of further passes, trained tokens."""
    columns: dict[str, Any] = {}
    for name in measures:
        values = MEASURES[name].of(figures)
        if (bad := np.flatnonzero(~np.isfinite(values))).size:
            raise DataError(
                f"the {name} of a row is beyond what float64 holds",
                where=None if data.rows is None else data.rows.where(int(bad[0])),
                got=f"a mean loss of {figures['loss'][bad[0]]:g} nats a token",
                hint="take the measure loss, which orders rows alike" if name == "perplexity" else None,
            )
        columns[name] = values
    columns |= {name: figures[name] for name in ("answer_loss", "reference_loss") if name in figures}
    return {**columns, _TOKENS: figures[_TOKENS]}
