"""`sage-select score`: what a language model says of rows, as a table."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from sage_select.cli.build_options import with_options
from sage_select.cli.build_table import Table
from sage_select.cli.console import Console
from sage_select.cli.row_table import Work, table_options, write_table
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
    **table_options(_WRITTEN, "scores.arrow"),
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
    **options: Any,
) -> None:
    """Score rows and write the table."""

    def work(on: Work) -> Outcome | None:
        from sage_select.engine import write_scores

        scorer = _scorer(settings["score"], on.console, is_demo=on.is_demo)
        wanted = _measures(measures, scorer, ifd=ifd)
        source = on.source()
        on.console.begin(f"sage-select: scoring with {scorer.model}")
        return write_scores(source, scorer, wanted, on.writing(), device=_own_device(scorer) if on.several else None)

    def told(manifest: Mapping[str, Any]) -> dict[str, object]:
        names = [
            name if one["higher_is_harder"] else f"{name} (lower is harder)" for name, one in manifest["scores"].items()
        ]
        return {"measures": ", ".join(names)}

    write_table(settings["source"], "scores", "scoring", "scored", work, told, **options)


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


def _own_device(scorer: Model) -> str | None:
    """Return the device of one of several processes: each has a GPU of its own, if there are any."""
    import torch

    if scorer.score_device is not None or not torch.cuda.is_available():
        return None
    return f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
