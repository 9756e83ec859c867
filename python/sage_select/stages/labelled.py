"""Which rows are labelled already: they leave the pool, and what is picked is to go with them."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any, Final

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from sage_select import io
from sage_select.contamination import named_alike
from sage_select.data import HELD_OUT_CAUSES, HELD_OUT_SAME, Cause, Dataset
from sage_select.declare.option import Option
from sage_select.errors import DataError, UsageError
from sage_select.pipeline.cost import Cost, Size
from sage_select.pipeline.run import GIVEN, Run
from sage_select.pipeline.stage import Stage, stage
from sage_select.stages.inputs.held_out import HeldOutFile, check_apart, given_held_out, held_out_shape, read_held_out
from sage_select.stages.inputs.labelled import LABELLED, LabelledRows, asked_already, read_labelled
from sage_select.stages.inputs.limits import protected_rows
from sage_select.stages.inputs.repeats import repeats_by_words
from sage_select.stages.source import Source
from sage_select.values.location import OptionalRowsPath

__all__ = ["Labelled"]

#: Bytes a row of digests, and of what they are compared by.
_DIGEST_BYTES: Final = 40


@stage("labelled", place=17, effect="drops", keywords="typed")
class Labelled(Stage):
    """Rows that are labelled already leave the pool; what is left needs no answer.

    A row leaves that says the same as a labelled one, has its id, or has no answer and asks the same. A predictor
    learns from the labelled rows, and the strategy diversity picks rows unlike them.

    Attributes
    ----------
    path
        Files, folders or patterns with the labelled rows; of any format and shape that the source reads. None where
        there are none yet.
    column
        The column that holds the label of each.
    """

    path: Annotated[
        OptionalRowsPath,
        Option(
            "rows that are labelled already, a file, folder or pattern: none of them is picked again",
            flag="--labelled",
            metavar="FILE",
        ),
    ] = None
    column: Annotated[
        str | None, Option("the column of the labelled rows that holds the label", flag="--label-column")
    ] = None

    @property
    def paths(self) -> list[str]:
        """What is labelled, as the user named it."""
        return [] if self.path is None else [self.path] if isinstance(self.path, str) else self.path

    def describe(self) -> str:
        """Return which rows leave."""
        if not self.paths:
            return "no row is labelled yet, and rows need no answer"
        labels = f" (labels: {self.column!r})" if self.column else ""
        return f"rows of {', '.join(self.paths)}{labels} leave the pool, whose rows need no answer"

    def needs(self) -> frozenset[str]:
        """Return what rows are compared by."""
        return frozenset({"contents", "answered"} if self.paths else ())

    def untrained(self, rows: io.Rows) -> NDArray[np.bool_]:
        """Return all rows: those that are not labelled need no answer."""
        return np.ones(rows.table.num_rows, np.bool_)

    def refuse_earlier(self, earlier: Any) -> None:
        """Refuse a column of labels of no rows.

        Raises
        ------
        UsageError
            As said.
        """
        del earlier
        if self.column is not None and not self.paths:
            raise UsageError(
                "no labelled rows are named", got=f"--label-column {self.column}", hint="name them with --labelled"
            )

    def prepare(self, data: Dataset, run: Run) -> Dataset:
        """Read the labelled rows.

        Raises
        ------
        UsageError
            If there are only arrays, the labelled rows are the input itself, or have no column of that name.
        DataError
            If a file is damaged or holds no row, rows cannot be used and are not to be dropped, or one has no label.
        """
        files = self._read(data, run)
        run.prepared[id(self)] = read_labelled(files, self.column, data)
        return data

    def _read(self, data: Dataset, run: Run) -> tuple[HeldOutFile, ...]:
        if self.paths and data.rows is None:
            raise UsageError(
                "there are no rows to compare with the labelled rows, only arrays",
                hint="pass data, or name the labelled rows of the arrays with preselected",
            )
        source = next(step for step in run.steps if isinstance(step, Source))
        value = run.given(self, "path")
        if value is not None:
            return (given_held_out(value, data, source, run, name="labelled", called=LABELLED),)
        return tuple(read_held_out(path, data, source, run, called=LABELLED) for path in self.paths)

    def run(self, data: Dataset, run: Run) -> Dataset:
        """Return the rows that are not labelled yet, and say something.

        Raises
        ------
        UsageError
            If a row is pinned that is labelled.
        DataError
            If no row is left.
        """
        held: LabelledRows = run.prepared[id(self)]
        if data.rows is None:
            return data
        blank = np.asarray(pc.equal(pc.utf8_trim_whitespace(data.texts), "").to_numpy())
        data = data.drop(np.flatnonzero(blank), Cause(run.label(self), "nothing to label"))
        if not held.files:
            return data
        leaves = self._labelled(data, held, run)
        protected = protected_rows(data, self, run)
        pinned = protected.pinned[leaves[protected.pinned]]
        if len(pinned):
            raise UsageError(
                "this row is pinned, and labelled already",
                where=data.label(int(pinned[0])),
                hint="take its id out of the list of pins, or the row out of the labelled ones",
            )
        leaves[protected.queries] = False
        if data.n and leaves.all():
            raise DataError(
                "every row is labelled already, so that there is none to pick",
                where=", ".join(file.name for file in held.files),
                got=f"{data.n:,} rows",
                hint="name other rows as the pool",
            )
        left = data.drop(leaves, Cause(run.label(self), "labelled already"))
        return left.with_facts(labelled=self._facts(held, int(np.count_nonzero(leaves)), run))

    def _labelled(self, data: Dataset, held: LabelledRows, run: Run) -> NDArray[np.bool_]:
        """Return which rows say or ask the same as a labelled one, or have its id, bool (n,)."""
        found = repeats_by_words(data, held.files, ngrams=None, run=run)
        leaves: NDArray[np.bool_] = found.ranks == HELD_OUT_CAUSES.index(HELD_OUT_SAME)
        leaves |= asked_already(data, held)
        source = next(step for step in run.steps if isinstance(step, Source))
        for file in held.files:
            table, own = file.rows.table, source.id_column
            ids = table[own].cast("string") if own is not None and own in table.column_names else file.ids
            if ids is not None and data.ids is not None:
                leaves |= named_alike(data.ids, ids) >= 0
        return leaves

    def _facts(self, held: LabelledRows, left: int, run: Run) -> dict[str, Any]:
        """Return what there is to tell of the labelled rows; what says the same under two labels is a notice, too."""
        facts: dict[str, Any] = {
            "files": [{"file": file.name, "rows": file.data.n} for file in held.files],
            "left_the_pool": left,
        }
        if held.labels is None:
            return facts
        labels = held.labels.to_pylist()
        said = Counter(content for content, _ in set(zip(held.contents.to_pylist(), labels, strict=True)))
        disputed = sum(count > 1 for count in said.values())
        if disputed:
            run.reporter.notice(f"{disputed:,} labelled rows stand there again with another label")
        return {**facts, "column": self.column, "labels": len(set(labels)), "with_several_labels": disputed}

    def preview(self, data: Dataset, size: Size) -> Size:
        """Return the size; labelled rows that are not there, cannot be read or are the input itself are refused."""
        for path in self.paths if self.path != GIVEN else []:
            sample = io.estimate(path).sample
            held_out_shape(sample, data, LABELLED)
            check_apart(data, sample, LABELLED)
            if self.column is not None:
                io.require_column(sample, self.column)
        return size

    def cost(self, size: Size) -> Cost | None:
        """Return the cost of the labelled rows, and of copies of the rows that stay, nearly all."""
        held = [io.estimate(path) for path in self.paths if self.path != GIVEN]
        table = sum(one.table_bytes for one in held)
        read = Cost(
            max((one.reading_bytes for one in held), default=0.0) + table,
            size.seconds(text=sum(one.text_bytes for one in held) + size.word_bytes * size.n, copied=table),
            table,
        )
        stays = (size.row_bytes + size.word_bytes + _DIGEST_BYTES) * size.n
        return read.then(Cost(stays, size.seconds(copied=stays)))
