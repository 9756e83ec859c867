"""Whether what another package declares answers what a plan asks of it, before anything is planned by the answers."""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType
from typing import Any, Final

from sage_select.declare.faults import failed, fault
from sage_select.declare.settings import Settings
from sage_select.errors import SageError

__all__ = ["check_answers"]

#: What is asked -> the kinds of the answer, and in words.
_ANSWERS: Final[Mapping[str, tuple[Any, str]]] = {
    "needs": ((set, frozenset), "a set of features"),
    "given": (bool, "True or False"),
    "idle": (bool, "True or False"),
    "checks_scores": (bool, "True or False"),
    "metric": ((str, NoneType), "the name of a metric, or None"),
    "describe": (str, "a line of text"),
}


def check_answers(step: Settings) -> None:
    """Ask a stage, and what it holds, what a plan asks, where another package declares it.

    Raises
    ------
    ResourceError
        If an answer is of another kind than it has to be, or none comes: a fault of the package.
    """
    for member in step.members():
        for name, (kinds, expected) in _ANSWERS.items() if member.package() else ():
            try:
                answer = getattr(member, name, None)
                answer = answer() if callable(answer) else answer
            except SageError:
                raise
            except Exception as error:
                raise failed([member], error) or error from error
            if hasattr(member, name) and not isinstance(answer, kinds):
                raise fault(member, f"answers {name!r} with something else", expected=expected, got=repr(answer)[:80])
