"""Where each row lies among the others."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, model_validator

from sage_select.ops.base import Op
from sage_select.ops.location import FilePath, ModelName

__all__ = ["Embed"]


class Embed(Op):
    """One vector a row, from a file, a column, an embedding model, or the hashing encoder.

    Attributes
    ----------
    file
        A `.npy` file, one row a row.
    column
        A list column of the input.
    model
        A sentence-transformers model (path or repository).
    dimensions
        Width of the hashing encoder's vectors.
    """

    name: ClassVar[str] = "embed"
    version: ClassVar[int] = 2

    file: FilePath = None
    column: str | None = None
    model: ModelName = None
    dimensions: int = Field(default=384, ge=8, le=65_536)

    @model_validator(mode="after")
    def _one_origin(self) -> Embed:
        if sum(origin is not None for origin in (self.file, self.column, self.model)) > 1:
            raise ValueError("give at most one of file, column and model")
        if self.changed_idle_fields():
            raise ValueError("dimensions is for the hashing encoder only")
        return self

    def idle_fields(self) -> frozenset[str]:
        """Return the width where the vectors come from elsewhere."""
        return frozenset() if self.hashing else frozenset({"dimensions"})

    @property
    def hashing(self) -> bool:
        """Whether the vectors come from the built-in hashing encoder."""
        return self.file is None and self.column is None and self.model is None

    @property
    def given(self) -> bool:
        """Whether there is a vector for each row of the input already."""
        return self.file is not None or self.column is not None

    def describe(self) -> str:
        """Return where the vectors come from."""
        if self.hashing:
            return f"hashing encoder: word and character n-grams, TF-IDF, {self.dimensions} dimensions"
        return self.file or (f"column {self.column!r}" if self.column else f"model {self.model}")
