"""How hard each row is."""

from __future__ import annotations

from typing import ClassVar

from pydantic import model_validator

from sage_select.ops.base import Op
from sage_select.ops.location import FilePath, ModelName

__all__ = ["Score"]


class Score(Op):
    """One number a row, from a file, a column, a language model, or the words alone.

    Attributes
    ----------
    file
        A `.npy` file with one number a row.
    column
        A column of the input.
    model
        A causal language model (path or repository): mean token loss.
    higher_is_harder
        False where a low number means a hard row.
    """

    name: ClassVar[str] = "score"
    version: ClassVar[int] = 2

    file: FilePath = None
    column: str | None = None
    model: ModelName = None
    higher_is_harder: bool = True

    @model_validator(mode="after")
    def _one_origin(self) -> Score:
        if sum(origin is not None for origin in (self.file, self.column, self.model)) > 1:
            raise ValueError("give at most one of file, column and model")
        if self.lexical and not self.higher_is_harder:
            raise ValueError(
                "higher_is_harder = false needs a file, a column or a model: lexical difficulty has its own"
            )
        return self

    @property
    def lexical(self) -> bool:
        """Whether the score comes from the words alone."""
        return self.file is None and self.column is None and self.model is None

    @property
    def given(self) -> bool:
        """Whether there is a number for each row of the input already."""
        return self.file is not None or self.column is not None

    def describe(self) -> str:
        """Return where the numbers come from and which end is hard."""
        if self.lexical:
            return "lexical difficulty: log2(1 + words) + entropy of the words in bits"
        origin = self.file or (f"column {self.column!r}" if self.column else f"mean token loss under {self.model}")
        return f"{origin}, {'higher' if self.higher_is_harder else 'lower'} is harder"
