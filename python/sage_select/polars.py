"""`import sage_select.polars`: polars frames get `.sage.select(...)`, which is `sage_select.select` of the frame.

Frames stay what they are: the rows that come back have the columns and types of the frame, categories, time zones and
all, with the `sage_` columns of the selection beside them.
"""

from __future__ import annotations

from typing import Any, Final

import polars as pl

from sage_select.api import Selection, select
from sage_select.columns import COLUMNS
from sage_select.errors import UsageError
from sage_select.io.inputs.objects import collected

__all__ = ["FrameSelection", "LazyFrameSelection"]

#: Arguments of `select` that may be an expression over the frame.
_OF_ROWS: Final = ("scores", "embeddings", "groups", "lengths")


@pl.api.register_dataframe_namespace("sage")
class FrameSelection:
    """`DataFrame.sage`.

    Examples
    --------
    >>> import polars as pl
    >>> import sage_select.polars
    >>> frame = pl.DataFrame({"text": ["one", "two", "three"], "loss": [0.5, 2.0, 1.0]})
    >>> frame.sage.select(k=2, strategy="loss_topk", scores=pl.col("loss") * 2)["text"].sort().to_list()
    ['three', 'two']
    """

    def __init__(self, frame: pl.DataFrame) -> None:
        self._frame = frame

    def select(self, **options: Any) -> pl.DataFrame:
        """Return the rows worth training on, in training order, with the `sage_` columns.

        Parameters
        ----------
        **options
            As of `sage_select.select`; `scores`, `embeddings`, `groups` and `lengths` may be expressions.

        Raises
        ------
        SageError
            As `sage_select.select` does; `DataError` also where polars cannot evaluate an expression.
        """
        return _rows_of(self._frame, self.selection(**options))

    def selection(self, **options: Any) -> Selection:
        """Return the selection itself, with its metrics, notices and lineage; takes and raises what `select` does."""
        values = {name: self._evaluated(name, value) for name, value in options.items()}
        chosen: Selection = select(self._frame, **values)
        return chosen

    def _evaluated(self, name: str, value: Any) -> Any:
        if name not in _OF_ROWS or not isinstance(value, pl.Expr):
            return value
        found = collected(self._frame.lazy().select(value), name)
        if found.width != 1:
            raise UsageError("an expression gives one column", where=name, got=", ".join(found.columns[:5]) or "none")
        return found.to_series()


@pl.api.register_lazyframe_namespace("sage")
class LazyFrameSelection:
    """`LazyFrame.sage`: what is selected depends on all rows, so that the frame is collected."""

    def __init__(self, frame: pl.LazyFrame) -> None:
        self._frame = frame

    def select(self, **options: Any) -> pl.DataFrame:
        """Collect the frame and return what `DataFrame.sage.select` does."""
        return self._collected().select(**options)

    def selection(self, **options: Any) -> Selection:
        """Collect the frame and return what `DataFrame.sage.selection` does."""
        return self._collected().selection(**options)

    def _collected(self) -> FrameSelection:
        return FrameSelection(collected(self._frame, "<polars LazyFrame>"))


def _rows_of(frame: pl.DataFrame, chosen: Selection) -> pl.DataFrame:
    own = pl.from_arrow(chosen.table().select(list(COLUMNS)))
    if (chosen.table_indices < 0).any():
        raise UsageError(
            "select of a frame gives rows of the frame, and augment makes others",
            hint="frame.sage.selection(...).to_polars() has them, in Arrow's types",
        )
    return frame[chosen.table_indices].select(pl.exclude(*COLUMNS)).hstack(pl.DataFrame(own))
