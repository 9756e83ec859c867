"""Where the rows come from, and which columns make a row."""

from __future__ import annotations

from typing import ClassVar

from pydantic import model_validator

from sage_select import demo
from sage_select.ops.base import Op
from sage_select.ops.location import InputSetting, RowsPath

__all__ = ["Source"]


class Source(Op):
    """The input rows; those with nothing to train, whose answer is missing or blank, leave.

    Attributes
    ----------
    path
        A file, a glob, a folder or a URL; None with `demo`.
    demo
        Use the built-in demo data.
    text_column, prompt_column, completion_column, template
        Name the columns of a row whose shape is not recognised by itself.
    id_column
        The column that names the rows; without it their content does.
    """

    name: ClassVar[str] = "source"
    version: ClassVar[int] = 2

    path: RowsPath = None
    demo: bool = False
    text_column: str | None = None
    prompt_column: str | None = None
    completion_column: str | None = None
    template: str | None = None
    id_column: str | None = None

    @model_validator(mode="after")
    def _one_input(self) -> Source:
        if (self.path is None) == (not self.demo):
            raise ValueError("give either a path, or demo = true")
        return self

    def inputs(self) -> list[InputSetting]:
        """Return what is read, the built-in rows included."""
        built_in = [InputSetting("source.demo", "rows", str(demo.rows_path()))] if self.demo else []
        return [*super().inputs(), *built_in]

    def describe(self) -> str:
        """Return the source and the columns that were named."""
        named = [
            f"{label} {value!r}"
            for label, value in (
                ("text", self.text_column),
                ("prompt", self.prompt_column),
                ("completion", self.completion_column),
                ("template", self.template),
                ("ids", self.id_column),
            )
            if value is not None
        ]
        source = "the built-in demo data" if self.demo else str(self.path)
        return f"{source} ({', '.join(named)})" if named else source
