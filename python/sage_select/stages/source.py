"""Where the rows come from, and which columns make a row."""

from __future__ import annotations

import codecs
import dataclasses
import math
from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from sage_select import demo, io
from sage_select.data import NOTHING_TO_TRAIN, Dataset
from sage_select.declare.option import Option
from sage_select.errors import DataError, UsageError
from sage_select.io.guards.memory import row_budget
from sage_select.pipeline.cost import Cost, Size
from sage_select.pipeline.run import Run
from sage_select.pipeline.stage import Stage, stage
from sage_select.render import RenderedRows, ShapeOptions, detect_shape
from sage_select.stages.inputs.bad_rows import bad_rows_of, good_rows, refuse_bad_rows, without_bad_rows
from sage_select.stages.inputs.ids import row_ids
from sage_select.values.location import InputSetting, ManyRowsPath

__all__ = ["RowCount", "Source"]

_MAX_BAD: Final = "1%"
#: Bytes a row of an id or a digest: 32 hexadecimal digits and an offset.
_ID_BYTES: Final = 36
#: Bytes a row of telling copies among the ids.
_COPIES_BYTES: Final = 200


class RowCount(int):
    """How many rows there are, where only arrays tell."""


@stage("source", place=10, effect="adds", opens=True, gives=frozenset({"contents", "answered"}), keywords="named")
class Source(Stage):
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

    version: ClassVar[int] = 2

    path: Annotated[
        ManyRowsPath,
        Option(
            "JSONL, CSV, Parquet or Arrow file, folder, glob, URL, or - (standard input); several are one pool",
            flag="INPUT",
            one_of="rows",
        ),
    ] = None
    demo: Annotated[bool, Option("the built-in demo data", flag="", one_of="rows")] = False
    text_column: Annotated[str | None, Option("the column to train on as plain text")] = None
    prompt_column: Annotated[str | None, Option("the column with the prompt")] = None
    completion_column: Annotated[str | None, Option("the column with the completion")] = None
    template: Annotated[str | None, Option('plain text from columns, such as "{title}\\n{body}"')] = None
    id_column: Annotated[str | None, Option("the column that names the rows; without it their content does")] = None
    on_bad_row: Annotated[
        Literal["error", "drop"], Option("rows that cannot be used: error (tells of all) or drop")
    ] = "error"
    max_bad: Annotated[
        int | str | None, Option("how many of them may be dropped: 20, or 1%", default="1%, or one row")
    ] = None
    encoding: Annotated[str | None, Option("of text files, such as cp1252", default="utf-8", example="cp1252")] = None
    delimiter: Annotated[str | None, Option("of CSV", default="what the header has")] = None

    @model_validator(mode="after")
    def _one_input(self) -> Source:
        if self.path is None and not self.demo:
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

    def unused_options(self) -> list[str]:
        """Return the settings that say what holds anyway."""
        return ["on_bad_row"] if self.on_bad_row == "error" else []

    def inputs(self) -> list[InputSetting]:
        """Return what is read, the built-in rows included."""
        built_in = [InputSetting("source.demo", "rows", str(demo.rows_path()))] if self.demo else []
        return [*super().inputs(), *built_in]

    @property
    def shape_options(self) -> ShapeOptions:
        """The columns that are named, as the render layer takes them."""
        return ShapeOptions(
            text_column=self.text_column,
            prompt_column=self.prompt_column,
            completion_column=self.completion_column,
            template=self.template,
        )

    def joined(self, other: Stage) -> Source:
        """Return the rows of both as one pool; all but the paths must be alike.

        Raises
        ------
        UsageError
            If the two read their rows otherwise.
        """
        mine, theirs = self.settings(), other.settings()
        differing = [name for name in {**mine, **theirs} if name != "path" and mine.get(name) != theirs.get(name)]
        if differing or self.demo or not isinstance(other, Source):
            raise UsageError(
                f"two sources differ in {', '.join(differing) or 'demo'}",
                expected="sources of one pipeline that are read alike",
                hint="give both the same columns, or write one of them anew with the columns of the other",
            )
        paths = [
            path for one in (self, other) for path in ([one.path] if isinstance(one.path, str) else one.path or [])
        ]
        return self.changed(path=paths)

    def read(self, run: Run) -> io.Rows | RowCount:
        """Return the rows as they lie, and pass on what the reader has to say; of arrays alone, how many they are."""
        given = run.given(self, "path")
        if isinstance(given, RowCount):
            return given
        with run.reporter.progress("reading") as progress:
            if given is not None:
                rows = io.from_object(given, with_bad_rows=True)
            else:
                rows = io.read(
                    self._files, progress=progress, verify=run.verify, with_bad_rows=True, text=self._text_options
                )
        if self.demo:
            rows = dataclasses.replace(rows, source=demo.NAME)
        for notice in rows.notices:
            run.reporter.notice(notice)
        return rows

    @property
    def _files(self) -> str | list[str] | Path:
        return demo.rows_path() if self.demo else self.path or []

    @property
    def _text_options(self) -> io.TextOptions:
        return io.TextOptions(self.encoding, self.delimiter)

    def estimate(self, run: Run) -> tuple[io.DatasetEstimate, Dataset]:
        """Return what footers and samples say of the rows, and the first of them: all of an input up to 1 MiB.

        Raises
        ------
        DataError
            As `dataset`, as far as the rows that were checked show.
        """
        found = io.estimate(self._files, verify=run.verify, text=self._text_options)
        if found.whole:
            return found, self.dataset(found.sample, run)
        bad, said = bad_rows_of(found.sample, self.shape_options, run.reporter)
        refuse_bad_rows(bad, found.checked, f"{found.sample.source}, rows checked", self, found.rows)
        good = good_rows(found.sample.table.num_rows, bad)
        rows, said = found.sample.only(good), said.only(good)
        if self.id_column is not None:
            io.require_column(rows, self.id_column)
        shape = detect_shape(rows.table.schema, self.shape_options)
        trained = np.flatnonzero(self._trained(rows, said, run))
        if len(trained):
            rows, said = rows.only(trained), said.only(trained)
        return found, Dataset(n=rows.table.num_rows, rows=rows, shape=shape).with_feature("texts", said.texts)

    def dataset(self, rows: io.Rows | RowCount, run: Run) -> Dataset:
        """Return the rows, their shape recognised and each named, without those that cannot be used or trained.

        Raises
        ------
        DataError
            If a row cannot be read, or none has anything to train.
        """
        if isinstance(rows, RowCount):
            return Dataset(n=rows)
        return without_bad_rows(rows, self, run.reporter, lambda good, said: self._named(good, said, run))

    def run(self, data: Dataset, run: Run) -> Dataset:
        """Return the rows."""
        del data
        return self.dataset(self.read(run), run)

    def cost(self, size: Size) -> Cost | None:
        """Return the cost of the table, of its words, and of the digests that name the rows and tell copies."""
        if size.source is None:
            return None
        found, words = size.source.of(size.n), size.word_bytes * size.n
        table, budget = found.table_bytes, row_budget()
        mapped = table if found.mapped else max(0.0, table - budget) if found.is_json else 0.0
        held = Cost(table - mapped, 0.0, table - mapped, mapped)
        read = Cost(found.reading_bytes, size.seconds(text=found.text_bytes, copied=found.file_bytes + table))
        said = Cost(mapped=words) if table > budget else Cost(words, 0.0, words)
        contents = any("contents" in step.needs() for step in size.later)
        ids = float((1 + contents) * _ID_BYTES * size.n)
        named = Cost(_COPIES_BYTES * size.n + ids, size.seconds(text=2 * table, rows=size.n), ids)
        return held.then(read).then(said).then(named)

    def _named(self, rows: io.Rows, said: RenderedRows, run: Run) -> Dataset:
        shape = detect_shape(rows.table.schema, self.shape_options)
        later = run.after(self)
        # Made together with the ids, from the same text.
        wanted = any("contents" in step.needs() for step in later)
        ids, contents = row_ids(rows, shape, self.id_column, contents=wanted)
        data = Dataset(n=rows.table.num_rows, rows=rows, read=rows, shape=shape, ids=ids)
        data = data.with_feature("texts", said.texts)
        data = data if contents is None else data.with_feature("contents", contents)
        if any("answered" in step.needs() for step in later):
            data = data.with_feature("answered", said.answered)
        trained = self._trained(rows, said, run)
        if data.n and not trained.any():
            raise DataError(
                "no row has anything to train",
                where=rows.source,
                expected=f"an answer in at least one row, read as {shape.name}",
                got=f"{data.n:,} rows whose answers are missing or blank",
                hint="name the columns with --prompt-column and --completion-column, or --text-column",
            )
        return data.drop(np.flatnonzero(~trained), NOTHING_TO_TRAIN)

    def _trained(self, rows: io.Rows, said: RenderedRows, run: Run) -> NDArray[np.bool_]:
        """Return which rows stay, bool (n,): those with an answer, and those that a later stage wants without one."""
        trained = said.answered.copy()
        for step in run.after(self):
            trained |= step.untrained(rows)
        return trained

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
