"""SAGE's coreset selector over `select`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import numpy as np
import pyarrow as pa

from sage_select import io
from sage_select.api import select
from sage_select.errors import DataError, UsageError, Where

__all__ = ["CoresetSelector", "CoresetStrategy", "SelectionSummary", "scores_of"]

CoresetStrategy = Literal["loss_topk", "diversity", "hybrid", "random"]
#: The columns that name rows, the first that is there.
ID_COLUMNS: Final = ("sage_row_id", "sample_id", "dialog_id")


@dataclass(frozen=True)
class SelectionSummary:
    """How many rows were selected of how many, and by what."""

    total_samples: int
    selected_samples: int
    strategy: str


class CoresetSelector:
    """Selects rows worth training on, as SAGE's class of this name does.

    Parameters
    ----------
    strategy
        `loss_topk`, the highest losses; `diversity`; `hybrid`, 60 % by loss and the rest by diversity; `random`.
    metric_key
        The column of the losses, or the key of `metadata` under which they are.
    random_seed
        Same rows and seed: same selection.

    Examples
    --------
    >>> rows = [{"sample_id": f"s{n}", "text": f"row {n}", "loss": float(n)} for n in range(10)]
    >>> [row["sample_id"] for row in CoresetSelector("loss_topk").select(rows, target_size=2)]
    ['s9', 's8']
    """

    STRATEGIES: Final = get_args(CoresetStrategy)

    def __init__(
        self, strategy: CoresetStrategy = "loss_topk", metric_key: str = "loss", random_seed: int = 13
    ) -> None:
        if strategy not in self.STRATEGIES:
            raise UsageError("unknown strategy", expected=", ".join(self.STRATEGIES), got=repr(strategy)[:80])
        self.strategy = strategy
        self.metric_key = metric_key
        self.random_seed = random_seed

    @property
    def needs_scores(self) -> bool:
        """Whether the strategy goes by losses."""
        return self.strategy in ("loss_topk", "hybrid")

    def select(self, samples: Any, *, target_size: int | None, metrics: Mapping[str, float] | None = None) -> Any:
        """Return some of the rows, in the order in which they were picked.

        Parameters
        ----------
        samples
            A table, or a list of dictionaries, which comes back as such.
        target_size
            How many; None, or as many as there are: all, as they are.
        metrics
            Losses by row id, which win over those of the rows.

        Raises
        ------
        DataError
            A row has no loss, where the strategy goes by it.
        """
        table = samples if isinstance(samples, pa.Table) else io.from_object(samples).table if len(samples) else None
        if table is None or target_size is None or target_size >= table.num_rows:
            return samples
        if target_size < 0:
            raise UsageError("a size below 0", got=str(target_size))
        scores = scores_of(table, self.metric_key, metrics) if self.needs_scores else None
        # SAGE takes the hardest rows; ours would take some of each region.
        options: dict[str, Any] = {"score_mode": "top"} if self.strategy == "hybrid" else {}
        chosen = select(
            table.drop_columns([one for one in ("metadata",) if one in table.column_names]),
            strategy=self.strategy,
            k=target_size,
            scores=scores,
            seed=self.random_seed,
            dedup="none",
            **options,
        )
        if isinstance(samples, Sequence):
            return [samples[row] for row in chosen.indices.tolist()]
        return table.take(pa.array(chosen.indices))

    def summary(self, original_size: int, selected_size: int) -> SelectionSummary:
        """Return a summary of a selection."""
        return SelectionSummary(original_size, selected_size, self.strategy)


def scores_of(table: pa.Table, key: str, metrics: Mapping[str, float] | None) -> np.ndarray[Any, Any]:
    """Return the loss of each row, float64 (n,): of `metrics` by id, else of the column, else of the metadata.

    Raises
    ------
    DataError
        A row has none.
    """
    found = np.full(table.num_rows, np.nan)
    if key in table.column_names:
        found = table[key].cast(pa.float64()).to_numpy(zero_copy_only=False).astype(np.float64)
    elif "metadata" in table.column_names:
        said = [one.get(key) if isinstance(one, dict) else None for one in table["metadata"].to_pylist()]
        found = np.array([np.nan if one is None else float(one) for one in said])
    if metrics:
        names = next((one for one in ID_COLUMNS if one in table.column_names), None)
        if names is None:
            raise DataError("rows have no ids by which they have metrics", expected=f"a column {', '.join(ID_COLUMNS)}")
        known = [metrics.get(str(one)) for one in table[names].to_pylist()]
        found = np.array([own if one is None else one for one, own in zip(known, found, strict=True)], np.float64)
    missing = np.flatnonzero(np.isnan(found))
    if len(missing):
        raise DataError(
            f"{len(missing):,} of {table.num_rows:,} rows have no {key}",
            where=Where(row=int(missing[0]), column=key),
            hint="score them (sage-select score), name another with metric_key, or choose random or diversity",
        )
    return found
