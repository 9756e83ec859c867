"""Open outputs of this program, checked against their manifests."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sage_select.errors import SageError
from sage_select.io.commit.manifest import read_manifest, row_report_of
from sage_select.io.commit.names import OutputNames
from sage_select.io.commit.paired import Watch, settled
from sage_select.io.inputs.read import content_digest, read_once
from sage_select.io.source.progress import Progress
from sage_select.io.tables.rows import Rows

__all__ = ["existing", "open_output", "open_with_report"]


def open_output(
    path: str | Path, *, progress: Progress | None = None, verify: bool = True
) -> tuple[Rows, dict[str, Any] | None]:
    """Return the rows of an output and its manifest, or None for a table that has no manifest.

    An output without rows is read like any other. Rows and manifest are those of one run, whoever writes meanwhile.

    Parameters
    ----------
    path
        The output.
    progress
        As in `read`.
    verify
        Whether output and manifest must be as they were written.

    Raises
    ------
    DataError
        Where the output is not what its manifest says: changed or damaged since it was written.
    """
    target = Path(path)
    return settled(target, lambda watch: _open(target, progress, verify, watch))


def open_with_report(
    path: Path, *, progress: Progress | None = None, verify: bool = True
) -> tuple[Rows, dict[str, Any] | None, Rows | None]:
    """Return what `open_output` does and the row report of the same run; None where there is none.

    Raises
    ------
    DataError
        As `open_output` does, for the row report as well.
    """

    def read(watch: Watch) -> tuple[Rows, dict[str, Any] | None, Rows | None]:
        rows, manifest = _open(path, progress, verify, watch)
        report, named = OutputNames(path).row_report, row_report_of((manifest or {"output": {}})["output"])
        if named is None or not os.path.lexists(report):
            watch.unproven |= named is not None  # somebody has removed it: the user, or the next run
            return rows, manifest, None
        return rows, manifest, read_once(report, None, lambda _: named["digest"] if verify else None, watch)

    return settled(path, read)


def _open(target: Path, progress: Progress | None, verify: bool, watch: Watch) -> tuple[Rows, dict[str, Any] | None]:
    watch.add(target)
    manifest = read_manifest(target, verify=verify)
    digest = manifest["output"]["digest"] if verify and manifest is not None else None
    return read_once(target, progress, lambda _: digest, watch), manifest


def existing(target: str | Path, fingerprint: str, *, with_report: bool | None = None) -> bool:
    """Tell whether `target` is a complete, undamaged output of the run with this fingerprint.

    With the row report, or without it, or, where that is None, as it comes.
    """
    path = Path(target)
    try:
        manifest = read_manifest(path)
        if manifest is None or manifest.get("fingerprint") != fingerprint or not os.path.lexists(path):
            return False
        if content_digest([path]) != manifest["output"]["digest"]:
            return False
        report = row_report_of(manifest["output"])
        if with_report is not None and with_report != (report is not None):
            return False
        return report is None or content_digest([OutputNames(path).row_report]) == report["digest"]
    except (SageError, OSError):
        return False
