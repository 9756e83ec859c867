"""Which rows repeat held-out rows, on which a model is to be measured."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Final, Literal

import numpy as np

from sage_select import io
from sage_select.contamination import NEAR_SHARE, PHRASE_WORDS
from sage_select.data import HELD_OUT_CAUSES, Dataset
from sage_select.declare.option import Option
from sage_select.encoders.file import File
from sage_select.errors import DataError, UsageError
from sage_select.pipeline.cost import Cost, Size
from sage_select.pipeline.run import GIVEN, Run
from sage_select.pipeline.stage import Stage, stage
from sage_select.stages.embed import Embed
from sage_select.stages.inputs.held_out import (
    HeldOutFile,
    PreparedHeldOut,
    check_apart,
    given_held_out,
    held_out_shape,
    read_held_out,
)
from sage_select.stages.inputs.limits import protected_rows
from sage_select.stages.inputs.queries import Queries
from sage_select.stages.inputs.repeats import BLOCK, Repeats, repeats_by_vectors, repeats_by_words
from sage_select.stages.source import Source
from sage_select.values.location import LocalRowsPath

__all__ = ["Holdout"]

#: From which share of the rows on that leave the file is probably another one than was meant.
_MOST: Final = 0.5
#: Bytes a word of a held-out row: its phrase, where that is looked up, and the numbers to it.
_PHRASE_BYTES: Final = 64
#: Bytes of a word.
_WORD_BYTES: Final = 6
#: For each row what it repeats, how similar the two are, why it leaves.
_LINEAGE_BYTES: Final = 21


@stage("holdout", place=15, effect="drops", keywords="typed")
class Holdout(Stage):
    """Rows that repeat held-out rows leave, so that what is measured on those tells of rows never trained.

    Attributes
    ----------
    path
        Files, folders or patterns with the held-out rows; of any format and shape that the source reads.
    mode
        `exact`: rows leave that say the same as a held-out row, or have its id. `ngrams`: these, and rows that have
        most of the n-grams of a held-out row, and of those of its answers: all that `sage-train` names. `near`: these,
        and rows whose vectors (of the embed step) are as similar as the threshold to that of a held-out row.
    ngram
        Words of an n-gram; a held-out row of fewer words is compared as a whole.
    share
        The share of the n-grams of a held-out row that one row must have to leave.
    threshold
        The cosine similarity from which on a row is near a held-out row.
    """

    path: Annotated[
        LocalRowsPath,
        Option(
            "rows to measure on, a file, folder or pattern: what repeats one of them leaves before anything is scored "
            "or selected",
            flag="--holdout",
            metavar="FILE",
        ),
    ]
    mode: Annotated[
        Literal["exact", "ngrams", "near"],
        Option(
            "what repeats a held-out row: exact (it says the same, or has the id), ngrams (these, and rows that have "
            "most of its n-grams of words) or near (these, and rows whose vectors are almost the same)",
            flag="--holdout-mode",
        ),
    ] = "ngrams"
    ngram: Annotated[
        int,
        Option("words of an n-gram", ge=1, le=1000, when={"mode": ("ngrams", "near")}, flag="--holdout-ngram"),
    ] = PHRASE_WORDS
    share: Annotated[
        float,
        Option(
            "the share of a held-out row's n-grams, and of those of its answers, from which on a row leaves",
            gt=0,
            le=1,
            when={"mode": ("ngrams", "near")},
            flag="--holdout-share",
        ),
    ] = NEAR_SHARE
    threshold: Annotated[
        float,
        Option(
            "the cosine similarity to a held-out row from which on a row leaves",
            gt=0,
            lt=1,
            when={"mode": "near"},
            flag="--holdout-threshold",
        ),
    ] = 0.95

    @property
    def paths(self) -> list[str]:
        """What is held out, as the user named it."""
        return [self.path] if isinstance(self.path, str) else self.path

    @property
    def near(self) -> bool:
        """Whether vectors are compared as well."""
        return self.mode == "near"

    def describe(self) -> str:
        """Return which rows leave."""
        ways = ["say the same as a row of " + ", ".join(self.paths)]
        if self.mode != "exact":
            ways.append(f"have {self.share:.0%} of its n-grams of {self.ngram} words")
        if self.near:
            ways.append(f"a cosine similarity to it of {self.threshold:g} or more")
        return "rows leave that " + (", or ".join(ways) if len(ways) < 3 else f"{ways[0]}, {ways[1]}, or {ways[2]}")

    def needs(self) -> frozenset[str]:
        """Return what rows are compared by."""
        return frozenset({"contents", "vectors"} if self.near else {"contents"})

    def parts(self) -> tuple[Stage, ...]:
        """Return what compares words and what compares vectors apart: no row that left for its words should get one."""
        return (_WordsOfNear(**self.settings()), _Near(**self.settings())) if self.near else (self,)

    def prepare(self, data: Dataset, run: Run) -> Dataset:
        """Read the held-out rows.

        Raises
        ------
        UsageError
            If there are no rows to compare them with, they are the input itself, or they cannot be read as rows.
        DataError
            If a file is damaged or holds no row, or rows that cannot be used and are not to be dropped.
        """
        if data.rows is None:
            raise UsageError(
                "there are no rows to compare with the held-out rows, only arrays",
                hint="pass data, or leave the held-out rows out",
            )
        run.prepared[id(self)] = PreparedHeldOut(self._read(data, run))
        return data

    def _read(self, data: Dataset, run: Run) -> tuple[HeldOutFile, ...]:
        # The parts of one stage stand one after the other, and compare the same rows.
        for step in run.steps:
            known = run.prepared.get(id(step))
            if isinstance(known, PreparedHeldOut) and isinstance(step, Holdout) and step.path == self.path:
                return known.files
        source = next(step for step in run.steps if isinstance(step, Source))
        value = run.given(self, "path")
        if value is not None:
            return (given_held_out(value, data, source, run),)
        with run.reporter.progress("reading held-out rows") as progress:
            files = []
            for number, path in enumerate(self.paths):
                files.append(read_held_out(path, data, source, run))
                progress(number + 1, len(self.paths))
        return tuple(files)

    def run(self, data: Dataset, run: Run) -> Dataset:
        """Return the rows without those that repeat a held-out row by what they say, their id or their n-grams.

        Rows that a later selection looks for (queries) stay: they are never trained.

        Raises
        ------
        UsageError
            If a row is pinned that repeats a held-out row.
        DataError
            If no row is left.
        """
        held: PreparedHeldOut = run.prepared[id(self)]
        found = self._repeats(data, held, run)
        left = self._left(data, found, held, run)
        facts = self._facts(data, found, held)
        if self.says:
            for notice in _notices(facts):
                run.reporter.notice(notice)
        return left.with_facts(holdout=facts)

    @property
    def says(self) -> bool:
        """Whether it is the last part to compare, which tells of all."""
        return True

    def repeated_by_words(self, data: Dataset, run: Run) -> Repeats:
        """Return which of other rows, such as those made of rows that stayed, repeat held-out rows by their words."""
        held: PreparedHeldOut = run.prepared[id(self)]
        ngrams = None if self.mode == "exact" else (self.ngram, self.share)
        return repeats_by_words(data, held.files, ngrams=ngrams, run=run)

    def _repeats(self, data: Dataset, held: PreparedHeldOut, run: Run) -> Repeats:
        """Return which rows repeat which held-out rows."""
        del held
        return self.repeated_by_words(data, run)

    def _left(self, data: Dataset, found: Repeats, held: PreparedHeldOut, run: Run) -> Dataset:
        """Return the rows without those that repeat a held-out row."""
        protected = protected_rows(data, self, run)
        found.clear(protected.queries)
        pinned = protected.pinned[found.leaves[protected.pinned]]
        if len(pinned):
            row = int(pinned[0])
            more = f" (more such rows: {len(pinned) - 1:,})" if len(pinned) > 1 else ""
            raise UsageError(
                f"this row is pinned, and repeats a held-out row{more}",
                where=data.label(row),
                expected="pinned rows that repeat no held-out row",
                got=f"{found.cause(row).reason}: {held.name(int(found.repeated[row]))}",
                hint="take its id out of the list of pins, or the other row out of the held-out rows",
            )
        if data.n and found.leaves.all():
            raise DataError(
                "every row repeats a held-out row, so that none is left",
                where=", ".join(file.name for file in held.files),
                got=f"{data.n:,} rows, first {found.cause(0).reason}: {held.name(int(found.repeated[0]))}",
                hint="hold out other rows, or compare less strictly: --holdout-mode exact (holdout_mode='exact')",
            )
        rows = np.flatnonzero(found.leaves)
        told = held.told() if len(rows) else None
        # By the numbers in the input, as rows are counted anew when some have left.
        inputs = data.input_rows(rows)
        for rank, cause in enumerate(HELD_OUT_CAUSES):
            of_cause = found.ranks[rows] == rank
            leaving = data.positions(inputs[of_cause])
            if told is not None and len(leaving):
                some = rows[of_cause]
                data = data.drop_held_out(leaving, found.repeated[some], found.similarities[some], told, cause)
        return data

    def _facts(self, data: Dataset, found: Repeats, held: PreparedHeldOut) -> dict[str, Any]:
        """Return what there is to tell of each held-out file."""
        shortest = 1 if self.mode == "exact" else self.ngram
        files = [
            {
                "file": file.name,
                "rows": file.data.n,
                "short": int(np.count_nonzero((file.lengths > 0) & (file.lengths < shortest))),
                "without_words": int(np.count_nonzero(file.lengths == 0)),
                "repeating": repeating,
            }
            for file, repeating in zip(held.files, found.matched, strict=True)
        ]
        return {**self.settings(), "compared": data.n, "files": files}

    def preview(self, data: Dataset, size: Size) -> Size:
        """Return the size; held-out rows that are not there, cannot be read or are the input itself are refused."""
        for path in self.paths if self.path != GIVEN else []:
            sample = io.estimate(path).sample
            held_out_shape(sample, data)
            check_apart(data, sample)
        return size

    def cost(self, size: Size) -> Cost | None:
        """Return the cost of the held-out rows and their n-grams, and of copies of the rows that stay, nearly all."""
        held = [io.estimate(path) for path in self.paths if self.path != GIVEN]
        table = sum(one.table_bytes for one in held)
        read = Cost(
            max((one.reading_bytes for one in held), default=0.0) + table,
            size.seconds(text=sum(one.text_bytes for one in held), copied=table),
            table,
        )
        text = size.seconds(text=table + size.word_bytes * size.n)
        phrases = Cost(table / _WORD_BYTES * _PHRASE_BYTES, text)
        stays = (size.row_bytes + size.word_bytes + _LINEAGE_BYTES) * size.n
        return read.then(phrases).then(Cost(stays, size.seconds(copied=stays), _LINEAGE_BYTES * size.n))


class _WordsOfNear(Holdout):
    """What repeats held-out rows by words, where vectors are compared next."""

    name: ClassVar[str] = "holdout"

    def needs(self) -> frozenset[str]:
        """Return what rows are compared by."""
        return frozenset({"contents"})

    def parts(self) -> tuple[Stage, ...]:
        """Return this."""
        return (self,)

    @property
    def says(self) -> bool:
        """Whether it tells of all: vectors are compared next."""
        return False


class _Near(Holdout):
    """The rows near held-out rows, among those of which none repeats one by words."""

    name: ClassVar[str] = "holdout"

    def needs(self) -> frozenset[str]:
        """Return what rows are compared by."""
        return frozenset({"vectors"})

    def parts(self) -> tuple[Stage, ...]:
        """Return this."""
        return (self,)

    def prepare(self, data: Dataset, run: Run) -> Dataset:
        """Have the held-out rows embedded with the rows of the input.

        Raises
        ------
        UsageError
            If the vectors of the rows are given, and nobody knows the encoder that made them.
        """
        data = super().prepare(data, run)
        files = run.prepared[id(self)].files
        before = run.steps[: next(place for place, step in enumerate(run.steps) if step is self)]
        embed = next((step for step in reversed(before) if isinstance(step, Embed)), None)
        if embed is not None and isinstance(embed.encoder, File):
            raise UsageError(
                "the rows have vectors from a file or an array, and the held-out rows have none",
                where=files[0].name,
                expected="an encoder that makes the vectors of both, or a column of both (--embedding-column)",
                hint="--holdout-mode ngrams (holdout_mode='ngrams') compares their words alone",
            )
        run.prepared[id(self)] = PreparedHeldOut(files, tuple(Queries(file.name, data=file.data) for file in files))
        return data

    def _repeats(self, data: Dataset, held: PreparedHeldOut, run: Run) -> Repeats:
        """Return which rows are near which held-out rows."""
        return repeats_by_vectors(data, held, self.threshold, run)

    def _facts(self, data: Dataset, found: Repeats, held: PreparedHeldOut) -> dict[str, Any]:
        """Return what was found by words, and by vectors on top of it."""
        del held
        words = data.facts["holdout"]
        both = zip(words["files"], found.matched, strict=True)
        return {**words, "files": [{**file, "repeating": file["repeating"] + more} for file, more in both]}

    def preview(self, data: Dataset, size: Size) -> Size:
        """Return the size: what is wrong with the held-out rows is said by what compares words."""
        del data
        return size

    def cost(self, size: Size) -> Cost | None:
        """Return the cost of vectors side by side, a block at a time, and of copies of what stays."""
        if not size.d:
            return None
        held = sum(io.estimate(path).rows for path in self.paths if self.path != GIVEN)
        vectors, block = 4.0 * size.d * size.n, 4.0 * size.d * (min(size.n, BLOCK) + held)
        compared = Cost(3 * block, size.seconds(multiply_adds=float(size.n) * held * size.d, copied=vectors))
        stays = size.row_bytes * size.n + vectors
        copied = Cost(stays, size.seconds(copied=stays))
        return compared.then(copied).then(Cost(_LINEAGE_BYTES * size.n, 0.0, _LINEAGE_BYTES * size.n))


def _notices(facts: dict[str, Any]) -> Iterator[str]:
    """Yield what users should know of a comparison."""
    compared = facts["compared"]
    for file in facts["files"]:
        name, rows, repeating = file["file"], file["rows"], file["repeating"]
        if repeating > _MOST * compared:
            yield f"{repeating:,} of {compared:,} rows repeat held-out rows of {name} and leave: is it the right file?"
        if not repeating:
            yield f"no row repeats one of the {rows:,} held-out rows of {name}"
        parts = [f"{file['short']:,} with fewer than {facts['ngram']} words"] if file["short"] else []
        parts += [f"{file['without_words']:,} without words"] if file["without_words"] else []
        if parts:
            yield f"of the {rows:,} held-out rows of {name} are compared as a whole: {' and '.join(parts)}"
