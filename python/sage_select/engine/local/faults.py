"""Whose fault it is where a stage fails for a reason of its own, or does not do what it declares."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import numpy as np

from sage_select.data import Dataset, Predictions, Scores
from sage_select.declare.faults import failed, fault, name_place, raised_by
from sage_select.errors import SageError, Where
from sage_select.kernels import Matrix
from sage_select.pipeline import Settings, Stage
from sage_select.scorers import finite_scores

__all__ = ["check_result", "faults_of"]


@contextmanager
def faults_of(step: Stage) -> Iterator[None]:
    """Name the package of another where what it declares fails; faults of ours pass, as bugs of ours.

    An error of this program's says where in the other package it came up.

    Raises
    ------
    ResourceError
        Where the stage, or what it holds, is of another package, and raises anything but an error of this program's.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise
    except SageError as error:
        name_place(step.members(), error)
        raise
    except BaseException as error:
        # What is no `Exception`, such as leaving the program, is theirs only where they raise it.
        theirs = (
            failed(step.members(), error) if isinstance(error, Exception) or raised_by(step.members(), error) else None
        )
        if theirs is None:
            raise
        raise theirs from error


def check_result(step: Stage, before: Dataset, after: Any, told: Mapping[str, Any]) -> None:
    """Refuse what a stage returns, where it is not what the stage, or what it holds of another package, declares.

    Raises
    ------
    ResourceError
        If it is no dataset; if facts for the manifest (those of the run are `told`) are not plain values; if rows left
        or came where it says that they do not; or if a feature that it gives is not there, or has not one value a row.
    """
    if not isinstance(after, Dataset):
        raise fault(step, "did not return the rows", expected="a Dataset", got=type(after).__name__)
    theirs = next((member for member in step.members() if member.package()), None)
    if theirs is not None:
        _check_facts(theirs, {**after.facts, **told})
    if not step.package():
        return
    if step.effect == "drops":
        fine, expected = after.n <= before.n and after.input_n == before.input_n, f"at most {before.n:,} of the rows"
    else:
        fine, expected = after.n == before.n, f"{before.n:,} rows, as effect={step.effect!r} says"
    if not fine:
        raise fault(step, "returned other rows than it declares", expected=expected, got=f"{after.n:,} rows")
    if step.effect == "reorders":
        _check_order(step, after)
    for name in sorted(step.gives):
        wanted = _FEATURES.get(name)
        values = after.feature(name)
        if values is None:
            raise fault(step, f"did not give {name!r}", expected=f'data.with_feature("{name}", ...)')
        if wanted is not None and not isinstance(values, wanted):
            raise fault(step, f"gave {name!r} of another kind", expected=wanted.__name__, got=type(values).__name__)
        if isinstance(values, Scores):
            _check_scores(step, values, after)
        count = values.n if isinstance(values, Matrix) else len(values.values if isinstance(values, Scores) else values)
        if count != after.n:
            raise fault(
                step,
                f"gave {name!r} of other rows",
                expected=f"one value for each of {after.n:,} rows",
                got=f"{count:,}",
            )


def _check_facts(member: Settings, facts: Mapping[str, Any]) -> None:
    """Refuse facts that no manifest can hold."""
    for name, value in facts.items():
        try:
            json.dumps({name: value}, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise fault(
                member,
                f"told {name!r}, which is no plain value",
                expected="text, whole or finite numbers, truth values, lists and mappings: float(x) of a numpy number",
                got=str(error),
            ) from None


def _check_order(step: Stage, data: Dataset) -> None:
    """Refuse positions that are no order of the rows."""
    position = data.feature("position")
    whole = isinstance(position, np.ndarray) and position.dtype.kind in "iu" and position.shape == (data.n,)
    if not whole or not np.array_equal(np.sort(position), np.arange(data.n)):
        expected = f'data.with_feature("position", ...) with the numbers 0 to {data.n - 1:,}, each once'
        raise fault(step, "did not give the rows another order", expected=expected)


def _check_scores(step: Stage, scores: Scores, data: Dataset) -> None:
    """Refuse scores that no rule can rank rows by."""
    values = scores.values
    if not isinstance(values, np.ndarray) or values.dtype != np.float32 or values.ndim != 1:
        kind = f"{values.dtype} of shape {values.shape}" if isinstance(values, np.ndarray) else type(values).__name__
        raise fault(step, "gave 'scores' of another kind", expected="a one-dimensional float32 array", got=kind)
    if len(values) == data.n:
        finite_scores(values, data, Where(file=step.called))


_FEATURES: Final = {"scores": Scores, "vectors": Matrix, "predictions": Predictions}
