"""`sage-select plan`: what a build would do, and about what it would take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sage_select.cli.console import Console
from sage_select.display import counted, displayed

if TYPE_CHECKING:
    from sage_select.engine.local.planned import PlannedStage
    from sage_select.pipeline import Pipeline

__all__ = ["PLAN_HELP", "show_plan"]

PLAN_HELP = """Say what a build would do and about what it would take, and leave.

\b
Takes a spec (sage.yaml, sage.toml) in the place of INPUT, or INPUT and options as build does; build --explain and
build --dry-run are the same. Of inputs that are there names, sizes, footers and first rows are looked at (one of up to
1 MiB is read, and refused where a build would refuse it); nothing is fetched, no model is loaded, nothing is written.
Where an input is not there yet, the rest is told.

\b
For each stage, in the order of work: the features of rows that it needs and adds, whether its values are held in the
cache, the rows after it, its memory and its time.

\b
Examples:
  sage-select plan
  sage-select plan sage.yaml
  sage-select plan chats.jsonl --strategy hybrid --budget 5% --json

\b
Exit codes: 0 done, 2 bad arguments or spec, 3 refused data, 4 output exists, 5 it would not fit.
"""

_STATES: Final = {"computed": "", "held": "{} held", "not held": "none held", "no version": "never: no version"}


def show_plan(plan: Pipeline, console: Console, cache: Path | None, **options: Any) -> None:
    """Print what a resolved pipeline would do, and what that would take, and refuse what would not fit.

    Parameters
    ----------
    plan
        The resolved pipeline.
    console
        Where to print it.
    cache
        The cache that a build would use.
    **options
        `force`, `overwrite_foreign`, `verify` and `threads`, as of a build.

    Raises
    ------
    SageError
        Where a build would be refused for what was looked at, or would not fit.
    """
    from sage_select.cli.estimate import refuse_what_cannot_fit, report, values
    from sage_select.engine.local.estimate import estimate
    from sage_select.engine.local.planned import missing_inputs, planned_stages, state_of_output
    from sage_select.pipeline.plan import explain, fingerprint

    missing = missing_inputs(plan)
    for line in missing:
        console.notice(f"{line}: rows, memory and time are not known")
    found = None if missing else estimate(plan, **options)
    stages = planned_stages(plan, found, cache)
    output = state_of_output(plan)
    parts = [explain(plan), f"output  {displayed(output)}"] + ([] if found is None else [report(found)])
    console.answer("\n\n".join([*parts, _table(stages)]))
    console.known(
        {
            "plan": fingerprint(plan),
            "spec": plan.to_dict(),
            "explain": explain(plan).split("\n"),
            "output": output,
            "stages": [_plain(one) for one in stages],
            "estimate": None if found is None else values(found),
        }
    )
    if found is not None:
        refuse_what_cannot_fit(found)
    console.result({})


def _table(stages: Sequence[PlannedStage]) -> str:
    """Return the stages as a table for people."""
    from sage_select.cli.estimate import bytes_in_words, seconds_in_words

    head = ("stage", "needs", "adds", "cache", "rows", "memory", "time")
    rows = [head]
    for one in stages:
        own = one.estimate
        after = None if own is None else own.after
        rows.append(
            (
                one.name,
                ", ".join(one.needs),
                _features(one.adds),
                _STATES[one.cache].format(counted(one.blocks, "block")),
                "" if after is None else f"{'' if after.exact else 'about '}{after.n:,}",
                "" if own is None else bytes_in_words(own.memory),
                "" if own is None else seconds_in_words(own.seconds),
            )
        )
    used = [place for place in range(len(head)) if any(row[place] for row in rows[1:])]
    widths = [max(len(row[place]) for row in rows) for place in range(len(head))]
    lines = ("  ".join(f"{row[place]:<{widths[place]}}" for place in used).rstrip() for row in rows)
    return "\n".join(displayed(line) for line in lines)


def _features(features: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {kind}".rstrip() for name, kind in features.items())


def _plain(one: PlannedStage) -> dict[str, Any]:
    own = one.estimate
    after = None if own is None else own.after
    return {
        "name": one.name,
        "does": one.does,
        "needs": dict(one.needs),
        "adds": dict(one.adds),
        "cache": one.cache,
        "held_blocks": one.blocks,
        "rows_out": None if after is None else after.n,
        "memory_bytes": None if own is None or own.memory is None else round(own.memory),
        "seconds": None if own is None else own.seconds,
    }
