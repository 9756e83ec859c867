"""Where each row lies among the others."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, ClassVar, Final, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import model_validator

from sage_select.data import Dataset
from sage_select.declare.option import Option
from sage_select.declare.settings import Choice
from sage_select.display import counted
from sage_select.encode import Embeddings, is_reserved
from sage_select.encode.whitening import Centring
from sage_select.encoders import ENCODERS, Encoder, check_embeddings, check_vectors
from sage_select.errors import UsageError
from sage_select.kernels import Matrix, Metric
from sage_select.pipeline.cost import Cost, Size
from sage_select.pipeline.run import Run
from sage_select.pipeline.stage import Stage, stage
from sage_select.render import JoinedExamples, RowExamples
from sage_select.stages.inputs.arrays import one_a_row
from sage_select.stages.inputs.embedded_text import RENDERED, EmbedText, embedded_texts
from sage_select.stages.inputs.queries import Queries, compared_queries, later_queries

__all__ = ["Embed"]

#: What messages call the parts of rows: one that has none, and all.
_PARTS: Final = {"prompt": "prompt", "first_user": "turn of a user", "answer": "answer"}
_NAMED: Final = {
    **{part: f"the {what}s" for part, what in _PARTS.items()},
    "first_user": "the first turns of users",
    RENDERED: "rows as they are trained",
}


@stage("embed", place=40, gives=frozenset({"vectors"}), keywords="named")
class Embed(Stage):
    """Where each row lies among the others: one vector, from a file, a column, a model, or the words.

    Attributes
    ----------
    encoder
        Where the vectors come from; it need not be named where an option implies it.
    """

    version: ClassVar[int] = 2

    encoder: Annotated[Encoder, Choice(ENCODERS, "hashing", "where vectors come from")]
    embed_text: Annotated[
        EmbedText | None,
        Option(
            "what is embedded of a row: row (all words, without system turns and tools), prompt (all turns that are "
            "not trained, such as the user's), first_user (the first turn of the user), answer (the turns that are "
            "trained), or rendered (the tokens that training sees, of encoders by language models)",
            default="row, of gradients rendered",
        ),
    ] = None
    center: Annotated[
        bool, Option("take the mean of all vectors away from each: serves where all rows share words")
    ] = False
    whiten: Annotated[
        bool, Option("take the mean away and give all directions the same spread, as PCA does: serves hidden states")
    ] = False

    @model_validator(mode="after")
    def _text(self) -> Embed:
        if self.embed_text is None:
            return self
        if self.encoder.given:
            raise ValueError(f"embed_text says what is embedded, and {self.encoder.label} has its vectors already")
        wanted = "rows" if self.embed_text == RENDERED else "texts"
        if wanted not in self.encoder.takes:
            what = "rendered rows" if wanted == "texts" else "texts"
            raise ValueError(f"embed_text is {self.embed_text}, and {self.encoder.label} embeds {what}")
        return self

    @property
    def shown(self) -> EmbedText:
        """What is embedded of a row."""
        return self.embed_text or ("row" if "texts" in self.encoder.takes else RENDERED)

    @property
    def given(self) -> bool:
        """Whether there is a vector for each row of the input already."""
        return self.encoder.given

    def describe(self) -> str:
        """Return where the vectors come from, and what is done to them."""
        of = f", of {_NAMED[self.embed_text]}" if self.embed_text not in (None, "row") else ""
        done = ", whitened" if self.whiten else ", centred" if self.center else ""
        return f"{self.encoder.describe()}{of}{done}"

    def refuse_unused(self, consumers: list[Stage]) -> None:
        """Refuse vectors that nothing compares: they were meant for something.

        Raises
        ------
        UsageError
            As said.
        """
        if not consumers:
            raise UsageError(
                "no stage uses embeddings",
                hint="leave the embeddings out, or choose strategy diversity or hybrid, or --dedup near",
            )

    def run(self, data: Dataset, run: Run) -> Dataset:
        """Return the rows with their vectors, and give those of the same encoder to queries that are rows.

        Raises
        ------
        DataError
            If the vectors are ragged, not finite, zero under cosine, or not one a row.
        """
        vectors, data, name = self.vectors(data, run)
        # Under cosine rows may be scaled to length 1: where any stage compares otherwise, they stay as they are.
        metrics = [step.metric for step in run.consumers(self) if step.metric is not None]
        metric = next((one for one in metrics if one != "cosine"), "cosine")
        matrix = Matrix.from_array(vectors, metric=cast("Metric", metric), name=name, threads=run.threads)
        return data.with_feature("vectors", matrix)

    def vectors(self, data: Dataset, run: Run) -> tuple[NDArray[Any] | pa.Array | pa.ChunkedArray, Dataset, str]:
        """Return one vector a row, as stages are to compare them, the rows with what is known of them, and a name.

        Queries get theirs by the way.
        """
        queries = later_queries(self, run)
        vectors, data, name = self._vectors(data, queries, run)
        if self.center or self.whiten:
            return self._centred(vectors, data, name, run), data, name
        return vectors, data, name

    def _vectors(
        self, data: Dataset, queries: list[Queries], run: Run
    ) -> tuple[NDArray[Any] | pa.Array | pa.ChunkedArray, Dataset, str]:
        """Return the vectors as the encoder has them."""
        if self.encoder.given:
            for one in queries:
                one.vectors = self.encoder.vectors_of_queries(one.need_rows())
        array = run.given(self, "file")
        if array is not None:
            given = one_a_row(array, "embeddings", data.input_n)
            return data.vectors_of_input(given), data, "embeddings"
        if self.encoder.given:
            vectors = self.encoder.vectors(data, run)
            check_vectors(vectors, self.encoder, data.n)
            return vectors, data, self._name(data)
        if data.rows is None:
            raise UsageError("there are no rows to embed", hint="pass embeddings as an array, or data")
        return self._encoded(data, queries, run)

    def preview(self, data: Dataset, size: Size) -> Size:
        """Return the size as the encoder knows it."""
        return self.encoder.preview(data, size)

    def cost(self, size: Size) -> Cost | None:
        """Return the cost of the encoder, and of centring and whitening."""
        size = self.size_after(size)
        cost = self.encoder.cost(size)
        if cost is None or not (self.center or self.whiten):
            return cost
        values = 4.0 * size.d * size.n
        squares = float(size.d) ** 2 if self.whiten else 0.0
        # The vectors as they were checked, as they are taken, and as they become.
        seconds = size.seconds(copied=4 * values, multiply_adds=(4.0 * size.n + size.d) * squares * size.threads)
        return cost.then(Cost(3 * values + 32 * squares, seconds, values))

    def size_after(self, size: Size) -> Size:
        """Return the size with the width of the vectors."""
        return replace(size, d=self.encoder.width(size))

    def _name(self, data: Dataset) -> str:
        """Return what messages call the vectors."""
        said = self.encoder.describe()
        return said if data.rows is None or self.encoder.name != "column" else f"{data.rows.source}, {said}"

    def _encoded(self, data: Dataset, queries: list[Queries], run: Run) -> tuple[NDArray[np.float32], Dataset, str]:
        # Together, as the weights of words come from all texts.
        parts = [data, *(one.need_data() for one in queries)]
        encoded = (
            self.encoder.encode_rows(_joined(parts), run) if self.shown == RENDERED else self._of_texts(parts, run)
        )
        check_embeddings(encoded, self.encoder, sum(one.n for one in parts))
        for notice in encoded.notices:
            run.reporter.notice(notice)
        if encoded.empty_rows:
            why = "no words" if self.shown != RENDERED else "no tokens that it uses"
            run.reporter.notice(f"{_have(encoded.empty_rows)} {why}: they share one reserved vector")
        if encoded.cut_rows:
            run.reporter.notice(
                f"{encoded.cut_rows:,} rows are longer than the encoder reads: the rest of them has no part"
            )
        if encoded.revision is not None:
            run.tell(embed_model={"model": encoded.name, "revision": encoded.revision})
        if self.embed_text is not None:
            run.tell(embed_text=self.embed_text)
        empty = np.zeros(data.n, np.bool_)
        empty[encoded.empty_text[encoded.empty_text < data.n]] = True
        start = data.n
        for one in queries:
            one.vectors = encoded.array[start : start + one.need_data().n]
            start += one.need_data().n
        name = self.encoder.called if self.encoder.package() else encoded.name
        return encoded.array[: data.n], data.with_feature("empty_text", empty), name

    def _of_texts(self, parts: list[Dataset], run: Run) -> Embeddings:
        texts, without = [], 0
        for one in parts:
            words, absent = embedded_texts(one, self.shown)
            texts += words.chunks
            without += absent
        if without:
            run.reporter.notice(
                f"{counted(without, 'row')} of {sum(one.n for one in parts):,} "
                f"{'has' if without == 1 else 'have'} no {_PARTS[self.shown]}: all their words are embedded"
            )
        return self.encoder.encode(pa.chunked_array(texts, pa.string()), run)

    def _centred(self, vectors: Any, data: Dataset, name: str, run: Run) -> NDArray[np.float32]:
        """Return vectors without what all have in common, as float32, and do the same to queries.

        Those without words keep their reserved vector, and have no part in the mean; those of which nothing is left get
        it. What was made here has length 1 again; what was given keeps its lengths.
        """
        checked = Matrix.from_array(vectors, metric="sqeuclidean", name=name, threads=run.threads)
        array = checked.take(np.arange(data.n))
        empty = data.feature("empty_text")
        empty = np.zeros(data.n, np.bool_) if empty is None or self.encoder.given else empty
        centring = Centring.of(array[~empty] if empty.any() else array, whiten=self.whiten)
        used = int((~empty).sum())
        if self.whiten and 1 < used <= array.shape[1]:
            run.reporter.notice(
                f"whitening {counted(used, 'vector')} of {array.shape[1]:,} numbers makes all of them as good as "
                "equally far apart: it needs many more rows than numbers"
            )
        made, nothing = self._done(centring, array, empty)
        if nothing.any():
            run.reporter.notice(
                f"nothing is left of {counted(int(nothing.sum()), 'row')} of {data.n:,} whose vector is the mean of "
                "all: they share one reserved vector"
            )
        run.tell(
            embedding_centring={
                "whitened": self.whiten,
                "rows": int((~empty).sum()),
                "nothing_left": int(nothing.sum()),
            }
        )
        for one in compared_queries(self, run):
            if one.vectors is not None and one.vectors.ndim == 2 and one.vectors.shape[1] == array.shape[1]:
                given = np.ascontiguousarray(one.vectors, np.float32)
                reserved = np.zeros(len(given), np.bool_) if self.encoder.given else is_reserved(given)
                one.vectors = self._done(centring, given, reserved)[0]
        return made

    def _done(
        self, centring: Centring, array: NDArray[np.float32], reserved: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return centred vectors, the reserved one where they are that or nothing is left; and where that is so."""
        made, nothing = centring(array)
        nothing &= ~reserved
        if not self.encoder.given:
            lengths = np.sqrt(np.square(made, dtype=np.float64).sum(1))
            np.divide(made, lengths[:, None], out=made, where=lengths[:, None] > 0, casting="same_kind")
        made[nothing | reserved] = 0
        if made.shape[1]:
            made[nothing | reserved, 0] = 1
        made.flags.writeable = False
        return made, nothing


def _have(rows: int) -> str:
    return f"{counted(rows, 'row')} {'has' if rows == 1 else 'have'}"


def _joined(parts: list[Dataset]) -> JoinedExamples:
    found = [RowExamples(one.rows.table, one.shape, one.rows.where) for one in parts if one.rows and one.shape]
    return JoinedExamples(found)
