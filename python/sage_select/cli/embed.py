"""`sage-select embed`: where rows lie among each other, as a table of vectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from sage_select.cli.build_options import with_options
from sage_select.cli.build_table import Table
from sage_select.cli.flags import Flag
from sage_select.cli.row_table import Work, table_options, write_table
from sage_select.errors import UsageError, nearest

if TYPE_CHECKING:
    from sage_select.engine import Outcome, VectorType

__all__ = ["EMBED_HELP", "embed", "embed_options"]

EMBED_HELP = """Write a vector for each row: a table with the ids of rows and a column vector, which a build reads.

\b
Without --model or --lm vectors are made of words and n-grams (hashing), which needs no model. --model is a
sentence-transformers model; --lm a causal language model, whose hidden states are pooled, or with --encoder gradient
the gradients of what rows would train, projected at random. --text says what is embedded of a row: instructions that
all rows share make all whole rows alike. docs/embeddings.md has formulas, costs, and which serves when.

\b
What was stopped, or killed, goes on where it was: what models compute is held in the cache block by block, and
sage-select build finds it there, too.

\b
Examples:
  sage-select embed chats.jsonl --model ./minilm --text first_user -o vectors.arrow
  sage-select build chats.jsonl --embeddings vectors.arrow --strategy diversity
  sage-select embed chats.jsonl --lm ./small --text rendered --dtype float16 -o vectors.parquet
  sage-select embed chats.jsonl --lm ./small --encoder gradient --gradient-of lora --gradient-dim 2048
  sage-select embed chats.jsonl --whiten
  torchrun --nproc_per_node 2 --no-python sage-select embed chats.jsonl --lm ./small   # two share the blocks

\b
Exit codes: 0 done, 2 bad arguments, 3 refused data, 4 output exists, 5 environment, 130 interrupted.
"""

_WRITTEN: Final = "Vectors"
_PREFIX: Final = "--embed-"
_TYPES: Final = ("float32", "float16")

#: The options that set nothing of the source or the vectors.
_OPTIONS: Final[Mapping[str, tuple[Any, Any]]] = {
    "dtype": (
        Annotated[
            str,
            typer.Option(
                metavar="TYPE",
                help="float32, or float16: half the room, three digits.",
                rich_help_panel=_WRITTEN,
            ),
        ],
        "float32",
    ),
    **table_options(_WRITTEN, "vectors.arrow", "threads"),
}


def embed_options(table: Table) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that gives `embed` its options: those of the source, and of the stage embed.

    The latter are called as in a build, without `--embed-` where that begins them.
    """
    flags = [flag for flag in table.flags if flag.stage == "source"]
    flags += [flag._replace(spelling=_spelt(flag)) for flag in table.flags if flag.stage == "embed"]
    return with_options(flags, {**_OPTIONS})


def _spelt(flag: Flag) -> str:
    return f"--{flag.spelling.removeprefix(_PREFIX)}" if flag.spelling.startswith(_PREFIX) else flag.spelling


def embed(settings: dict[str, dict[str, Any]], *, dtype: str, **options: Any) -> None:
    """Embed rows and write the table."""
    number: VectorType | None = next((one for one in _TYPES if one == dtype), None)
    if number is None:
        raise UsageError(f"there is no type {dtype!r}", expected=" or ".join(_TYPES), hint=nearest(dtype, _TYPES))

    def work(on: Work) -> Outcome | None:
        from sage_select.cli.build_table import build_table
        from sage_select.engine import write_vectors
        from sage_select.stages import Embed

        names = {flag.setting: _spelt(flag).split("/")[0] for flag in build_table().flags if flag.stage == "embed"}
        stage = Embed.of(settings["embed"], names)
        source = on.source()
        on.console.begin(f"sage-select: embedding by {stage.describe()}")
        if on.several:
            _take_own_device()
        return write_vectors(source, stage, on.writing(), dtype=number)

    def told(manifest: Mapping[str, Any]) -> dict[str, object]:
        one = manifest["vectors"]
        return {"vectors": f"{one['width']:,} numbers ({one['dtype']}), {one['of']}"}

    write_table(settings["source"], "vectors", "embedding", "embedded", work, told, **options)


def _take_own_device() -> None:
    """Let one of several processes have a GPU of its own, if there are any."""
    import os

    import torch

    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
