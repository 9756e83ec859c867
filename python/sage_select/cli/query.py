"""`sage-select query`: the next rows to label."""

from __future__ import annotations

from typing import Any, Final

from sage_select.cli.build import build
from sage_select.cli.build_table import Table

__all__ = ["QUERY_HELP", "query"]

QUERY_HELP = """Pick the next rows to label from a pool, and write them, with a manifest, to OUTPUT.

\b
It is a build whose input is a pool: rows need no answer, those that are labelled already are not picked again, the
strategy is diversity where none is named, which picks rows unlike the labelled ones, and the output next.arrow. All
options are those of build. Label the rows, name their file with --labelled beside those before, and query again.

\b
Examples:
  sage-select query pool.jsonl --budget 100                             # the first batch: nothing is labelled yet
  sage-select query pool.jsonl --labelled labelled.jsonl --budget 100
  sage-select query pool.jsonl --labelled a.jsonl --labelled b.jsonl --label-column intent --strategy uncertainty \\
      --measure margin -k 50
  sage-select query pool.jsonl --labelled a.jsonl --label-column intent --strategy badge
  sage-select query pool.jsonl --predictions probabilities.npy --strategy uncertainty
  sage-select query chats.jsonl --strategy uncertainty --measure mnlp --generate-model my-model

\b
Exit codes: those of build.
"""

#: Of our own the best in every round of the learning curves of docs/active-learning.md.
_STRATEGY: Final = "diversity"
_OUTPUT: Final = "next.arrow"


def query(settings: dict[str, dict[str, Any]], table: Table, **running: Any) -> None:
    """Build with what is meant where a pool is queried and nothing else is said; a spec says it for itself."""
    if running["spec"] is None:
        select, sink = settings["select"], settings["sink"]
        # An option of another strategy names none, and is refused as it is in a build.
        select["strategy"] = select["strategy"] or _STRATEGY
        sink["path"] = sink["path"] or _OUTPUT
    build(settings, table, always=("labelled",), **running)
