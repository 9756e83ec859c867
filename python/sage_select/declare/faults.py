"""Whose fault it is where something that another package declares fails."""

from __future__ import annotations

from collections.abc import Iterable
from traceback import walk_tb
from typing import Final

from sage_select.declare.others import place_in, reason_of
from sage_select.declare.registry import Registry
from sage_select.declare.settings import Settings
from sage_select.errors import ResourceError, SageError

__all__ = ["failed", "fault", "fault_of_others", "name_place", "raised_by"]

_WHOSE: Final = "this is a fault of that package: whoever wrote it should know"
_DEBUG: Final = f"{_WHOSE}; SAGE_DEBUG=1 shows all of it"


def fault(member: Settings, what: str, *, expected: str | None = None, got: str | None = None) -> ResourceError:
    """Return the error for a member that did not do what it declares."""
    package = member.package()
    whose = f"{member.called} of the package {package}" if package else member.called
    return ResourceError(f"{whose} {what}", expected=expected, got=got, hint=_WHOSE if package else None)


def failed(members: Iterable[Settings], error: BaseException) -> ResourceError | None:
    """Return the error for members of which one failed; None where all are of this package: it is a bug of ours."""
    theirs = [member for member in members if member.package()]
    if not theirs:
        return None
    packages = _packages(error)
    member = next((one for one in theirs if one.package() in packages), theirs[0])
    found = fault(member, "failed", got=reason_of(error, member.package()))
    found.hint = _DEBUG
    return found


def fault_of_others(error: BaseException) -> ResourceError | None:
    """Return the error for one that code of another package had a part in; None where it had none."""
    known = {member.package() for registry in Registry.every for member in registry.loaded()} - {""}
    package = next((name for name in reversed(_packages(error)) if name in known), None)
    if package is None:
        return None
    return ResourceError(f"the package {package} failed", got=reason_of(error, package), hint=_DEBUG)


def name_place(members: Iterable[Settings], error: SageError) -> None:
    """Add to an error that this package raised where another called for it; what another raised itself stays."""
    packages = _packages(error)
    member = next((one for one in members if one.package() and one.package() in packages), None)
    if member is not None and packages[-1] != member.package():
        place = place_in(error, member.package())
        error.problems = (*error.problems, f"in {member.called} of the package {member.package()}{place}")


def raised_by(members: Iterable[Settings], error: BaseException) -> bool:
    """Tell whether the code of another package, that of one of these, raised an error itself."""
    return _packages(error)[-1] in {member.package() for member in members} - {""}


def _packages(error: BaseException) -> list[str]:
    """Return the packages whose code was running, the innermost last."""
    return [str(frame.f_globals.get("__name__", "")).partition(".")[0] for frame, _ in walk_tb(error.__traceback__)]
