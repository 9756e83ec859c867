"""What an evaluation may be told, beside the model and how rows are read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BeforeValidator

from sage_select.declare import Option, Settings
from sage_select.evaluate.material import DEFAULT_THINKING, DEFAULT_TURNS, Limits

__all__ = ["ALL", "EvalSettings"]

#: What stands for no limit.
ALL: Final = "all"


def _turns(value: Any) -> Any:
    """Return a number of turns; `all` as it is."""
    if value == ALL or isinstance(value, int):
        return value
    if not str(value).isdecimal():
        raise ValueError(f"expected a whole number or {ALL}, got {value!r}")
    return int(value)


class EvalSettings(Settings):
    """Evaluation."""

    data: Annotated[
        Path | None,
        Option(
            "held-out rows, of any format and shape that can be trained on; those that are among the rows the adapter "
            "was trained on are named and left out",
            metavar="FILE",
            default="the built-in held-out rows for the demo model",
        ),
    ] = None
    adapter: Annotated[
        Path | None,
        Option(
            "adapter, or model trained from --model, that is measured beside it", metavar="FOLDER", one_of="trained"
        ),
    ] = None
    run: Annotated[
        Path | None,
        Option(
            "folder of a run of sage-train, whose adapter is measured beside its base: model, chat template and "
            "lengths are those of the run where nothing else is said",
            metavar="FOLDER",
            one_of="trained",
        ),
    ] = None
    evaluators: Annotated[
        str,
        Option(
            "what is asked: auto, all that apply to the rows, or names with commas between", metavar="auto|NAME,..."
        ),
    ] = "auto"
    trained_on: Annotated[
        Path | None,
        Option(
            "the selection that was trained on: held-out rows among it are named and left out",
            metavar="FILE",
            default="the one that the run records",
        ),
    ] = None
    tools: Annotated[
        Path | None,
        Option(
            "JSON file of tools, as a list of schemas or name and description: rows of a prompt and the name of a "
            "tool, such as MetaTool's, become calls of it, and offer these",
            metavar="FILE",
        ),
    ] = None
    tools_offered: Annotated[
        int, Option("how many tools a row offers, the right one and others drawn by its id, with --tools", ge=1)
    ] = 10
    max_turns: Annotated[
        int | str,
        BeforeValidator(_turns),
        Option(
            "the most turns that are generated, of those that call tools and of those that do not, and the most rows "
            "whose labels are scored",
            metavar="N|all",
            default=f"{DEFAULT_TURNS}, and all rows for labels",
        ),
    ] = DEFAULT_TURNS
    max_new_tokens: Annotated[
        int | None,
        Option(
            "the most tokens of an answer, what is thought first apart",
            ge=1,
            default="8 more than the longest expected one, at most 512",
        ),
    ] = None
    max_thinking_tokens: Annotated[
        int, Option("the most tokens that are thought before an answer, which do not count for its limit", ge=0)
    ] = DEFAULT_THINKING
    batch_tokens: Annotated[
        int, Option("tokens in one forward pass, padding among them: more of them take more memory and less time", ge=1)
    ] = 8192
    output: Annotated[
        Path | None,
        Option(
            "file for a record of each row and turn (.arrow, .parquet or .jsonl), beside which FILE.manifest.json "
            "holds the figures; replaces an older result, nothing else",
            short="-o",
            metavar="FILE",
        ),
    ] = None

    @property
    def limits(self) -> Limits:
        """How much is generated."""
        most = None if self.max_turns == ALL else int(self.max_turns)
        labelled = most if "max_turns" in self.model_fields_set else None
        return Limits(most, labelled, self.max_new_tokens, self.max_thinking_tokens)
