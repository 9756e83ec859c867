"""Predictions of a language model: how likely it finds what it writes itself."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Final

import numpy as np
import pyarrow as pa

from sage_select import io
from sage_select.cache import Computed, key_of, spans
from sage_select.data import Dataset, Predictions
from sage_select.declare.option import Option
from sage_select.errors import UsageError
from sage_select.pipeline.cost import Cost, Size
from sage_select.pipeline.model_cost import model_cost
from sage_select.pipeline.run import Run
from sage_select.predictors.predictor import Labelled, Predictor, predictor
from sage_select.render import RowExamples, Shape
from sage_select.rewriting.likelihood import WrittenLikelihood
from sage_select.values.location import ModelName

__all__ = ["Generate"]

#: Rows that are written for, and held, together.
_BLOCK_ROWS: Final = 256


@predictor("generate", place=40, implied_by="model", held=True, writes=True)
class Generate(Predictor):
    """How likely a causal language model finds what it writes for a row; needs the train extra."""

    model: Annotated[
        ModelName,
        Option(
            "a causal language model (path or repository) that writes an answer to each row", flag="--generate-model"
        ),
    ]
    max_new_tokens: Annotated[int, Option("the most tokens that it writes for a row", ge=1)] = 64

    def predict(self, data: Dataset, labelled: Labelled | None, run: Run) -> Predictions:
        """Return the mean log-probability of the tokens written for each row (MNLP, Shen et al. 2017)."""
        del labelled
        if data.rows is None or data.shape is None:
            raise UsageError("a language model writes for rows, and there are only arrays", hint="pass data")
        rows, shape = data.rows, data.shape
        written = WrittenLikelihood(str(self.model), most=self.max_new_tokens)
        examples = RowExamples(rows.table, shape, rows.where)
        with run.reporter.progress(f"writing with {self.model}") as progress:

            def compute(start: int, stop: int) -> Computed:
                before = written.shortened
                values = written.of(
                    examples[start:stop],
                    lambda row: rows.where(start + row),
                    lambda done: progress(start + done, data.n),
                )
                facts = {b"shortened": str(written.shortened - before).encode()}
                return Computed(pa.table({"log_likelihood": values}).replace_schema_metadata(facts))

            columns = rows.table.select(list(dict.fromkeys(shape.columns)))
            blocks = run.blocks(self, partial(_content, columns, shape))
            parts = list(blocks(written.identity, spans(data.n, _BLOCK_ROWS), compute))
        shortened = sum(int(part.schema.metadata[b"shortened"]) for part in parts)
        if shortened:
            run.reporter.notice(f"{shortened:,} rows are longer than {self.model} takes: it saw the end of each")
        run.tell(predictor={"name": self.name, **written.facts, "shortened_rows": shortened})
        found = np.concatenate([np.empty(0), *(part["log_likelihood"].to_numpy() for part in parts)])
        return Predictions(log_likelihoods=found.astype(np.float32))

    def cost(self, size: Size) -> Cost | None:
        """Return the memory of the weights."""
        del size
        return model_cost(str(self.model))

    def describe(self) -> str:
        """Return the model, and how much it writes."""
        return f"what {self.model} writes, up to {self.max_new_tokens} tokens a row"


def _content(rows: pa.Table, shape: Shape, start: int, stop: int) -> str:
    """Return what names the content of some rows, and how it is read."""
    part = rows.slice(start, stop - start).replace_schema_metadata(None)
    return key_of([shape.to_dict(), io.digest_table(part)])
