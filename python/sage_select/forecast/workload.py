"""What a build will work on: numbers of rows, bytes and dimensions, all that its costs depend on."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Final, Literal

from sage_select.io import Format
from sage_select.ops import Select
from sage_select.spec import Pipeline

__all__ = ["Model", "Table", "Vectors", "Workload"]


_BYTES_OF_WORD: Final = 6


@dataclass(frozen=True)
class Table:
    """The input, in bytes a row where nothing else is said.

    Attributes
    ----------
    format, packed
        Its format, and whether its text has to be unpacked.
    file, text
        Bytes of the files as they lie, and of their text when unpacked (0 for binary formats).
    held
        Bytes of the Arrow table.
    mapped
        Whether the table lies in a mapped file.
    canonical
        Bytes of the canonical JSON that names a row; 0 where a column does.
    words
        Bytes of the words that are scored and embedded.
    plain_words
        Whether they are nearly all ASCII, for which the times were measured.
    """

    format: Format
    packed: bool
    file: float
    text: float
    held: float
    mapped: bool
    canonical: float
    words: float
    plain_words: bool = True


@dataclass(frozen=True)
class Model:
    """A language model or encoder.

    Attributes
    ----------
    name
        A folder or a repository.
    bytes
        Bytes of its weights; None where they are not here.
    """

    name: str
    bytes: int | None


@dataclass(frozen=True)
class Vectors:
    """One vector a row.

    Attributes
    ----------
    origin
        Where they come from.
    dimensions
        Numbers in a vector.
    said
        What tells the dimensions, in words.
    item
        Bytes of a number where it lies: 4 for those that are made.
    copied
        Whether a file has to be copied before it can be used.
    model
        The encoder, where there is one.
    """

    origin: Literal["hashing", "file", "column", "model"]
    dimensions: int
    said: str
    item: int = 4
    copied: bool = False
    model: Model | None = None


@dataclass(frozen=True)
class Workload:
    """A resolved plan, and what is known of its input.

    Attributes
    ----------
    plan
        The resolved pipeline.
    rows
        Rows of the input.
    exact
        Whether that is certain.
    origin
        What tells the number of rows, in words.
    table
        The input.
    vectors
        The vectors, where the plan needs some.
    score_item
        Bytes of a number in the file of scores; 0 without one.
    score_model
        The language model that scores, where one does.
    threads
        Threads that work at once: those asked for, at most the cores.
    """

    plan: Pipeline
    rows: int
    exact: bool
    origin: str
    table: Table
    vectors: Vectors | None
    score_item: int
    score_model: Model | None
    threads: int

    @property
    def select(self) -> Select:
        """The select step."""
        return self.plan.step(Select)

    @property
    def kept(self) -> int:
        """Rows that are selected; all, where the budget asks for more than an estimate, or than fewer rows, hold.

        A token is about a word, and a word has about six bytes.
        """
        budget = self.select.budget
        if budget.tokens is not None:
            return min(self.rows, int(budget.tokens * _BYTES_OF_WORD / max(self.table.words, 1.0)))
        return budget.rows(self.rows, clamp=True)

    def with_rows(self, rows: int) -> Workload:
        """Return the same work on exactly so many rows like these."""
        return dataclasses.replace(self, rows=rows, exact=True)
