"""Which rows repeat others."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sage_select.data import EXACT_COPY, NEAR_COPY, Dataset
from sage_select.declare.option import Option
from sage_select.errors import UsageError
from sage_select.pipeline.cost import Cost, Size
from sage_select.pipeline.run import Run
from sage_select.pipeline.stage import Stage, stage
from sage_select.stages.inputs.limits import protected_rows
from sage_select.stages.inputs.vectors import cosine_matrix
from sage_select.strategies import Pool
from sage_select.strategies.duplicates import near_duplicates, near_duplicates_cost

__all__ = ["Dedup"]

#: Bytes a row of telling equal digests by a dictionary of them.
_DICTIONARY_BYTES: Final = 100
#: For each row the one that it repeats, their similarity, whether it stays and its number.
_LINEAGE_BYTES: Final = 21
#: Groups that the manifest names.
_NAMED_GROUPS: Final = 10


@stage("dedup", place=20, effect="drops", by_default=True, keywords="typed")
class Dedup(Stage):
    """Rows that repeat an earlier one leave: they are neither selected nor represented.

    Attributes
    ----------
    mode
        `exact` (where nothing else is said): rows that say the same, but for Unicode form and white space. `near`:
        these, and rows whose vectors (of the embed step) are as similar as the threshold to a row that stays. `none`:
        copies are rows like any others.
    threshold
        The cosine similarity from which on a row is a near copy. At 0.95 pairs of real rows say the same in other
        words, by MiniLM vectors as by hashing ones. Vectors that are computed know nothing of tools and system turns,
        and rows without other words are near to none.
    """

    version: ClassVar[int] = 2

    mode: Annotated[
        Literal["exact", "near", "none"],
        Option(
            "leave out copies of earlier rows: exact (they say the same, but for white space), near (these, and rows "
            "whose vectors are almost the same) or none. Budgets are of the rows that stay",
            flag="--dedup",
        ),
    ] = "exact"
    threshold: Annotated[
        float,
        Option(
            "the cosine similarity from which on a row is a near copy; at 0.95 the same said in other words, at 0.8 "
            "much the same thing",
            gt=0,
            lt=1,
            when={"mode": "near"},
            flag="--dedup-threshold",
        ),
    ] = 0.95

    @property
    def near(self) -> bool:
        """Whether near copies leave as well, for which rows need vectors."""
        return self.mode == "near"

    @property
    def idle(self) -> bool:
        """Whether no row leaves."""
        return self.mode == "none"

    def describe(self) -> str:
        """Return which rows leave."""
        if self.idle:
            return "none: copies are selected like any other rows"
        exact = "rows leave that say the same as one before"
        return f"{exact}, or whose cosine similarity to it is {self.threshold:g} or more" if self.near else exact

    def needs(self) -> frozenset[str]:
        """Return what rows are compared by."""
        exact = frozenset() if self.idle else frozenset({"contents"})
        return exact | ({"vectors"} if self.near else frozenset())

    def parts(self) -> tuple[Stage, ...]:
        """Return exact copies and near copies apart: only the latter need vectors, and no exact copy should get one."""
        return (_ExactOfNear(**self.settings()), _Near(**self.settings())) if self.near else (self,)

    def run(self, data: Dataset, run: Run) -> Dataset:
        """Return the rows without those that say the same as another; the first of them stays.

        Rows that are pinned stay in any case, and come before all others; for those excluded no other has to leave.

        Raises
        ------
        UsageError
            If there are no rows, only arrays.
        """
        if data.rows is None:
            raise UsageError("there are no rows to compare", hint="pass data, or find near copies by their vectors")
        contents, protected = data.feature("contents"), protected_rows(data, self, run)
        representatives = _first_of_equals(contents, protected.order())
        for stay in (protected.pinned, protected.queries):
            representatives[stay] = stay
        similarities = np.where(representatives == np.arange(data.n), np.nan, 1).astype(np.float32)
        return self._told(data.drop_duplicates(representatives, similarities, EXACT_COPY))

    def cost(self, size: Size) -> Cost | None:
        """Return the cost of a dictionary of the digests, and of copies of the rows that stay, as a rule nearly all.

        Their words are copied as well, and take the place of those of all rows.
        """
        stays = (size.row_bytes + _LINEAGE_BYTES) * size.n
        seconds = size.seconds(rows=size.n, copied=size.row_bytes * size.n)
        return Cost((_DICTIONARY_BYTES + size.word_bytes) * size.n + stays, seconds, stays)

    def _told(self, data: Dataset, **facts: Any) -> Dataset:
        """Return the rows with what there is to tell of the copies."""
        groups, largest = data.lineage.groups(_NAMED_GROUPS)
        named = [{"kept": name, "rows": rows} for name, rows in largest]
        return data.with_facts(dedup={**self.settings(), "groups": groups, "largest_groups": named, **facts})


class _ExactOfNear(Dedup):
    """The exact copies of a search for near ones; where there are only arrays, there are none."""

    name: ClassVar[str] = "dedup"

    def needs(self) -> frozenset[str]:
        """Return what rows are compared by."""
        return frozenset({"contents"})

    def parts(self) -> tuple[Stage, ...]:
        """Return this."""
        return (self,)

    def run(self, data: Dataset, run: Run) -> Dataset:
        """Return the rows without exact copies."""
        return data if data.rows is None else super().run(data, run)


class _Near(Dedup):
    """The near copies among rows of which none is an exact copy."""

    name: ClassVar[str] = "dedup"

    def needs(self) -> frozenset[str]:
        """Return what rows are compared by."""
        return frozenset({"vectors"})

    def parts(self) -> tuple[Stage, ...]:
        """Return this."""
        return (self,)

    def run(self, data: Dataset, run: Run) -> Dataset:
        """Return the rows without those whose vectors are near to that of another; the first of them stays.

        Vectors are compared by cosine, whatever the metric of the selection. Rows that are pinned stay in any case, and
        come before all others; for those excluded no other has to leave. Rows without words, whose vectors say nothing,
        are compared with none.

        Raises
        ------
        DataError
            If a vector is zero.
        """
        matrix, empty = cosine_matrix(data, run.threads), data.feature("empty_text")
        without_words = np.empty(0, np.int64) if empty is None else np.flatnonzero(empty)
        protected = protected_rows(data, self, run)
        apart = np.union1d(protected.queries, without_words)
        order, protected_prefix = protected.order(apart), int((~np.isin(protected.pinned, apart)).sum())
        with run.reporter.progress("finding near copies") as progress:
            pool = Pool(
                n=data.n, seed=run.seed, hashes=data.hashes, matrix=matrix, threads=run.threads, progress=progress
            )
            representatives, similarities, facts = near_duplicates(pool, self.threshold, order, protected_prefix)
        facts = {**facts, "without_words": len(without_words)} if len(without_words) else facts
        return self._told(data.drop_duplicates(representatives, similarities, NEAR_COPY), **facts)

    def cost(self, size: Size) -> Cost | None:
        """Return the cost of the search, and then of copies of the rows that stay and of their vectors."""
        if not size.d:
            return None
        vectors, lineage = 4.0 * size.d * size.n, float(_LINEAGE_BYTES * size.n)
        # Under other metrics than cosine the vectors are copied twice to be scaled.
        scaled, taken = 0.0 if size.metric == "cosine" else 2 * vectors, size.row_bytes * size.n + vectors
        found = near_duplicates_cost(size)
        copied = Cost(taken, size.seconds(copied=taken))
        search = Cost(scaled + found.memory, found.seconds)
        return search.then(copied).then(Cost(lineage, 0.0, lineage))


def _first_of_equals(values: pa.ChunkedArray, order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each row in the order the first that has the same value."""
    codes: NDArray[np.int32] = values.combine_chunks().dictionary_encode().indices.to_numpy()
    firsts = np.zeros(len(codes), np.int64)
    # Of several rows stored at one place the last stays: that of the first row.
    firsts[codes[order[::-1]]] = order[::-1]
    return firsts[codes]
