"""`sage-train eval`: a model, and an adapter beside it, on held-out rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer

from sage_select.cli.build_options import with_options
from sage_select.cli.console import Console
from sage_select.cli.groups import GroupedCommand
from sage_select.cli.subcommands import Subcommand
from sage_select.cli.train_table import eval_flags

__all__ = ["COMMAND"]

_HELP: Final = """Measure a model on held-out rows, and an adapter beside the model that it was trained on.

Evaluators ask, and metrics judge the answers; auto takes all that apply to the rows, and says of each why or why not.
Of tool calls every turn is generated given the row's own turns before it, greedily, up to the tokens that end turns;
what is thought first does not count for the length. Every figure is printed with how many rows it rests on and a 95 %
interval over rows. No figure is given where calls, or their arguments, cannot be read back from what the chat template
itself writes.

\b
Examples:
  sage-train eval --model ./model --data heldout.jsonl
  sage-train eval --run runs/a --data heldout.jsonl --output result.arrow
  sage-train eval --model ./model --adapter runs/a/lora_weights --data heldout.jsonl --evaluators tool_calls
  sage-train eval --run runs/a --data sgd_chat/dev.jsonl.gz --max-turns 500
  sage-train eval --model ./model --data gsm8k/train.jsonl.gz --evaluators exact_answer --max-new-tokens 300
  sage-train eval --model ./model --data clinc150/test.parquet --text-column text --label-column intent
  sage-train eval --model ./model --data metatool/queries.csv --prompt-column Query --completion-column Tool \\
    --tools metatool/tools.json

\b
Exit codes: 0 done, 2 bad arguments, 3 refused data, 4 output exists, 5 environment, 130 interrupted.
"""


def _other(*names: str, **about: Any) -> Any:
    return typer.Option(*names, rich_help_panel="Command", **about)


_OPTIONS: Final[Mapping[str, tuple[Any, Any]]] = {
    "json_output": (Annotated[bool, _other("--json", help="Print the result as one JSON object on stdout.")], False),
    "quiet": (Annotated[bool, _other("--quiet", "-q", help="Say nothing but errors.")], False),
}


@with_options(eval_flags(), _OPTIONS)
def evaluation(settings: dict[str, dict[str, Any]], *, json_output: bool, quiet: bool) -> None:
    """Measure and report."""
    console = Console(quiet=quiet, json_output=json_output)
    console.begin("sage-train: loading the training libraries")
    from sage_select.cli.evaluating import evaluated

    evaluated(console, settings)


COMMAND: Final = Subcommand(
    evaluation, _HELP, "Measure a model, and an adapter beside it, on held-out rows.", GroupedCommand
)
