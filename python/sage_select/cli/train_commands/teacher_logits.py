"""`sage-train teacher-logits`: what a teacher would say at each trained token, stored for students."""

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

_HELP: Final = """Store the most likely tokens of a teacher at each trained token of a selection.

With --method distillation a student learns from them, and the teacher is not in memory then. A trained token takes 6
bytes for each of the K tokens, 384 at K = 64, and 4 for each temperature. What was stopped, or killed, goes on where it
was when it is called again.

\b
Examples:
  sage-train teacher-logits --selection out.arrow --model ./teacher --output teacher.arrow
  sage-train --selection out.arrow --model ./model --method distillation --teacher-logits teacher.arrow
  sage-train teacher-logits --selection out.arrow --model ./teacher --student ./model --output teacher.arrow --k 16

\b
Exit codes: 0 done, 2 bad arguments, 3 refused data, 4 output exists, 5 environment, 130 interrupted.
"""
#: The settings of training that count here as well: the classes that declare them, and some of others.
_GROUPS: Final = ("CommandSettings", "ModelSettings", "RowSettings")
_NAMES: Final = ("batch_size",)
_NOT: Final = ("torch_compile", "max_dropped", "max_truncated")


def _other(*names: str, **about: Any) -> Any:
    return typer.Option(*names, rich_help_panel="Command", **about)


_OPTIONS: Final[Mapping[str, tuple[Any, Any]]] = {
    "output": (Annotated[Path | None, _other("--output", "-o", metavar="FILE", help="The file to write.")], None),
    "k": (Annotated[int, _other("--k", min=1, help="Tokens to store of each distribution.")], 64),
    "temperature": (
        Annotated[
            list[float] | None,
            _other(
                "--temperature",
                help="A --distillation-temperature at which the file can be used; repeatable. [default: 1 and 2]",
            ),
        ],
        None,
    ),
    "teacher_adapter": (
        Annotated[Path | None, _other(metavar="FOLDER", help="Adapter, or run, that the teacher has.")],
        None,
    ),
    "student": (
        Annotated[
            str | None,
            _other(
                help="Model by whose tokenizer and chat template rows are written. [default: the teacher]",
            ),
        ],
        None,
    ),
    "force": (Annotated[bool, _other("--force", help="Replace teacher logits of something else.")], False),
    "json_output": (Annotated[bool, _other("--json", help="Print the result as one JSON object on stdout.")], False),
    "quiet": (Annotated[bool, _other("--quiet", "-q", help="Say nothing but errors.")], False),
}


@with_options(flags_among(_GROUPS, _NAMES, without=_NOT), _OPTIONS)
def teacher_logits(
    settings: dict[str, dict[str, Any]],
    *,
    output: Path | None,
    k: int,
    temperature: list[float] | None,
    teacher_adapter: Path | None,
    student: str | None,
    force: bool,
    json_output: bool,
    quiet: bool,
) -> None:
    """Ask the teacher and report."""
    console = Console(quiet=quiet, json_output=json_output)
    if output is None:
        raise UsageError("no output is named", expected="--output with a file to write, such as teacher.arrow")
    if any(not 0 < one < float("inf") for one in temperature or ()):
        raise UsageError("a temperature is above 0", got=", ".join(f"{one:g}" for one in temperature or ()))
    console.begin("sage-train: loading the training libraries")
    from sage_select.cli.train_settings import settings_of_teacher
    from sage_select.train.distilling.write import size_of
    from sage_select.train.distilling.write import teacher_logits as stored

    selection, config = settings_of_teacher(settings)
    result = stored(
        selection,
        output,
        config,
        k=k,
        temperatures=sorted(set(temperature or (1.0, 2.0))),
        adapter=teacher_adapter,
        student=student,
        force=force,
        stages=console.progress,
        notice=console.notice,
    )
    console.summary(
        "stored before: the same file is there" if result.cached else "stored",
        {
            "file": result.output,
            "of": f"{result.trained_tokens:,} trained tokens of {result.examples:,} examples",
            "takes": size_of(result.bytes),
        },
    )
    console.result(result.as_dict())


COMMAND: Final = Subcommand(teacher_logits, _HELP, "Store what a teacher would say at each trained token.")
