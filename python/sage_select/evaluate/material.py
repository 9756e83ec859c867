"""Held-out rows as evaluators are handed them: tokens with the mask of the loss, and the rows themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from sage_select.errors import DataError
from sage_select.render import Example, to_example
from sage_select.render.tokens import Encoded, Renderer
from sage_select.train.selection import OrderedRows, Row

__all__ = ["DEFAULT_THINKING", "DEFAULT_TURNS", "Limits", "Material"]

#: Turns of each kind that are generated, where nothing else is said.
DEFAULT_TURNS: Final = 200
#: Tokens that a model may think before it answers, beyond those of the answer.
DEFAULT_THINKING: Final = 1024


@dataclass(frozen=True)
class Limits:
    """How much is generated.

    Parameters
    ----------
    max_turns
        The most turns that are generated, of each kind where there are several; None for all, 0 for none.
    max_labelled
        The most rows whose labels are scored; None for all.
    max_new_tokens
        The most tokens of an answer; None: eight more than the longest expected one has, at most 512.
    max_thinking
        The most tokens that may be thought before it, which count for nothing else.
    """

    max_turns: int | None = DEFAULT_TURNS
    max_labelled: int | None = None
    max_new_tokens: int | None = None
    max_thinking: int = DEFAULT_THINKING


class Material:
    """Held-out rows that have something to measure.

    Parameters
    ----------
    rows, renderer
        The rows, and how they are written.
    limits
        How much is generated.
    progress
        Called with (rows done, rows).

    Attributes
    ----------
    row_ids
        Ids of the rows that have a trained token.
    examples, owners
        Training examples of these rows, and for each the index of its row.
    dropped
        Ids of rows without a trained token, that the chat template refuses, or that are too long.

    Raises
    ------
    DataError
        If a row cannot be read, or none has a trained token.
    """

    def __init__(
        self,
        rows: OrderedRows,
        renderer: Renderer,
        limits: Limits | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.rows, self.renderer, self.limits = rows, renderer, limits or Limits()
        #: What was found of these rows, for whoever asks again.
        self.kept: dict[str, Any] = {}
        numbers: list[int] = []
        row_ids: list[str] = []
        examples: list[Encoded] = []
        owners: list[int] = []
        dropped: list[str] = []
        for done, row in enumerate(rows, start=1):
            example = to_example(row.values, rows.shape, row.where)
            learned = [one for one in _encoded(renderer, example, row) if one.trained]
            if learned:
                owners.extend([len(row_ids)] * len(learned))
                examples.extend(learned)
                row_ids.append(row.row_id)
                numbers.append(row.number)
            else:
                dropped.append(row.row_id)
            if progress is not None:
                progress(done, len(rows))
        if not row_ids:
            raise DataError("no held-out row has an answer to measure", where=rows.source)
        self._numbers = np.array(numbers, np.int64)
        self.row_ids, self.dropped = tuple(row_ids), tuple(dropped)
        self.examples, self.owners = tuple(examples), tuple(owners)

    @property
    def source(self) -> str:
        """The rows as the user named them."""
        return self.rows.source

    @property
    def tokenizer(self) -> Any:
        """The model's."""
        return self.renderer.tokenizer

    def measured(self, places: Sequence[int] | None = None) -> Iterator[tuple[int, Row, Example]]:
        """Yield the rows of `row_ids`, or those at rising places among them: place, row, and what it holds."""
        taken = range(len(self.row_ids)) if places is None else places
        found = replace(self.rows, order=self._numbers[np.array(taken, np.int64)])
        for place, row in zip(taken, found, strict=True):
            yield place, row, to_example(row.values, found.shape, row.where)

    def column(self, name: str) -> list[Any]:
        """Return the values of a column of the input for the rows of `row_ids`.

        Raises
        ------
        KeyError
            If there is no such column.
        """
        return list(self.rows.rows.table.column(name).take(self._numbers).to_pylist())


def _encoded(renderer: Renderer, example: Example, row: Row) -> list[Encoded]:
    try:
        return renderer.encode_all(example, row.where)
    except DataError:
        return []  # as in training, a row that the template refuses is left out and counted
