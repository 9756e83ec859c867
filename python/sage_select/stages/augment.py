"""More rows: those that are in, said in other words."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Final, Literal, Self

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import field_validator, model_validator

from sage_select import io
from sage_select.augmenters import AUGMENTERS, Augmenter
from sage_select.augmenters.none import Nothing
from sage_select.columns import Origin
from sage_select.data import Addition, Cause, Dataset, Scores
from sage_select.declare.option import Option
from sage_select.declare.settings import Choice
from sage_select.encoders import Encoder
from sage_select.errors import UsageError
from sage_select.kernels import bottom_k_hashes
from sage_select.orders.between import between
from sage_select.pipeline.cost import Cost, Size, in_turn
from sage_select.pipeline.run import Run
from sage_select.pipeline.stage import Stage, stage
from sage_select.scorers import Scorer
from sage_select.seeds import stage_key
from sage_select.stages.holdout import Holdout
from sage_select.stages.inputs.children import NO_WORDS, Children, made_of
from sage_select.stages.inputs.later import refuse_unknown_features
from sage_select.stages.order import Order
from sage_select.stages.source import Source

__all__ = ["Augment"]

#: Bytes of a row as Python objects: in any case, and for each of its bytes.
_OBJECT_BYTES: Final = (700.0, 4.0)
#: From which share of the rows tried on it is told that they are left out.
_MANY: Final = 0.5


@stage("augment", place=75, effect="adds", keywords="typed")
class Augment(Stage):
    """Rows that are in are added again in other words, with what matters in them as it was.

    Attributes
    ----------
    augment
        Who says them in other words.
    factor
        How many rows are tried for each row that is in; of a fraction some rows get one more, drawn by a keyed hash of
        their ids.
    cap
        The most rows that are tried: a number, or a share of all rows afterwards.
    part
        Whose words may change: those of the user, or the assistant's as well, which then learns words that nobody
        wrote.

    Notes
    -----
    Rows that were made of others, here or in an earlier run, are not augmented again. Whatever the augmenter, a row is
    left out that says other code, addresses, placeholders, quotations, numbers or names than its parent, other names of
    tools or values of arguments that stood in its words, that is much shorter or longer, or that says the same as
    another row or repeats a held-out row (by words: of new rows there are no vectors).
    """

    augment: Annotated[
        Augmenter,
        Choice(
            AUGMENTERS,
            "rules",
            "adds selected rows in other words, where this or another option of the stage is given, by",
        ),
    ]
    factor: Annotated[
        float, Option("rows to try for each row selected, such as 2 or 0.5", gt=0, le=100, flag="--augment-factor")
    ] = 1.0
    cap: Annotated[
        int | str | None,
        Option("the most rows to try: 1000, or 30% of all rows afterwards", flag="--augment-cap", default="none"),
    ] = None
    part: Annotated[
        Literal["user", "all"],
        Option(
            "whose words may change: user, or all (the assistant's as well; of plain text, all of it)",
            flag="--augment-part",
        ),
    ] = "user"

    @field_validator("cap")
    @classmethod
    def _readable(cls, cap: int | str | None) -> int | str | None:
        if cap is not None:
            _most(cap, 1)
        return cap

    @property
    def idle(self) -> bool:
        """Whether nothing is added."""
        return isinstance(self.augment, Nothing)

    def needs(self) -> frozenset[str]:
        """Return what copies are told by."""
        return frozenset() if self.idle else frozenset({"contents"})

    def unused_options(self) -> list[str]:
        """Return the settings that mean nothing where nothing is added."""
        return ["factor", "cap", "part"] if self.idle else super().unused_options()

    @model_validator(mode="after")
    def _nothing_unused(self) -> Self:
        given = sorted(self.model_fields_set & {*self.unused_options()})
        if given:
            raise ValueError(f"augment 'none' does not use {', '.join(given)}")
        return self

    def refuse_later(self, later: Sequence[Stage]) -> None:
        """Refuse stages after it that need of all rows what new ones do not have, and held-out rows after it.

        Raises
        ------
        UsageError
            As said.
        """
        super().refuse_later(later)
        if self.idle:
            return
        holdout = next((step for step in later if isinstance(step, Holdout)), None)
        if holdout is not None:
            raise UsageError(
                "holdout comes after augment, so that rows made of held-out rows would stay",
                expected="holdout before augment",
                hint="move the holdout step before it",
            )
        refuse_unknown_features(self, later, "move the augment step behind it")

    def check_input(self, data: Dataset) -> None:
        """Refuse rows of which nothing may be said in other words.

        Raises
        ------
        UsageError
            If there are only arrays, or rows are plain text and only the user's words may change.
        """
        if data.rows is None or data.shape is None:
            raise UsageError("there are no rows to augment, only arrays", hint="pass data, or leave augment out")
        if data.shape.is_text and self.part == "user":
            raise UsageError(
                f"augment changes the user's words, and rows of the shape {data.shape.name} are trained as a whole",
                hint="--augment-part all (augment_part='all') changes them",
            )
        self.augment.check_input(data)

    def run(self, data: Dataset, run: Run) -> Dataset:
        """Return the rows, and behind them those that were made of them, each with its place in training."""
        label = run.label(self)
        # Another stage behind this one changes nothing of what it draws.
        key = stage_key(run.seed, label.removesuffix(" 1"))
        eligible = np.flatnonzero(~_has_parent(data))
        counts = self._counts(data, eligible, key)
        id_column = next((step.id_column for step in run.steps if isinstance(step, Source)), None)
        blank = frozenset(
            column
            for step in run.steps
            for member in step.members()
            if isinstance(member, Scorer | Encoder) and isinstance(column := getattr(member, "column", None), str)
        )
        # What an augmenter tells of its work, with the number of the stage where several do.
        own = replace(run, told={})
        children = made_of(data, counts, self.augment, self.part, key=key, blank=blank, id_column=id_column, run=own)
        number = label.removeprefix(self.name).replace(" ", "_")
        run.tell(**{f"{name}{number}": value for name, value in own.told.items()})
        children.leave_out_copies(data, key)
        _leave_out_held_out(children, data, run)
        self._tell(children, len(eligible), label, run)
        return _placed(_appended(data, children, label, self.augment.name), data, run)

    def _counts(self, data: Dataset, eligible: NDArray[np.int64], key: int) -> NDArray[np.int64]:
        """Return how many rows are tried of each row, int64 (n,): as many in all as factor and cap say."""
        counts, m = np.zeros(data.n, np.int64), len(eligible)
        tried = _tried(self.factor, self.cap, m, data.n)
        if tried:
            counts[eligible] = tried // m
            more = bottom_k_hashes(data.hashes(key)[eligible], tried % m)
            counts[eligible[more]] += 1
        return counts

    def _tell(self, children: Children, eligible: int, label: str, run: Run) -> None:
        tried = len(children.parents)
        left_out = Counter(reason for reason in children.reasons if reason)
        added = tried - left_out.total()
        run.tell(
            **{
                label.replace(" ", "_"): {
                    **self.shown_settings(),
                    "rows": eligible,
                    "tried": tried,
                    "added": added,
                    "left_out": dict(left_out.most_common()),
                }
            }
        )
        if not tried:
            run.reporter.notice(f"{label}: no row is augmented")
        elif left_out.total() > _MANY * tried:
            reasons = ", ".join(f"{count:,} {reason}" for reason, count in left_out.most_common(3))
            hint = "; --augment-part all changes answers, too" if left_out[NO_WORDS] > _MANY * tried else ""
            run.reporter.notice(f"{label}: {added:,} rows of {tried:,} tried; the others are left out: {reasons}{hint}")

    def preview(self, data: Dataset, size: Size) -> Size:
        """Return the size; rows of which nothing may be said in other words are refused."""
        self.check_input(data)
        return size

    def cost(self, size: Size) -> Cost | None:
        """Return the cost of rows as Python objects, of what says them in other words, and of the new rows."""
        tried = _tried(self.factor, self.cap, size.n, size.n)
        beside, of_bytes = _OBJECT_BYTES
        new = (size.row_bytes + size.word_bytes) * tried
        own = Cost(
            (beside + of_bytes * size.row_bytes) * tried + new,
            size.seconds(rows=20 * tried, text=5 * size.row_bytes * tried),
            new,
        )
        return in_turn(self.augment.cost(replace(size, n=tried)), own)

    def size_after(self, size: Size) -> Size:
        """Return the size with all rows that are tried, at most as many as come."""
        return replace(size, n=size.n + _tried(self.factor, self.cap, size.n, size.n))

    def describe(self) -> str:
        """Return who says what in other words, and how often."""
        if self.idle:
            return "no rows are added"
        cap = "" if self.cap is None else f", at most {self.cap}" + (" of all rows" if "%" in str(self.cap) else "")
        whose = "the user's words" if self.part == "user" else "all words"
        return f"{self.factor:g} tried for each row{cap}; {whose} by {self.augment.name}: {self.augment.describe()}"


def _most(cap: int | str, n: int) -> int:
    """Return how many rows a cap allows beside `n` others."""
    text = str(cap).strip()
    number = text.removesuffix("%").strip()
    try:
        value = float(number) if text.endswith("%") else int(number)
    except ValueError:
        value = -1
    if not 0 <= value < (100 if text.endswith("%") else math.inf):
        raise ValueError(f"cap is a number of rows (1000) or a share below 100% (30%), not {text!r}")
    return int(n * value / (100 - value)) if text.endswith("%") else int(value)


def _tried(factor: float, cap: int | str | None, eligible: int, n: int) -> int:
    """Return how many rows are tried in all: the share rounded down, at least one of those that there are."""
    tried = max(1, math.floor(factor * eligible + 1e-9)) if eligible else 0
    return tried if cap is None else min(tried, _most(cap, n))


def _has_parent(data: Dataset) -> NDArray[np.bool_]:
    """Return which rows were made of others, here or in an earlier run."""
    added = data.is_added
    if data.rows is None:
        return added
    return added | np.asarray(pc.is_valid(io.parent_ids(data.rows.table)).to_numpy(), np.bool_)


def _leave_out_held_out(children: Children, data: Dataset, run: Run) -> None:
    """Leave out what repeats a held-out row, as the holdout stages before say."""
    compared = []
    for step in run.steps:
        # One stage that compares vectors as well has two parts.
        if isinstance(step, Holdout) and step.paths not in compared:
            compared.append(step.paths)
            found = step.repeated_by_words(children.dataset(data), run)
            for place in np.flatnonzero(found.leaves).tolist():
                children.leave_out([place], found.cause(place).reason)


def _appended(data: Dataset, children: Children, label: str, name: str) -> Dataset:
    """Return the rows with the new ones behind them, and then without those that are left out."""
    k = len(children.parents)
    if not k:
        return data
    features: dict[str, Any] = {"texts": children.texts, "contents": children.contents}
    if data.scores is not None:
        features["scores"] = Scores(np.full(k, np.nan, np.float32), data.scores.higher_is_harder)
    phase = data.feature("phase")
    if phase is not None:
        features["phase"] = phase[children.parents]
    addition = Addition(children.table, children.ids, children.parents, label, Origin.AUGMENTED, name)
    more = data.append(addition, features)
    ids = more.input_rows(data.n + np.arange(k))
    for reason in dict.fromkeys(reason for reason in children.reasons if reason):
        places = np.array([place for place, one in enumerate(children.reasons) if one == reason], np.int64)
        more = more.drop(more.positions(ids[places]), Cause(label, reason))
    return more


def _placed(data: Dataset, before: Dataset, run: Run) -> Dataset:
    """Return the rows with their places in training, where they have some: the rule of the order holds on."""
    position = before.feature("position")
    if position is None:
        return data
    if data.n == before.n:
        return data.with_feature("position", position)
    orders = [step for step in run.steps if isinstance(step, Order)]
    if orders and all(step.order.shuffles for step in orders):
        hashes = data.hashes(stage_key(run.seed, "order"))
        places = np.empty(data.n, np.int64)
        places[np.lexsort((np.arange(data.n), data.ranks, hashes))] = np.arange(data.n)
        return data.with_feature("position", places)
    new = np.arange(before.n, data.n)
    parents = data.lineage.parents
    if parents is None:
        raise RuntimeError("rows that were added have parents")
    hashes = data.hashes(stage_key(run.seed, "augmented places"))[new]
    own = before.positions(parents[data.input_rows(new)])
    return data.with_feature("position", between(position, before.feature("phase"), own, hashes))
