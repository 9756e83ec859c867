"""The arms of a comparison: the methods that are asked for, and what each is to be judged by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from sage_select.errors import UsageError
from sage_select.methods import MethodSpec
from sage_select.stages import Select

__all__ = ["STRATIFIED", "Arm", "arms_of"]

#: What is drawn as evenly as can be over the values of a column.
STRATIFIED: Final = "random_stratified"


@dataclass(frozen=True)
class Arm:
    """One arm: a method, trained under every seed.

    Attributes
    ----------
    name
        What reports call it: the method's name, or that of a control.
    method
        What it does.
    control
        The arm that it is compared with; None where it is nothing's to be better than.
    teacher
        The arm whose adapter teaches; None where none does, or another model is named.
    selection
        The file with its rows, where it is one that was selected before.
    """

    name: str
    method: MethodSpec
    control: str | None
    teacher: str | None = None
    selection: Path | None = None


def arms_of(
    methods: Sequence[MethodSpec],
    known: Mapping[str, MethodSpec],
    *,
    budget: str | None = None,
    balance: str | None = None,
    has_teacher: bool = False,
    beside: Sequence[Arm] = (),
) -> list[Arm]:
    """Return the arms of a comparison, each behind those that it needs.

    The control of each method is an arm, whether it was asked for or not; of two methods that do the same there is one.

    Parameters
    ----------
    methods
        Those asked for.
    known
        All by name, for those that teach.
    budget
        Rows to select, in place of what the methods say; None leaves that.
    balance
        A column over whose values rows are drawn evenly, as one more control of methods that select; None for none.
    has_teacher
        Whether a teacher is named, so that no arm has to be one.
    beside
        Arms that are there already: a selection, and the random rows that it is compared with.

    Raises
    ------
    UsageError
        If a method is taught by one that there is not, or by itself.
    """
    # By what they do, which of a file with its rows is not said by a method.
    arms = {arm.method.identity if arm.selection is None else str(arm.selection): arm for arm in beside}

    def add(method: MethodSpec, seen: tuple[str, ...] = ()) -> Arm:
        if method.identity in arms:
            return arms[method.identity]
        teacher = None
        if method.teacher is not None and not has_teacher:
            if method.teacher not in known or method.teacher in (*seen, method.name):
                raise UsageError(
                    f"method {method.name} is taught by {method.teacher}, which is "
                    + ("itself taught by it" if method.teacher in known else "no method"),
                    hint="name a teacher with --teacher",
                )
            teacher = add(_sized(known[method.teacher], budget), (*seen, method.name)).name
        control = method.controlled_by()
        judge = None if control is None else add(_free(control, arms, method))
        if balance is not None and method.selects and method.control != "none":
            add(_stratified(method, balance, arms))
        arms[method.identity] = Arm(method.name, method, None if judge is None else judge.name, teacher)
        return arms[method.identity]

    # Methods that were asked for give their names to controls that do the same.
    asked = [_sized(method, budget) for method in methods]
    for method in sorted(asked, key=lambda one: one.control != "none"):
        add(method)
    places = {method.identity: place for place, method in enumerate(asked)}
    needed = [arm for key, arm in arms.items() if key not in places]
    return _behind_teachers(
        [*needed, *(arms[key] for key in sorted(places.keys() & arms.keys(), key=places.__getitem__))]
    )


def _sized(method: MethodSpec, budget: str | None) -> MethodSpec:
    return method if budget is None else method.with_budget(budget)


def _free(control: MethodSpec, arms: Mapping[str, Arm], of: MethodSpec) -> MethodSpec:
    """Return the control under a name that no other arm has."""
    taken = {arm.name for identity, arm in arms.items() if identity != control.identity}
    return replace(control, name=f"{control.name} of {of.name}") if control.name in taken else control


def _stratified(method: MethodSpec, balance: str, arms: Mapping[str, Arm]) -> MethodSpec:
    last = [step for step in method.steps if isinstance(step, Select)][-1]
    said = last.settings()
    drawn = Select.make(strategy="random", budget=said["budget"], clamp=said["clamp"], quota=balance)
    found = MethodSpec(STRATIFIED, f"as many rows, drawn evenly over the values of {balance}", (drawn,), control="none")
    return _free(found, arms, method)


def _behind_teachers(arms: list[Arm]) -> list[Arm]:
    """Return the arms, those that teach before those that they teach."""
    ordered: list[Arm] = []
    by_name = {arm.name: arm for arm in arms}

    def add(arm: Arm) -> None:
        if arm.teacher is not None:
            add(by_name[arm.teacher])
        if arm not in ordered:
            ordered.append(arm)

    for arm in arms:
        add(arm)
    return ordered
