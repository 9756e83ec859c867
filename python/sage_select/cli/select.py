"""The program `sage-select`."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sage_select import __version__
from sage_select.cli import build_options as options
from sage_select.cli.console import Console, run_program
from sage_select.cli.groups import GroupedCommand, Program
from sage_select.cli.habits import SELECT_HABITS
from sage_select.cli.streams import emit
from sage_select.cli.top import TOP_HELP, top
from sage_select.cli.why import WHY_HELP, why
from sage_select.errors import UsageError

if TYPE_CHECKING:
    from sage_select.spec import Pipeline

__all__ = ["app", "main"]

app = typer.Typer(
    name="sage-select",
    cls=Program,
    help="Pick the rows worth fine-tuning a language model on.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_BUILD_HELP = """Select rows and write them, with a manifest, to OUTPUT.

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
  sage-select build chats.jsonl --strategy target --queries tasks.jsonl
  sage-select build --spec sage.yaml --explain         # say what would be done
  sage-select build chats.jsonl --dry-run              # and what it would take

\b
Another order of the same rows may change which are picked of equally good ones, and no more, since draws and starts
follow the ids of rows:
  random                         nothing
  loss_topk, threshold           which of equal scores
  target                         which of equally near rows
  diversity                      what it changes in the objective
  hybrid                         which of equal scores, and what it changes in the objective
  facility, graph_cut, herding   which of nearly equally good rows (their sums are rounded)
  kcenter, mmr, dpp, d2, kmeans  which of equally good rows

