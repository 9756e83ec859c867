"""Read a pipeline from YAML, TOML or a dictionary; every problem is reported at once, each with its place."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sage_select.errors import UsageError, nearest
from sage_select.pipeline.pipeline import SPEC_VERSION, Pipeline
from sage_select.pipeline.problems import problem_text, shortened
from sage_select.pipeline.spec.beside import beside
from sage_select.pipeline.spec.document import Document, parse
from sage_select.pipeline.spec.earlier import without_idle_defaults
from sage_select.pipeline.stage import STAGES, Stage

__all__ = ["find_spec", "load_spec"]

_NAMES = ("sage.yaml", "sage.yml", "sage.toml")
_TOP_KEYS = ("version", "seed", "steps")


def find_spec(folder: Path) -> Path | None:
    """Return the spec file that stands in `folder`, or None.

    Raises
    ------
    UsageError
        If there is more than one.
    """
    found = [folder / name for name in _NAMES if os.path.lexists(folder / name)]
    if len(found) > 1:
        raise UsageError(
            "more than one spec in this folder",
            got=", ".join(path.name for path in found),
            hint="keep one, or name the one to use with --spec",
        )
    return found[0] if found else None


def load_spec(source: Path | Mapping[str, Any]) -> Pipeline:
    """Read a pipeline.

    Parameters
    ----------
    source
        A `.yaml`, `.yml` or `.toml` file, whose paths are relative to its own folder, or the dictionary such a file
        holds, whose paths are relative to the current folder.

    Raises
    ------
    UsageError
        If the file is missing or not well formed, or if anything in it is unknown or out of range. All
        problems are listed, each with its line where the file has lines.
    """
    document = parse(source) if isinstance(source, Path) else Document(dict(source), None, {})
    problems = _Problems(document)
    pipeline = _pipeline(document.value, problems)
    if pipeline is None or problems.lines:
        raise problems.error()
    return beside(pipeline, source.parent) if isinstance(source, Path) else pipeline


class _Problems:
    def __init__(self, document: Document) -> None:
        self._document = document
        self.lines: list[str] = []

    def add(self, path: tuple[str | int, ...], message: str) -> None:
        line = self._document.line_of(path)
        place = f"line {line}: " if line else ""
        name = ".".join(str(part) for part in path)
        self.lines.append(f"{place}{name}: {message}" if name else f"{place}{message}")

    def add_validation(self, path: tuple[str | int, ...], error: ValidationError, known: list[str]) -> None:
        for problem in error.errors(include_url=False, include_context=False):
            location = (*path, *problem["loc"])
            if problem["type"] == "extra_forbidden":
                key = str(problem["loc"][-1])
                self.add(location, _unknown("key", key, known))
            else:
                self.add(location, problem_text(dict(problem)))

    def error(self) -> UsageError:
        count = len(self.lines)
        return UsageError(
            f"{count} problem{'s' if count > 1 else ''} in the spec", where=self._document.file, problems=self.lines
        )


def _unknown(kind: str, name: str, known: list[str]) -> str:
    hint = nearest(name, known)
    return f"unknown {kind} {name!r}" + (f", {hint}" if hint else f", known are {', '.join(known)}")


def _pipeline(value: Any, problems: _Problems) -> Pipeline | None:
    if not isinstance(value, Mapping):
        problems.add((), f"expected the keys {', '.join(_TOP_KEYS)}, got {shortened(value)}")
        return None
    for key in value:
        if key not in _TOP_KEYS:
            problems.add((str(key),), _unknown("key", str(key), list(_TOP_KEYS)))
    version = value.get("version")
    if version != SPEC_VERSION or not isinstance(version, int) or isinstance(version, bool):
        problems.add(("version",), f"expected {SPEC_VERSION}, got {shortened(version)}")
    steps = _steps(value.get("steps"), problems)
    try:
        return Pipeline.model_validate({"seed": value.get("seed", 0), "steps": tuple(steps)})
    except ValidationError as error:
        # Which steps stand where can only be judged once each of them is right.
        if not problems.lines:
            problems.add_validation((), error, list(_TOP_KEYS))
        return None


def _steps(value: Any, problems: _Problems) -> list[Stage]:
    if not isinstance(value, list):
        problems.add(("steps",), "expected a list of steps")
        return []
    steps = []
    for index, entry in enumerate(value):
        path: tuple[str | int, ...] = ("steps", index)
        if not isinstance(entry, Mapping) or len(entry) != 1:
            problems.add(path, "expected one step name with its settings, such as `select: {strategy: hybrid}`")
            continue
        key, settings = next(iter(entry.items()))
        name = str(key)
        kind = STAGES.get(name)
        if kind is None:
            STAGES.refuse_left_out(name)
            unknown = _unknown("step", name, list(STAGES))
            hint = "" if "did you mean" in unknown else "; is the package that declares it installed?"
            problems.add((*path, name), unknown + hint)
            continue
        try:
            given = {} if settings is None else settings
            steps.append(kind.model_validate(_as_now(kind, given)))
        except ValidationError as error:
            problems.add_validation((*path, name), error, list(kind.options()))
    return steps


def _as_now(kind: type[Stage], settings: Any) -> Any:
    return without_idle_defaults(kind, settings) if isinstance(settings, Mapping) else settings
