"""Packages that come with an extra: present, or an error that says how to get them."""

from __future__ import annotations

from importlib import import_module, metadata
from types import ModuleType

from sage_select.errors import ResourceError

__all__ = ["release_series", "require"]


def require(package: str, extra: str) -> ModuleType:
    """Import and return `package`, which the extra `extra` brings.

    Raises
    ------
    ResourceError
        It is not installed, or cannot be imported here.

    Examples
    --------
    >>> require("json", "train").__name__
    'json'
    """
    try:
        return import_module(package)
    except ImportError as error:
        absent = isinstance(error, ModuleNotFoundError) and error.name == package.partition(".")[0]
        raise ResourceError(
            f"this needs the package {package!r}, which {'is not installed' if absent else 'cannot be imported'}",
            got=None if absent else str(error),
            hint=f"pip install 'sage-select[{extra}]'",
        ) from None


def release_series(*packages: str) -> dict[str, str]:
    """Return the first two numbers of each package's version: what a result of models may depend on; none imported.

    Examples
    --------
    >>> sorted(release_series("numpy", "no-such-package"))
    ['no-such-package', 'numpy']
    """
    found = {}
    for package in packages:
        try:
            found[package] = ".".join(metadata.version(package).split(".")[:2])
        except metadata.PackageNotFoundError:
            found[package] = ""
    return found
