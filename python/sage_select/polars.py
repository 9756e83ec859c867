"""`import sage_select.polars`: polars frames get `.sage.select(...)`, which is `sage_select.select` of the frame.

Frames stay what they are: the rows that come back have the columns and types of the frame, categories, time zones and
all, with the `sage_` columns of the selection beside them. A `DataFrame` gives a `DataFrame`, a `LazyFrame` a
`LazyFrame`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import polars as pl
import pyarrow as pa

from sage_select.api import Selection, select
from sage_select.api.call import planned
from sage_select.columns import COLUMNS
from sage_select.errors import UsageError
from sage_select.io.inputs.objects import by_polars, collected

__all__ = ["FrameSelection", "LazyFrameSelection"]

#: Arguments of `select` that may be an expression over the frame, and what one of them is called.
_OF_ROWS: Final = {"scores": "score", "embeddings": "embedding", "groups": "group", "lengths": "length"}
_SEVERAL: Final = {one: several for several, one in _OF_ROWS.items()}
#: What messages call a frame that is not there yet.
_LAZY: Final = "<polars LazyFrame>"
#: Arguments that say how a selection runs, and not which rows it picks.
_RUNNING: Final = frozenset({"verify", "cache", "threads", "progress"})


@pl.api.register_dataframe_namespace("sage")
class FrameSelection:
    """`DataFrame.sage`.

    Examples
    --------
    >>> import polars as pl
    >>> import sage_select.polars
    >>> frame = pl.DataFrame({"text": ["one", "two", "three"], "loss": [0.5, 2.0, 1.0]})
    >>> frame.sage.select("loss_topk", budget=2, score=pl.col("loss") * 2)["text"].sort().to_list()
    ['three', 'two']
    """

    def __init__(self, frame: pl.DataFrame) -> None:
        self._frame = frame

    def select(self, strategy: str | None = None, **options: Any) -> pl.DataFrame:
        """Return the rows worth training on, in training order, with the `sage_` columns.

        Parameters
        ----------
        strategy
            The strategy, as of `sage_select.select`.
        **options
            As of `sage_select.select`. `scores`, `embeddings`, `groups` and `lengths`, or `score`, `embedding`, `group`
            and `length`, may be expressions; text names a column.

        Raises
        ------
        SageError
            As `sage_select.select` does; `DataError` also where polars cannot evaluate an expression.
        """
        return _rows_of(self._frame, self.selection(strategy, **options))

    def selection(self, strategy: str | None = None, **options: Any) -> Selection:
        """Return the selection itself, with its metrics, notices and lineage; takes and raises what `select` does."""
        named = _arguments(strategy, options)
        values = {name: self._evaluated(name, value) for name, value in named.items()}
        chosen: Selection = select(self._frame, **values)
        return chosen

    def _evaluated(self, name: str, value: Any) -> Any:
        if name in ("groups", "lengths") and isinstance(value, str):  # which `select` takes as values alone
            value = pl.col(value)
        if name not in _OF_ROWS or not isinstance(value, pl.Expr):
            return value
        found = collected(self._frame.lazy().select(value), name)
        if found.width != 1:
            raise UsageError("an expression gives one column", where=name, got=", ".join(found.columns[:5]) or "none")
        return found.to_series()


@pl.api.register_lazyframe_namespace("sage")
class LazyFrameSelection:
    """`LazyFrame.sage`: rows are selected once the frame is collected, as what is selected depends on all of them.

    Examples
    --------
    >>> import polars as pl
    >>> import sage_select.polars
    >>> frame = pl.LazyFrame({"text": ["one", "two", "three"], "loss": [0.5, 2.0, 1.0]})
    >>> chosen = frame.sage.select("loss_topk", budget=2, score="loss").filter(pl.col("loss") < 2)
    >>> chosen.collect()["text"].to_list()
    ['three']
    """

    def __init__(self, frame: pl.LazyFrame) -> None:
        self._frame = frame

    def select(self, strategy: str | None = None, **options: Any) -> pl.LazyFrame:
        """Return what `DataFrame.sage.select` does, as a `LazyFrame`: rows are read and selected when it is collected.

        What is wrong with the arguments themselves is refused at once. Each `collect` selects anew: the same rows.
        """
        named = _arguments(strategy, options)
        _refuse_early(named)
        own = by_polars(self._frame.collect_schema, _LAZY)
        columns = {name: kind for name, kind in own.items() if name not in COLUMNS}
        # Nothing of the query that comes after may move before the selection.
        return self._frame.map_batches(
            lambda frame: FrameSelection(frame).select(**named),
            predicate_pushdown=False,
            projection_pushdown=False,
            slice_pushdown=False,
            schema=pl.Schema({**columns, **_types()}),
        )

    def selection(self, strategy: str | None = None, **options: Any) -> Selection:
        """Collect the frame and return what `DataFrame.sage.selection` does."""
        return FrameSelection(collected(self._frame, _LAZY)).selection(strategy, **options)


def _arguments(strategy: str | None, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments as `sage_select.select` calls them."""
    named = {}
    for name, value in options.items():
        several = _SEVERAL.get(name, name)
        if several in named or (several != name and several in options):
            raise UsageError(f"give {several} or {_OF_ROWS[several]}, not both")
        named[several] = value
    return named if strategy is None else {**named, "strategy": strategy}


def _refuse_early(named: Mapping[str, Any]) -> None:
    """Refuse arguments that no frame could make right."""
    pending = object()
    known: dict[str, Any] = {
        name: pending if isinstance(value, pl.Expr) else value for name, value in named.items() if name not in _RUNNING
    }
    planned(pending, lambda _notice: None, **known)


def _types() -> pl.Schema:
    """Return the types of the `sage_` columns in polars."""
    fields = [pa.field(name, pa.type_for_alias(kind)) for name, (kind, _) in COLUMNS.items()]
    return pl.DataFrame(pl.from_arrow(pa.schema(fields).empty_table())).schema


def _rows_of(frame: pl.DataFrame, chosen: Selection) -> pl.DataFrame:
    own = pl.from_arrow(chosen.table().select(list(COLUMNS)))
    if (chosen.table_indices < 0).any():
        raise UsageError(
            "select of a frame gives rows of the frame, and others came to them",
            hint="frame.sage.selection(...).to_polars() has them, in Arrow's types",
        )
    return frame[chosen.table_indices].select(pl.exclude(*COLUMNS)).hstack(pl.DataFrame(own))
