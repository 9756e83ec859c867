"""A stage: one step of a pipeline, as a value that knows how to run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, Literal, Self

import numpy as np
from numpy.typing import NDArray

from sage_select.data import Dataset
from sage_select.declare.registry import Registry
from sage_select.declare.settings import Settings
from sage_select.errors import UsageError, nearest
from sage_select.io import Rows
from sage_select.pipeline.clashes import clashes
from sage_select.pipeline.cost import Cost, Size
from sage_select.pipeline.run import Run

__all__ = ["STAGES", "Stage", "stage"]


#: The features of rows that stages of this package need or give, and their types, of each row.
FEATURES: Final[Mapping[str, str]] = {
    "scores": "float32",
    "vectors": "float32 list",
    "predictions": "float32 list",
    "contents": "string",
    "answered": "bool",
    "texts": "string",
    "lengths": "int64",
    "empty_text": "bool",
    "rank": "int64",
    "gain": "float32",
    "reason": "string",
    "position": "int64",
    "phase": "int32",
}
#: Where the source and the sink stand.
_FIRST: Final = 10
_LAST: Final = 90
#: What `Pipeline` calls its own methods; each stage is one as well.
_METHODS: Final = frozenset({"explain", "load", "plan", "read", "run", "to_toml", "to_yaml", "write"})


class Stage(Settings):
    """One step of a pipeline.

    Attributes
    ----------
    effect
        What becomes of the rows: they stay (`keeps`), some leave (`drops`), some come (`adds`), or they stand
        otherwise (`reorders`).
    opens
        Whether it reads the rows of the input, and stands at the beginning.
    scope
        What a row's fate depends on: the `row` alone, rows of the same `partition`, or all of them (`global`).
    gives
        The features that it adds to rows: it is put before the first stage that needs one of them.
    by_default
        Whether it is added to a pipeline that has none, where it stands as a rule.
    ends
        Whether nothing comes after it.
    chooses
        Whether it chooses among the rows.
    keywords
        How `select` calls its settings: by their names (`named`), as they are typed (`typed`: `--dedup-threshold`,
        `dedup_threshold`), or not at all (`none`).
    """

    effect: ClassVar[Literal["keeps", "drops", "adds", "reorders"]] = "keeps"
    scope: ClassVar[Literal["row", "partition", "global"]] = "global"
    gives: ClassVar[frozenset[str]] = frozenset()
    opens: ClassVar[bool] = False
    by_default: ClassVar[bool] = False
    ends: ClassVar[bool] = False
    chooses: ClassVar[bool] = False
    keywords: ClassVar[Literal["none", "named", "typed"]] = "none"

    @classmethod
    def declaration_problem(cls) -> tuple[str, str | None] | None:
        """Return what is wrong with the declaration of a stage, and what is expected."""
        if cls.run is Stage.run:
            return "has no method 'run'", "def run(self, data, run), which returns the rows"
        if cls.name in _METHODS:
            return "has the name of a method of Pipeline", "another name"
        for feature in sorted(cls.gives):
            near = nearest(feature, FEATURES)
            if feature not in FEATURES and near is not None:
                return f"gives {feature!r}, which is nearly a feature that others need; {near}", " or ".join(FEATURES)
        if cls.package() and (cls.effect == "adds" or cls.opens or cls.by_default or cls.ends):
            said = (
                "brings rows"
                if cls.effect == "adds" or cls.opens
                else "is there by default"
                if cls.by_default
                else "ends the chain"
            )
            return (
                f"{said}, as stages of sage-select alone may",
                "effect='keeps', 'drops' or 'reorders', by_default=False and ends=False: it runs where it is named",
            )
        if cls.package() and cls.keywords != "none":
            return "has keywords of select(), which lists its own", "a Pipeline, which has all stages as methods"
        if cls.package() and not _FIRST < cls.place < _LAST:
            return (
                "stands where no stage of another package can",
                f"a place between {_FIRST} (source) and {_LAST} (sink)",
            )
        return None

    def needs(self) -> frozenset[str]:
        """Return the features that rows have to have: a stage that gives one is put before it, if there is none."""
        return frozenset()

    def marks(self) -> frozenset[str]:
        """Return what it writes to rows besides, for the output: it is put before no other stage for that."""
        return frozenset()

    @property
    def effect_here(self) -> Literal["keeps", "drops", "adds", "reorders"]:
        """What becomes of the rows with these settings: `effect`, where a stage says nothing else."""
        return self.effect

    @property
    def settles(self) -> bool:
        """Whether it settles which rows there are: what stages after it need is looked up only when it is done."""
        return self.chooses or (self.effect == "adds" and not self.opens)

    @property
    def given(self) -> bool:
        """Whether what it gives is there already, for each row of the input: then it comes first, and faults early."""
        return False

    @property
    def idle(self) -> bool:
        """Whether it does nothing."""
        return False

    @property
    def metric(self) -> str | None:
        """How it compares vectors; None where it compares none."""
        return None

    @property
    def checks_scores(self) -> bool:
        """Whether it hands every score to a kernel that refuses what is not finite."""
        return False

    def resolved(self, *, features: frozenset[str]) -> Self:
        """Return the stage with what it leaves open decided.

        Parameters
        ----------
        features
            What the stages before give that the user named.

        Raises
        ------
        UsageError
            If something is missing that no later look could find.
        """
        del features
        return self

    def resolved_because(self, resolved: Stage) -> str:
        """Return why it became `resolved`, where users should know."""
        del resolved
        return ""

    def advice(self, earlier: Sequence[Stage]) -> str:
        """Return what users should know before anything runs; `earlier` are the stages before it."""
        del earlier
        return ""

    def joined(self, other: Stage) -> Stage:
        """Return this and another stage that brings rows as one.

        Raises
        ------
        UsageError
            If they cannot be one.
        """
        raise UsageError(f"{self.name} and {other.name} cannot be one", hint="leave one of them out")

    def refuse_unused(self, consumers: list[Stage]) -> None:
        """Raise where what it gives was meant for something and no stage uses it; `consumers` are those after it."""

    @classmethod
    def belongs(cls, steps: Sequence[Stage]) -> bool:
        """Return whether one that is there by default has something to do in a pipeline of these steps."""
        return cls.effect != "reorders" or not any(step.effect == "reorders" for step in steps)

    def refuse_earlier(self, earlier: Sequence[Stage]) -> None:
        """Raise where it has nothing to work on; `earlier` are the stages before it."""

    def refuse_later(self, later: Sequence[Stage]) -> None:
        """Raise where a stage after it undoes what it does; `later` are all those after it.

        Raises
        ------
        UsageError
            If it orders the rows, and another orders them again.
        """
        other = next((step for step in later if step.effect == "reorders"), None)
        if self.effect == "reorders" and other is not None:
            raise UsageError(
                f"{other.name} comes after {self.name} and orders the rows anew, so that {self.name} does nothing",
                expected="one order",
                hint="leave one of them out",
            )

    def parts(self) -> tuple[Stage, ...]:
        """Return the stages that it consists of, each with needs of its own."""
        return (self,)

    def untrained(self, rows: Rows) -> NDArray[np.bool_]:
        """Return which rows are there for this stage alone, bool (n,): they need no answer, and are not trained."""
        return np.zeros(rows.table.num_rows, np.bool_)

    def identity(self) -> dict[str, Any]:
        """Return the settings by which its result is known: all of them, URLs bare of secrets."""
        return self.shown_settings()

    def meanings(self) -> list[int]:
        """Return the version of this and of all that it holds."""
        return [member.version for member in self.members()]

    def check_input(self, data: Dataset) -> None:
        """Refuse rows of the input that it cannot work on, whatever becomes of them before, as soon as they are read.

        `prepare` may do the same with more, but comes after the choice of rows that it stands behind.
        """

    def prepare(self, data: Dataset, run: Run) -> Dataset:
        """Look up what it will need and refuse what cannot work, before anything costly runs."""
        del run
        return data

    def check(self, data: Dataset, run: Run) -> None:
        """Refuse what can no longer work, after rows have left."""

    def run(self, data: Dataset, run: Run) -> Dataset:
        """Return the rows after it."""
        raise NotImplementedError

    def preview(self, data: Dataset, size: Size) -> Size:
        """Return the size of the input with what the files and columns of this stage tell of it, none of them read.

        What is wrong with them is refused as in `prepare` and `run`, as far as headers and first rows (`data`) show.
        """
        del data
        return size

    def cost(self, size: Size) -> Cost | None:
        """Return what it takes: memory as its code allocates it, time roughly; None where that is not known."""
        del size
        return None

    def size_after(self, size: Size) -> Size:
        """Return how much there is after it: as much as before it, where it says nothing else."""
        return size


#: The stages, in the order in which they stand as a rule.
STAGES: Registry[Stage] = Registry("stage", "sage_select.stages", Stage, clashes)
stage = STAGES.register
