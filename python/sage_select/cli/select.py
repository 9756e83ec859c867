"""The program `sage-select`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sage_select import __version__
from sage_select.cli.console import Console, run_program
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


@app.command("build", help=_BUILD_HELP, short_help="Select rows and write them.")
def build(
    source: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="INPUT",
            help="JSONL, CSV, Parquet or Arrow file, folder, glob, URL, or - (standard input); several are one pool.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            help="Where to write; the format follows the name: .arrow .arrows .parquet .jsonl, or a folder. "
            "[default: out.arrow]",
        ),
    ] = None,
    spec: Annotated[
        Path | None,
        typer.Option(
            help="A pipeline in YAML or TOML; options given here win over it, and none switches its quota, pin, "
            "exclude or tokenizer off."
        ),
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option(
            help="hybrid (by score and by diversity), diversity (rows that represent all), target (rows nearest to "
            "queries), threshold (the hardest rows, none too near to another), loss_topk (by score alone) or random. "
            "[default: auto, which is hybrid with scores and diversity without]"
        ),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            "--budget",
            "-k",
            help='How much to select: rows (300), a share (10%) or tokens ("200k tokens"). [default: 10%]',
        ),
    ] = None,
    clamp: Annotated[
        bool | None,
        typer.Option("--clamp/--no-clamp", help="Take what there is where the budget or a quota asks for more."),
    ] = None,
    quota: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN[=MIN:MAX]",
            help="At least and at most so many rows of each value of a column; without numbers as even as can be.",
        ),
    ] = None,
    balance: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="The same as --quota COLUMN: as even as can be.")
    ] = None,
    pin: Annotated[
        str | None, typer.Option(metavar="FILE", help="Rows to select in any case: a file with one id a line.")
    ] = None,
    exclude: Annotated[
        str | None, typer.Option(metavar="FILE", help="Rows never to select: a file with one id a line.")
    ] = None,
    tokenizer: Annotated[
        str | None,
        typer.Option(help="Whose tokens are counted, a model (path or repository). [default: words are counted]"),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Same input, settings and seed give the same bytes. [default: 0]")
    ] = None,
    objective: Annotated[
        str | None,
        typer.Option(
            help="What diversity maximises: facility (rows that represent all others), graph_cut (rows like many and "
            "unlike each other), kcenter (rows far apart), mmr (hard rows unlike those before), dpp (rows that span "
            "much), herding (rows whose mean is that of all), d2 (rows drawn by their distance from those before) or "
            "kmeans (the row in the middle of each of k cells). [default: facility]"
        ),
    ] = None,
    metric: Annotated[
        str | None, typer.Option(help="How vectors are compared: cosine, dot or sqeuclidean. [default: cosine]")
    ] = None,
    outlier_guard: Annotated[
        float | None,
        typer.Option(
            help="kcenter: the share of rows to leave out, the farthest from their region's middle. [default: 0.05]"
        ),
    ] = None,
    start: Annotated[
        int | None,
        typer.Option(help="kcenter: the row to begin with, counted from 0. [default: the lowest that is no outlier]"),
    ] = None,
    cut_lambda: Annotated[
        float | None,
        typer.Option(help="graph_cut: the larger, the more picks crowd where rows are dense. [default: 0.05]"),
    ] = None,
    k_nn: Annotated[
        int | None,
        typer.Option(help="facility, graph_cut: neighbours of a row, where there are over 20,000. [default: 64]"),
    ] = None,
    neighbors: Annotated[
        str | None, typer.Option(help="Who finds them: cells (our own search) or faiss. [default: cells]")
    ] = None,
    mmr_lambda: Annotated[
        float | None,
        typer.Option(help="mmr: 1 the hardest rows alone, 0 the least alike alone. [default: 0.5]"),
    ] = None,
    dpp_eps: Annotated[
        float | None,
        typer.Option(help="dpp: the larger, the sooner rows like those before come again. [default: 0.1]"),
    ] = None,
    dedup: Annotated[
        str | None,
        typer.Option(
            help="Leave out copies of earlier rows: exact (they say the same, but for white space), near (these, and "
            "rows whose vectors are almost the same) or none. Budgets are of the rows that stay. [default: exact]"
        ),
    ] = None,
    dedup_threshold: Annotated[
        float | None,
        typer.Option(
            help="near: the cosine similarity from which on a row repeats another; at 0.95 the same said in other "
            "words, at 0.8 much the same thing. [default: 0.95]"
        ),
    ] = None,
    score_share: Annotated[
        float | None, typer.Option(help="Share of a hybrid selection that is picked by score. [default: 0.6]")
    ] = None,
    score_mode: Annotated[
        str | None,
        typer.Option(
            help="How hybrid and loss_topk take rows by score: stratified (from every region of the data), top (the "
            "hardest) or band (the hardest between two quantiles). [default: stratified in hybrid, else top]"
        ),
    ] = None,
    score_quantile: Annotated[
        float | None, typer.Option(help="Which row of a region: 0 its easiest, 1 its hardest. [default: 0.25]")
    ] = None,
    score_band: Annotated[
        str | None,
        typer.Option(metavar="LOW:HIGH", help="The quantiles of a band; 0:0.9 leaves the hardest tenth out."),
    ] = None,
    queries: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="target: rows like those of INPUT to look for, or vectors of the encoder of --embeddings (.npy).",
        ),
    ] = None,
    query_column: Annotated[
        str | None, typer.Option(help="target: a column that is true for rows of INPUT which are the queries.")
    ] = None,
    target_rule: Annotated[
        str | None,
        typer.Option(
            help="target: round_robin (each query in turn), max (the nearest query counts) or mean (all do). "
            "[default: round_robin]"
        ),
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(help="threshold: from this similarity on a row is too near. [default: 0.9]")
    ] = None,
    scores: Annotated[str | None, typer.Option(help="A .npy file with one number a row.")] = None,
    score_column: Annotated[str | None, typer.Option(help="A column of the input that holds the score.")] = None,
    score_model: Annotated[
        str | None, typer.Option(help="A causal language model (path or repository): score by mean token loss.")
    ] = None,
    higher_is_harder: Annotated[
        bool | None,
        typer.Option("--higher-is-harder/--lower-is-harder", help="Which end of the score is hard. [default: higher]"),
    ] = None,
    embeddings: Annotated[
        str | None, typer.Option(help="A .npy file with one vector a row (float16, 32 or 64).")
    ] = None,
    embedding_column: Annotated[
        str | None, typer.Option(help="A list column of the input that holds the vector.")
    ] = None,
    embed_model: Annotated[
        str | None, typer.Option(help="A sentence-transformers model (path or repository); needs the embed extra.")
    ] = None,
    text_column: Annotated[str | None, typer.Option(help="The column to train on as plain text.")] = None,
    prompt_column: Annotated[str | None, typer.Option(help="The column with the prompt.")] = None,
    completion_column: Annotated[str | None, typer.Option(help="The column with the completion.")] = None,
    template: Annotated[str | None, typer.Option(help='Plain text from columns, such as "{title}\\n{body}".')] = None,
    id_column: Annotated[
        str | None, typer.Option(help="The column that names the rows; without it their content does.")
    ] = None,
    on_bad_row: Annotated[
        str | None, typer.Option(help="Rows that cannot be used: error (tells of all) or drop. [default: error]")
    ] = None,
    max_bad: Annotated[
        str | None, typer.Option(help="How many of them may be dropped: 20, or 1%. [default: 1%, or one row]")
    ] = None,
    rows: Annotated[
        bool | None, typer.Option("--rows/--no-rows", help="Write the story of every input row. [default: rows]")
    ] = None,
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
    explain: Annotated[bool, typer.Option("--explain", help="Say what would be done, read no row, and leave.")] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Say what would be done and about how much memory and time it would take, from a look at the input's "
            "footers and first piece, and leave: with exit code 5 where it would not fit.",
        ),
    ] = False,
    threads: Annotated[
        int | None, typer.Option(help="Threads to use. [default: SAGE_THREADS, else all cores]", min=1)
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print the result as one JSON object on stdout.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")] = False,
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
        _forecast(plan, console, force, overwrite_foreign, threads)
        return
    _run(plan, console, force, overwrite_foreign, verify, threads)


app.command("top", help=TOP_HELP, short_help="Write the first rows of a selection.")(top)
app.command("why", help=WHY_HELP, short_help="Say what became of one row.")(why)


def _forecast(plan: Pipeline, console: Console, force: bool, overwrite_foreign: bool, threads: int | None) -> None:
    from sage_select.forecast import forecast, refuse_what_cannot_fit, report, values
    from sage_select.plan import explain, fingerprint

    found = forecast(plan, force=force, overwrite_foreign=overwrite_foreign, threads=threads)
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
    from sage_select.ops import Dedup
    from sage_select.spec import load_spec

    outcome = run_build(plan, console, force=force, overwrite_foreign=overwrite_foreign, verify=verify, threads=threads)
    console.summary(
        "cached: made before by the same plan from the same input" if outcome.cached else "selected",
        build_facts(outcome),
    )
    if metrics := outcome.manifest.get("metrics"):
        subsets = metrics["random_subsets"]
        title = f"beside {subsets} random subsets of equal budget" if subsets else "beside nothing else to select"
        near = load_spec(outcome.manifest["spec"]).step(Dedup).near
        console.summary(title, evidence_facts(metrics, finds_near_copies=near))
    console.result({"cached": outcome.cached, "output": str(outcome.output), "manifest": outcome.manifest})


def main() -> None:
    """Run `sage-select`."""
    run_program(lambda: app(prog_name="sage-select", standalone_mode=False), SELECT_HABITS)
