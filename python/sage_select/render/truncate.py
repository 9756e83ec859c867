"""How much a model may see, and what is kept of a row that is longer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, get_args

__all__ = ["LONG_ROWS", "LongRow", "context_length", "cut_parts", "keep_end", "keep_start"]

#: What becomes of rows that are longer than they may be.
LongRow = Literal["error", "drop", "keep_start", "keep_end", "keep_turns"]
LONG_ROWS: Final[tuple[str, ...]] = get_args(LongRow)

_CONTEXT_NAMES: Final = ("max_position_embeddings", "n_positions", "max_seq_len", "n_ctx", "seq_length")


def context_length(config: Any, tokenizer: Any = None) -> int | None:
    """Return the most tokens that model and tokenizer take, or None where neither says so.

    Parameters
    ----------
    config
        A model configuration of transformers.
    tokenizer
        Its tokenizer, where that is known; its limit counts too.
    """
    text_config = config.get_text_config() if hasattr(config, "get_text_config") else config
    limits = [getattr(text_config, name, None) for name in _CONTEXT_NAMES]
    limits.append(getattr(tokenizer, "model_max_length", None))
    known = [int(limit) for limit in limits if isinstance(limit, int | float) and 0 < limit < 10**9]
    return min(known) if known else None


def keep_end(trained: Sequence[bool], max_length: int) -> slice:
    """Return the tokens of a conversation to keep: the last ones that lead up to something trained.

    Where all fit, all stay. Else the untrained tail goes first, because nothing is learned from it, and then the
    beginning: the end of a conversation with an agent is what it was about.

    Examples
    --------
    >>> keep_end([False, True, False, True, False], 3)
    slice(1, 4, None)
    """
    if len(trained) <= max_length:
        return slice(0, len(trained))
    end = len(trained)
    while end and not trained[end - 1]:
        end -= 1
    return slice(max(0, end - max_length), end)


def keep_start(length: int, max_length: int) -> slice:
    """Return the tokens of a plain text to keep: the first ones.

    Examples
    --------
    >>> keep_start(5, 3)
    slice(0, 3, None)
    """
    return slice(0, min(length, max_length))


def cut_parts(cut: str, messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return which parts of a conversation that hold for all of it begin in the text that was cut.

    Examples
    --------
    >>> cut_parts("<system>be kind", [{"role": "system", "content": "be kind"}], [])
    ('system turn',)
    """
    systems = [message["content"].strip() for message in messages if message["role"] == "system"]
    found = {
        "system turn": any(words and words[:32] in cut for words in systems),
        "tools": any(tool["function"]["name"] in cut for tool in tools),
    }
    return tuple(part for part, is_cut in found.items() if is_cut)
