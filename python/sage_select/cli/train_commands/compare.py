"""`sage-train compare`: which method is worth its rows, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from sage_select.cli.build_options import with_options
from sage_select.cli.console import Console
from sage_select.cli.subcommands import Subcommand
from sage_select.cli.train_habits import TrainCommand
from sage_select.cli.train_table import flags_among
from sage_select.errors import UsageError

if TYPE_CHECKING:
    from sage_select.comparison import Comparison
    from sage_select.comparison.cells import Cell
    from sage_select.pipeline import Stage

__all__ = ["COMMAND"]

_HELP: Final = """Train methods and their controls on as many tokens each, evaluate them on the same rows, judge them.

Every arm trains an adapter of its own from the same base model, under each seed, and that adapter is evaluated. Rows
that repeat rows to evaluate on, or nearly do, train no arm. An arm that fails is shown as failed, with its error. What
was done before in the output folder is not done again: a comparison that was stopped goes on when it is called again.

\b
ROWS are those to choose from, or a pipeline in YAML or TOML that reads and scores them. OUTPUT-DIR receives
  comparison.html   verdicts, figures with intervals, learning curves, what each arm took, with [report] installed
  comparison.md     the same in words, without it as well
  comparison.arrow  a row for each arm, seed and metric; comparison.json has all of it
  arms/             of each arm and seed its rows and its run

\b
Examples:
  sage-train compare --quick                           # the demo data and model, some minutes on a CPU
  sage-train compare --selection out.arrow --model ./base --eval-data heldout.jsonl     # is my selection worth it?
  sage-train compare rows.jsonl --methods A,B3,D --model ./base --eval-data heldout.jsonl --budget 10%
  sage-train compare rows.jsonl --methods mine --method-file mine.yaml --model ./base --eval-data heldout.jsonl
  sage-train compare rows.jsonl --full --model ./base --eval-data heldout.jsonl --task-column week

