"""`sage-train teacher-outputs`: a selection with the answers of a teacher in place of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from sage_select.cli.build_options import with_options
from sage_select.cli.console import Console
from sage_select.cli.subcommands import Subcommand
from sage_select.cli.train_table import flags_among
from sage_select.errors import UsageError

__all__ = ["COMMAND"]

_HELP: Final = """Have a teacher answer each row of a selection anew, and write the rows with its answers.

A student is trained on the file as it is, and may have another tokenizer and template than the teacher (distillation
on the level of sequences, arXiv 1606.07947). Of each row the last answer is replaced; all else stays. A row is dropped,
and counted, where the teacher comes to no end, says nothing, or says what cannot be read back as a message; what it
wrote stands in FILE.rows.parquet. What was stopped, or killed, goes on where it was when it is called again.

\b
Examples:
  sage-train teacher-outputs --selection out.arrow --model ./teacher --output taught.arrow
  sage-train --selection taught.arrow --model ./model
  sage-train teacher-outputs --selection out.arrow --model ./teacher --output taught.arrow --temperature 0.7 --seed 1

\b
Exit codes: 0 done, 2 bad arguments, 3 refused data, 4 output exists, 5 environment, 130 interrupted.
"""
#: The settings of training that count here as well: the classes that declare them, and some of others.
_GROUPS: Final = ("CommandSettings", "ModelSettings", "RowSettings")
_NAMES: Final = ("batch_size",)
_NOT: Final = (
    "torch_compile",
    "text_column",
    "template",
    "max_length",
    "on_long_row",
    "thinking_history",
    "on_lost_words",
    "max_truncated",
)
#: Above it answers are noise.
_HOTTEST: Final = 5.0


def _other(*names: str, **about: Any) -> Any:
    return typer.Option(*names, rich_help_panel="Command", **about)


_OPTIONS: Final[Mapping[str, tuple[Any, Any]]] = {
    "output": (Annotated[Path | None, _other("--output", "-o", metavar="FILE", help="The file to write.")], None),
    "max_new_tokens": (
        Annotated[int, _other("--max-new-tokens", min=1, help="Tokens of an answer at most; longer ones are dropped.")],
        512,
    ),
    "temperature": (
        Annotated[
            float,
            _other(
                "--temperature",
                help="0 for the likeliest token each time; above it tokens are drawn, each row's by its id, of the "
                "likeliest that have 95% in all.",
            ),
        ],
        0.0,
    ),
    "seed": (Annotated[int, _other("--seed", min=0, help="Of the draws.")], 0),
    "teacher_adapter": (
        Annotated[Path | None, _other(metavar="FOLDER", help="Adapter, or run, that the teacher has.")],
        None,
    ),
    "force": (Annotated[bool, _other("--force", help="Replace teacher outputs of something else.")], False),
    "json_output": (Annotated[bool, _other("--json", help="Print the result as one JSON object on stdout.")], False),
    "quiet": (Annotated[bool, _other("--quiet", "-q", help="Say nothing but errors.")], False),
}


@with_options(flags_among(_GROUPS, _NAMES, without=_NOT), _OPTIONS)
def teacher_outputs(
    settings: dict[str, dict[str, Any]],
    *,
    output: Path | None,
    max_new_tokens: int,
    temperature: float,
    seed: int,
    teacher_adapter: Path | None,
    force: bool,
    json_output: bool,
    quiet: bool,
) -> None:
    """Ask the teacher and report."""
    console = Console(quiet=quiet, json_output=json_output)
    if output is None:
        raise UsageError("no output is named", expected="--output with a file to write, such as taught.arrow")
    if not 0 <= temperature <= _HOTTEST:
        raise UsageError("a temperature is 0 to 5", got=f"{temperature:g}")
    if seed and not temperature:
        raise UsageError("--seed is that of draws, and at --temperature 0 nothing is drawn", hint="leave it out")
    console.begin("sage-train: loading the training libraries")
    from sage_select.cli.train_settings import settings_of_teacher
    from sage_select.teaching.write import teacher_outputs as taught
    from sage_select.train.row_summary import counts_by_reason

    selection, config = settings_of_teacher(settings)
    result = taught(
        selection,
        output,
        config,
        max_new_tokens=max_new_tokens,
        temperature=temperature,
        seed=seed,
        adapter=teacher_adapter,
        force=force,
        stages=console.progress,
        notice=console.notice,
    )
    console.summary(
        "taught before: the same file is there" if result.cached else "taught",
        {
            "file": result.output,
            "rows": f"{result.rows:,} of {result.rows_in:,} have an answer of the teacher, {result.tokens:,} tokens",
            **({"dropped": counts_by_reason(result.dropped)} if result.dropped else {}),
        },
    )
    console.result(result.as_dict())


COMMAND: Final = Subcommand(teacher_outputs, _HELP, "Have a teacher answer the rows of a selection anew.")
