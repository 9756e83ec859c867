"""A page and the folder of its figures, written as one, as rows and their manifest are."""

from __future__ import annotations

import secrets
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from sage_select.errors import OutputError, SageError, UsageError
from sage_select.io.commit.files import Files
from sage_select.io.commit.manifest import manifest_text, read_manifest
from sage_select.io.commit.names import PageNames
from sage_select.io.commit.overlap import check_overlap
from sage_select.io.commit.protocol import exclusive, publish, recover, resource_errors
from sage_select.io.output.parts import swept_on_failure, write_bytes
from sage_select.io.output.target import check_parts, is_own
from sage_select.io.tables.digest import digest_bytes, digest_files
from sage_select.values.location import InputSetting

__all__ = ["check_kind", "preflight_page", "write_page"]

_SUFFIXES: Final = (".html", ".htm")
_FIGURE: Final = ".png"
_ELSEWHERE: Final = "give another name with -o"


def preflight_page(
    target: Path, inputs: Iterable[InputSetting], *, force: bool, overwrite_foreign: bool = False
) -> None:
    """Check as far as can be, before anything is made, that a page may be written; one of ours may be the same.

    Parameters
    ----------
    target
        The page.
    inputs
        Everything that is going to be read.
    force, overwrite_foreign
        What may be replaced, as of `write_page`.

    Raises
    ------
    UsageError
        Where the name does not end in `.html`, the page would take the place of an input, or `overwrite_foreign` is
        given without `force`.
    SageError
        As `write_page` does.
    """
    if overwrite_foreign and not force:
        raise UsageError(
            "--overwrite-foreign replaces nothing without --force",
            hint="give both to replace what is not an output of sage-select",
        )
    if target.suffix.lower() not in _SUFFIXES:
        raise UsageError("a report is a page", where=str(target), expected="a name that ends in .html")
    check_overlap(target, inputs)
    names = PageNames(target)
    recover(target, names)
    if not is_own(names):
        _check(names, force=force, overwrite_foreign=overwrite_foreign)


def write_page(
    page: str,
    figures: Mapping[str, bytes],
    target: Path,
    manifest: Mapping[str, Any],
    *,
    force: bool = False,
    overwrite_foreign: bool = False,
    files: Files | None = None,
) -> bool:
    """Write a page with its figures and a manifest so that all of it appears or nothing does.

    Parameters
    ----------
    page
        HTML.
    figures
        File name (`.png`) -> bytes, for the folder `NAME.figures` beside the page.
    target
        The page.
    manifest
        What to say about it; `format_version` and `output` are added.
    force, overwrite_foreign
        Replace a page of this program; with both, any file, and a folder that holds nothing but `.png` files.
    files
        The file operations to use.

    Returns
    -------
    bool
        False where the same page and figures lay there already: then nothing is written, `force` or not.

    Raises
    ------
    OutputError
        Where something is there that may not be replaced, or another run is writing it.
    ResourceError
        Where the folder is missing or cannot be written, or the disk is full. What was there before is untouched.
    """
    names, files = PageNames(target), Files() if files is None else files
    data = page.encode()
    output = {
        "file": target.name,
        "format": "html",
        "digest": digest_bytes(data),
        "figures": {
            "folder": names.figures.name,
            "files": {name: digest_bytes(figure) for name, figure in sorted(figures.items())},
        },
    }
    recover(target, names)
    if _is_there(names, output):
        return False
    _check(names, force=force, overwrite_foreign=overwrite_foreign)
    with resource_errors(target, "cannot be written"), exclusive(names, files):
        _check(names, force=force, overwrite_foreign=overwrite_foreign)
        with swept_on_failure(names, files):
            run = secrets.token_hex(8)
            draft, folder = names.temporary(run, "page"), names.temporary(run, "figures")
            write_bytes(data, draft, files)
            files.make_folder(folder)
            for name, figure in figures.items():
                write_bytes(figure, folder / name, files)
            files.sync_folder(folder)
            told = names.temporary(run, "manifest")
            write_bytes(manifest_text({**manifest, "output": output}).encode(), told, files)
            publish(names, run, {draft: target, folder: names.figures, told: names.manifest}, files)
    return True


def _is_there(names: PageNames, output: Mapping[str, Any]) -> bool:
    """Tell whether page and figures lie there as they would be written."""
    try:
        manifest = read_manifest(names.target)
        if manifest is None or manifest["output"] != output:
            return False
        expected = {names.figures / name: digest for name, digest in output["figures"]["files"].items()}
        if sorted(names.figures.iterdir()) != sorted(expected):
            return False
        expected[names.target] = output["digest"]
        return all(digest_files([path]) == digest for path, digest in expected.items())
    except (SageError, OSError):
        return False


def _check(names: PageNames, *, force: bool, overwrite_foreign: bool) -> None:
    check_parts(names, lambda path: check_kind(names, path), force=force, overwrite_foreign=overwrite_foreign)
    if not overwrite_foreign and names.figures.is_dir():
        _check_own_figures(names)


def check_kind(names: PageNames, path: Path, hint: str = _ELSEWHERE) -> None:
    """Refuse what no setting allows to replace: devices, one kind by the other, a folder of other things.

    Parameters
    ----------
    names
        The output.
    path
        What is there, one of its parts.
    hint
        What to do about it.

    Raises
    ------
    UsageError
        Where it is a device.
    OutputError
        Where it is a folder in place of a file or the other way round, or a folder with other things than figures.
    """
    mode = path.lstat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)):
        raise UsageError("is a pipe, device or socket, not an output", where=str(path), hint=hint)
    if stat.S_ISDIR(mode) != (path == names.figures) and not stat.S_ISLNK(mode):
        what = "is a file, and figures need a folder" if path == names.figures else "is a folder"
        raise OutputError(what, where=str(path), hint=hint)
    if not stat.S_ISDIR(mode):
        return
    others = sorted(
        one.name for one in path.iterdir() if one.suffix != _FIGURE or not stat.S_ISREG(one.lstat().st_mode)
    )
    if others:
        raise OutputError(
            "is a folder that holds other things than figures",
            where=str(path),
            got=", ".join(others[:5]),
            hint=hint,
        )


def _check_own_figures(names: PageNames) -> None:
    """Refuse to delete figures that the manifest does not name."""
    manifest = read_manifest(names.target, verify=False)
    own = ((manifest or {}).get("output", {}).get("figures") or {}).get("files", {})
    others = sorted(one.name for one in names.figures.iterdir() if one.name not in own)
    if others:
        raise OutputError(
            "holds figures that are not of this report, and --force replaces nothing else",
            where=str(names.figures),
            got=", ".join(others[:5]),
            hint=f"replace them with --force --overwrite-foreign, or {_ELSEWHERE}",
        )
