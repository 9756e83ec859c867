"""`sage-train merge`: a base model with an adapter in its weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, cast

import typer

from sage_select.cli.console import Console
from sage_select.cli.subcommands import Subcommand
from sage_select.errors import UsageError

if TYPE_CHECKING:
    from sage_select.train.settings.model import Precision

__all__ = ["COMMAND", "merge"]

_HELP: Final = """Write the base model with an adapter in its weights, for programs that load no adapters.

The base model is loaded in full precision, never in the few bits that it may have been trained in, and the written
model is compared with base and adapter on some tokens. The folder appears whole or not at all.

\b
Examples:
  sage-train merge runs/a --output merged
  sage-train merge runs/a/lora_weights --output merged --dtype bf16 --model Qwen/Qwen2.5-0.5B-Instruct

\b
Exit codes: 0 done, 2 bad arguments, 3 refused data, 4 output exists, 5 environment, 130 interrupted.
"""
_DTYPES: Final = ("bf16", "fp16", "fp32")


def merge(
    adapter: Annotated[
        Path, typer.Argument(metavar="ADAPTER", help="The output folder of a run, or the folder of an adapter.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the model.")],
    model: Annotated[
        str | None, typer.Option(help="Folder or repository of the base model. [default: the one the adapter names]")
    ] = None,
    dtype: Annotated[
        str | None,
        typer.Option(metavar="[bf16|fp16|fp32]", help="How weights are written. [default: as the base model's are]"),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a model that was merged before.")] = False,
    json_output: Annotated[bool, typer.Option("--json", help="Print the result as one JSON object on stdout.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")] = False,
) -> None:
    """Merge, compare and report."""
    console = Console(quiet=quiet, json_output=json_output)
    if dtype is not None and dtype not in _DTYPES:
        raise UsageError("--dtype is no precision", expected=", ".join(_DTYPES), got=dtype)
    console.begin("sage-train: loading the training libraries")
    from sage_select.train.merge import merge as merged

    result = merged(
        adapter,
        output,
        model=model,
        dtype=cast("Precision | None", dtype),
        force=force,
        stages=console.progress,
        notice=console.notice,
    )
    console.summary(
        "merged",
        {
            "model": result.output,
            "of": f"{result.model} and {result.adapter}",
            "weights": f"written in {result.dtype}",
            "differs": f"by {result.difference:.2g} in a logit of at most {result.largest:.3g} from base and adapter "
            f"in fp32; the most likely word is the same after {result.same_words:.1%} of the tokens tried",
        },
    )
    console.result(result.as_dict())


COMMAND: Final = Subcommand(merge, _HELP, "Write the base model with an adapter in its weights.")
