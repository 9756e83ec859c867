"""Rows seen before, replayed beside new ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Annotated, Any, Final, Literal, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import BeforeValidator, model_validator

from sage_select import io
from sage_select.columns import Origin
from sage_select.data import Addition, Dataset, Scores
from sage_select.declare.option import Option
from sage_select.display import counted
from sage_select.errors import UsageError
from sage_select.pipeline.cost import Cost, Size
from sage_select.pipeline.run import Run
from sage_select.pipeline.stage import Stage, stage
from sage_select.replay.ratio import Ratio, fraction_of
from sage_select.seeds import stage_key
from sage_select.stages.inputs.later import refuse_unknown_features
from sage_select.stages.inputs.replayed import (
    BufferRows,
    OpenedBuffer,
    buffer_beside,
    buffer_shape,
    new_rows,
    rows_beside,
)
from sage_select.values.location import BufferPath

__all__ = ["Replay"]

#: Tables of the rows of a buffer that are held at a time: as read, with the columns of both, and taken.
_COPIES: Final = 3.0


def _as_ratio(value: Any) -> Any:
    """Return a ratio as the fraction that it is, as text: 0.25 and 25% are 1/4."""
    text = str(value).strip()
    try:
        return str(fraction_of(text.removesuffix("%").strip()) / (100 if text.endswith("%") else 1))
    except ValueError:
        raise ValueError(f"is no ratio such as 1/4, 0.25 or 25%: {text[:80]!r}") from None


@stage("replay", place=65, effect="adds", keywords="typed")
class Replay(Stage):
    """Rows of a replay buffer are added, so that what was trained before is trained again.

    Attributes
    ----------
    buffer
        The folder of the buffer. It is only read: a build that is repeated replays the same rows.
    ratio
        How much is replayed, a fraction.
    basis
        Of what it is a share: of the new rows, or of all rows afterwards.
    shortfall
        What becomes of a build where fewer rows are there than are due.

    Notes
    -----
    Rows are drawn by the buffer's own rule, keyed by its seed, its commit and the seed of the run. None is drawn that
    is a row of the input, whatever became of it there, that says the same as one of the selection or repeats a held-out
    row (by words: of rows of a buffer there are no vectors), or that cannot be trained. What is due is rounded down.
    """

    buffer: Annotated[
        BufferPath, Option("adds rows of this replay buffer", flag="--replay", metavar="FOLDER", example="buffer/")
    ]
    ratio: Annotated[
        float | str,
        BeforeValidator(_as_ratio),
        Option("how much is replayed, such as 1/4 or 0.25", flag="--replay-ratio", metavar="RATIO", example="1/4"),
    ] = "1/4"
    basis: Annotated[
        Literal["of_new", "of_total"],
        Option("of what it is a share: of_new (rows) or of_total (all rows afterwards)", flag="--replay-basis"),
    ] = "of_new"
    shortfall: Annotated[
        Literal["report", "error"],
        Option("where the buffer has fewer rows to replay: report (tells) or error", flag="--replay-shortfall"),
    ] = "report"

    @model_validator(mode="after")
    def _in_range(self) -> Self:
        try:
            Ratio.of(self.ratio, self.basis)
        except UsageError as error:
            raise ValueError(f"{error.message}: {error.got}; expected {error.expected}") from None
        return self

    def needs(self) -> frozenset[str]:
        """Return what copies are told by."""
        return frozenset({"contents"})

    def refuse_earlier(self, earlier: Sequence[Stage]) -> None:
        """Refuse an order before it: rows that come later would have no place in it.

        Raises
        ------
        UsageError
            As said.
        """
        order = next((step for step in earlier if step.effect == "reorders"), None)
        if order is not None:
            raise UsageError(
                f"replay comes after {order.name}, and rows that it adds would have no place in training",
                expected=f"replay before {order.name}",
                hint="move the replay step before it",
            )

    def refuse_later(self, later: Sequence[Stage]) -> None:
        """Refuse stages after it that need of all rows what replayed ones do not have, or choose among them.

        Raises
        ------
        UsageError
            As said.
        """
        super().refuse_later(later)
        choice = next((step for step in later if step.chooses), None)
        if choice is not None:
            raise UsageError(
                f"{choice.name} comes after replay, and would choose among the rows that it adds",
                expected=f"replay after {choice.name}",
                hint="move the replay step behind it",
            )
        refuse_unknown_features(
            self, later, "put a score step between replay and order in a spec, or take an order without scores"
        )

    def check_input(self, data: Dataset) -> None:
        """Refuse arrays without rows.

        Raises
        ------
        UsageError
            As said.
        """
        if data.rows is None or data.shape is None:
            raise UsageError("there are no rows to replay beside, only arrays", hint="pass data, or leave replay out")

    def prepare(self, data: Dataset, run: Run) -> Dataset:
        """Open the buffer, and refuse one whose rows are read otherwise."""
        opened = buffer_beside(data.files, self.buffer, verify=run.verify)
        if len(opened.buffer):
            buffer_shape(data, opened.buffer.schema, self.buffer)
        run.prepared[id(self)] = opened
        return data

    def run(self, data: Dataset, run: Run) -> Dataset:
        """Return the rows, and behind them those that are replayed."""
        opened: OpenedBuffer = run.prepared[id(self)]
        buffer, label, new = opened.buffer, run.label(self), new_rows(data)
        due, owed = Ratio.of(self.ratio, self.basis).due(new, Fraction(0))
        facts: dict[str, Any] = {"left_out": {}}
        added = data
        if due and len(buffer):
            found = rows_beside(data, buffer, self.buffer, run, before=self)
            eligible = found.eligible
            facts["left_out"] = found.left_out
            # Another stage behind this one changes nothing of what it draws.
            step = stage_key(run.seed, f"{label.removesuffix(' 1')} {buffer.commit}")
            out = found.ids.take(pa.array(np.setdiff1d(np.arange(len(found.ids)), eligible)))
            drawn = buffer.draw(min(due, len(eligible)), exclude=out, step=step)
            names = drawn[buffer.settings.id_column].combine_chunks().cast(pa.string())
            rows = pc.index_in(names, value_set=found.ids).to_numpy(zero_copy_only=False).astype(np.int64)
            if len(rows):
                added = self._appended(found, rows, label, buffer.settings.draw.name)
        facts |= {"new": new, "due": due, "added": added.n - data.n, "rounded_down": str(owed)}
        self._tell(facts, opened, label, run)
        return added

    def _appended(self, found: BufferRows, rows: NDArray[np.int64], label: str, rule: str) -> Dataset:
        """Return the rows with those that were drawn behind them."""
        data = found.data
        features: dict[str, Any] = {
            "texts": found.texts.take(pa.array(rows)),
            "contents": found.contents.take(pa.array(rows)),
        }
        if data.scores is not None:
            features["scores"] = Scores(np.full(len(rows), np.nan, np.float32), data.scores.higher_is_harder)
        table, ids = io.take_rows(found.table, rows), found.ids.take(pa.array(rows))
        return data.append(Addition(table, ids, None, label, Origin.REPLAY, rule, self.buffer), features)

    def _tell(self, facts: dict[str, Any], opened: OpenedBuffer, label: str, run: Run) -> None:
        """Tell what was replayed.

        Raises
        ------
        UsageError
            Rows are missing, and that is an error.
        """
        buffer, due, added = opened.buffer, facts["due"], facts["added"]
        own = {"commit": buffer.commit, "manifest": opened.digest, "rows": len(buffer)}
        rules = {"policy": buffer.settings.policy.name, "draw": buffer.settings.draw.name}
        run.tell(**{label.replace(" ", "_"): {**self.shown_settings(), **own, **rules, **facts}})
        if added < due:
            left_out = "".join(f", {count:,} left out ({reason})" for reason, count in facts["left_out"].items())
            text = f"{counted(due, 'row')} to replay, and {added:,} there: the buffer has {len(buffer):,}{left_out}"
            if self.shortfall == "error":
                raise UsageError(text, where=self.buffer, hint="a larger buffer, or a smaller ratio")
            run.reporter.notice(f"{label}: {text}")
        elif not due and Fraction(self.ratio):
            run.reporter.notice(f"{label}: {self.ratio} of {counted(facts['new'], 'new row')} is less than one row")

    def preview(self, data: Dataset, size: Size) -> Size:
        """Return the size; a buffer that is not there, or has rows of another shape, is refused."""
        buffer = buffer_beside(data.files, self.buffer).buffer
        if len(buffer):
            buffer_shape(data, buffer.schema, self.buffer)
        return size

    def cost(self, size: Size) -> Cost | None:
        """Return the cost of the buffer's rows with the columns of both, their words, and the new rows."""
        m = self._rows_there()
        rows = (size.row_bytes + size.word_bytes) * m
        return Cost(
            _COPIES * rows, size.seconds(text=2 * rows, rows=m), size.row_bytes * (self.size_after(size).n - size.n)
        )

    def size_after(self, size: Size) -> Size:
        """Return the size with all rows that are due, or that the buffer has; some of these may be left out."""
        due, _ = Ratio.of(self.ratio, self.basis).due(size.n, Fraction(0))
        return replace(size, n=size.n + min(due, self._rows_there()))

    def _rows_there(self) -> int:
        return len(buffer_beside(io.Beside(), self.buffer).buffer)

    def describe(self) -> str:
        """Return how much is replayed, from where."""
        whose = "the new rows" if self.basis == "of_new" else "all rows"
        return f"rows of {self.buffer}, {self.ratio} of {whose}"
