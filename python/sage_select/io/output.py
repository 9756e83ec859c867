"""Open outputs of this program, checked against their manifests."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sage_select.errors import DataError, SageError
from sage_select.io.commit import recover
from sage_select.io.inputs import existing_file
from sage_select.io.manifest import read_manifest
from sage_select.io.names import OutputNames
from sage_select.io.progress import Progress
from sage_select.io.read import content_digest, read_even_empty
from sage_select.io.rows import Rows

__all__ = ["existing", "open_output"]


def open_output(path: str | Path, *, progress: Progress | None = None) -> tuple[Rows, dict[str, Any] | None]:
    """Return the rows of an output and its manifest, or None for a table that has no manifest.

    An output without rows is read like any other.

    Raises
    ------
    DataError
        Where the output is not what its manifest says: changed or damaged since it was written.
    """
    target = Path(path)
    recover(target)
    manifest = read_manifest(target)
    if manifest is not None:
        existing_file(target, folders=True)
        if content_digest([target]) != manifest["output"].get("digest"):
            raise DataError(
                "has been changed or damaged since it was written",
                where=str(path),
                hint=f"build it again; to use it as it is, remove {OutputNames(target).manifest}",
            )
    return read_even_empty(path, progress=progress), manifest


def existing(target: str | Path, fingerprint: str, *, with_story: bool | None = None) -> bool:
    """Tell whether `target` is a complete, undamaged output of the run with this fingerprint.

    With the story of every input row, or without it, or, where that is None, as it comes.
    """
    path = Path(target)
    try:
        recover(path)
        manifest = read_manifest(path)
        if manifest is None or manifest.get("fingerprint") != fingerprint or not os.path.lexists(path):
            return False
        if content_digest([path]) != manifest["output"].get("digest"):
            return False
        story = manifest["output"].get("story")
        if with_story is not None and with_story != (story is not None):
            return False
        return story is None or content_digest([OutputNames(path).story]) == story.get("digest")
    except (SageError, OSError):
        return False
