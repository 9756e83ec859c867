"""`sage-train continual-metrics`: what a model forgot, from its scores on each task after each."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from sage_select.cli.console import Console
from sage_select.cli.streams import emit
from sage_select.cli.subcommands import Subcommand

__all__ = ["COMMAND"]

_HELP: Final = """Metrics of continual learning from a table of scores, each with its formula.

The table, of any format that can be read, has the columns `after` (the task that was trained last), `task` (on which
was measured) and `score` (higher is better), a row for each pair of tasks. Rows whose `after` is untrained, joint or
alone are scores of a model that was trained on none of the tasks, on all at once, or on that task alone: metrics that
need these are left out where there are none. Programs disagree on what forgetting is; both formulas are given.

\b
Examples:
  sage-train continual-metrics scores.csv
  sage-train continual-metrics scores.parquet --tasks monday,tuesday --json

\b
Exit codes: 0 done, 2 bad arguments, 3 refused data.
"""


def continual_metrics(
    scores: Annotated[str, typer.Argument(metavar="FILE", help="The table of scores.")],
    tasks: Annotated[
        str | None,
        typer.Option(metavar="A,B,...", help="The tasks in the order in which they were trained.", show_default=False),
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print it as one JSON object on stdout.")] = False,
) -> None:
    """Print the metrics."""
    from sage_select import io
    from sage_select.evaluate.continual import ScoreMatrix
    from sage_select.evaluate.continual import continual_metrics as metrics

    console = Console(quiet=True, json_output=json_output)
    order = None if tasks is None else [one.strip() for one in tasks.split(",")]
    matrix = ScoreMatrix.of_rows(io.read(scores), order)
    found = [(one, one.value(matrix)) for one in metrics(matrix)]
    if json_output:
        values: list[dict[str, Any]] = [
            {"name": one.name, "value": value, "formula": one.formula, "source": one.source, "better": one.better}
            for one, value in found
        ]
        console.result({"tasks": list(matrix.tasks), "metrics": values})
        return
    width = max(len(one.name) for one, _ in found)
    emit("".join(f"{one.name:<{width}}  {value:8.4f}  {one.formula} ({one.source})\n" for one, value in found))


COMMAND: Final = Subcommand(continual_metrics, _HELP, "Say what a model forgot, by its scores task by task.")
