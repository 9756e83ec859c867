"""`sage-select score`: what a language model says of rows, as a table."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from sage_select.cli.build_options import RUNNING, with_options
from sage_select.cli.build_table import Table
from sage_select.cli.console import Console
from sage_select.cli.without_pandas import load_pyarrow
from sage_select.display import counted
from sage_select.errors import UsageError, nearest

if TYPE_CHECKING:
    from sage_select.engine import Outcome
    from sage_select.score import MeasureName
    from sage_select.scorers.model import Model

__all__ = ["SCORE_HELP", "score", "score_options"]

SCORE_HELP = """Write what a language model says of each row: a table with the ids of rows and a column a measure.

\b
One pass of the model gives the mean loss, perplexity, entropy, log-probability (mnlp) and error norm (el2n) over the
tokens that training would train, and how many these are. --ifd makes a second pass, over the answers without their
prompts; --reference-model a pass of another model, for learnability. docs/scores.md has the formulas.

\b
Without INPUT and without --model the built-in demo data is scored by the built-in demo model. What was stopped, or
killed, goes on where it was: blocks of 2,048 rows are held in the cache, and sage-select build --score-model finds them
there, too.

\b
Examples:
  sage-select score chats.jsonl --model ./small -o scores.arrow
  sage-select build chats.jsonl --scores scores.arrow --scores-column entropy --strategy loss_topk
  sage-select score chats.jsonl --model ./small --ifd -o scores.parquet
  sage-select score chats.jsonl --model ./base --adapter run/checkpoints/checkpoint-100 --reference-adapter run
  torchrun --nproc_per_node 2 --no-python sage-select score chats.jsonl --model ./small   # two share the blocks

\b
Exit codes: 0 done, 2 bad arguments, 3 refused data, 4 output exists, 5 environment, 130 interrupted.
"""

_WRITTEN: Final = "Scores"
_PREFIX: Final = "--score-"
#: How long one of several processes waits for the others, which may be busy with a block for hours.
_PATIENCE: Final = timedelta(days=7)

#: The options that set nothing of the source or the model.
_OPTIONS: Final[Mapping[str, tuple[Any, Any]]] = {
    "measures": (
        Annotated[
            list[str] | None,
            typer.Option(
                "--measure",
                metavar="NAME",
                help="Write this measure alone; several times. [default: all that the passes give]",
                show_default=False,
                rich_help_panel=_WRITTEN,
            ),
        ],
        None,
    ),
    "ifd": (
        Annotated[
            bool,
            typer.Option(
                "--ifd", help="Instruction-following difficulty, too: a second pass.", rich_help_panel=_WRITTEN
            ),
        ],
        False,
    ),
    "output": (
        Annotated[
            str,
            typer.Option(
                "--output",
                "-o",
                metavar="PATH",
                help="Where to write; the format follows the name.",
                rich_help_panel=_WRITTEN,
            ),
        ],
        "scores.arrow",
    ),
    **{
        name: RUNNING[name]
        for name in (
            "force",
            "overwrite_foreign",
            "verify",
            "cache_dir",
            "no_cache",
            "json_output",
            "events",
            "quiet",
        )
    },
}


def score_options(table: Table) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that gives `score` its options: those of the source, and of the scorer `model`.

    The latter are called as in a build, without `--score-` where that begins them.
    """
    flags = [flag for flag in table.flags if flag.stage == "source"]
    flags += [
        flag._replace(spelling=f"--{flag.spelling.removeprefix(_PREFIX)}", group="Model")
        for flag in table.flags
        if flag.stage == "score" and "model" in flag.group.split() and flag.setting != "score_measure"
    ]
    return with_options(flags, _OPTIONS)