\b
Exit codes: 0 done, some arms perhaps failed; 2 bad arguments, 3 refused data, 4 output exists, 5 environment or every
arm failed, 130 interrupted.
"""
#: The settings of training that count here as well: the classes that declare them, and some of others.
_GROUPS: Final = ("ModelSettings", "AdapterSettings", "OptimisationSettings", "RowSettings")
_NAMES: Final = ("preset", "dataloader_workers")
_NOT: Final = ("from_adapter", "epochs", "max_steps", "schedule_file", "seed")
#: What --quick means: methods, tokens.
_QUICK: Final = (("A", "B1", "B2", "B3"), 60_000)
#: How many seeds, where nothing is said.
_SEEDS: Final = 3


def _other(*names: str, **about: Any) -> Any:
    return typer.Option(*names, rich_help_panel="Comparison", **about)


_OPTIONS: Final[Mapping[str, tuple[Any, Any]]] = {
    "rows": (
        Annotated[
            str | None,
            typer.Argument(metavar="ROWS", help="The rows to choose from, or a pipeline.", show_default=False),
        ],
        None,
    ),
    "methods": (
        Annotated[
            str | None,
            _other(
                "--methods", "--method", metavar="A,B3,...", help="What is compared; `sage-train methods` lists all."
            ),
        ],
        None,
    ),
    "method_file": (
        Annotated[list[Path] | None, _other(metavar="FILE", help="A method of one's own, several times.")],
        None,
    ),
    "selection": (
        Annotated[
            Path | None,
            _other(
                metavar="FILE",
                help="A selection, compared with as many rows drawn at random from where it was made of.",
            ),
        ],
        None,
    ),
    "eval_data": (
        Annotated[
            str | None,
            _other(metavar="FILE", help="The rows to evaluate on. [default: the built-in ones for the demo data]"),
        ],
        None,
    ),
    "evaluators": (
        Annotated[
            str,
            _other(
                metavar="auto|NAME,...",
                help="What is asked of each adapter: auto, all that apply to the rows, or names (`sage-train eval`).",
            ),
        ],
        "auto",
    ),
    "eval_turns": (
        Annotated[
            int, _other(min=0, help="Turns that are generated of those that call tools, and of those that do not.")
        ],
        200,
    ),
    "seeds": (Annotated[int | None, _other(min=1, help="How many seeds. [default: 3]")], None),
    "tokens": (
        Annotated[
            str | None,
            _other(
                help="Tokens that each arm consumes: 200k, 2M. [default: three passes over the rows of the smallest]"
            ),
        ],
        None,
    ),
    "budget": (
        Annotated[str | None, _other(help="Rows that methods select, 1000 or 10%, in place of what they say.")],
        None,
    ),
    "balance": (
        Annotated[
            str | None,
            _other(metavar="COLUMN", help="Also compare with rows drawn evenly over the values of this column."),
        ],
        None,
    ),
    "task_column": (
        Annotated[
            str | None,
            _other(metavar="COLUMN", help="Its values are the groups that come one after the other under C, D and L."),
        ],
        None,
    ),
    "parts": (Annotated[int, _other(min=2, help="Without it, parts of the rows in their order.")], 4),
    "teacher": (
        Annotated[str | None, _other(metavar="MODEL", help="Who teaches under G. [default: the model that A trains]")],
        None,
    ),
    "quick": (
        Annotated[bool, _other("--quick", help="A and B1 to B3, with three seeds and 60,000 tokens.")],
        False,
    ),
    "full": (Annotated[bool, _other("--full", help="All methods, with three seeds.")], False),
    "output_dir": (Annotated[Path, _other(metavar="FOLDER", help="The folder for all of it.")], Path("comparison")),
    "config": (
        Annotated[
            Path | None, _other(metavar="FILE", help="Settings of training, as `sage-train --config` takes them.")
        ],
        None,
    ),
    "json_output": (Annotated[bool, _other("--json", help="Print the result as one JSON object on stdout.")], False),
    "quiet": (Annotated[bool, _other("--quiet", "-q", help="Say nothing but errors.")], False),
}


@with_options(flags_among(_GROUPS, _NAMES, without=_NOT), _OPTIONS)
def compare(
    settings: dict[str, dict[str, Any]],
    *,
    rows: str | None,
    methods: str | None,
    method_file: list[Path] | None,
    selection: Path | None,
    eval_data: str | None,
    evaluators: str,
    eval_turns: int,
    seeds: int | None,
    tokens: str | None,
    budget: str | None,
    balance: str | None,
    task_column: str | None,
    parts: int,
    teacher: str | None,
    quick: bool,
    full: bool,
    output_dir: Path,
    config: Path | None,
    json_output: bool,
    quiet: bool,
) -> None:
    """Compare and report."""
    console = Console(quiet=quiet, json_output=json_output)
    if quick and full:
        raise UsageError("--quick and --full exclude each other", hint="choose one of them")
    asked = [one.strip() for one in (methods or "").split(",") if one.strip()]
    if not (quick or full or asked or selection):
        raise UsageError(
            "nothing is named to compare",
            expected="--methods, --selection, --quick or --full",
            hint="`sage-train compare --quick` tries it on the demo data",
        )
    consumed = _QUICK[1] if quick and tokens is None else _tokens(tokens)
    console.begin("sage-train: loading the training libraries")
    from sage_select.cli.train_settings import settings_of_comparison
    from sage_select.comparison import compare as compared
    from sage_select.methods import known_methods, named_methods

    known = known_methods(method_file or ())
    names = asked or (_QUICK[0] if quick else list(known) if full else [])
    pool, is_demo = _pool(console, rows, selection)
    config_of_all = settings_of_comparison(console, settings, config, is_demo=is_demo)
    found = compared(
        named_methods(names, known),
        _held_out(console, eval_data, is_demo=is_demo),
        config_of_all,
        pool=pool,
        selection=selection,
        output_dir=output_dir,
        seeds=range(seeds or _SEEDS),
        tokens=consumed,
        budget=budget or ("10%" if quick and is_demo else None),
        balance=balance,
        task_column=task_column,
        parts=parts,
        teacher=teacher,
        evaluators=evaluators,
        turns=eval_turns,
        stages=console.progress,
        notice=console.notice_once,
        told=lambda cell, done, count: _tell(console, cell, done, count),
    )
    _report(console, found)


def _pool(console: Console, rows: str | None, selection: Path | None) -> tuple[tuple[Stage, ...], bool]:
    """Return the stages that read the rows, none where the selection names them, and whether it is the demo data."""
    from sage_select import demo
    from sage_select.io import read_manifest
    from sage_select.paths import user_path
    from sage_select.pipeline.spec import load_spec
    from sage_select.stages import Sink, Source

    if rows is not None:
        if rows.endswith((".yaml", ".yml", ".toml")):
            steps = tuple(step for step in load_spec(user_path(Path(rows))).steps if not isinstance(step, Sink))
            return steps, bool(steps[0].settings().get("demo"))
        return (Source.make(path=rows),), False
    if selection is not None:
        path = user_path(selection)
        return (), path.exists() and demo.is_demo(read_manifest(path) or {})
    console.notice("no rows are named: using the built-in demo data")
    return (Source.make(demo=True),), True


def _held_out(console: Console, eval_data: str | None, *, is_demo: bool) -> Path:
    from sage_select.cli.measure import held_out_file

    found = held_out_file(console, eval_data, is_demo=is_demo)
    if found is None:
        raise UsageError("there are no rows to evaluate on", expected="--eval-data with rows that no arm trains on")
    return found


def _tokens(text: str | None) -> int | None:
    """Return a number of tokens as it is written: 200000, 200k, 2M."""
    if text is None:
        return None
    scale = {"k": 1_000, "m": 1_000_000}.get(text[-1:].lower(), 1)
    digits = text if scale == 1 else text[:-1]
    try:
        found = round(float(digits.replace(",", "").replace("_", "")) * scale)
    except (ValueError, OverflowError):
        found = 0
    if found < 1:
        raise UsageError("--tokens is no number of tokens", expected="such as 200000, 200k or 2M", got=text)
    return found


def _tell(console: Console, cell: Cell, done: int, count: int) -> None:
    said = f"FAILED: {cell.error}" if cell.error is not None else f"{cell.tokens:,} tokens in {cell.steps:,} steps"
    console.notice(f"{done} of {count}: {cell.arm}, seed {cell.seed}: {said}")


def _report(console: Console, found: Comparison) -> None:
    from sage_select.errors import ResourceError

    first, page = found.judgements[0].metric, found.folder / "comparison.html"
    verdicts: dict[str, object] = {}
    for name, figures, verdict in found.lines():
        mean = "" if figures.mean is None else f"{figures.mean:.4g}: "
        verdicts[name] = f"{mean}{verdict}"
    console.summary(f"{first.name}, {first.better} is better ({first.definition})", verdicts)
    console.summary(
        "compared",
        {
            "page": page if page.exists() else page.with_suffix(".md"),
            "tokens": f"{found.tokens:,} for each arm, {len(found.seeds)} seeds",
            "evaluated on": f"{found.rows:,} rows",
            **(
                {"failed": ", ".join(f"{cell.arm} (seed {cell.seed})" for cell in found.failed)} if found.failed else {}
            ),
        },
    )
    console.result(found.as_dict())
    if len(found.failed) == len(found.cells):
        raise ResourceError("every arm failed", got=found.failed[0].error, where=str(found.folder))


COMMAND: Final = Subcommand(
    compare, _HELP, "Say which method is worth its rows, and how sure that is.", TrainCommand, place=-1
)