\b
Exit codes: 0 done, 2 bad arguments, 3 refused data, 4 output exists, 5 environment, 130 interrupted.
"""


def _print_version(asked: bool) -> None:
    if asked:
        emit(f"sage-select {__version__}\n")
        raise typer.Exit


@app.callback()
def _program(
    _version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and leave.", is_eager=True, callback=_print_version),
    ] = False,
) -> None:
    """Pick the rows worth fine-tuning a language model on."""


@app.command("build", cls=GroupedCommand, help=_BUILD_HELP, short_help="Select rows and write them.")
def build(
    source: options.Input = None,
    text_column: options.TextColumn = None,
    prompt_column: options.PromptColumn = None,
    completion_column: options.CompletionColumn = None,
    template: options.Template = None,
    id_column: options.IdColumn = None,
    spec: options.Spec = None,
    on_bad_row: options.OnBadRow = None,
    max_bad: options.MaxBad = None,
    encoding: options.Encoding = None,
    delimiter: options.Delimiter = None,
    dedup: options.Dedup = None,
    dedup_threshold: options.DedupThreshold = None,
    scores: options.Scores = None,
    score_column: options.ScoreColumn = None,
    score_model: options.ScoreModel = None,
    higher_is_harder: options.HigherIsHarder = None,
    embeddings: options.Embeddings = None,
    embedding_column: options.EmbeddingColumn = None,
    embed_model: options.EmbedModel = None,
    metric: options.Metric = None,
    strategy: options.Strategy = None,
    budget: options.Budget = None,
    clamp: options.Clamp = None,
    seed: options.Seed = None,
    quota: options.Quota = None,
    balance: options.Balance = None,
    pin: options.Pin = None,
    exclude: options.Exclude = None,
    tokenizer: options.Tokenizer = None,
    objective: options.Objective = None,
    outlier_guard: options.OutlierGuard = None,
    start: options.Start = None,
    cut_lambda: options.CutLambda = None,
    k_nn: options.KNn = None,
    neighbors: options.Neighbors = None,
    mmr_lambda: options.MmrLambda = None,
    dpp_eps: options.DppEps = None,
    score_share: options.ScoreShare = None,
    score_mode: options.ScoreMode = None,
    score_quantile: options.ScoreQuantile = None,
    score_band: options.ScoreBand = None,
    queries: options.Queries = None,
    query_column: options.QueryColumn = None,
    target_rule: options.TargetRule = None,
    threshold: options.Threshold = None,
    output: options.Output = None,
    rows: options.Rows = None,
    force: options.Force = False,
    overwrite_foreign: options.OverwriteForeign = False,
    verify: options.Verify = True,
    explain: options.Explain = False,
    dry_run: options.DryRun = False,
    threads: options.Threads = None,
    json_output: options.JsonOutput = False,
    quiet: options.Quiet = False,
) -> None:
    """Build the pipeline the options describe and run it."""
    from sage_select.cli.pipeline import plan_of
    from sage_select.plan import explain as explain_plan
    from sage_select.plan import fingerprint

    if explain and dry_run:
        raise UsageError("--explain and --dry-run contradict each other", hint="--dry-run explains as well")
    if quota is not None and balance is not None:
        raise UsageError("give --quota or --balance, not both", hint="--balance COLUMN is --quota COLUMN")
    console = Console(quiet=quiet, json_output=json_output)
    settings: dict[str, dict[str, Any]] = {
        "source": {
            "path": source or None,
            "text_column": text_column,
            "prompt_column": prompt_column,
            "completion_column": completion_column,
            "template": template,
            "id_column": id_column,
            "on_bad_row": on_bad_row,
            "max_bad": max_bad,
            "encoding": encoding,
            "delimiter": delimiter,
        },
        "dedup": {"mode": dedup, "threshold": dedup_threshold},
        "score": {
            "file": scores,
            "column": score_column,
            "model": score_model,
            "higher_is_harder": higher_is_harder,
        },
        "embed": {"file": embeddings, "column": embedding_column, "model": embed_model},
        "select": {
            "strategy": strategy,
            "budget": budget,
            "clamp": clamp,
            "objective": objective,
            "metric": metric,
            "outlier_guard": outlier_guard,
            "start": start,
            "cut_lambda": cut_lambda,
            "k_nn": k_nn,
            "neighbors": neighbors,
            "mmr_lambda": mmr_lambda,
            "dpp_eps": dpp_eps,
            "score_share": score_share,
            "score_mode": score_mode,
            "score_quantile": score_quantile,
            "score_band": score_band,
            "queries": queries,
            "query_column": query_column,
            "target_rule": target_rule,
            "threshold": threshold,
            "quota": balance if quota is None else quota,
            "pin": pin,
            "exclude": exclude,
            "tokenizer": tokenizer,
        },
        "sink": {"path": output, "rows": rows},
    }
    plan = plan_of(settings, seed, spec, console)
    if explain:
        console.answer(explain_plan(plan))
        console.result({"plan": fingerprint(plan), "spec": plan.to_dict(), "explain": explain_plan(plan).split("\n")})
        return
    if dry_run:
        _forecast(plan, console, force, overwrite_foreign, verify, threads)
        return
    _run(plan, console, force, overwrite_foreign, verify, threads)


app.command("top", help=TOP_HELP, short_help="Write the first rows of a selection.")(top)
app.command("why", help=WHY_HELP, short_help="Say what became of one row.")(why)


def _forecast(
    plan: Pipeline, console: Console, force: bool, overwrite_foreign: bool, verify: bool, threads: int | None
) -> None:
    from sage_select.forecast import forecast, refuse_what_cannot_fit, report, values
    from sage_select.plan import explain, fingerprint

    found = forecast(plan, force=force, overwrite_foreign=overwrite_foreign, verify=verify, threads=threads)
    console.answer(f"{explain(plan)}\n\n{report(found)}")
    console.known({"plan": fingerprint(plan), "spec": plan.to_dict(), "forecast": values(found)})
    refuse_what_cannot_fit(found)
    console.result({})


def _run(
    plan: Pipeline, console: Console, force: bool, overwrite_foreign: bool, verify: bool, threads: int | None
) -> None:
    from sage_select.cli.evidence import evidence_facts
    from sage_select.cli.standard_output import run_build
    from sage_select.cli.summary import build_facts
    from sage_select.io.manifest import manifest_refused
    from sage_select.ops import Dedup
    from sage_select.spec import load_spec

    outcome = run_build(plan, console, force=force, overwrite_foreign=overwrite_foreign, verify=verify, threads=threads)
    title = "cached: made before by the same plan from the same input" if outcome.cached else "selected"
    # What was made before may be a file that somebody else wrote.
    with manifest_refused(outcome.manifest_path) if outcome.cached else nullcontext():
        summaries: dict[str, Mapping[str, object]] = {title: build_facts(outcome)}
        if metrics := outcome.manifest.get("metrics"):
            subsets = metrics["random_subsets"]
            title = f"beside {subsets} random subsets of equal budget" if subsets else "beside nothing else to select"
            near = load_spec(outcome.manifest["spec"]).step(Dedup).near
            summaries[title] = evidence_facts(metrics, finds_near_copies=near)
    for title, facts in summaries.items():
        console.summary(title, facts)
    console.result({"cached": outcome.cached, "output": str(outcome.output), "manifest": outcome.manifest})


def main() -> None:
    """Run `sage-select`."""
    run_program(lambda: app(prog_name="sage-select", standalone_mode=False), SELECT_HABITS)
