"""`sage-select diff`: what differs between two selections or specs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from sage_select.cli.console import Console
from sage_select.cli.without_pandas import load_pyarrow
from sage_select.display import counted, displayed
from sage_select.errors import UsageError, Where

if TYPE_CHECKING:
    from sage_select.difference import Cause, Opened, SpecDifference

__all__ = ["DIFF_HELP", "diff"]

DIFF_HELP = """Say what differs between two selections, between two specs, or between a selection and a spec.

\b
Of selections: which rows are in both, how their order differs, of which reasons and groups there are more, what became
in the other of the rows that only one has, and why the second was not found as the first: the first stage whose
settings, input or code differ. Of specs: the stages and keys that differ, once all that they leave open is decided.

\b
A and B are outputs of sage-select build, or specs by their names (.yaml, .yml, .toml). Of a selection and a spec the
specs are compared: what a build of B would do otherwise than the build of A did.

\b
Examples:
  sage-select diff monday.arrow tuesday.arrow
  sage-select diff a.arrow b.arrow --by language --json
  sage-select diff sage.yaml mine.yaml
  sage-select diff out.arrow sage.yaml                 # would a build of it be another one?

\b
Exit codes: 0 done, whether they differ or not, 2 bad arguments or spec, 3 refused data, 5 environment.
"""

_SPECS: Final = (".yaml", ".yml", ".toml")
#: Values of a group, rows and causes that are shown; --json has all.
_VALUES: Final = 8
_ROWS: Final = 5
_CAUSES: Final = 5
#: From this difference of a share on a value is told.
_SHARE: Final = 0.0005


def diff(
    a: Annotated[Path, typer.Argument(metavar="A", help="A selection, or a spec.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="Another one.")],
    by: Annotated[
        list[str] | None,
        typer.Option(
            "--by", metavar="COLUMN", help="Compare the shares of its values, too; several times.", show_default=False
        ),
    ] = None,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify/--no-verify", help="Check outputs against their manifests. [default: verify]", show_default=False
        ),
    ] = True,
    json_output: Annotated[bool, typer.Option("--json", help="Print the result as one JSON object on stdout.")] = False,
) -> None:
    """Say what differs."""
    load_pyarrow()
    from sage_select.difference import Opened, causes, compare_selections, compare_specs
    from sage_select.paths import user_path

    console = Console(json_output=json_output)
    opened: list[Opened | None] = []
    specs: list[Mapping[str, Any]] = []
    for path in (a, b):
        if path.name.endswith(_SPECS):
            opened.append(None)
            specs.append(_spec(user_path(path)))
            continue
        with console.progress(f"reading {path}") as progress:
            one = Opened.read(user_path(path), progress=progress, verify=verify)
        opened.append(one)
        specs.append(one.manifest["spec"])
    first, second = opened
    found = compare_specs(*specs)
    if first is None or second is None:
        if by:
            raise UsageError("--by compares two selections", got="a spec")
        why = causes(found)
        facts: dict[str, Any] = {"compared": "specs"}
        lines = _of_specs(found, why)
    else:
        why = causes(found, first.manifest, second.manifest)
        facts = {
            "compared": "selections",
            "inputs": _both(first.manifest["inputs"], second.manifest["inputs"]),
            "versions": _both(_versions(first.manifest), _versions(second.manifest)),
            "fingerprints": [first.manifest["fingerprint"], second.manifest["fingerprint"]],
            **compare_selections(first, second, by or ()),
        }
        lines = _of_selections(facts, found, why)
    console.answer("\n".join(map(displayed, [f"A  {a}", f"B  {b}", "", *lines])))
    console.result({"a": str(a), "b": str(b), **facts, "spec": asdict(found), "causes": [asdict(one) for one in why]})


def _spec(path: Path) -> Mapping[str, Any]:
    """Return what a spec means, all that it leaves open decided."""
    from sage_select.pipeline.plan import resolve
    from sage_select.pipeline.spec import load_spec

    try:
        return resolve(load_spec(path)).to_dict()
    except UsageError as error:
        if error.where is None:
            error.where = Where(str(path))
        raise


def _versions(manifest: Mapping[str, Any]) -> dict[str, str]:
    return {"sage-select": manifest["program"]["version"], **manifest.get("libraries", {})}


def _both(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return name, both values and whether they are the same."""
    return [
        {"name": name, "a": a.get(name), "b": b.get(name), "same": a.get(name) == b.get(name)}
        for name in dict.fromkeys([*a, *b])
    ]


def _of_specs(found: SpecDifference, why: Sequence[Cause]) -> Iterator[str]:
    if found.same:
        yield "the same pipeline: nothing differs once all that is left open is decided"
        return
    yield from _settings(found)
    yield ""
    yield "result     " + (_first(why) if why else "the same: nothing on which it depends differs")


def _settings(found: SpecDifference) -> Iterator[str]:
    """Yield the stages and keys that differ."""
    for text, stages in (("only in A", found.removed), ("only in B", found.added), ("moved", found.moved)):
        if stages:
            yield f"{text:<9}  {', '.join(stages)}"
    rows = [
        (
            f"{one.stage}.{one.key}".removeprefix("."),
            _value(one.a),
            _value(one.b),
            "" if one.counts is not False else "changes no row",
        )
        for one in found.changes
    ]
    if rows:
        yield from _table([("key", "A", "B", ""), *rows])


