"""What a build has done, in the few lines of its summary."""

from __future__ import annotations

from typing import Any

from sage_select.columns import Reason
from sage_select.engine import Outcome

__all__ = ["build_facts"]


def build_facts(outcome: Outcome) -> dict[str, object]:
    """Return the lines of a summary: what was read, what left, what was kept and where it is."""
    manifest = outcome.manifest
    rows = manifest["rows"]
    reasons = ", ".join(
        f"{count:,} {reason}" if reason == Reason.PINNED else f"{count:,} by {reason}"
        for reason, count in rows["reasons"].items()
    )
    dedup = manifest["evidence"].get("dedup")
    return {
        "input": f"{manifest['source']['name']}, {rows['in']:,} rows ({manifest['shape']['name']})",
        **({} if dedup is None else {"left out": _left_out(rows["dropped"], dedup)}),
        "kept": f"{rows['kept']:,} rows" + (f": {reasons}" if reasons else ""),
        "output": outcome.output,
        "manifest": outcome.manifest_path,
    }


def _left_out(dropped: dict[str, int], dedup: dict[str, Any]) -> str:
    counts = {stage: count for stage, count in dropped.items() if stage.startswith("dedup: ")}
    if not counts:
        return "no row repeats another"
    # Copies, where there are several.
    reasons = [
        f"{count:,} {stage[7:]}" if count == 1 else f"{count:,} {stage[7:-1]}ies" for stage, count in counts.items()
    ]
    largest = dedup["largest_groups"][0]
    return (
        f"{', '.join(reasons)}, in {dedup['groups']:,} groups; the largest is of {largest['rows']:,} rows "
        f"(kept: {largest['kept']})"
    )
