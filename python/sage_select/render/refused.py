"""Rows that a chat template refuses, where one of them must not end the work on all."""

from __future__ import annotations

from typing import Final

from sage_select.errors import DataError, Where
from sage_select.render.example import Example
from sage_select.render.tokens import Encoded, Renderer

__all__ = ["RefusedRows"]

#: Rows named in a notice.
_NAMED: Final = 5


class RefusedRows:
    """Counts and names of the rows that a renderer could not write."""

    def __init__(self) -> None:
        self.count = 0
        self._first: list[str] = []

    def encoded(self, renderer: Renderer, example: Example, where: Where) -> list[Encoded] | None:
        """Return the training examples of a row, or None where the chat template refuses it."""
        try:
            return renderer.encode_all(example, where)
        except DataError as error:
            self.count += 1
            if len(self._first) < _NAMED:
                self._first.append(f"row {where.row} ({error.message})")
            return None

    def lines(self) -> list[str]:
        """Return a line that counts the rows and names the first five, if there are any."""
        if not self.count:
            return []
        rows = f"{self.count:,} row{'' if self.count == 1 else 's'}"
        more = ", ..." if self.count > _NAMED else ""
        return [f"the chat template refuses {rows}: {', '.join(self._first)}{more}"]
