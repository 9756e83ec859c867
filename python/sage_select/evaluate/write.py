"""A comparison as a JSON file that appears whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sage_select.errors import ResourceError

__all__ = ["write_comparison"]


def write_comparison(path: str | Path, comparison: Mapping[str, Any]) -> None:
    """Write what `compare` returned, replacing an older file.

    Raises
    ------
    ResourceError
        If the folder is missing or cannot be written; an older file is then untouched.
    """
    target = Path(path)
    temporary = target.with_name(f".{target.name}.new")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(comparison, file, indent=2, allow_nan=False)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise ResourceError(f"cannot be written: {error.strerror}", where=str(target)) from None
