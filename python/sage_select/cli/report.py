"""`sage-select report`: one page about a selection."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sage_select.cli.console import Console
from sage_select.cli.events import EVENTS_HELP
from sage_select.cli.without_pandas import load_pyarrow
from sage_select.display import displayed

__all__ = ["REPORT_HELP", "report"]

REPORT_HELP = """Write one page of HTML about a selection, with figures, to look at and to hand on.

\b
It shows what was asked, what became of the rows at each stage, the selection beside random rows, a map of the rows and
the picks, what each region gave, scores and lengths, duplicates with pairs of them, quotas, and examples of kept and of
left rows, each with what it means. What cannot be shown is absent, with the reason.

\b
The page holds all that it needs: no network, no script. The figures lie beside it as PNG files, in NAME.figures.
A manifest beside it tells that it is ours: --force replaces it, and nothing else. The same selection gives the same
bytes. Needs the extra: pip install 'sage-select[report]'.

\b
The map needs the vectors of the run: they are read again from their file or column, taken from the cache, or made anew
by the hashing encoder. No model is run: where they are not to be had, --embeddings names a file.

\b
Examples:
  sage-select report out.arrow                          # out.report.html, out.report.figures
  sage-select report out.arrow -o page.html --force
  sage-select report out.arrow --embeddings vectors.npy # a map for a strategy that compares no vectors

\b
Exit codes: 0 done, 2 bad arguments, 3 refused data, 4 output exists, 5 environment, 130 interrupted.
"""


def report(
    selection: Annotated[Path, typer.Argument(metavar="SELECTION", help="An output of sage-select build.")],
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PAGE",
            help="Where to write the page. [default: NAME.report.html beside the selection]",
            show_default=False,
        ),
    ] = None,
    embeddings: Annotated[
        str | None,
        typer.Option(
            "--embeddings",
            metavar="FILE",
            help="A .npy file with one vector for each row of the input, for the map. [default: those of the run]",
            show_default=False,
        ),
    ] = None,
    cache_dir: Annotated[
        Path | None,
        typer.Option(
            "--cache-dir",
            metavar="FOLDER",
            help="Where values of models are held. [default: SAGE_CACHE_DIR, else ~/.cache/sage-select]",
            show_default=False,
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a report of sage-select (one with its manifest beside it).")
    ] = False,
    overwrite_foreign: Annotated[
        bool,
        typer.Option("--overwrite-foreign", help="With --force: replace what is not a report of sage-select, too."),
    ] = False,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify/--no-verify",
            help="Refuse a selection that was changed since it was written. [default: verify]",
            show_default=False,
        ),
    ] = True,
    threads: Annotated[
        int | None,
        typer.Option("--threads", min=1, help="Threads to use. [default: SAGE_THREADS, else all]", show_default=False),
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print the result as one JSON object on stdout.")] = False,
    _events: Annotated[str | None, typer.Option("--events", metavar="FILE", help=EVENTS_HELP)] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")] = False,
) -> None:
    """Write one page about a selection."""
    load_pyarrow()
    from sage_select.cache import cache_folder
    from sage_select.report import write_report

    console = Console(quiet=quiet, json_output=json_output)
    done = write_report(
        selection,
        output,
        embeddings=embeddings,
        cache=cache_folder(cache_dir),
        reporter=console,
        force=force,
        overwrite_foreign=overwrite_foreign,
        verify=verify,
        threads=threads,
    )
    facts = {"page": f"{done.page}, {done.size / 1e6:.1f} MB", "figures": done.figures}
    for what, why in done.absent:
        facts[f"not shown: {what}"] = displayed(why)
    console.summary("the same report was there already" if done.cached else "reported", facts)
    absent = [{"what": what, "why": why} for what, why in done.absent]
    result = {"cached": done.cached, "output": str(done.page), "figures": str(done.figures), "bytes": done.size}
    console.result({**result, "absent": absent})
