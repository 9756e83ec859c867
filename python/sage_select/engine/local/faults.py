"""Whose fault it is where a stage fails for a reason of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sage_select.errors import ResourceError, SageError
from sage_select.pipeline import Stage

__all__ = ["faults_of"]


@contextmanager
def faults_of(step: Stage) -> Iterator[None]:
    """Name the package of another where what it declares fails; faults of ours pass, as bugs of ours.

    Raises
    ------
    ResourceError
        Where the stage, or what it holds, is of another package, and raises anything but an error of this program's.
    """
    try:
        yield
    except SageError:
        raise
    except Exception as error:
        theirs = [member for member in step.members() if member.package()]
        if not theirs:
            raise
        raise ResourceError(
            f"{theirs[0].label} of the package {theirs[0].package()} failed",
            got=f"{type(error).__name__}: {error}",
            hint="this is a fault of that package: whoever wrote it should know",
        ) from error
