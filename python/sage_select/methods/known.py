"""Which methods there are: those in the folder `library`, those of other packages, and those of files."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path
from typing import Final

from sage_select.declare.others import GROUPS, VALUE_GROUPS, LeftOut, entries, owner_of, reason_of
from sage_select.errors import ResourceError, UsageError, nearest
from sage_select.methods.spec import MethodSpec, load_method

__all__ = ["LIBRARY", "known_methods", "left_out_methods", "named_methods"]

#: The folder of the methods of this package, a file each.
LIBRARY: Final = Path(__file__).with_name("library")
_GROUP: Final = f"{GROUPS}methods"
VALUE_GROUPS.add(_GROUP)


def known_methods(files: Iterable[Path] = ()) -> dict[str, MethodSpec]:
    """Return all methods by name, in the order of the list: ours, those of other packages, those of files.

    Parameters
    ----------
    files
        YAML or TOML files with a method each.

    Raises
    ------
    UsageError
        If a file is wrong, or has the name of another method.
    """
    found = dict(_installed()[0])
    for path in files:
        method = load_method(path)
        if method.name in found:
            raise UsageError(
                f"there is a method {method.name!r} already", where=str(path), hint="give the file another name"
            )
        found[method.name] = method
    return found


def left_out_methods() -> list[LeftOut]:
    """Return what other packages declare and cannot be used."""
    return list(_installed()[1].values())


def named_methods(names: Iterable[str], known: Mapping[str, MethodSpec]) -> list[MethodSpec]:
    """Return the methods that are meant by names, or by what stands before their first underscore: `B3`.

    Raises
    ------
    UsageError
        If there is none of that name, with the nearest.
    ResourceError
        If it was left out, with the reason.

    Examples
    --------
    >>> [method.name for method in named_methods(["A", "B3_coreset_hybrid"], known_methods())]
    ['A_baseline', 'B3_coreset_hybrid']
    """
    short = {name.partition("_")[0]: name for name in reversed(list(known))}
    lower = {name.lower(): full for name, full in (*short.items(), *zip(known, known, strict=True))}
    found: dict[str, MethodSpec] = {}
    for name in names:
        full = name if name in known else short.get(name, name)
        if full not in known:
            left_out = _installed()[1].get(full)
            if left_out is not None:
                raise ResourceError(
                    f"the method {full!r} of the package {left_out.package} was left out", got=left_out.reason
                )
            meant = lower.get(name.lower())
            hint = f"did you mean {meant!r}?" if meant else nearest(full, known) or "`sage-train methods` lists them"
            raise UsageError(f"unknown method {name!r}", expected=", ".join(known), hint=hint)
        found[full] = known[full]
    return list(found.values())


@cache
def _installed() -> tuple[Mapping[str, MethodSpec], Mapping[str, LeftOut]]:
    """Return the methods of this package and of others, and what had to be left out."""
    found = {method.name: method for method in map(load_method, sorted(LIBRARY.glob("*.yaml")))}
    left_out = {}
    for entry in entries().get(_GROUP, []):
        owner = owner_of(entry)
        try:
            # Standard output belongs to results, whatever a module says while it is loaded.
            with redirect_stdout(sys.stderr):
                method = entry.load()
            if not isinstance(method, MethodSpec):
                raise UsageError("it is no MethodSpec", got=type(method).__name__)
            if method.name != entry.name:
                raise UsageError(f"it is called {method.name!r}: its entry point has to have the same name")
            MethodSpec.of(method.name, method.as_dict())  # it may have been made without a check
            if method.name in found:
                raise UsageError(f"there is a method {method.name!r} already")
            found[method.name] = method
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a module may even leave the program
            reason = reason_of(error, entry.value.partition(":")[0].partition(".")[0])
            left_out[entry.name] = LeftOut("method", entry.name, owner.name, reason)
    return found, left_out
