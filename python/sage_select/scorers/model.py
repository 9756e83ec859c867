"""Scores by a language model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from sage_select.data import Dataset
from sage_select.declare.option import Option
from sage_select.errors import DataError, UsageError
from sage_select.pipeline.cost import Cost, Size
from sage_select.pipeline.model_cost import model_cost
from sage_select.pipeline.run import Run
from sage_select.render import RowExamples
from sage_select.score import MEASURES, MeasureName, Precision, ScoreResult, ScoringModel, language_model_scores
from sage_select.score.measures import needed
from sage_select.score.token_rows import rendering_of
from sage_select.scorers.scorer import Scorer, scorer
from sage_select.values.location import AdapterPath, ModelName

__all__ = ["Model"]


@scorer("model", place=40, implied_by="model", held=True)
class Model(Scorer):
    """What a causal language model says of a row: its mean token loss, or another measure."""

    model: Annotated[
        ModelName,
        Option("a causal language model (path or repository) that scores the trained tokens", flag="--score-model"),
    ]
    score_measure: Annotated[
        MeasureName,
        Option(
            "what is taken of it: loss (mean per token), perplexity (its exponential), entropy (mean per token), "
            "mnlp (mean log-probability, lower is harder: the order of loss), el2n (norm of the error), ifd "
            "(perplexity of the answer with its prompt over that without: a second pass), or learnability (loss beyond "
            "that of a reference model); docs/scores.md has the formulas",
        ),
    ] = "loss"
    score_adapter: Annotated[
        AdapterPath,
        Option("a LoRA adapter of the model: its folder, or that of the run of sage-train", metavar="FOLDER"),
    ] = None
    reference_model: Annotated[
        ModelName,
        Option(
            "of learnability: the model that knows what is to be learned, with the same tokenizer",
            flag="--score-reference-model",
            default="the same one, with the adapter for it",
            when={"score_measure": "learnability"},
        ),
    ] = None
    reference_adapter: Annotated[
        AdapterPath,
        Option(
            "of learnability: an adapter of that model, such as a later checkpoint",
            flag="--score-reference-adapter",
            metavar="FOLDER",
            when={"score_measure": "learnability"},
        ),
    ] = None
    on_long_row: Annotated[
        Literal["keep_turns", "keep_end", "keep_start"],
        Option(
            "what is scored of rows longer than the model takes: what sage-train --on-long-row trains of them",
            flag="--score-on-long-row",
        ),
    ] = "keep_turns"
    score_max_length: Annotated[
        int | None,
        Option("the most tokens of a row", ge=2, default="what the model takes, at most 2048"),
    ] = None
    score_precision: Annotated[
        Precision | None,
        Option(
            "in what the model is held; 8bit and 4bit are those of bitsandbytes",
            default="fp32 on a CPU, bf16 on a GPU that has it",
        ),
    ] = None
    score_device: Annotated[
        str | None, Option("where the model runs, such as cpu or cuda:1", default="a GPU, if there is one")
    ] = None

    @model_validator(mode="after")
    def _reference(self) -> Model:
        if self.score_measure == "learnability" and self.reference is None:
            raise ValueError("score_measure 'learnability' needs reference_model, or reference_adapter")
        return self

    @property
    def higher_is_harder(self) -> bool:
        """As the measure declares."""
        return MEASURES[self.score_measure].higher_is_harder

    @property
    def scoring(self) -> ScoringModel:
        """The model, how it is held and where."""
        return ScoringModel(str(self.model), self.score_adapter, self.score_precision, self.score_device)

    @property
    def reference(self) -> ScoringModel | None:
        """The reference model, held alike; None where there is none."""
        if self.reference_model is None and self.reference_adapter is None:
            return None
        name = str(self.reference_model or self.model)
        return ScoringModel(name, self.reference_adapter, self.score_precision, self.score_device)

    def score(self, data: Dataset, run: Run) -> NDArray[Any]:
        """Return the measure of each row, over the tokens that would be trained.

        Raises
        ------
        DataError
            If a row has nothing to train.
        """
        run.tell(score_measure=self.score_measure)
        return MEASURES[self.score_measure].of(self.figures(data, run, [self.score_measure]))

    def figures(
        self,
        data: Dataset,
        run: Run,
        measures: Sequence[MeasureName],
    ) -> dict[str, NDArray[Any]]:
        """Return what these measures are made of: `loss`, `entropy` and `el2n`, the trained `tokens`, and more passes'.

        Parameters
        ----------
        data, run
            The rows, and who is told.
        measures
            What is wanted: each pass that it needs is made.

        Raises
        ------
        DataError
            If a row has nothing to train.
        UsageError
            If a measure makes no sense for the rows, or the models have other tokens.
        """
        if data.rows is None or data.shape is None:
            raise UsageError("a language model scores rows, and there are only arrays", hint="pass data")
        further = needed(list(measures))
        if "answers" in further and data.shape.is_text:
            raise UsageError(
                "rows of plain text have no prompt, so that ifd says nothing of them",
                where=data.rows.source,
                expected="conversations, or a prompt and its completion",
                got=f"rows of the shape {data.shape.name}",
                hint="name the columns with --prompt-column and --completion-column, or take another measure",
            )
        if "reference" in further and self.reference is not None:
            _same_rendering(self.scoring, self.reference, self.on_long_row)
        passes = partial(self._pass, data, run)
        result = passes(self.scoring)
        self._tell(result, data, run)
        found: dict[str, NDArray[Any]] = {**result.figures, "tokens": result.tokens}
        if "answers" in further:
            found["answer_loss"] = passes(self.scoring, over="answers").figures["loss"]
        if "reference" in further and self.reference is not None:
            other = passes(self.reference, max_length=result.max_length)
            if not np.array_equal(other.tokens, result.tokens):
                row = int(np.flatnonzero(other.tokens != result.tokens)[0])
                raise DataError(
                    "the models do not see the same trained tokens of a row",
                    where=data.rows.where(row),
                    expected=f"{result.tokens[row]} as of {self.scoring.name}",
                    got=f"{other.tokens[row]} of {self.reference.name}",
                )
            found["reference_loss"] = other.figures["loss"]
            run.tell(reference_model=_named(other))
        return found

    def _pass(
        self,
        data: Dataset,
        run: Run,
        model: ScoringModel,
        *,
        over: Literal["rows", "answers"] = "rows",
        max_length: int | None = None,
    ) -> ScoreResult:
        """Return what one pass of a model found, and tell how fast it was."""
        if data.rows is None or data.shape is None:
            raise RuntimeError("only rows are scored")
        rows = RowExamples(data.rows.table, data.shape, data.rows.where)
        what = "" if over == "rows" else ", answers without their prompts"
        with run.reporter.progress(f"scoring with {model.name}{what}") as progress:
            result = language_model_scores(
                rows,
                model,
                over=over,
                where=rows.where,
                max_length=max_length or self.score_max_length,
                on_long_row=self.on_long_row,
                blocks=run.blocks(self, rows.content),
                progress=progress,
            )
        before = f"{line}; " if (line := run.rates.get(run.label_of(self))) else ""
        if said := result.work.line():
            run.tell_rate(self, before + said)
        return result

    def _tell(self, result: ScoreResult, data: Dataset, run: Run) -> None:
        """Tell what became of rows, and what scored; refuse rows without anything to score."""
        for notice in result.notices:
            run.reporter.notice(notice)
        if result.untrained:
            row = int(np.flatnonzero(np.isnan(result.figures["loss"]))[0])
            raise DataError(
                f"{result.untrained:,} rows have nothing the model would be trained on, so they have no loss",
                where=None if data.rows is None else data.rows.where(row),
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
                **_named(result),
                "cut_rows": result.cut_rows,
                "cut_tokens": result.cut_tokens,
                "left_out_rows": result.left_out_rows,
            }
        )

    def cost(self, size: Size) -> Cost | None:
        """Return the memory of the weights: of a reference model too, as torch may hold on to what was freed."""
        del size
        models = [self.scoring.name, *([self.reference.name] if self.reference is not None else [])]
        costs = [model_cost(name) for name in dict.fromkeys(models)]
        known = [cost for cost in costs if cost is not None]
        return None if len(known) < len(costs) else max(known, key=lambda cost: cost.memory)

    def describe(self) -> str:
        """Return the measure and the model."""
        return "".join(self._described())

    def _described(self) -> Iterator[str]:
        yield f"{MEASURES[self.score_measure].summary} under {self.model}"
        if self.score_adapter is not None:
            yield f" with {self.score_adapter}"
        if self.reference is not None:
            yield f", reference {self.reference.name}"
            if self.reference.adapter is not None:
                yield f" with {self.reference.adapter}"
        if self.score_precision is not None:
            yield f", in {self.score_precision}"


def _named(result: ScoreResult) -> dict[str, Any]:
    """Return what names a model and its tokens in a manifest."""
    return {
        "model": result.model.name,
        "revision": result.revision,
        "adapter": result.model.adapter,
        "adapter_digest": result.model.adapter_digest,
        "rendering": result.rendering,
        "max_length": result.max_length,
        "dtype": result.model.dtype,
        "held": result.model.held,
    }


def _same_rendering(model: ScoringModel, reference: ScoringModel, on_long_row: Any) -> None:
    """Raise UsageError where two models have other tokens for the same row: their losses are not of the same thing."""
    if model.name == reference.name:
        return
    first, second = (rendering_of(one.name, on_long_row) for one in (model, reference))
    if first != second:
        raise UsageError(
            "the reference model has another tokenizer or chat template, so that its losses are not of the same tokens",
            where=reference.name,
            expected=f"those of {model.name}",
            hint="take a reference model of the same family",
        )
