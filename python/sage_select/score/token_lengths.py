"""How many tokens each row has."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from sage_select.errors import Where
from sage_select.render.example import Example, Text
from sage_select.render.model_files import load_tokenizer
from sage_select.render.refused import RefusedRows
from sage_select.render.text import plain_text
from sage_select.render.tokens import Renderer

__all__ = ["token_lengths"]

#: No row is cut.
_LONGEST = 2**31


def token_lengths(
    examples: Iterable[Example],
    tokenizer: str,
    *,
    total: int,
    where: Callable[[int], Where],
    progress: Callable[[int, int], None] | None = None,
) -> tuple[NDArray[np.int64], list[str]]:
    """Return the tokens of each example, rendered as for training and not cut, and what the user should know.

    A row that makes several training examples has the tokens of all of them; one that the chat template refuses, those
    of its words.

    Parameters
    ----------
    examples
        The rows, in order; read once.
    tokenizer
        A folder or a repository.
    total
        How many examples there are.
    where
        Row number -> its place, for messages.
    progress
        Called with (rows done, total).

    Raises
    ------
    UsageError
        `tokenizer` is no model folder or repository with a fast tokenizer.
    DataError
        Its files are damaged.
    ResourceError
        The train extra is missing.
    """
    renderer = Renderer(load_tokenizer(tokenizer), max_length=_LONGEST)
    lengths = np.zeros(total, np.int64)
    refused = RefusedRows()
    for row, example in enumerate(examples):
        encoded = refused.encoded(renderer, example, where(row))
        if encoded is None:
            encoded = renderer.encode_all(Text(plain_text(example)))
        lengths[row] = sum(len(one.input_ids) for one in encoded)
        if progress is not None and (row + 1) % 1000 == 0:
            progress(row + 1, total)
    return lengths, [*renderer.notices, *refused.lines()]
