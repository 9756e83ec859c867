"""Which label of a set the model finds the likeliest: each label is scored, and nothing else can be said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Final

from sage_select.declare import Option
from sage_select.errors import DataError, UsageError, nearest
from sage_select.evaluate.asked_model import AskedModel
from sage_select.evaluate.evaluator import Asked, Evaluator, NotHere, evaluator
from sage_select.evaluate.final_turns import FinalTurn, final_turns, sampled
from sage_select.evaluate.labels import LabelRecord, read_labels, written_labels
from sage_select.evaluate.material import Material
from sage_select.evaluate.metrics import label_metrics
from sage_select.train.stages import Stages
from sage_select.values.location import FilePath

__all__ = ["Classification"]

#: Answers are taken for labels where nobody says so if they are at most so long, so many, and so often there.
_LONGEST: Final = 64
_MOST_LABELS: Final = 1000
_ROWS_A_LABEL: Final = 3
#: Shapes of rows that have a question and an answer.
_TWO_PARTS: Final = ("prompt_completion", "instruction", "question_answer")


@evaluator("classification", place=40)
class Classification(Evaluator):
    """Which label of a set is the likeliest answer, by the summed log-probability of its tokens."""

    labels: Annotated[
        FilePath | None,
        Option(
            "file with the labels, one a line, which are scored in place of those that the rows have",
            flag="--labels",
            metavar="FILE",
            default="the answers of the rows",
        ),
    ] = None
    label_column: Annotated[
        str | None,
        Option("the column that holds the label", metavar="NAME", default="the answer"),
    ] = None

    def prepare(self, material: Material) -> Asked | NotHere:
        """Return the rows whose answer is a label, and the labels as the chat template writes them.

        Raises
        ------
        UsageError
            If there is no such column.
        DataError
            If the label set is empty, a label is no text, or the answer of a row is none of them.
        """
        given = None if self.labels is None else read_labels(self.labels)
        every = final_turns(material, most=None)
        if not every.turns:
            why = "; ".join(f"{count:,}: {why}" for why, count in every.left_out.items())
            return NotHere(f"the rows have no answer that could be a label ({why or 'they are texts'})")
        column = None if self.label_column is None else self._column(material)
        expected = [turn.words.strip() if column is None else column[turn.row] for turn in every.turns]
        if given is None and column is None:
            no_labels = _no_labels(material, expected)
            if no_labels is not None:
                return NotHere(no_labels)
        labels = tuple(given or sorted(set(expected)))
        known = set(labels)
        unknown = next((place for place, one in enumerate(expected) if one not in known), None)
        if unknown is not None:
            raise DataError(
                "the answer of a row is none of the labels",
                where=f"{material.source}, row {every.turns[unknown].row_id}",
                expected=f"one of {len(labels):,} labels",
                got=expected[unknown][:80],
                hint=nearest(expected[unknown], labels) or "name the column that holds the label with --label-column",
            )
        return self._asked(material, every.turns, expected, labels)

    def _column(self, material: Material) -> list[str]:
        names = material.rows.rows.table.column_names
        name = str(self.label_column)
        if name not in names:
            raise UsageError(
                "--label-column is no column of the rows",
                where=material.source,
                expected=", ".join(names)[:200],
                got=name,
                hint=nearest(name, names),
            )
        return [str(one).strip() for one in material.column(name)]

    def _asked(
        self, material: Material, turns: Sequence[FinalTurn], expected: Sequence[str], labels: tuple[str, ...]
    ) -> Asked | NotHere:
        written = written_labels(material, turns, expected, labels)
        if isinstance(written, str):
            return NotHere(written)
        right = {turn.row: label for turn, label in zip(turns, expected, strict=True)}
        chosen = sampled(written.turns, material.limits.max_labelled)
        places = {label: place for place, label in enumerate(labels)}

        def answer(model: AskedModel, stages: Stages, name: str) -> Sequence[LabelRecord]:
            with stages(f"labels of {name}") as progress:
                wanted = [places[right[turn.row]] for turn in chosen]
                scores = model.likelihoods([turn.prompt for turn in chosen], written.tokens, progress, wanted)
            return [
                LabelRecord.of(turn, right[turn.row], labels, one) for turn, one in zip(chosen, scores, strict=True)
            ]

        left_out = f"{written.otherwise:,} rows are not judged: their answer is not written as its label is"
        return Asked(
            evaluator=self.name,
            why=f"{len(chosen):,} rows have one of {len(labels):,} labels as their answer",
            metrics=label_metrics(tuple(sorted({right[turn.row] for turn in chosen}))),
            answer=answer,
            notices=(left_out,) if written.otherwise else (),
            facts={"rows": len(chosen), "labels": list(labels)},
        )


def _no_labels(material: Material, expected: Sequence[str]) -> str | None:
    """Return why answers are not taken for labels where nobody says that they are; None where they are."""
    if material.rows.shape.name not in _TWO_PARTS:
        return "rows are conversations or texts, and no label is named: --label-column or --labels does"
    counts = Counter(expected)
    if max(map(len, counts)) > _LONGEST or any("\n" in one for one in counts):
        return f"answers are longer than {_LONGEST} characters or a line: no labels"
    if len(counts) > _MOST_LABELS or len(expected) < _ROWS_A_LABEL * len(counts):
        return f"{len(counts):,} different answers in {len(expected):,} rows are no set of labels; --labels names one"
    return "all rows have the same answer" if len(counts) < 2 else None
