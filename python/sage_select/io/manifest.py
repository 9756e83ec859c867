"""The manifest beside an output: `NAME.manifest.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sage_select.errors import DataError, ResourceError
from sage_select.io.names import OutputNames
from sage_select.io.strict_json import StrictJsonError, decode

__all__ = ["FORMAT_VERSION", "manifest_text", "read_manifest"]

FORMAT_VERSION: Final = 1


def manifest_text(manifest: Mapping[str, Any]) -> str:
    """Return the text of a manifest, the format version first."""
    return (
        json.dumps({"format_version": FORMAT_VERSION, **manifest}, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    )


def read_manifest(path: str | Path) -> dict[str, Any] | None:
    """Return the manifest of the output `path`, or None where it has none.

    Raises
    ------
    DataError
        Where the manifest is damaged or of a version that this program does not know.
    """
    place = OutputNames(Path(path)).manifest
    try:
        manifest = decode(place.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ResourceError(f"cannot be read: {error.strerror}", where=str(place)) from None
    except (StrictJsonError, UnicodeDecodeError) as error:
        raise DataError("is damaged: a manifest is a JSON object", where=str(place), got=str(error)[:120]) from None
    if not isinstance(manifest, dict) or not isinstance(manifest.get("output"), dict):
        raise DataError("is not a manifest of this program", where=str(place))
    if manifest.get("format_version") != FORMAT_VERSION:
        raise DataError(
            "is a manifest of another version",
            where=str(place),
            expected=f"format_version {FORMAT_VERSION}",
            got=str(manifest.get("format_version")),
        )
    return manifest
