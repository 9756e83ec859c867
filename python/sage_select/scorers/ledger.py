"""Scores by what training learned of the rows: the ledger of a run of `sage-train`."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sage_select import io
from sage_select.data import Dataset
from sage_select.data.by_id import at, ids_of, places_of, refuse_absent
from sage_select.declare.option import Option
from sage_select.display import counted
from sage_select.errors import DataError, Where
from sage_select.pipeline.cost import Cost, Size
from sage_select.pipeline.run import Run
from sage_select.scorers.scorer import Scorer, scorer
from sage_select.values.location import FilePath

__all__ = ["Ledger"]

Numbers = NDArray[np.float64]
Figure = Literal["mean_loss", "last_loss", "forgetting", "entropy"]
_NEEDED: Final = ("row_id", "pass", "loss", "tokens")


@scorer("ledger", place=35, given=True, implied_by="ledger")
class Ledger(Scorer):
    """What a run of sage-train recorded of the rows: their losses, or how often they were forgotten."""

    ledger: Annotated[
        FilePath,
        Option(
            "the ledger.arrow of a run of sage-train, or a table with its columns: row_id, pass, loss, tokens",
            flag="--ledger",
            metavar="FILE",
        ),
    ]
    ledger_score: Annotated[
        Figure,
        Option(
            "mean_loss and entropy, over all passes and trained tokens; last_loss, that of the last pass; or "
            "forgetting, how many passes had a higher loss than the one before (Toneva 2019, by loss)",
            flag="--ledger-score",
        ),
    ] = "mean_loss"
    forgetting_loss: Annotated[
        float | None,
        Option(
            "of forgetting: the loss in nats a token up to which a row is known; then a pass counts that does not know "
            "a row which the one before knew, and rows that no pass knew count as many as there are passes",
            default="any rise counts",
            gt=0,
            when={"ledger_score": "forgetting"},
        ),
    ] = None
    ledger_unknown: Annotated[
        Literal["error", "lowest", "highest"],
        Option(
            "what rows get that are not in the ledger, since they were held out or had nothing to train: an error, or "
            "the lowest or the highest figure of all others",
            flag="--ledger-unknown",
        ),
    ] = "error"

    def score(self, data: Dataset, run: Run) -> Numbers:
        """Return the figure of each row, by its id.

        Raises
        ------
        UsageError
            If the rows have no ids.
        DataError
            If rows are not in the ledger, or it is none.
        """
        rows = io.read(str(self.ledger))
        data.files.was_read(str(self.ledger), rows.digest)
        ids, figures = self._figures(rows)
        places = places_of(data, ids, "a ledger")
        known = at(figures, places)
        if not places.null_count:
            return known
        if self.ledger_unknown == "error" or not len(known):
            refuse_absent(
                data,
                places,
                "the ledger",
                str(self.ledger),
                "score rows that the run has trained: its selection, such as its out.arrow; rows of it that were "
                "held out or had nothing to train get a figure with --ledger-unknown lowest, or highest",
            )
        run.reporter.notice(
            f"{counted(places.null_count, 'row')} of {data.n:,} are not in the ledger and get the "
            f"{self.ledger_unknown} figure of all others"
        )
        unknown = known.min() if self.ledger_unknown == "lowest" else known.max()
        found = np.full(data.n, unknown)
        found[places.is_valid().to_numpy(zero_copy_only=False)] = known
        return found

    def cost(self, size: Size) -> Cost:
        """Return the cost of a few numbers a row."""
        return Cost(64.0 * size.n, size.seconds(copied=64.0 * size.n))

    def where(self, data: Dataset) -> Where:
        """Return the file."""
        del data
        return Where(file=self.ledger)

    def describe(self) -> str:
        """Return the figure and the file."""
        return f"{self.ledger_score} of {self.ledger}"

    def _figures(self, rows: io.Rows) -> tuple[pa.Array, Numbers]:
        """Return the ids in a ledger, each once, and the figure of each."""
        needed = (*_NEEDED, "entropy") if self.ledger_score == "entropy" else _NEEDED
        missing = [name for name in needed if name not in rows.table.column_names]
        if missing:
            raise DataError(
                "this is no ledger of sage-train",
                where=rows.source,
                expected=f"columns {', '.join(needed)}",
                got=f"no {', '.join(missing)}",
            )
        coded = ids_of(rows, "row_id").dictionary_encode()
        owner = coded.indices.to_numpy().astype(np.int64)
        value = io.numeric_column(rows, "entropy" if self.ledger_score == "entropy" else "loss").astype(np.float64)
        weight = io.numeric_column(rows, "tokens").astype(np.float64)
        if (bad := np.flatnonzero(~(weight > 0))).size:
            raise DataError("a row without trained tokens", where=rows.where(int(bad[0]), "tokens"))
        _, passes = np.unique(io.numeric_column(rows, "pass"), return_inverse=True)
        groups, group = np.unique(owner * (passes.max() + 1) + passes, return_inverse=True)
        # One mean for each row and pass, those of a row together in the order of its passes.
        means = np.bincount(group, value * weight) / np.bincount(group, weight)
        owners = groups // (passes.max() + 1)
        count = len(coded.dictionary)
        if self.ledger_score == "last_loss":
            return coded.dictionary, means[np.flatnonzero(np.r_[owners[1:] != owners[:-1], True])]
        if self.ledger_score == "forgetting":
            return coded.dictionary, self._forgotten(owners, means, count, passes.max() + 1)
        return coded.dictionary, np.bincount(owner, value * weight) / np.bincount(owner, weight)

    def _forgotten(self, owners: NDArray[np.int64], means: Numbers, count: int, passes: int) -> Numbers:
        """Return how often each of so many rows was forgotten, of their losses in the order of rows and passes.

        Toneva et al. 2019 (arXiv 1812.05159) count the passes that get wrong what the one before got right, and take
        what was never right for forgotten without end: here it has as many as there are passes, which is more than any
        other row can have.
        """
        rises = (owners[1:] == owners[:-1]) & (means[1:] > means[:-1])
        if self.forgetting_loss is None:
            return np.bincount(owners[1:][rises], minlength=count).astype(np.float64)
        known = means <= self.forgetting_loss
        found = np.bincount(owners[1:][rises & known[:-1] & ~known[1:]], minlength=count).astype(np.float64)
        found[np.bincount(owners[known], minlength=count) == 0] = passes
        return found
