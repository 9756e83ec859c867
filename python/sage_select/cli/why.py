"""`sage-select why`: what became of one row."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from sage_select.cli.console import Console
from sage_select.cli.without_pandas import load_pyarrow
from sage_select.columns import Origin
from sage_select.display import displayed

__all__ = ["WHY_HELP", "why"]

WHY_HELP = """Say what became of one row of the input of a selection, and why.

\b
ROW is the row's id, its number in the input (from 0), or FILE:LINE.

\b
Examples:
  sage-select why out.arrow 17
  sage-select why out.arrow chats.jsonl:18
  sage-select why out.parquet ticket-4711 --json

\b
Exit codes: 0 done, 2 bad arguments or no such row, 3 refused data, 5 environment.
"""


def why(
    selection: Annotated[Path, typer.Argument(metavar="SELECTION", help="An output of sage-select build.")],
    row: Annotated[str, typer.Argument(metavar="ROW", help="An id, a row number, or FILE:LINE.")],
    verify: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Check the output against its manifest. [default: verify]")
    ] = True,
    json_output: Annotated[bool, typer.Option("--json", help="Print the result as one JSON object on stdout.")] = False,
) -> None:
    """Say what became of one row."""
    load_pyarrow()
    from sage_select.engine import why as found
    from sage_select.paths import user_path

    console = Console(json_output=json_output)
    facts = found(user_path(selection), row, verify=verify)
    lines = _told(facts)
    width = max(len(name) for name in lines)
    console.answer("\n".join(f"{name:<{width}}  {displayed(text)}" for name, text in lines.items()))
    console.result({"row": facts})


def _told(facts: Mapping[str, Any]) -> dict[str, str]:
    """Return the lines for a person."""
    parent = facts.get("parent")
    place = ["no row of the input"] if _came_later(facts) else [f"row {facts['row_number']:,} of the input"]
    if facts["file"] is not None:
        of_file = f"row {facts['row']:,}" if facts["line"] is None else f"line {facts['line']:,}"
        place.append(f"{facts['file']}, {of_file}")
    lines = {"row": "; ".join(place), "id": facts["sage_row_id"]}
    if facts["first_words"] is not None:
        lines["begins"] = facts["first_words"] or "(no words)"
    if parent is not None:
        words = facts["parent_first_words"]
        lines["made of"] = parent + (f": {words}" if words else "")
    lines["outcome"] = _outcome(facts)
    if facts["score"] is not None:
        lines["score"] = f"{facts['score']:.4g}, higher than {facts['score_percentile']:.0%} of the scored rows"
    if facts["region"] is not None:
        lines["region"] = str(facts["region"])
    if facts["nearest_pick"] is not None:
        near = facts["nearest_similarity"]
        how = f"distance {facts['nearest_distance']:.3g}" if near is None else f"similarity {near:.3g}"
        lines["nearest pick"] = _other(facts, "nearest_pick", how)
    if facts["duplicate_of"] is not None:
        lines["copy of"] = _other(facts, "duplicate_of", f"similarity {facts['similarity']:.3g}")
    # Row reports of earlier versions say nothing of held-out rows.
    if facts.get("held_out_file") is not None:
        lines["held out"] = _held_out(facts)
    return lines


def _came_later(facts: Mapping[str, Any]) -> bool:
    """Tell whether a row is none of the input; row reports of earlier versions know of none."""
    return facts.get("origin") not in (None, Origin.SELECTED)


def _outcome(facts: Mapping[str, Any]) -> str:
    if facts["kept"] and facts["stage"].partition(" ")[0] != "select":
        return f"added by stage {facts['stage']}: {facts['reason']}"
    if facts["kept"]:
        how = "pinned" if facts["reason"] == "pinned" else f"by {facts['reason']}"
        return f"selected {how}, pick {facts['rank'] + 1:,}; stage {facts['stage']}"
    how = "left out" if _came_later(facts) else "not selected"
    return f"{how}; stage {facts['stage']}: {facts['reason']}"


def _held_out(facts: Mapping[str, Any]) -> str:
    """Return the held-out row that a row repeats, and how similar the two are."""
    line, similarity = facts["held_out_line"], facts["similarity"]
    place = f"row {facts['held_out_row']:,}" if line is None else f"line {line:,}"
    how = "" if similarity is None else f", similarity {similarity:.3g}"
    return f"{facts['held_out_file']}, {place}{how}: {facts['held_out_first_words'] or '(no words)'}"


def _other(facts: Mapping[str, Any], name: str, how: str) -> str:
    words = facts[f"{name}_first_words"]
    return f"{facts[name]}, {how}" + (f": {words}" if words else "")
