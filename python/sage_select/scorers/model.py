"""Scores by the loss of a language model."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sage_select import io
from sage_select.cache import key_of
from sage_select.data import Dataset
from sage_select.declare.option import Option
from sage_select.errors import DataError, UsageError
from sage_select.pipeline.cost import Cost, Size
from sage_select.pipeline.model_cost import model_cost
from sage_select.pipeline.run import Run
from sage_select.render import RowExamples, Shape
from sage_select.score import language_model_scores
from sage_select.scorers.scorer import Scorer, scorer
from sage_select.values.location import ModelName

__all__ = ["Model"]


@scorer("model", place=40, implied_by="model", held=True)
class Model(Scorer):
    """The mean token loss under a causal language model."""

    model: Annotated[
        ModelName,
        Option("a causal language model (path or repository): score by mean token loss", flag="--score-model"),
    ]
    on_long_row: Annotated[
        Literal["keep_turns", "keep_end", "keep_start"],
        Option(
            "what is scored of rows longer than the model takes: what sage-train --on-long-row trains of them",
            flag="--score-on-long-row",
        ),
    ] = "keep_turns"

    def score(self, data: Dataset, run: Run) -> NDArray[Any]:
        """Return the loss of each row, over the tokens that would be trained.

        Raises
        ------
        DataError
            If a row has nothing to train.
        """
        if data.rows is None or data.shape is None:
            raise UsageError("a language model scores rows, and there are only arrays", hint="pass data")
        rows, model = data.rows, str(self.model)
        with run.reporter.progress(f"scoring with {model}") as progress:
            result = language_model_scores(
                RowExamples(rows.table, data.shape, rows.where),
                model,
                where=rows.where,
                on_long_row=self.on_long_row,
                blocks=run.blocks(self, partial(_content, rows.table.select(_columns(data.shape)), data.shape)),
                progress=progress,
            )
        for notice in result.notices:
            run.reporter.notice(notice)
        if result.untrained:
            row = int(np.flatnonzero(np.isnan(result.scores))[0])
            raise DataError(
                f"{result.untrained:,} rows have nothing the model would be trained on, so they have no loss",
                where=rows.where(row),
                expected="an answer in every row",
                hint="take these rows out of the input, or score another way",
            )
        if result.cut_rows:
            run.reporter.notice(
                f"{result.cut_rows:,} rows are longer than {result.max_length:,} tokens: {result.cut_tokens:,} tokens "
                "were left out of their scores"
            )
        if result.left_out_rows:
            run.reporter.notice(
                f"{result.left_out_rows:,} rows are scored by their last tokens, because {self.on_long_row} keeps "
                "nothing of them: sage-train drops them unless it is told --on-long-row keep_end"
            )
        run.tell(
            score_model={
                "model": result.model,
                "revision": result.revision,
                "rendering": result.rendering,
                "dtype": result.dtype,
                "cut_rows": result.cut_rows,
                "cut_tokens": result.cut_tokens,
                "left_out_rows": result.left_out_rows,
            }
        )
        return result.scores

    def cost(self, size: Size) -> Cost | None:
        """Return the memory of the weights."""
        del size
        return model_cost(str(self.model))

    def describe(self) -> str:
        """Return the model."""
        return f"mean token loss under {self.model}"


def _columns(shape: Shape) -> list[str]:
    """Return the columns that are rendered, each once."""
    return list(dict.fromkeys(shape.columns))


def _content(rows: pa.Table, shape: Shape, start: int, stop: int) -> str:
    """Return what names the content of some rows, and how it is read.

    It is of their bytes: rows with the same canonical JSON may be rendered otherwise.
    """
    part = rows.slice(start, stop - start).replace_schema_metadata(None)
    return key_of([shape.to_dict(), io.digest_table(part)])
