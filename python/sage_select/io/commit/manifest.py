"""The manifest beside an output: `NAME.manifest.json`.

Its first lines hold the digest of all that follows them (`sealed`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sage_select.errors import DataError, ResourceError
from sage_select.io.commit.names import OutputNames
from sage_select.io.commit.regular import read_regular
from sage_select.io.commit.sealed import is_as_written, sealed_text
from sage_select.io.tables.strict_json import StrictJsonError, decode

__all__ = ["FORMAT_VERSION", "manifest_refused", "manifest_text", "named_parts", "read_manifest", "row_report_of"]

FORMAT_VERSION: Final = 2
#: The version before, which had no digest of itself.
_UNPROTECTED: Final = 1
_MOST_BYTES: Final = 64 << 20

_Count = Annotated[int, Field(ge=0)]


class _Checked(BaseModel):
    """A part of a manifest: more keys than these may be there, and these are of their types."""

    model_config = ConfigDict(extra="allow", strict=True, defer_build=True)


class _File(_Checked):
    file: str
    digest: str


class _Figures(_Checked):
    folder: str
    files: dict[str, str]


class _Output(_File):
    format: str
    rows: _Count | None = None  # of a page there are none
    row_report: _File | None = None
    story: _File | None = None  # as earlier versions called it
    figures: _Figures | None = None


class _Envelope(_Checked):
    """What every manifest holds."""

    output: _Output
    fingerprint: str | None = None


class _Source(_Checked):
    name: str
    demo: bool


class _Shape(_Checked):
    name: str
    fields: dict[str, str]
    columns: list[str]
    json_text: list[Annotated[list[str], Field(min_length=1)]] = []


class _Rows(_Checked):
    read: _Count = Field(alias="in")
    added: dict[str, _Count] = {}
    kept: _Count
    dropped: dict[str, _Count]
    reasons: dict[str, _Count]


class _Program(_Checked):
    name: str
    version: str


class _Node(_Checked):
    stage: str
    key: str | None
    rows_in: _Count | None = None
    rows_out: _Count | None = None


class _Selection(_Envelope):
    """What the manifest of a selection holds besides: everything that is read back from it."""

    program: _Program
    fingerprint: str | None
    plan: str
    spec: dict[str, Any]
    seed: int
    source: _Source
    inputs: dict[str, str]
    nodes: list[_Node] = []
    shape: _Shape
    rows: _Rows
    evidence: dict[str, Any]
    metrics: dict[str, Any] | None = None
    notices: list[str]


def manifest_text(manifest: Mapping[str, Any]) -> str:
    """Return the text of a manifest, the format version and the digest of all that follows first."""
    return sealed_text(manifest, FORMAT_VERSION)


def read_manifest(path: str | Path, *, verify: bool = True) -> dict[str, Any] | None:
    """Return the manifest of the output `path`, or None where it has none.

    Parameters
    ----------
    path
        The output.
    verify
        Whether a manifest must be the one that was written; without it, it need only be a manifest.

    Raises
    ------
    DataError
        Where the manifest is damaged, has been changed, or is of a version that this program does not know.
    ResourceError
        Where it cannot be read.
    """
    place = OutputNames(Path(path)).manifest
    loaded = _load(place)
    return None if loaded is None else _checked(place, *loaded, verify=verify)


def named_parts(names: OutputNames) -> frozenset[str]:
    """Return the names of the parts of an output that the manifest beside it names, the manifest among them.

    There are none where there is no manifest. One of an earlier version counts.

    Raises
    ------
    DataError, ResourceError
        As `read_manifest` does.
    """
    loaded = _load(names.manifest)
    if loaded is None:
        return frozenset()
    earlier = loaded[1].get("format_version") == _UNPROTECTED
    output = _checked(names.manifest, *loaded, verify=not earlier)["output"]
    report, figures = row_report_of(output), output.get("figures")
    beside = ({report["file"]} if report else set()) | ({figures["folder"]} if figures else set())
    return frozenset({names.manifest.name, output["file"]} | beside)


def row_report_of(output: Mapping[str, Any]) -> dict[str, str] | None:
    """Return file and digest of the row report that a manifest names under `output`; None where there is none."""
    found: dict[str, str] | None = output.get("row_report") or output.get("story")  # as earlier versions called it
    return found


@contextmanager
def manifest_refused(place: Path) -> Iterator[None]:
    """Refuse a manifest whose inner parts are not those that this program writes, where the block comes upon them.

    Raises
    ------
    DataError
        Where the block fails as code does that is given other values than it was written for.
    """
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise DataError(
            "is not a manifest of this program",
            where=str(place),
            got=f"{type(error).__name__}: {error}"[:200],
            hint="build the output again",
        ) from error


def _load(place: Path) -> tuple[bytes, dict[str, Any]] | None:
    """Return the bytes of a manifest and the object that they are."""
    try:
        data, _ = read_regular(place, _MOST_BYTES)
        manifest = decode(data.decode())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        if isinstance(error, StrictJsonError | UnicodeDecodeError):
            raise DataError("is damaged: a manifest is a JSON object", where=str(place), got=str(error)[:120]) from None
        raise ResourceError(f"cannot be read: {getattr(error, 'strerror', error)}", where=str(place)) from None
    if not isinstance(manifest, dict):
        raise DataError("is not a manifest of this program", where=str(place), got="no JSON object")
    return data, manifest


def _checked(place: Path, data: bytes, manifest: dict[str, Any], *, verify: bool) -> dict[str, Any]:
    """Return a manifest that has passed every check."""
    version = manifest.get("format_version")
    if version not in (FORMAT_VERSION, _UNPROTECTED) or isinstance(version, bool | float):
        raise DataError(
            "is a manifest of another version",
            where=str(place),
            expected=f"format_version {FORMAT_VERSION}",
            got=str(version)[:80],
        )
    problem = None
    if verify and version == _UNPROTECTED:
        problem = "is a manifest of an earlier version, which cannot be verified"
    elif verify and not is_as_written(data, FORMAT_VERSION):
        problem = "has been changed or damaged since it was written"
    if problem is not None:
        raise DataError(
            problem, where=str(place), hint="build the output again, or go without this check with --no-verify"
        )
    return _of_schema(manifest, place)


def _of_schema(manifest: dict[str, Any], place: Path) -> dict[str, Any]:
    model = _Selection if "program" in manifest else _Envelope
    try:
        model.model_validate(manifest)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise DataError(
            "is not a manifest of this program",
            where=str(place),
            got=f"{'.'.join(map(str, first['loc']))}: {first['msg'][:1].lower()}{first['msg'][1:]}"[:200],
        ) from None
    return manifest
