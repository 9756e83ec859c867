"""What a model thinks before it answers: where it begins and ends, so that no limit of an answer counts it.

The rule: an answer may be as long as its limit says, counted from the end of the thought that it begins with, or that
the prompt has begun; the thought itself may have `max_thinking` tokens more.
"""

from __future__ import annotations

from typing import Final

__all__ = ["begins_thought", "thought_end"]

#: By what a thought begins and ends, as chat templates and models write it.
_MARKS: Final = (
    ("<think>", "</think>"),
    ("<|channel|>analysis<|message|>", "<|end|>"),
    ("<|channel>thought", "<channel|>"),
    ("[THINK]", "[/THINK]"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<seed:think>", "</seed:think>"),
)


def begins_thought(text: str, prompt_end: str) -> bool:
    r"""Return whether an answer begins with a thought, or stands within one that the prompt has begun.

    Examples
    --------
    >>> begins_thought("<think>so", ""), begins_thought("so", "<think>\n"), begins_thought("so", "<think></think>")
    (True, True, False)
    """
    return _mark(text, prompt_end) is not None


def thought_end(text: str, prompt_end: str) -> int | None:
    """Return where the thought ends that an answer begins with; 0 where there is none, None where it has no end."""
    mark = _mark(text, prompt_end)
    if mark is None:
        return 0
    end = text.find(mark)
    return None if end < 0 else end + len(mark)


def _mark(text: str, prompt_end: str) -> str | None:
    """Return what ends the thought that an answer begins with; None where there is none."""
    for begin, end in _MARKS:
        if text.lstrip().startswith(begin) or prompt_end.rfind(begin) > prompt_end.rfind(end):
            return end
    return None
