"""sage-select: pick, order and mix the rows worth fine-tuning a language model on.

Importing this package is light: each public name loads what it needs when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sage_select.api import Pipeline, Selection, select
    from sage_select.errors import DataError, OutputError, ResourceError, SageError, SageWarning, UsageError
    from sage_select.replay import ReplayBuffer

__version__ = "0.1.0"

__all__ = [
    "DataError",
    "OutputError",
    "Pipeline",
    "ReplayBuffer",
    "ResourceError",
    "SageError",
    "SageWarning",
    "Selection",
    "UsageError",
    "__version__",
    "select",
]

_HOMES = {
    "Pipeline": "sage_select.api",
    "ReplayBuffer": "sage_select.replay",
    "Selection": "sage_select.api",
    "select": "sage_select.api",
    "DataError": "sage_select.errors",
    "OutputError": "sage_select.errors",
    "ResourceError": "sage_select.errors",
    "SageError": "sage_select.errors",
    "SageWarning": "sage_select.errors",
    "UsageError": "sage_select.errors",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'sage_select' has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
