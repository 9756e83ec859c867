"""How rows are read, written as a conversation, cut and refused; all of it is known by the tokens that come of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, JsonValue

from sage_select.declare import Settings
from sage_select.render.truncate import LongRow
from sage_select.train.settings.declared import Setting, Share, Whole

__all__ = ["MAX_LENGTH_CAP", "RowSettings"]

#: `max_length=None` means the model's context, at most this many tokens.
MAX_LENGTH_CAP = 2048


#: What every chat template is told already.
_TOLD: Final = ("messages", "tools", "documents", "add_generation_prompt")


def _variables(value: Any) -> Any:
    """Take JSON, or `name=value` with commas between, for the mapping that it spells."""
    if isinstance(value, str):
        text = value.strip()
        if not text.startswith("{"):
            pairs = [part.partition("=") for part in text.split(",") if part.strip()]
            if not all(equals for _, equals, _ in pairs):
                raise ValueError(f"expected JSON or NAME=VALUE,..., got {value!r}")
            return _variables({name.strip(): _value(one.strip()) for name, _, one in pairs})
        try:
            value = json.loads(text)
        except ValueError as error:
            raise ValueError(f"expected JSON or NAME=VALUE,..., got {value!r}: {error}") from None
    if isinstance(value, Mapping):
        for name in value:
            if not isinstance(name, str) or not name.isidentifier() or name in _TOLD:
                raise ValueError(f"{name!r} cannot be told to a chat template")
    return value


def _value(text: str) -> Any:
    """Return a value as JSON has it, or else the text itself."""
    try:
        return json.loads(text.lower() if text.lower() in ("true", "false", "null") else text)
    except ValueError:
        return text


class RowSettings(Settings):
    """Rows."""

    text_column: Annotated[
        str | None,
        Setting(
            "the column to train on as plain text, where no manifest tells",
            metavar="NAME",
            identity=False,
            trl=("dataset_text_field",),
        ),
    ] = None
    prompt_column: Annotated[str | None, Setting("the column with the prompt", metavar="NAME", identity=False)] = None
    completion_column: Annotated[
        str | None, Setting("the column with the completion", metavar="NAME", identity=False)
    ] = None
    template: Annotated[
        str | None,
        Setting('plain text from columns, such as "{title}\\n{body}"', metavar="TEXT", identity=False),
    ] = None
    max_length: Annotated[
        Whole | None,
        Setting(
            "longest row in tokens; what is longer is treated as --on-long-row says",
            ge=2,
            default=f"the model's context, at most {MAX_LENGTH_CAP}",
            identity=False,
            others=("max_seq_length", "cutoff_len", "sequence_len"),
        ),
    ] = None
    on_long_row: Annotated[
        LongRow,
        Setting(
            "what becomes of longer rows, all of them counted: keep_turns (conversations keep their system turns and "
            "tools and lose whole turns, the oldest first, never the last user turn; those of which too much has to "
            "stay are left out; plain texts keep their start), keep_end or keep_start (as many tokens as there may "
            "be), drop (none), error (the selection is refused)",
            metavar="POLICY",
            identity=False,
            trl=("truncation_mode",),
        ),
    ] = "keep_turns"
    chat_template: Annotated[
        Path | None,
        Setting(
            "Jinja file to write conversations with", metavar="FILE", default="the model's own template", identity=False
        ),
    ] = None
    chat_template_kwargs: Annotated[
        Mapping[str, JsonValue],
        BeforeValidator(_variables),
        Setting(
            "what else the chat template is told, and is to be told when text is generated: JSON or NAME=VALUE,...",
            metavar="VALUES",
            default="nothing",
            identity=False,
        ),
    ] = Field(default_factory=dict)
    thinking_history: Annotated[
        Literal["split", "last"],
        Setting(
            "answers that the template writes differently once others follow (thinking models): each in an example of "
            "its own, or only the last",
            identity=False,
        ),
    ] = "split"
    on_lost_words: Annotated[
        Literal["warn", "error"],
        Setting("what to do where the chat template leaves out words of rows", identity=False),
    ] = "warn"
    on_bad_row: Annotated[
        Literal["error", "drop"] | None,
        Setting(
            "what to do with rows that cannot be read or that the chat template refuses",
            default="error for the former, drop for the latter",
            identity=False,
        ),
    ] = None
    max_bad: Annotated[
        Share,
        Setting(
            "the most rows that --on-bad-row drop leaves out, as a share", metavar="SHARE", ge=0, le=1, identity=False
        ),
    ] = 0.01
    max_dropped: Annotated[
        Share | None,
        Setting(
            "refuse the selection where more of its rows than this share are dropped, for whatever reason",
            metavar="SHARE",
            ge=0,
            le=1,
            identity=False,
        ),
    ] = None
    max_truncated: Annotated[
        Share | None,
        Setting(
            "refuse to train where more of the rows than this share are shortened",
            metavar="SHARE",
            ge=0,
            le=1,
            identity=False,
        ),
    ] = None
    verify: Annotated[
        bool,
        Setting(
            "refuse a selection, or its manifest, that was changed since it was written",
            flag="--verify/--no-verify",
            identity=False,
        ),
    ] = True
