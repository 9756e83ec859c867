"""What encoders by a causal language model have in common: which model, how it is held, and which rows it is shown."""

from __future__ import annotations

from typing import Annotated, Literal

import pyarrow as pa

from sage_select.declare.option import Option
from sage_select.encode import Embeddings
from sage_select.encode.examples import TextExamples, VectorRule, embed_examples
from sage_select.encoders.encoder import Encoder
from sage_select.pipeline.cost import Cost, Size
from sage_select.pipeline.model_cost import model_cost
from sage_select.pipeline.run import Run
from sage_select.render import JoinedExamples
from sage_select.score import Precision, ScoringModel
from sage_select.score.token_rows import TokenRows
from sage_select.values.location import AdapterPath, ModelName

__all__ = ["LanguageModelEncoder"]


class LanguageModelEncoder(Encoder):
    """An encoder by a causal language model."""

    embed_lm: Annotated[
        ModelName, Option("a causal language model (path or repository) whose states or gradients are the vectors")
    ]
    embed_adapter: Annotated[
        AdapterPath,
        Option("a LoRA adapter of that model: its folder, or that of the run of sage-train", metavar="FOLDER"),
    ] = None
    embed_on_long_row: Annotated[
        Literal["keep_turns", "keep_end", "keep_start"],
        Option("what is seen of rows longer than that model takes: what sage-train --on-long-row trains of them"),
    ] = "keep_turns"
    embed_max_length: Annotated[
        int | None,
        Option("the most tokens of a row that it sees", ge=2, default="what the model takes, at most 2048"),
    ] = None
    embed_precision: Annotated[
        Precision | None,
        Option(
            "in what that model is held; 8bit and 4bit are those of bitsandbytes",
            default="fp32 on a CPU, bf16 on a GPU that has it",
        ),
    ] = None
    embed_device: Annotated[
        str | None, Option("where that model runs, such as cpu or cuda:1", default="a GPU, if there is one")
    ] = None

    @property
    def rule(self) -> VectorRule:
        """What makes vectors of tokens; needs torch."""
        raise NotImplementedError

    @property
    def batch_share(self) -> float:
        """The tokens of a batch, as a share of those of a forward pass: less where a backward pass follows."""
        return 1.0

    @property
    def vectors_are(self) -> str:
        """What plans call the vectors."""
        raise NotImplementedError

    @property
    def embedding_model(self) -> ScoringModel:
        """The model, how it is held and where."""
        return ScoringModel(str(self.embed_lm), self.embed_adapter, self.embed_precision, self.embed_device)

    def encode(self, texts: pa.ChunkedArray, run: Run) -> Embeddings:
        """Return the vectors of texts."""
        return self._vectors(TextExamples(texts), run)

    def encode_rows(self, rows: JoinedExamples, run: Run) -> Embeddings:
        """Return the vectors of rows as they are trained."""
        return self._vectors(rows, run)

    def _vectors(self, rows: TextExamples | JoinedExamples, run: Run) -> Embeddings:
        model = self.embedding_model
        shown = TokenRows(model, self.embed_max_length, self.embed_on_long_row, batch_share=self.batch_share)
        with run.reporter.progress(f"embedding with {model.name}") as progress:
            found = embed_examples(
                rows, shown, self.rule, where=rows.where, blocks=run.blocks(self, rows.content), progress=progress
            )
        run.tell_rate(self, shown.work.line())
        run.tell(
            embedding={
                "encoder": self.name,
                "adapter": model.adapter,
                "adapter_digest": model.adapter_digest,
                "dtype": model.dtype,
                "held": model.held,
            }
        )
        return found

    def cost(self, size: Size) -> Cost | None:
        """Return the memory of the weights and of the vectors."""
        values = 4.0 * size.d * size.n
        return model_cost(str(self.embed_lm), values, values)

    def describe(self) -> str:
        """Return what the vectors are, and of which model."""
        adapter = "" if self.embed_adapter is None else f" with {self.embed_adapter}"
        held = "" if self.embed_precision is None else f", in {self.embed_precision}"
        return f"{self.vectors_are} of {self.embed_lm}{adapter}{held}"
