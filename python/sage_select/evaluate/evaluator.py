"""What an evaluator is: what is asked of a model on the rows of a task, and which metrics judge the answers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sage_select.declare import Registry, Settings
from sage_select.declare.faults import fault
from sage_select.errors import DataError, UsageError, nearest

if TYPE_CHECKING:
    from sage_select.evaluate.asked_model import AskedModel
    from sage_select.evaluate.figures import AnyMetric
    from sage_select.evaluate.material import Material
    from sage_select.train.stages import Stages

__all__ = ["AUTO", "EVALUATORS", "Asked", "Evaluator", "Measured", "NotHere", "chosen_evaluators", "evaluator"]

#: What stands for all evaluators that apply.
AUTO: Final = "auto"


@dataclass(frozen=True)
class NotHere:
    """An evaluator does not apply to the rows.

    Parameters
    ----------
    why
        In one line.
    """

    why: str


@dataclass(frozen=True)
class Measured:
    """What a model answered to one evaluator.

    Attributes
    ----------
    evaluator
        Its name.
    records
        One for each thing that was asked, in the order of the rows; each has at least `row_id`.
    metrics
        What judges them, in the order in which they are shown.
    """

    evaluator: str
    records: tuple[Any, ...]
    metrics: tuple[AnyMetric, ...]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The rows made ready for one evaluator: the same for every model that is measured.

    Attributes
    ----------
    evaluator
        Its name.
    why
        Why it applies, in one line.
    metrics
        What judges the answers.
    answer
        A loaded model, who is told of the work, and what the model is called -> one record for each thing that was
        asked.
    notices
        What the user should know, one line each.
    facts
        What else is told of it in results: JSON values.
    """

    evaluator: str
    why: str
    metrics: tuple[AnyMetric, ...]
    answer: Callable[[AskedModel, Stages, str], Sequence[Any]]
    notices: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    def measure(self, model: AskedModel, stages: Stages, name: str) -> Measured:
        """Ask a model called `name`."""
        return Measured(self.evaluator, tuple(self.answer(model, stages, name)), self.metrics)


class Evaluator(Settings):
    """What is asked of a model on rows, and which metrics judge the answers."""

    @classmethod
    def declaration_problem(cls) -> tuple[str, str | None] | None:
        """Return which option is called as another of `sage-train eval`, as all are spelt flat."""
        from sage_select.evaluate.settings import EvalSettings
        from sage_select.train.settings.model import ModelSettings
        from sage_select.train.settings.rows import RowSettings

        others = {name for kind in (EvalSettings, ModelSettings, RowSettings) for name in kind.model_fields}
        taken = [name for name in cls.model_fields if name in others]
        return (f"has an option {taken[0]!r}, which every evaluation has", "another name") if taken else None

    @abstractmethod
    def prepare(self, material: Material) -> Asked | NotHere:
        """Make rows ready to be asked about, or say why this is not for them; no weights are loaded yet.

        Raises
        ------
        UsageError
            If an option does not go together with the rows.
        DataError
            If the rows, or a file that an option names, are damaged.
        """


#: All evaluators, by name.
EVALUATORS: Registry[Evaluator] = Registry("evaluator", "sage_select.evaluators", Evaluator)
evaluator = EVALUATORS.register


def chosen_evaluators(
    names: str | Sequence[str] = AUTO,
    options: Mapping[str, Any] | None = None,
    spelt: Mapping[str, str] | None = None,
) -> list[Evaluator]:
    """Return evaluators with their options.

    Parameters
    ----------
    names
        Their names, as a list or with commas between; `auto` for all there are.
    options
        Options of these, flat: each goes to the evaluators that declare it.
    spelt
        Option -> what messages call it, where that is something else.

    Raises
    ------
    UsageError
        If there is no such evaluator (with the nearest), one is named twice, or an option is none of theirs.
    """
    listed = [one.strip() for one in names.split(",")] if isinstance(names, str) else list(map(str, names))
    automatic = listed == [AUTO]
    if not automatic and AUTO in listed:
        raise UsageError("auto stands for all evaluators, and for no other beside it", got=", ".join(listed))
    if len(set(listed)) < len(listed):
        raise UsageError("an evaluator is named twice", got=", ".join(listed))
    chosen = list(EVALUATORS) if automatic else listed
    given = {name: value for name, value in (options or {}).items() if value is not None}
    kinds = [EVALUATORS.need(name) for name in chosen]
    known = {option for kind in kinds for option in kind.options()}
    for name in given:
        if name not in known:
            users = [one for one, kind in EVALUATORS.items() if name in kind.options()]
            raise UsageError(
                f"none of the evaluators uses {(spelt or {}).get(name, name)}",
                got=", ".join(chosen),
                hint=f"it is an option of {', '.join(users)}" if users else nearest(name, known),
            )
    return [kind.of({one: given[one] for one in kind.options() if one in given}, spelt) for kind in kinds]


def prepared(
    evaluators: Sequence[Evaluator], material: Material, *, automatic: bool
) -> tuple[list[Asked], dict[str, str]]:
    """Return what is asked of the rows, and of each evaluator that does not apply to them why.

    Parameters
    ----------
    evaluators, material
        Who asks, and about what.
    automatic
        Whether one that does not apply is left out; otherwise that is an error.

    Raises
    ------
    DataError
        If one that was named does not apply, or none does.
    """
    asked: list[Asked] = []
    without: dict[str, str] = {}
    for one in evaluators:
        found = one.prepare(material)
        if isinstance(found, NotHere):
            if not automatic:
                raise DataError(
                    f"the evaluator {one.name} has nothing to judge in these rows", where=material.source, got=found.why
                )
            without[one.name] = found.why
        elif isinstance(found, Asked):
            asked.append(found)
        else:
            raise fault(one, "did not say what it asks", expected="an Asked, or a NotHere", got=type(found).__name__)
    if not asked:
        got = "; ".join(f"{name}: {why}" for name, why in without.items())
        raise DataError("no evaluator has anything to judge in these rows", where=material.source, got=got)
    return asked, without
