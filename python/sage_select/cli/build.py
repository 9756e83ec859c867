"""`sage-select build`: select rows and write them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sage_select.cli.build_options import RUNNING
from sage_select.cli.build_table import Table
from sage_select.cli.console import Console
from sage_select.cli.plan import show_plan
from sage_select.cli.without_pandas import load_pyarrow
from sage_select.errors import UsageError

if TYPE_CHECKING:
    from sage_select.engine import Outcome
    from sage_select.pipeline import Pipeline

__all__ = ["PLANNING", "build", "build_help", "plan"]

#: The options of `plan` that set nothing of a stage.
PLANNING: Final = {name: option for name, option in RUNNING.items() if name not in ("explain", "dry_run")}
_SPECS: Final = (".yaml", ".yml", ".toml")

_HELP = """Select rows and write them, with a manifest, to OUTPUT.

\b
Without INPUT the folder's sage.yaml or sage.toml is run; without that, the built-in demo data is used.

\b
Examples:
  sage-select build                                    # the demo data
  sage-select build chats.jsonl --budget 10%           # by diversity, as there are no scores
  sage-select build chats.parquet --strategy diversity --embeddings vectors.npy -o picks.parquet
  sage-select build chats.jsonl --dedup near           # without near copies, too
  sage-select build q.csv --prompt-column Query --completion-column Tool --score-column loss
  sage-select build chats.jsonl --budget "200k tokens" --quota source=10: --pin keep.txt
  sage-select build web.jsonl book.jsonl --mix source=web:0.7,book:0.3 -k 100%
  sage-select build chats.jsonl --strategy target --queries tasks.jsonl
  sage-select build chats.jsonl --dry-run              # what would be done, and what that would take

\b
Another order of the same rows may change which are picked of equally good ones, and no more, since draws and starts
follow the ids of rows:
ORDERS

\b
Exit codes: 0 done, 2 bad arguments, 3 refused data, 4 output exists, 5 environment, 130 interrupted.
"""


def build_help(table: Table) -> str:
    """Return the help: for each rule what another order of the rows may change, a line each."""
    lines = [(", ".join(names), change) for change, names in table.another_order.items()]
    width = max(len(names) for names, _ in lines)
    return _HELP.replace("ORDERS", "\n".join(f"  {names:<{width}}  {change}" for names, change in lines))


def build(
    settings: dict[str, dict[str, Any]],
    table: Table,
    *,
    always: Collection[str] = (),
    balance: str | None,
    seed: int | None,
    spec: Path | None,
    force: bool,
    overwrite_foreign: bool,
    verify: bool,
    cache_dir: Path | None,
    no_cache: bool,
    explain: bool,
    dry_run: bool,
    threads: int | None,
    json_output: bool,
    events: str | None,
    quiet: bool,
) -> None:
    """Build the pipeline the options describe and run it, or only say what it would do.

    `always` names stages that are there whether an option names them or not.
    """
    del events  # opened before the arguments are read, so that a mistake in them is an event as well
    load_pyarrow()
    from sage_select.cache import cache_folder
    from sage_select.cli.pipeline import plan_of

    if no_cache and cache_dir is not None:
        raise UsageError("--no-cache and --cache-dir contradict each other", hint="give one of them")
    if balance is not None:
        if settings["select"]["quota"] is not None:
            raise UsageError("give --quota or --balance, not both", hint="--balance COLUMN is --quota COLUMN")
        settings["select"]["quota"] = balance
    console = Console(quiet=quiet, json_output=json_output)
    plan = plan_of(settings, table, seed, spec, console, always=always)
    folder = cache_folder(False if no_cache else cache_dir)
    options = {"force": force, "overwrite_foreign": overwrite_foreign, "verify": verify, "threads": threads}
    if explain or dry_run:
        show_plan(plan, console, folder, **options)
        return
    _run(plan, console, cache=folder, **options)


def plan(settings: dict[str, dict[str, Any]], table: Table, *, spec: Path | None, **running: Any) -> None:
    """Say what a build with these options would do; an input that is a spec is run as one."""
    named = settings["source"]["path"] or []
    if spec is None and len(named) == 1 and named[0].lower().endswith(_SPECS):
        spec, settings["source"]["path"] = Path(named[0]), None
    build(settings, table, spec=spec, explain=True, dry_run=True, **running)


def _run(plan: Pipeline, console: Console, **options: Any) -> None:
    from sage_select.cli.evidence import evidence_facts
    from sage_select.cli.standard_output import written
    from sage_select.cli.summary import build_facts, stage_facts, stage_lines
    from sage_select.engine import run
    from sage_select.io.commit.manifest import manifest_refused
    from sage_select.pipeline.spec import load_spec
    from sage_select.stages import Dedup, Sink

    target = plan.step(Sink).path

    def write(path: str) -> Outcome:
        # Beside standard output a row report has no place.
        return run(plan if path == target else plan.replaced(Sink.make(path=path, rows=False)), console, **options)

    outcome = written(target, console, write)
    title = "cached: made before by the same plan from the same input" if outcome.cached else "selected"
    # What was made before may be a file that somebody else wrote.
    with manifest_refused(outcome.manifest_path) if outcome.cached else nullcontext():
        stages = stage_facts(outcome)
        for one in stages if outcome.cached else ():
            console.stage(one.stage, "cached", (one.rows_in, one.rows_out))
        summaries: dict[str, Mapping[str, object]] = {
            title: build_facts(outcome),
            "stages": stage_lines(stages, outcome.rates),
        }
        if metrics := outcome.manifest.get("metrics"):
            subsets = metrics["random_subsets"]
            title = f"beside {subsets} random subsets of equal budget" if subsets else "beside nothing else to select"
            dedup = load_spec(outcome.manifest["spec"]).find(Dedup)
            near = dedup is not None and dedup.near
            summaries[title] = evidence_facts(metrics, finds_near_copies=near)
    for title, facts in summaries.items():
        if facts:
            console.summary(title, facts)
    console.result(
        {
            "cached": outcome.cached,
            "output": str(outcome.output),
            "stages": [one._asdict() for one in stages],
            "manifest": outcome.manifest,
        }
    )
