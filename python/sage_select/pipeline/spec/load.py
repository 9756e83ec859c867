"""Read a pipeline from YAML, TOML or a dictionary; every problem is reported at once, each with its place."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sage_select.declare.problems import Said, said_of, shortened
from sage_select.errors import Problem, UsageError, nearest
from sage_select.pipeline.pipeline import SPEC_VERSION, Pipeline
from sage_select.pipeline.spec.beside import beside
from sage_select.pipeline.spec.document import Document, parse, spec_error
from sage_select.pipeline.spec.earlier import without_idle_defaults
from sage_select.pipeline.spec.places import KeyPath, spelt
from sage_select.pipeline.stage import STAGES, Stage

__all__ = ["Problems", "find_spec", "load_spec", "steps_of", "unknown"]

_NAMES = ("sage.yaml", "sage.yml", "sage.toml")
_TOP_KEYS = ("version", "seed", "steps")
_STEP = "one step name with its settings, such as `select: {strategy: hybrid}`"
_INSTALLED = "is the package that declares it installed?"


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
        problems are listed as `file:line:column: key: what`.
    """
    document = parse(source) if isinstance(source, Path) else Document(dict(source))
    problems = Problems(document)
    pipeline = _pipeline(document.value, problems)
    if pipeline is None or problems.found:
        raise spec_error(document.file, problems.found)
    return beside(pipeline, source.parent) if isinstance(source, Path) else pipeline


class Problems:
    """What is wrong with a spec, each problem with its place; of what is no value at all no more is said."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self.found: list[Problem] = list(document.problems)

    def add(self, path: KeyPath, said: Said, *, at: KeyPath | None = None, key: bool = False) -> None:
        """Add what is said of a value, or of a `key`; its place is that of `at`, where that is another."""
        if path in self._document.faulty:
            return
        place = self._document.places.of(path if at is None else at, key=key)
        line, column = place or (None, None)
        parts = {"expected": said.expected, "got": said.got, "hint": said.hint}
        self.found.append(Problem(said.text, self._document.file, line, column, spelt(path), **parts))

    def has_within(self, path: KeyPath) -> bool:
        """Return whether anything within the value at `path` is no value."""
        return any(one[: len(path)] == path for one in self._document.faulty)

    def add_validation(self, path: KeyPath, error: ValidationError, known: list[str]) -> None:
        """Add the problems that a failed validation of the value at `path` lists."""
        for problem in error.errors(include_url=False):
            location = (*path, *problem["loc"])
            if problem["type"] == "extra_forbidden":
                self.add(location, unknown("key", str(problem["loc"][-1]), known), key=True)
                continue
            # Of settings that do not go together, the place of the first that is there.
            settings = problem.get("ctx", {}).get("settings", ())
            self.add(location, said_of(problem), at=(*location, settings[0]) if settings else None, key=bool(settings))


def unknown(kind: str, name: str, known: list[str]) -> Said:
    """Return what is said of a name that is not known, with the nearest that is."""
    hint, words = nearest(name, known), ", ".join(known)
    text = f"unknown {kind} {name!r}" + (f", {hint}" if hint else f", known are {words}")
    return Said(text, f"a {kind} among {words}", name, hint)


def _pipeline(value: Any, problems: Problems) -> Pipeline | None:
    if not isinstance(value, Mapping):
        expected, got = f"the keys {', '.join(_TOP_KEYS)}", shortened(value)
        problems.add((), Said(f"expected {expected}, got {got}", expected, got))
        return None
    for key in value:
        if key not in _TOP_KEYS:
            problems.add((str(key),), unknown("key", str(key), list(_TOP_KEYS)), key=True)
    version = value.get("version")
    if version != SPEC_VERSION or not isinstance(version, int) or isinstance(version, bool):
        got = shortened(version)
        problems.add(("version",), Said(f"expected {SPEC_VERSION}, got {got}", str(SPEC_VERSION), got))
    steps = steps_of(value.get("steps"), problems)
    try:
        return Pipeline.model_validate({"seed": value.get("seed", 0), "steps": tuple(steps)})
    except ValidationError as error:
        found = error.errors(include_url=False)
        # Which steps stand where can only be judged once each of them is right.
        chain_is_judged = not problems.found
        for problem in found:
            if problem["loc"][:1] != ("steps",) or chain_is_judged:
                problems.add(tuple(problem["loc"]), said_of(problem))
        return None


def steps_of(value: Any, problems: Problems) -> list[Stage]:
    """Return the stages that stand under the key `steps` of a document; what is wrong is added to its problems."""
    if not isinstance(value, list):
        problems.add(("steps",), Said("expected a list of steps", "a list of steps", shortened(value)))
        return []
    steps = []
    for index, entry in enumerate(value):
        path: KeyPath = ("steps", index)
        if not isinstance(entry, Mapping) or len(entry) != 1:
            if not problems.has_within(path):
                problems.add(path, Said(f"expected {_STEP}", _STEP, shortened(entry)))
            continue
        key, settings = next(iter(entry.items()))
        name = str(key)
        kind = STAGES.get(name)
        if kind is None:
            STAGES.refuse_left_out(name)
            said = unknown("step", name, list(STAGES))
            if said.hint is None:
                said = said._replace(text=f"{said.text}; {_INSTALLED}", hint=_INSTALLED)
            problems.add((*path, name), said, key=True)
            continue
        try:
            given = {} if settings is None else settings
            steps.append(kind.model_validate(_as_now(kind, given)))
        except ValidationError as error:
            problems.add_validation((*path, name), error, list(kind.options()))
    return steps


def _as_now(kind: type[Stage], settings: Any) -> Any:
    return without_idle_defaults(kind, settings) if isinstance(settings, Mapping) else settings