def score(
    settings: dict[str, dict[str, Any]],
    *,
    measures: list[str] | None,
    ifd: bool,
    output: str,
    force: bool,
    overwrite_foreign: bool,
    verify: bool,
    cache_dir: Path | None,
    no_cache: bool,
    json_output: bool,
    events: str | None,
    quiet: bool,
) -> None:
    """Score rows and write the table."""
    del events  # opened before the arguments are read
    load_pyarrow()
    from sage_select.cache import cache_folder
    from sage_select.engine import write_scores
    from sage_select.paths import streamed_end
    from sage_select.stages import Source
    from sage_select.train.launchers import started_processes

    if no_cache and cache_dir is not None:
        raise UsageError("--no-cache and --cache-dir contradict each other", hint="give one of them")
    if streamed_end(output) is not None:
        raise UsageError("scores are written to a file, beside their manifest", got=output, hint="give a name with -o")
    with started_processes() as (processes, told):
        first = processes.is_first
        console = Console(quiet=quiet or not first, json_output=json_output and first)
        for text in told if first else ():
            console.notice(text.replace("a run", "scoring"))
        given = settings["source"]
        if given["path"] is None:
            console.notice("no input named: using the built-in demo data")
            given["demo"] = True
        scorer = _scorer(settings["score"], console, is_demo=bool(given.get("demo")))
        wanted = _measures(measures, scorer, ifd=ifd)
        source = Source.make(**given)
        console.begin(f"sage-select: scoring with {scorer.model}")
        several = processes.count > 1
        outcome = write_scores(
            source,
            scorer,
            wanted,
            output,
            console,
            force=force,
            overwrite_foreign=overwrite_foreign,
            verify=verify,
            cache=cache_folder(False if no_cache else cache_dir),
            processes=_joined(processes) if several else None,
            device=_own_device(scorer) if several else None,
        )
    if outcome is not None:
        _report(outcome, console)


def _scorer(settings: Mapping[str, Any], console: Console, *, is_demo: bool) -> Model:
    """Return the scorer that the options describe."""
    from sage_select import demo
    from sage_select.scorers.model import Model

    given = {name: value for name, value in settings.items() if value is not None}
    if "model" not in given:
        if not is_demo:
            raise UsageError("no model is named", expected="--model with a folder or the name of a repository")
        console.notice("no model named: using the built-in demo model")
        given["model"] = str(demo.model_path())
    if "reference_model" in given or "reference_adapter" in given:
        given["score_measure"] = "learnability"
    return Model.of(given, {name: f"--{name.removeprefix('score_').replace('_', '-')}" for name in Model.model_fields})


def _measures(names: list[str] | None, scorer: Model, *, ifd: bool) -> list[MeasureName]:
    """Return the measures to write, in the order in which they are declared."""
    from sage_select.score import MEASURES

    has_reference = scorer.reference is not None
    for name in names or ():
        measure = next((one for known, one in MEASURES.items() if known == name), None)
        if measure is None:
            raise UsageError(
                f"there is no measure {name!r}", expected=", ".join(MEASURES), hint=nearest(name, MEASURES)
            )
        if measure.further == "reference" and not has_reference:
            raise UsageError(
                "learnability is the loss beyond that of another model",
                expected="--reference-model, or --reference-adapter",
            )
    passes = {None, *(["answers"] if ifd else []), *(["reference"] if has_reference else [])}
    asked = {name for name in MEASURES if (name in names if names else MEASURES[name].further in passes)}
    further = {name for name in MEASURES if MEASURES[name].further is not None and MEASURES[name].further in passes}
    return [name for name in MEASURES if name in asked | further]


def _joined(processes: Any) -> Any:
    """Meet the other processes."""
    import torch

    processes.join(has_gpu=torch.cuda.is_available(), patience=_PATIENCE)
    return processes


def _own_device(scorer: Model) -> str | None:
    """Return the device of one of several processes: each has a GPU of its own, if there are any."""
    import torch

    if scorer.score_device is not None or not torch.cuda.is_available():
        return None
    return f"cuda:{os.environ.get('LOCAL_RANK', '0')}"


def _report(outcome: Outcome, console: Console) -> None:
    """Say what was written."""
    manifest = outcome.manifest
    held = sum(one.held for one in outcome.reused.values())
    rows = manifest["rows"]
    left = [f"{count:,} ({cause})" for cause, count in rows["dropped"].items() if count]
    rate = "; ".join(outcome.rates.values())
    facts: dict[str, object] = {
        "input": f"{manifest['source']['name']}, {counted(rows['in'], 'row')} ({manifest['shape']['name']})",
        "scored": counted(rows["kept"], "row") + (f"; left out: {', '.join(left)}" if left else ""),
        "measures": ", ".join(
            name if one["higher_is_harder"] else f"{name} (lower is harder)" for name, one in manifest["scores"].items()
        ),
        **({"held": f"{held:,} rows in passes whose figures were in the cache"} if held else {}),
        **({"model": rate} if rate else {}),
        "output": outcome.output,
        "manifest": outcome.manifest_path,
    }
    console.summary("cached: made before from the same rows by the same model" if outcome.cached else "scored", facts)
    console.result(
        {
            "cached": outcome.cached,
            "output": str(outcome.output),
            "rates": list(outcome.rates.values()),
            "manifest": manifest,
        }
    )
