"""From the options of `sage-select build` to a pipeline."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

from sage_select.cli.build_table import Table
from sage_select.cli.console import Console
from sage_select.cli.flags import Flag
from sage_select.errors import UsageError, Where
from sage_select.io.commit.overlap import check_overlap
from sage_select.pipeline import STAGES, Pipeline, Stage
from sage_select.pipeline.plan import resolve
from sage_select.pipeline.spec import find_spec, load_spec
from sage_select.pipeline.spec.earlier import without_idle_defaults
from sage_select.stages import Select, Sink, Source
from sage_select.values.location import InputSetting

__all__ = ["plan_of"]

#: What switches a setting of a spec off.
_OFF: Final = "none"


def plan_of(
    settings: Mapping[str, Mapping[str, Any]],
    table: Table,
    seed: int | None,
    spec: Path | None,
    console: Console,
    *,
    always: Collection[str] = (),
) -> Pipeline:
    """Return the plan of a spec file with the options laid over it, or of the options alone: a resolved pipeline.

    Parameters
    ----------
    settings
        Stage -> setting -> value; None where the option was not given.
    table
        The options there are.
    seed
        The run seed, or None.
    spec
        The spec file that was named. Without it, and without an input, the folder's own is used; without
        that, the built-in demo data.
    always
        Stages that are there whether an option names them or not, beside source and select.
    console
        Where to say which of these it was, and which strategy was chosen where none was named.

    Raises
    ------
    UsageError
        If an option or the spec is wrong.
    """
    given = {name: {key: value for key, value in step.items() if value is not None} for name, step in settings.items()}
    if spec is None and "path" not in given["source"]:
        spec = find_spec(Path())
        if spec is not None:
            console.notice(f"no input named: running {spec}")
        else:
            console.notice("no input named: using the built-in demo data")
            given["source"]["demo"] = True
    if seed is not None and seed < 0:
        raise UsageError("a seed is a whole number from 0", got=str(seed))
    base = load_spec(spec) if spec is not None else None
    steps = list(base.steps) if base is not None else []
    for name, kind in STAGES.items():
        needed = kind in (Source, Select) or name in always
        own = [flag for flag in table.flags if flag.stage == name]
        _lay_over(steps, name, kind, given.get(name, {}), own, needed=needed)
    pipeline = Pipeline(seed=seed if seed is not None else base.seed if base is not None else 0, steps=tuple(steps))
    sink = pipeline.find(Sink) or Sink()
    if spec is not None:
        check_overlap(Path(sink.path), [InputSetting("spec", "file", str(spec))])
    try:
        return resolve(pipeline, console.notice)
    except UsageError as error:
        if error.where is None and spec is not None:
            error.where = Where(str(spec))
        raise


def _lay_over(
    steps: list[Stage],
    name: str,
    kind: type[Stage],
    given: Mapping[str, Any],
    flags: list[Flag],
    *,
    needed: bool,
) -> None:
    """Lay the options of a stage over that of the spec, or add it where it stands as a rule."""
    places = [place for place, step in enumerate(steps) if step.name == name]
    if not given and (places or not needed):
        return
    if len(places) > 1:
        raise UsageError(
            f"the spec has {len(places)} {name} steps, and an option cannot say which is meant",
            got=", ".join(_flags(given, flags)[key] for key in given),
            hint="change the spec",
        )
    off = {flag.setting for flag in flags if flag.switchable and given.get(flag.setting) == _OFF}
    over = {key: value for key, value in given.items() if key not in off}
    # A stage that holds nothing has no settings of what it held before.
    emptied = any(over.get(name) == _OFF for name in kind.choices())
    under = steps[places[0]].given_settings() if places and not emptied else {}
    changed = {key for key, value in over.items() if value != under.get(key)}
    gone = off.union(*(flag.replaces for flag in flags if flag.setting in changed))
    merged = {**{key: value for key, value in under.items() if key not in gone}, **over}
    # Of what the spec says and an option makes idle, what holds anyway is passed over, as in the spec itself.
    used = without_idle_defaults(kind, merged).keys() | over.keys()
    # What nobody has set can be typed; what the spec alone says is called as it is there.
    typed = _flags({flag.setting for flag in flags} - merged.keys() | given.keys(), flags)
    step = kind.of({key: value for key, value in merged.items() if key in used}, typed)
    if places:
        steps[places[0]] = step
    else:
        place = next((index for index, other in enumerate(steps) if other.place > kind.place), len(steps))
        steps.insert(place, step)


def _flags(given: Collection[str], flags: list[Flag]) -> dict[str, str]:
    """Return what the command line calls these settings of a stage."""
    return {flag.setting: flag.spelling.split("/")[0] for flag in flags if flag.setting in given}
