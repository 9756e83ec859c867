"""`sage-select top`: the first rows of a selection."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sage_select.cli.console import Console
from sage_select.cli.events import EVENTS_HELP
from sage_select.cli.without_pandas import load_pyarrow

__all__ = ["TOP_HELP", "top"]

TOP_HELP = """Write the first BUDGET rows of a selection: what a build with that budget would have picked.

\b
Where the strategy picks row after row whatever the budget, one build serves every smaller budget: random, diversity
(but for kmeans), target, threshold, and loss_topk by top or band. hybrid, stratified scores, balanced quotas, quotas
with a minimum and budgets in tokens depend on the budget, and are refused.

\b
Examples:
  sage-select top out.arrow 1000 -o smaller.arrow
  sage-select top out.arrow 5% -o smaller.parquet      # of the rows that the build read

\b
Exit codes: 0 done, 2 bad arguments, 3 refused data, 4 output exists, 5 environment, 130 interrupted.
"""


def top(
    source: Annotated[Path, typer.Argument(metavar="SELECTION", help="An output of sage-select build.")],
    budget: Annotated[str, typer.Argument(help="How many rows (300), or which share of the build's input (10%).")],
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            help="Where to write; the format follows the name; - is standard output (an Arrow stream; -.jsonl).",
        ),
    ],
    force: Annotated[
        bool, typer.Option("--force", help="Replace an output of sage-select (one with its manifest beside it).")
    ] = False,
    overwrite_foreign: Annotated[
        bool,
        typer.Option("--overwrite-foreign", help="With --force: replace what is not an output of sage-select, too."),
    ] = False,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify/--no-verify",
            help="Refuse outputs of sage-select that were changed since they were written. [default: verify]",
            show_default=False,
        ),
    ] = True,
    json_output: Annotated[bool, typer.Option("--json", help="Print the result as one JSON object on stdout.")] = False,
    _events: Annotated[str | None, typer.Option("--events", metavar="FILE", help=EVENTS_HELP)] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")] = False,
) -> None:
    """Write the first rows of a selection."""
    load_pyarrow()
    from sage_select.cli.standard_output import written
    from sage_select.engine import top as first_rows
    from sage_select.paths import user_path
    from sage_select.values.budget import Budget

    console = Console(quiet=quiet, json_output=json_output)
    outcome = written(
        output,
        console,
        lambda path: first_rows(
            user_path(source),
            Budget.parse(budget),
            user_path(path),
            console,
            force=force,
            overwrite_foreign=overwrite_foreign,
            verify=verify,
        ),
    )
    kept, selected = outcome.manifest["rows"]["kept"], outcome.manifest["first_of"]["rows"]
    facts = {
        "kept": f"{kept:,} of {selected:,} selected rows, the first that were picked",
        "output": outcome.output,
        "manifest": outcome.manifest_path,
    }
    console.summary("cached: made before from the same selection" if outcome.cached else "selected", facts)
    console.result({"cached": outcome.cached, "output": str(outcome.output), "manifest": outcome.manifest})
