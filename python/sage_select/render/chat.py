"""Chat templates: which ones write the conversations of a tokenizer, and the text they write."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from sage_select.errors import DataError, UsageError, Where
from sage_select.render.bounded import Span, TemplateTooCostly, bounded_template

__all__ = [
    "FIXED_DATE",
    "INDEX",
    "VERBATIM",
    "ChatTemplate",
    "TemplateRefused",
    "choose_templates",
    "load_chat_template",
]

Message = dict[str, Any]

#: Written where a template writes the date of the day, so that the same rows give the same tokens on every day. It is
#: the date that Llama's templates write where they know none.
FIXED_DATE: Final = datetime(2024, 7, 26)
#: Members that no template sees, nor the weight: the number of a message in the row, and its words as they are to stand
#: in the text where the message comes last, which the template would cut.
INDEX: Final = "sage_index"
VERBATIM: Final = "sage_verbatim"
_HIDDEN: Final = frozenset((INDEX, VERBATIM, "weight"))
_MARKER = re.compile(r"\{%[-+]?\s*generation\s*[-+]?%\}")
#: The named templates that have a use of their own here.
_DEFAULT, _TOOLS = "default", "tool_use"


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
    variables
        What else it is told, such as `enable_thinking`.
    """

    text: str
    special_tokens: dict[str, Any]
    marked: bool
    plain: bool = False
    typed: bool = False
    variables: Mapping[str, Any] = field(default_factory=dict)

    @property
    def dated(self) -> bool:
        """Whether it writes the date of the day."""
        return "strftime_now" in self.text

    def render(
        self, messages: Sequence[Message], tools: Sequence[Message], *, ask: bool = False, **options: bool
    ) -> tuple[str, list[Span]]:
        """Return the text of a conversation and the character spans that the template marks.

        `ask` appends the generation prompt; `options` are variables of the template. The weight of a turn is not shown
        to the template.

        Raises
        ------
        TemplateRefused
            The template cannot write these messages.
        UsageError
            It takes more time or memory than a template may.
        """
        shown = [{key: value for key, value in message.items() if key not in _HIDDEN} for message in messages]
        for message in shown:
            if "reasoning_content" in message:  # gpt-oss's name for it
                message["thinking"] = message["reasoning_content"]
            if self.typed:
                message["content"] = [{"type": "text", "text": message["content"]}]
        try:
            return bounded_template(self.text, FIXED_DATE.strftime).render(
                messages=shown,
                tools=list(tools) or None,
                documents=None,
                add_generation_prompt=ask,
                **{**self.special_tokens, **self.variables, **options},
            )
        except TemplateTooCostly as error:
            raise UsageError(
                f"the chat template does more than a chat template may: {error}",
                hint="name another template with --chat-template",
            ) from None
        except Exception as error:  # a template is a program of somebody else's: whatever it raises, it refuses
            raise TemplateRefused(str(error) or type(error).__name__) from None

    def render_verbatim(self, messages: Sequence[Message], tools: Sequence[Message]) -> tuple[str, list[Span]]:
        """Return what `render` does, with the words of the last message as its `VERBATIM` has them, if it has any.

        Raises
        ------
        TemplateRefused, UsageError
            As `render`.
        """
        words = messages[-1].get(VERBATIM) if messages else None
        if words is not None:
            mark = "sageverbatim"
            while any(mark in str(message) for message in messages):
                mark += "x"
            text, spans = self.render([*messages[:-1], {**messages[-1], "content": mark}], tools)
            place = text.find(mark)
            if text.count(mark) == 1:
                more = len(words) - len(mark)
                moved = [(start + more * (start > place), end + more * (end > place)) for start, end in spans]
                return text.replace(mark, words), moved
        return self.render(messages, tools)


def choose_templates(
    tokenizer: Any, given: str | None, variables: Mapping[str, Any] | None = None
) -> dict[str, ChatTemplate]:
    """Return the templates to train with: `default`, and `tool_use` for rows with tools where there is one.

    Each is the given one or the tokenizer's own where it has generation markers; else the training variant of a
    family that TRL knows; else the template as it is; and our plain form where the tokenizer has none.

    Raises
    ------
    UsageError
        The tokenizer has only named templates, none of them the default, or no template reads one of the `variables`.
    """
    found = _chosen(tokenizer, given)
    unknown = [
        name for name in variables or () if not any(re.search(rf"\b{name}\b", one.text) for one in found.values())
    ]
    if unknown:
        raise UsageError(
            f"the chat template reads no {', '.join(unknown)}",
            hint="leave it out of --chat-template-kwargs, or mend its name",
        )
    return {name: replace(one, variables=dict(variables or {})) for name, one in found.items()}


def _chosen(tokenizer: Any, given: str | None) -> dict[str, ChatTemplate]:
    own = given if given is not None else tokenizer.chat_template
    special = dict(tokenizer.special_tokens_map)
    if own is None:
        plain = files("sage_select.render").joinpath("plain.jinja").read_text(encoding="utf-8")
        return {_DEFAULT: ChatTemplate(plain, special, marked=True, plain=True)}
    named: Mapping[str, str] = own if isinstance(own, dict) else {_DEFAULT: own}
    if _DEFAULT not in named:
        raise UsageError(
            f"the tokenizer has no default chat template, only {', '.join(map(repr, named))}",
            hint="write the one to use into a file and name it with --chat-template; a model saved by transformers "
            f"has them as files, additional_chat_templates/{next(iter(named), 'NAME')}.jinja",
        )
    return {name: _trained(named[name], special) for name in (_DEFAULT, _TOOLS) if name in named}


def _trained(text: str, special: dict[str, Any]) -> ChatTemplate:
    if not _MARKER.search(text):
        text = _training_variants().get(text, text)
    return ChatTemplate(text, special, marked=bool(_MARKER.search(text)))


@lru_cache(maxsize=1)
def _training_variants() -> dict[str, str]:
    """Return the templates that TRL knows and its variants of them with markers.

    They are read from its files: its own function renders the template it is asked about, without any limit.
    """
    try:
        folder = files("trl").joinpath("chat_templates")
        texts = {
            file.name: file.read_text(encoding="utf-8") for file in folder.iterdir() if file.name.endswith(".jinja")
        }
    except (ImportError, OSError):
        return {}
    pairs = ((text, texts.get(name.replace(".jinja", "_training.jinja"))) for name, text in sorted(texts.items()))
    return {text: variant for text, variant in pairs if variant is not None and _MARKER.search(variant)}


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
