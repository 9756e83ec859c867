"""Which tokens are trained: what the assistant says, and nothing else.

Two ways lead to the characters an assistant turn covers: the `{% generation %}` markers of the template, or its
prefixes - the conversation rendered up to the turn, with the generation prompt, and through the turn. Either way the
characters are mapped to tokens by the offsets of the tokenizer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sage_select.errors import DataError, Where
from sage_select.render.chat import ChatTemplate, TemplateRefused

__all__ = ["marked_spans", "prefix_spans", "tokens_within"]

Message = dict[str, Any]
Span = tuple[int, int]


def marked_spans(messages: Sequence[Message], spans: Sequence[Span], where: Where | None) -> list[Span]:
    """Return the spans that the template marked, without those of turns of weight 0.

    Raises
    ------
    DataError
        Some turns have weight 0 and the template does not mark one span a turn, so they cannot be told apart.
    """
    said = [message for message in messages if message["role"] == "assistant"]
    trained = [message.get("weight") != 0 for message in said]
    if all(trained):
        return list(spans)
    if not any(trained):
        return []
    if len(spans) != len(said):
        raise DataError(
            f"the chat template marks {len(spans)} spans for {len(said)} assistant turns, so that turns of weight 0 "
            "cannot be told apart",
            where=where,
            hint="name a template that marks each assistant turn with --chat-template",
        )
    return [span for span, train in zip(spans, trained, strict=True) if train]


def prefix_spans(
    template: ChatTemplate,
    messages: Sequence[Message],
    tools: Sequence[Message],
    text: str,
    ends: Sequence[str],
    where: Where | None,
) -> list[Span]:
    """Return the spans of the trained assistant turns in `text`, the rendering of all messages.

    Parameters
    ----------
    template, messages, tools, text
        What was rendered, and to what.
    ends
        Texts of special tokens; white space after one that ends a turn is not part of the turn.
    where
        The row's place.

    Raises
    ------
    DataError
        The template writes a turn differently once more turns follow, so that no prefix tells where it lies.
    """
    spans: list[Span] = []
    reached = 0
    for index, message in enumerate(messages):
        if message["role"] != "assistant" or message.get("weight") == 0:
            continue
        through = text if index + 1 == len(messages) else _rendered(template, messages[: index + 1], tools, ask=False)
        start = _start(template, messages[:index], tools, text, reached)
        if through is None or start is None or not text.startswith(through) or start > len(through):
            raise DataError(
                f"the chat template rewrites earlier turns, so that message {index} cannot be found in its text",
                where=where,
                hint="name a template with {% generation %} markers around each answer with --chat-template",
            )
        reached = len(through)
        spans.append((start, start + _length(through[start:], ends)))
    return spans


def _rendered(
    template: ChatTemplate, messages: Sequence[Message], tools: Sequence[Message], *, ask: bool
) -> str | None:
    if not messages:
        return None
    try:
        return template.render(messages, tools, ask=ask)[0]
    except TemplateRefused:
        return None


def _start(
    template: ChatTemplate, before: Sequence[Message], tools: Sequence[Message], text: str, reached: int
) -> int | None:
    """Return where the turn after `before` starts, or None where that cannot be told."""
    for ask in (True, False):
        # A turn that does not begin with the generation prompt (a call with a header of its own, say) is trained with
        # its header.
        prefix = _rendered(template, before, tools, ask=ask)
        if prefix is not None and text.startswith(prefix):
            return len(prefix)
    if prefix is not None:
        return None
    # No turn comes before, or the template refuses a conversation without a user: look for the header itself.
    probe = [{"role": "user", "content": "x"}]
    asked, told = _rendered(template, probe, [], ask=True), _rendered(template, probe, [], ask=False)
    if asked is None or told is None or not asked.startswith(told) or asked == told:
        return None
    header = asked[len(told) :]
    found = text.find(header, reached)
    return None if found < 0 else found + len(header)


def _length(said: str, ends: Sequence[str]) -> int:
    """Return how many characters of a turn the assistant says, without white space after its end token."""
    stripped = said.rstrip()
    return len(stripped) if any(stripped.endswith(end) for end in ends) else len(said)


def tokens_within(offsets: Sequence[Span], spans: Iterable[Span]) -> list[bool]:
    """Return for each token whether it covers a character of a span.

    A token that reaches over the edge of a span counts, because else its part of the answer would never be learned.
    Offsets may be empty: where a tokenizer trims white space, such a token covers what lies between its neighbours;
    a token without any character of its own (a word-start mark) belongs to what follows it.

    Parameters
    ----------
    offsets
        (first character, end) of each token, in order.
    spans
        (first character, end), in order, apart from each other.

    Examples
    --------
    >>> tokens_within([(0, 2), (2, 5), (5, 6)], [(3, 5)])
    [False, True, False]
    """
    within = [False] * len(offsets)
    edges = iter(spans)
    span = next(edges, None)
    covered = 0
    for index, (start, end) in enumerate(offsets):
        if start == end:
            start = min(covered, start)
            last = max(end, start + 1)
        else:
            last = end
        covered = max(covered, end)
        while span is not None and span[1] <= start:
            span = next(edges, None)
        if span is None:
            break
        within[index] = start < span[1] and span[0] < last
    return within