def _of_selections(facts: Mapping[str, Any], found: SpecDifference, why: Sequence[Cause]) -> Iterator[str]:
    yield from _rows(facts)
    yield "result         " + (
        _first(why) if why else "the same plan, inputs and version: the second would be found as the first"
    )
    for name in ("inputs", "versions"):
        other = [one["name"] for one in facts[name] if not one["same"]]
        yield f"{name:<15}" + (f"{', '.join(other)} differ{'s' if len(other) == 1 else ''}" if other else "the same")
    if not found.same:
        yield ""
        yield from _settings(found)
    for column, values in facts["groups"].items():
        yield from _groups(column, values)
    if not facts["rows"]["other_data"]:
        yield from _only(facts["only_a"], "A", "B")
        yield from _only(facts["only_b"], "B", "A")


def _rows(facts: Mapping[str, Any]) -> Iterator[str]:
    rows, order = facts["rows"], facts["order"]
    yield f"rows           {rows['a']:,} in A of {rows['input_a']:,}, {rows['b']:,} in B of {rows['input_b']:,}"
    if rows["other_data"]:
        yield "in both        none: these are selections from other data, or from rows that are named otherwise"
        return
    jaccard = "" if rows["jaccard"] is None else f", Jaccard index {rows['jaccard']:.3f}"
    chance = "" if rows["by_chance"] is None else f" (by chance {rows['by_chance']:,.1f} would be)"
    only = f"; {rows['only_a']:,} only in A, {rows['only_b']:,} only in B"
    yield f"in both        {counted(rows['both'], 'row')}{chance}{jaccard}{only}"
    for label, tau in (("order of picks", order["picks"]), ("training order", order["training"])):
        if tau is not None:
            yield f"{label:<14} Kendall's tau {tau:.3f} over the {rows['both']:,} rows in both"


def _first(why: Sequence[Cause]) -> str:
    """Return why the second result is not the first, what a pipeline meets first before all else."""
    first, *others = why
    more = f"; then {', '.join(_where(one) for one in others[: _CAUSES - 1])}" if others else ""
    rest = f" and {len(others) - _CAUSES + 1:,} more" if len(others) >= _CAUSES else ""
    return f"another one, from {_where(first)} on{more}{rest}"


def _where(cause: Cause) -> str:
    """Return a cause in words."""
    if cause.component == "version":
        return f"the version of sage-select ({cause.a}, {cause.b})"
    if cause.component == "seed":
        return f"the seed ({cause.a}, {cause.b})"
    if cause.component == "settings":
        return f"{cause.stage}.{cause.name}"
    if cause.component == "input":
        return f"the content of {cause.name}"
    if cause.component == "meaning":
        what = f"what the stage {cause.stage} does" if cause.stage else "what a stage does"
        return f"{what}{f' ({cause.name})' if cause.name else ''}, by its version"
    places = {"removed": "which B has not", "added": "which A has not", "moved": "which stands elsewhere"}
    return f"the stage {cause.stage}, {places[cause.component]}"


def _groups(column: str, values: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the values of a column whose shares differ."""
    moved = [one for one in values if abs(one["moved"]) >= _SHARE]
    if not moved:
        return
    yield ""
    rows = [(column, "A", "B", "share of A", "share of B")]
    for one in moved[:_VALUES]:
        value = "(none)" if one["value"] is None else _value(one["value"])
        rows.append((value, f"{one['a']:,}", f"{one['b']:,}", f"{one['share_a']:.1%}", f"{one['share_b']:.1%}"))
    yield from _table(rows)
    if len(moved) > _VALUES:
        yield f"and {len(moved) - _VALUES:,} more values"


def _only(rows: Sequence[Mapping[str, Any]], side: str, other: str) -> Iterator[str]:
    """Yield what became in the other selection of the rows that only this one has."""
    if not rows:
        return
    yield ""
    yield f"only in {side}: {counted(len(rows), 'row')}; in {other} they are"
    for fate, count in Counter(map(_fate, rows)).most_common():
        yield f"  {count:,} times: {fate}"
    for row in rows[:_ROWS]:
        words = f": {row['first_words']}" if row["first_words"] else ""
        beside = f", nearest pick {near}" if (near := row.get("nearest_pick")) else ""
        beside = f", copy of {first}" if (first := row.get("duplicate_of")) else beside
        pick = "" if row["rank"] is None else f", pick {row['rank'] + 1:,}"
        yield f"  {row['id']}{pick} by {row['selected_by']}{beside}{words}"
    if len(rows) > _ROWS:
        yield f"  and {len(rows) - _ROWS:,} more (--json has all)"


def _fate(row: Mapping[str, Any]) -> str:
    if row["in_input"] is None:
        return "not told: it has no row report"
    return f"{row['stage']}: {row['reason']}" if row["in_input"] else "not in the input"


def _value(value: Any) -> str:
    text = "-" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return displayed(text if len(text) <= 60 else text[:57] + "...")


def _table(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
