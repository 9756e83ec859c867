"""What `sage-select score` and `embed` have in common: a table by the ids of rows is written, and told of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import typer

from sage_select.cli.build_options import RUNNING
from sage_select.cli.console import Console
from sage_select.cli.without_pandas import load_pyarrow
from sage_select.display import counted
from sage_select.errors import UsageError

if TYPE_CHECKING:
    from sage_select.engine import Outcome, Writing
    from sage_select.stages import Source

__all__ = ["Work", "table_options", "write_table"]

#: How long one of several processes waits for the others, which may be busy with a block for hours.
_PATIENCE: Final = timedelta(days=7)
_RUNNING: Final = (
    "force",
    "overwrite_foreign",
    "verify",
    "cache_dir",
    "no_cache",
    "json_output",
    "events",
    "quiet",
)


class Work(NamedTuple):
    """What a command is given to work on.

    Attributes
    ----------
    source
        Makes the source of the rows: wrong options of it are told when it is called.
    is_demo
        Whether these are the built-in rows.
    several
        Whether this is one of several processes.
    console
        Who is told.
    writing
        Meets the other processes, and says how the table is written.
    """

    source: Callable[[], Source]
    is_demo: bool
    several: bool
    console: Console
    writing: Callable[[], Writing]


def table_options(group: str, default: str, *more: str) -> dict[str, tuple[Any, Any]]:
    """Return the options of a command that writes a table: where to, and how it runs; `more` are some of a build's."""
    output = Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            help="Where to write; the format follows the name.",
            rich_help_panel=group,
        ),
    ]
    return {"output": (output, default), **{name: RUNNING[name] for name in (*_RUNNING, *more)}}


def write_table(
    source: dict[str, Any],
    what: str,
    doing: str,
    did: str,
    work: Callable[[Work], Outcome | None],
    told: Callable[[Mapping[str, Any]], Mapping[str, object]],
    *,
    output: str,
    force: bool,
    overwrite_foreign: bool,
    verify: bool,
    cache_dir: Path | None,
    no_cache: bool,
    json_output: bool,
    events: str | None,
    quiet: bool,
    threads: int | None = None,
) -> None:
    """Have a table written, in one process or in several, and say what was written.

    Parameters
    ----------
    source
        The options of the source.
    what, doing, did
        What messages call the table and the work: `scores`, `scoring`, `scored`.
    work
        Writes it.
    told
        What the summary says of it beside rows and files, by its manifest.
    output, force, overwrite_foreign, verify, cache_dir, no_cache, json_output, events, quiet, threads
        The options.
    """
    del events  # opened before the arguments are read
    load_pyarrow()
    from sage_select.cache import cache_folder
    from sage_select.engine import Writing
    from sage_select.paths import streamed_end
    from sage_select.stages import Source
    from sage_select.train.launchers import started_processes

    if no_cache and cache_dir is not None:
        raise UsageError("--no-cache and --cache-dir contradict each other", hint="give one of them")
    if streamed_end(output) is not None:
        raise UsageError(f"{what} are written to a file, beside their manifest", got=output, hint="give a name with -o")
    with started_processes() as (processes, ignored):
        first, several = processes.is_first, processes.count > 1
        console = Console(quiet=quiet or not first, json_output=json_output and first)
        for text in ignored if first else ():
            console.notice(text.replace("a run", doing))
        if source["path"] is None:
            console.notice("no input named: using the built-in demo data")
            source["demo"] = True

        def writing() -> Writing:
            return Writing(
                output,
                console,
                force=force,
                overwrite_foreign=overwrite_foreign,
                verify=verify,
                threads=threads,
                cache=cache_folder(False if no_cache else cache_dir),
                processes=_joined(processes) if several else None,
            )

        is_demo = bool(source.get("demo"))
        outcome = work(Work(lambda: Source.make(**source), is_demo, several, console, writing))
    if outcome is not None:
        _report(outcome, did, told(outcome.manifest), console)


def _joined(processes: Any) -> Any:
    """Meet the other processes."""
    import torch

    processes.join(has_gpu=torch.cuda.is_available(), patience=_PATIENCE)
    return processes


def _report(outcome: Outcome, did: str, told: Mapping[str, object], console: Console) -> None:
    """Say what was written."""
    manifest = outcome.manifest
    held = sum(one.held for one in outcome.reused.values())
    rows = manifest["rows"]
    left = [f"{count:,} ({cause})" for cause, count in rows["dropped"].items() if count]
    rate = "; ".join(outcome.rates.values())
    facts: dict[str, object] = {
        "input": f"{manifest['source']['name']}, {counted(rows['in'], 'row')} ({manifest['shape']['name']})",
        did: counted(rows["kept"], "row") + (f"; left out: {', '.join(left)}" if left else ""),
        **told,
        **({"held": f"{held:,} rows in passes whose values were in the cache"} if held else {}),
        **({"model": rate} if rate else {}),
        "output": outcome.output,
        "manifest": outcome.manifest_path,
    }
    console.summary("cached: made before from the same rows in the same way" if outcome.cached else did, facts)
    console.result(
        {
            "cached": outcome.cached,
            "output": str(outcome.output),
            "rates": list(outcome.rates.values()),
            "manifest": manifest,
        }
    )
