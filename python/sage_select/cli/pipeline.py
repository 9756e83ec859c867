"""From the options of `sage-select build` to a pipeline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from sage_select.cli.console import Console
from sage_select.errors import UsageError
from sage_select.io.overlap import check_overlap
from sage_select.ops import AUTO, NO_SCORES, OPS, WITHOUT_SCORES, InputSetting, Op, Select, Sink
from sage_select.plan import resolve
from sage_select.spec import Pipeline, find_spec, load_spec

__all__ = ["plan_of"]

#: Steps that stand in every pipeline; the others stand where an option asks for them.
_ALWAYS = ("source", "select", "sink")
#: What takes the place of settings of a spec: any of the first of the second. Another origin of scores or vectors does,
#: another input, and another way for which the old settings mean nothing.
_INSTEAD: Final[dict[str, list[tuple[set[str], set[str]]]]] = {
    "source": [({"path", "demo"}, {"path", "demo"})],
    "dedup": [({"mode"}, {"threshold"})],
    "score": [({"file", "column", "model"}, {"file", "column", "model"})],
    "embed": [({"file", "column", "model"}, {"file", "column", "model"})],
    "select": [
        ({"queries", "query_column"}, {"queries", "query_column"}),
        ({"score_mode"}, {"score_band", "score_quantile"}),
    ],
}
#: Settings that the command line calls otherwise than by their own names.
_FLAGS: Final = {
    ("source", "path"): "INPUT",
    ("dedup", "mode"): "--dedup",
    ("dedup", "threshold"): "--dedup-threshold",
    ("score", "file"): "--scores",
    ("score", "column"): "--score-column",
    ("score", "model"): "--score-model",
    ("embed", "file"): "--embeddings",
    ("embed", "column"): "--embedding-column",
    ("embed", "model"): "--embed-model",
    ("sink", "path"): "--output",
}
#: What switches these settings of a spec off.
_OFF: Final = "none"
_SWITCHES: Final = {"select": {"quota", "pin", "exclude", "tokenizer"}}


def plan_of(
    settings: Mapping[str, Mapping[str, Any]], seed: int | None, spec: Path | None, console: Console
) -> Pipeline:
    """Return the plan of a spec file with the options laid over it, or of the options alone: a resolved pipeline.

    Parameters
    ----------
    settings
        Step name -> option -> value; None where the option was not given.
    seed
        The run seed, or None.
    spec
        The spec file that was named. Without it, and without an input, the folder's own is used; without
        that, the built-in demo data.
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
    base = load_spec(spec) if spec is not None else None
    steps: list[Op] = []
    for name, op in OPS.items():
        under = base.find(op) if base is not None else None
        off = {key for key in _SWITCHES.get(name, set()) if given[name].get(key) == _OFF}
        over = {key: value for key, value in given[name].items() if key not in off}
        if under is None and not over and name not in _ALWAYS:
            continue
        steps.append(op.of(_laid_over(name, under, over, off), _flags(name, given[name])))
    if seed is not None and seed < 0:
        raise UsageError("a seed is a whole number from 0", got=str(seed))
    pipeline = Pipeline(seed=seed if seed is not None else base.seed if base is not None else 0, steps=tuple(steps))
    if spec is not None:
        check_overlap(Path(pipeline.step(Sink).path), [InputSetting("spec", "file", str(spec))])
    plan = resolve(pipeline)
    if pipeline.step(Select).strategy == AUTO and plan.step(Select).strategy == WITHOUT_SCORES:
        console.notice(NO_SCORES)
    return plan


def _flags(step: str, settings: Iterable[str]) -> dict[str, str]:
    """Return what the command line calls the settings of a step."""
    return {name: _FLAGS.get((step, name), "--" + name.replace("_", "-")) for name in settings}


def _laid_over(name: str, under: Op | None, over: Mapping[str, Any], off: set[str]) -> dict[str, Any]:
    settings = under.settings() if under is not None else {}
    changed = {key for key, value in over.items() if value != settings.get(key)}
    gone = off.union(*(replaced for by, replaced in _INSTEAD.get(name, []) if by & changed))
    return {**{key: value for key, value in settings.items() if key not in gone}, **over}
