"""Where the rows come from, and which columns make a row."""

from __future__ import annotations

import codecs
import math
from typing import ClassVar, Final, Literal

from pydantic import model_validator

from sage_select import demo
from sage_select.ops.base import Op
from sage_select.ops.location import InputSetting, ManyRowsPath

__all__ = ["Source"]

_MAX_BAD: Final = "1%"


class Source(Op):
    """The input rows; those with nothing to train, whose answer is missing or blank, leave.

    Attributes
    ----------
    path
        A file, a glob, a folder, a URL, `-` for standard input, or a list of these; None with `demo`.
    demo
        Use the built-in demo data.
    text_column, prompt_column, completion_column, template
        Name the columns of a row whose shape is not recognised by itself.
    id_column
        The column that names the rows; without it their content does.
    on_bad_row
        What is done about rows that cannot be used: `error`, which tells of all of them, or `drop`.
    encoding, delimiter
        How text files are read: their encoding (UTF-8, or UTF-16 with a mark), and what stands between values of CSV.
    max_bad
        How many may be dropped: a number, or a share such as `1%` (the default; one row at least).
    """

    name: ClassVar[str] = "source"
    version: ClassVar[int] = 2

    path: ManyRowsPath = None
    demo: bool = False
    text_column: str | None = None
    prompt_column: str | None = None
    completion_column: str | None = None
    template: str | None = None
    id_column: str | None = None
    on_bad_row: Literal["error", "drop"] = "error"
    max_bad: int | str | None = None
    encoding: str | None = None
    delimiter: str | None = None

    @model_validator(mode="after")
    def _one_input(self) -> Source:
        if (self.path is None) == (not self.demo):
            raise ValueError("give either a path, or demo = true")
        return self

    @model_validator(mode="after")
    def _bad_rows(self) -> Source:
        if self.max_bad is not None:
            if self.on_bad_row == "error":
                raise ValueError("max_bad says how many rows may be dropped: it needs on_bad_row = drop")
            self.most_bad(0)
        return self

    @model_validator(mode="after")
    def _text(self) -> Source:
        if self.encoding is not None:
            try:
                codecs.getincrementaldecoder(self.encoding)
                "".encode(self.encoding)
            except (LookupError, ValueError, TypeError):
                raise ValueError(f"encoding {self.encoding!r} is not known: cp1252, latin-1 and utf-16 are") from None
        if self.delimiter is not None and (len(self.delimiter) != 1 or self.delimiter in '\r\n"'):
            raise ValueError("delimiter is one character, such as ';'")
        return self

    def most_bad(self, rows: int) -> int:
        """Return how many of so many rows may be dropped as bad."""
        text = str(_MAX_BAD if self.max_bad is None else self.max_bad).strip()
        number = text.removesuffix("%").strip()
        try:
            value = float(number) if text.endswith("%") else int(number)
        except ValueError:
            value = -1
        if value < 0 or not math.isfinite(value) or (text.endswith("%") and value > 100):
            raise ValueError(f"max_bad is a number of rows (20) or a share (1%), not {text!r}")
        return max(1, int(rows * value / 100)) if text.endswith("%") else int(value)

    def idle_fields(self) -> frozenset[str]:
        """Return the fields that say what holds anyway."""
        return frozenset({"on_bad_row"}) if self.on_bad_row == "error" else frozenset()

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
        paths = [self.path] if isinstance(self.path, str) else self.path or []
        source = "the built-in demo data" if self.demo else ", ".join(paths)
        return f"{source} ({', '.join(named)})" if named else source
