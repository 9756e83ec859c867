"""`sage-select schema`: what a spec may say, for editors."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from sage_select.cli.console import Console
from sage_select.cli.without_pandas import load_pyarrow

__all__ = ["SCHEMA_HELP", "schema"]

SCHEMA_HELP = """Print the JSON schema of specs: every step and key, with its help, type, default and bounds.

\b
Editors complete and check a sage.yaml by it, those with the YAML language server where its first line names it:
  # yaml-language-server: $schema=sage.schema.json

\b
Steps, strategies and other members of installed packages are in it. docs/spec.md says the same in words.

\b
Examples:
  sage-select schema > sage.schema.json
  sage-select init --schema                            # a sage.yaml, and the schema beside it

\b
Exit codes: 0 done, 2 bad arguments, 5 environment.
"""


def schema(
    json_output: Annotated[
        bool, typer.Option("--json", help="Print it as `schema` of one JSON object, beside the notices.")
    ] = False,
) -> None:
    """Print the JSON schema of specs."""
    load_pyarrow()
    from sage_select.pipeline.spec.schema import json_schema

    console = Console(json_output=json_output)
    found = json_schema()
    console.answer(json.dumps(found, indent=1, ensure_ascii=True))
    console.result({"schema": found})
