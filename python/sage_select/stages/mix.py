"""In which shares rows of several sources or groups are mixed."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from fractions import Fraction
from typing import Annotated, Any, Final, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from sage_select.data import Cause, Dataset
from sage_select.declare.option import Option
from sage_select.errors import UsageError
from sage_select.pipeline.cost import Cost, Size
from sage_select.pipeline.run import Run
from sage_select.pipeline.stage import Stage, stage
from sage_select.stages.inputs.draw import Draw
from sage_select.stages.inputs.limits import protected_rows, with_departures
from sage_select.stages.inputs.mixing import Part, amounts_of, mix_groups, parts_of
from sage_select.stages.inputs.shares import largest_total
from sage_select.stages.select import Select
from sage_select.strategies.pool import HASHED_BYTES
from sage_select.values.budget import Budget
from sage_select.values.mixture import OTHERS, PRESETS, Mixture

__all__ = ["Mix"]

#: Why rows leave.
BEYOND: Final = "beyond the share of its value"
NO_SHARE: Final = "no share for its value"
NO_VALUE: Final = "no value to mix by"
#: Bytes of a word of a text, which is about a token.
_WORD_BYTES: Final = 6
#: A value as text, its number twice, its place in the order, whether it is drawn.
_GROUPED_BYTES: Final = 60
#: The id of a row, what became of it, and its number.
_NAMED_BYTES: Final = 60


@stage("mix", place=27, effect="drops", keywords="typed")
class Mix(Stage):
    """Rows of several sources or groups in given shares, exact to one row; the others leave.

    Which rows of a value are drawn follows from the seed and their ids alone: those with the smallest keyed hashes, so
    that of fewer rows each is among those of more. No row is drawn twice. Rows that a selection pins come first and
    count for their value; rows that a later selection excludes or looks for stay, and count for none.

    Attributes
    ----------
    shares
        The column, and the share of each of its values; see `Mixture`.
    size
        Rows, a share of those there are, or tokens; as much as the shares allow where nothing is said.
    by
        What shares and a share as size are counted in. By `tokens`, rows of each value are walked in the order of their
        hashes, and those that no longer fit into its share are passed over, so that it lacks less than the shortest of
        these; tokens are those of the selection's tokenizer, or words.
    short
        What happens where a value has less than its share of the size: `error`; `shrink`, the largest mixture with
        these shares; `fill`, all there is of it, and the rest from the other values by their shares.
    """

    shares: Annotated[
        Mixture,
        Option(
            "draw rows in these shares by the values of a column (source: the file of each row, where there are "
            "several). With a point or %, a:0.35,b:30%, they are of the whole, and what they leave goes to the other "
            "values as they are; whole numbers, a:7,b:3, are a ratio of those named alone. * is all other values. "
            "Presets: " + "; ".join(f"{name} ({text})" for name, text in PRESETS.items()),
            flag="--mix",
            metavar="COLUMN=VALUE:SHARE,...",
            example="source=FILE:0.7,OTHER:0.3",
        ),
    ]
    size: Annotated[
        Budget | None,
        Option(
            'how much the mixture has: rows (3000), a share of what there is (50%) or tokens ("200k tokens")',
            default="as much as the shares allow without a row twice",
            flag="--mix-size",
            example="50%",
        ),
    ] = None
    by: Annotated[
        Literal["rows", "tokens"] | None,
        Option("what shares are counted in", default="rows, but tokens of a size in tokens", flag="--mix-by"),
    ] = None
    short: Annotated[
        Literal["error", "shrink", "fill"] | None,
        Option(
            "where a value has too few rows for the size: error, shrink (the largest mixture with these shares) or "
            "fill (all its rows, the rest from the others)",
            default="error",
            flag="--mix-short",
        ),
    ] = None

    @model_validator(mode="after")
    def _together(self) -> Self:
        size = self.size
        if size is None:
            if self.short is not None:
                raise ValueError(
                    "what to do where a value is short counts beside a size alone: give the mixture a size"
                )
            return self
        if not (size.count or size.share or size.tokens):
            raise ValueError("a mixture has one row at least")
        if size.tokens is not None and self.by == "rows":
            raise ValueError("a mixture by rows has a size in rows, or a share of them")
        if size.count is not None and self.by == "tokens":
            raise ValueError(f'a mixture by tokens has a size in tokens: "{size.count} tokens", or a share of them')
        return self

    @property
    def in_tokens(self) -> bool:
        """Whether tokens are counted."""
        return self.by == "tokens" or (self.size is not None and self.size.tokens is not None)

    def describe(self) -> str:
        """Return the shares, what they are of, and how much that is."""
        shares = ", ".join(
            f"{'other values' if name == OTHERS else name} {_percent(float(share))}"
            for name, share in self.shares.shares.items()
        )
        counted = "tokens" if self.in_tokens else "rows"
        size = "as much as these allow" if self.size is None else self.size.describe()
        if self.size is not None and self.size.share is not None:
            size = f"{self.size} of the {counted}"
        short = {"shrink": ", or the largest mixture there is", "fill": ", filled up from the others"}
        return f"{counted} by {self.shares.column!r}: {shares}; {size}{short.get(self.short or '', '')}"

    def check_input(self, data: Dataset) -> None:
        """Refuse rows without the column, or without any row of a value that has a share."""
        groups = mix_groups(data, self.shares)
        rows = np.bincount(data.of_input(groups.of), minlength=len(groups.names))
        parts_of(self.shares, groups, rows, rows, "rows")

    def prepare(self, data: Dataset, run: Run) -> Dataset:
        """Look up the value of each row.

        Raises
        ------
        UsageError
            If there is no such column.
        DataError
            If it holds no values to group rows by.
        """
        run.prepared[id(self)] = mix_groups(data, self.shares)
        return data

    def check(self, data: Dataset, run: Run) -> None:
        """Refuse shares and sizes that cannot be had, whatever rows leave before.

        Raises
        ------
        UsageError
            If there is no row of a value, or fewer than a size in rows or tokens asks for.
        """
        if not data.n:
            return
        draw, short = self._draw(data, run), self.short or "error"
        try:
            parts = draw.parts(self.shares)
            draw.refuse_pinned(data, parts)
            # A share of what there is may be had once other rows have left, and what fills up changes with them.
            if self.size is not None and self.size.share is None:
                wanted = amounts_of(parts, self._amount(draw.total), short, draw.unit)
                draw.refuse_pinned(data, parts, wanted if short == "error" else None)
        except UsageError as error:
            raise with_departures(error, data) from None

    def run(self, data: Dataset, run: Run) -> Dataset:
        """Return the rows that are drawn, and those that a later selection excludes or looks for.

        Raises
        ------
        UsageError
            If there is too little of a value, or more of its rows are pinned than it has a share for.
        """
        if not data.n:
            return data
        draw = self._draw(data, run)
        try:
            parts = draw.parts(self.shares)
            wanted = amounts_of(parts, self._amount(draw.total), self.short or "error", draw.unit)
            draw.refuse_pinned(data, parts, wanted)
            drawn = draw.drawn(data, parts, wanted, run)
        except UsageError as error:
            raise with_departures(error, data) from None
        facts = self._facts(draw, parts, drawn)
        self._tell(draw, parts, wanted, drawn, run)
        leaves = ~drawn
        leaves[draw.apart] = False
        mixed = draw.part_of(parts) >= 0
        without = np.array([name is None for name in draw.groups.names])[draw.of]
        label = run.label(self)
        leaving = [
            (leaves & ~mixed & without, Cause(label, NO_VALUE)),
            (leaves & ~mixed & ~without, Cause(label, NO_SHARE)),
            (leaves & mixed, Cause(label, BEYOND)),
        ]
        return data.drop_for(leaving).with_facts(**{label: facts})

    def _draw(self, data: Dataset, run: Run) -> Draw:
        protected = protected_rows(data, self, run, pinned_before=True)
        return Draw.of_rows(data, run.prepared[id(self)], protected, in_tokens=self.in_tokens)

    def _amount(self, available: int) -> int | None:
        """Return how much is to be drawn; None for as much as the shares allow."""
        if self.size is None or self.size.share is None:
            return None if self.size is None else self.size.count or self.size.tokens
        return max(1, int(available * self.size.share))

    def _facts(self, draw: Draw, parts: Sequence[Part], drawn: NDArray[np.bool_]) -> dict[str, Any]:
        """Return what there is to tell of each value: how much there was, its share, and what was drawn."""
        rows, amounts = draw.counts(drawn), draw.sums(drawn)
        weights, total = sum(part.weight for part in parts), max(1, int(amounts.sum()))

        def told(part: Part) -> dict[str, Any]:
            amount = int(amounts[part.groups].sum())
            counted = {} if draw.unit == "rows" else {f"{draw.unit}_available": part.available, draw.unit: amount}
            return {
                "share": part.weight / weights,
                "rows_available": part.rows,
                "rows": int(rows[part.groups].sum()),
                **counted,
                "reached": amount / total,
            }

        _, limit = largest_total([part.available for part in parts], [part.weight for part in parts])
        others = next((part for part in parts if part.others), None)
        values = 0 if others is None else int(np.count_nonzero(draw.rows[others.groups]))
        return {
            "column": draw.groups.column,
            "by": draw.unit if draw.lengths is None else draw.lengths.unit,
            "rows_available": int(draw.rows.sum()),
            "rows": int(rows.sum()),
            **({"limited_by": parts[limit].value} if self.size is None else {}),
            "values": [{"value": part.value, **told(part)} for part in parts if not part.others],
            **({} if others is None else {"other_values": {"values": values, **told(others)}}),
        }

    def _tell(
        self, draw: Draw, parts: Sequence[Part], wanted: Sequence[int], drawn: NDArray[np.bool_], run: Run
    ) -> None:
        """Say what is counted where that is not clear, which parts have no row, and what a selection will do to it."""
        if draw.unit == "words":
            run.reporter.notice(
                "no tokenizer named: the mixture counts words; --tokenizer counts the tokens of a model"
            )
        rows = draw.counts(drawn)
        for part, amount in zip(parts, wanted, strict=True):
            if not rows[part.groups].any():
                longer = ", and its rows are longer" if amount else ""
                run.reporter.notice(
                    f"no row of {part.value!r} is in the mixture: its share is {amount:,} {draw.unit}{longer}"
                )
        later = next((step for step in run.after(self) if isinstance(step, Select)), None)
        if later is not None and later.budget != Budget(share=Fraction(1)):
            run.reporter.notice(
                f"the selection takes {later.budget.describe()} of the mixture, whatever their values: "
                "--budget 100% takes all, and a step mix after the selection mixes what it takes"
            )

    def preview(self, data: Dataset, size: Size) -> Size:
        """Return the size; a column that is not there is refused, where it could not be in rows not looked at."""
        if size.source is None or not size.source.may_bring_columns:
            mix_groups(data, self.shares)
        return size

    def cost(self, size: Size) -> Cost | None:
        """Return the cost of the values, of hashes, of sorting by both, and of copies of the rows that stay."""
        counted = size.word_bytes * size.n if self.in_tokens else 0.0
        stays = (size.row_bytes + size.word_bytes + _NAMED_BYTES) * self._rows(size)
        held = 8.0 * size.input_n
        work = Cost((_GROUPED_BYTES + HASHED_BYTES) * size.n + held, size.seconds(text=counted, rows=4 * size.n), held)
        return work.then(Cost(stays, size.seconds(copied=stays), stays))

    def size_after(self, size: Size) -> Size:
        """Return the size of the mixture; where nothing is said of it, by the values of the first rows."""
        counted = self.size is not None and self.short != "shrink" and not self.in_tokens
        seen = size.data is not None and size.data.n == size.n and not self.in_tokens
        return dataclasses.replace(size, n=self._rows(size), exact=size.exact and (counted or seen))

    def _rows(self, size: Size) -> int:
        wanted = self.size
        if wanted is not None and wanted.tokens is not None:
            return min(size.n, int(wanted.tokens * _WORD_BYTES / max(size.word_bytes, 1.0)))
        if wanted is not None:
            return wanted.rows(size.n, clamp=True)
        data = size.data
        if data is None or data.rows is None or not data.n:
            return size.n
        try:
            groups = mix_groups(data, self.shares)
            rows = np.bincount(data.of_input(groups.of), minlength=len(groups.names))
            parts = parts_of(self.shares, groups, rows, rows, "rows")
        except UsageError:  # the first rows need not have every value
            return size.n
        largest, _ = largest_total([part.available for part in parts], [part.weight for part in parts])
        return largest * size.n // data.n


def _percent(share: float) -> str:
    return f"{100 * share:.6g}%"
