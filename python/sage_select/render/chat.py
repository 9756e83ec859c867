"""Chat templates: which one writes the conversations of a tokenizer, and the text it writes."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from sage_select.errors import DataError, UsageError, Where
from sage_select.render.values import dump_json

__all__ = ["FIXED_DATE", "ChatTemplate", "TemplateRefused", "choose_template", "load_chat_template"]

Message = dict[str, Any]
Span = tuple[int, int]

#: Written where a template writes the date of the day, so that the same rows give the same tokens on every day. It is
#: the date that Llama's templates write where they know none.
FIXED_DATE: Final = date(2024, 7, 26)
_DATE = re.compile(r"""strftime_now\(\s*(["'])(.*?)\1\s*\)""")
_MARKER = re.compile(r"\{%[-+]?\s*generation\s*[-+]?%\}")


class TemplateRefused(Exception):  # noqa: N818 - never leaves the render layer
    """The template raised an error of its own on these messages."""


@dataclass(frozen=True)
class ChatTemplate:
    """A chat template with the special tokens of its tokenizer.

    Parameters
    ----------
    text
        The Jinja source.
    special_tokens
        `bos_token`, `eos_token`, ... as the template may use them.
    marked
        Whether it marks what the assistant says by `{% generation %}`.
    plain
        Whether it is our own fallback.
    typed
        Whether it reads words as typed parts, `[{"type": "text", "text": ...}]`, as those of vision models do.
    """

    text: str
    special_tokens: dict[str, Any]
    marked: bool
    plain: bool = False
    typed: bool = False

    @property
    def dated(self) -> bool:
        """Whether it writes the date of the day."""
        return _DATE.search(self.text) is not None

    def render(
        self, messages: Sequence[Message], tools: Sequence[Message], *, ask: bool = False
    ) -> tuple[str, list[Span]]:
        """Return the text of a conversation and the character spans that the template marks.

        `ask` appends the generation prompt. The weight of a turn is not shown to the template.

        Raises
        ------
        TemplateRefused
            The template cannot write these messages.
        """
        from jinja2 import TemplateError
        from transformers.utils.chat_template_utils import render_jinja_template

        shown = [{key: value for key, value in message.items() if key != "weight"} for message in messages]
        if self.typed:
            shown = [{**message, "content": [{"type": "text", "text": message["content"]}]} for message in shown]
        try:
            texts, spans = render_jinja_template(
                conversations=[shown],
                tools=list(tools) or None,
                chat_template=_DATE.sub(lambda call: dump_json(FIXED_DATE.strftime(call[2])), self.text),
                return_assistant_tokens_mask=self.marked,
                add_generation_prompt=ask,
                **self.special_tokens,
            )
        except (TemplateError, TypeError, ValueError, KeyError, AttributeError, RecursionError) as error:
            raise TemplateRefused(str(error) or type(error).__name__) from None
        return texts[0], [tuple(span) for span in spans[0]] if self.marked else []


def choose_template(tokenizer: Any, given: str | None) -> ChatTemplate:
    """Return the template to train with.

    The given one or the tokenizer's own where it has generation markers; else the training variant of a family
    that TRL knows; else the template as it is; and our plain form where the tokenizer has none.

    Raises
    ------
    UsageError
        The tokenizer has only named templates, none of them the default.
    """
    own = given if given is not None else tokenizer.chat_template
    if isinstance(own, dict):
        if "default" not in own:
            raise UsageError(
                f"the tokenizer has no default chat template, only {', '.join(map(repr, own))}",
                hint="write the one to use into a file and name it with --chat-template",
            )
        own = own["default"]
    special = dict(tokenizer.special_tokens_map)
    if own is None:
        plain = files("sage_select.render").joinpath("plain.jinja").read_text(encoding="utf-8")
        return ChatTemplate(plain, special, marked=True, plain=True)
    if not _MARKER.search(own):
        own = _training_variant(tokenizer, own) or own
    return ChatTemplate(own, special, marked=bool(_MARKER.search(own)))


def _training_variant(tokenizer: Any, template: str) -> str | None:
    """Return TRL's variant of a known template, with markers, or None."""
    try:
        from trl.chat_template_utils import get_training_chat_template
    except ImportError:
        return None
    bearer = copy.copy(tokenizer)
    bearer.chat_template = template
    try:
        variant = get_training_chat_template(bearer)
    except Exception:  # TRL renders probes of its own; whatever it meets, it does not know the template
        return None
    return variant if isinstance(variant, str) and _MARKER.search(variant) else None


def load_chat_template(path: str | Path) -> str:
    """Return the text of a template file.

    Raises
    ------
    UsageError
        There is no such file.
    DataError
        It is not UTF-8 text.
    """
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"the chat template cannot be read: {error.strerror}", where=str(path)) from None
    except UnicodeDecodeError:
        raise DataError("the chat template is not UTF-8 text", where=Where(file=str(path))) from None
