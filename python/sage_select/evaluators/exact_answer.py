"""Whether the number that a worked solution comes to is that of the row (gsm8k)."""

from __future__ import annotations

from collections.abc import Sequence

from sage_select.evaluate.asked_model import AskedModel
from sage_select.evaluate.evaluator import Asked, Evaluator, NotHere, evaluator
from sage_select.evaluate.final_turns import final_turns
from sage_select.evaluate.material import Material
from sage_select.evaluate.metrics import EXACT_ANSWER, AnswerRecord, final_number
from sage_select.evaluate.metrics.answers import MARKER
from sage_select.train.stages import Stages

__all__ = ["ExactAnswer"]


@evaluator("exact_answer", place=30)
class ExactAnswer(Evaluator):
    """Whether the number behind #### in what the model writes is that of the row, as in gsm8k."""

    def prepare(self, material: Material) -> Asked | NotHere:
        """Return the last turns of the rows whose answer has a number behind the mark."""
        found = final_turns(material, _has_number, most=material.limits.max_turns)
        if material.limits.max_turns == 0:
            return NotHere("no turn is generated")
        if not found.turns:
            left = "; ".join(f"{count:,} are left out: {why}" for why, count in found.left_out.items())
            return NotHere(f"no answer of these rows has a number behind {MARKER}" + (f" ({left})" if left else ""))

        def answer(model: AskedModel, stages: Stages, name: str) -> Sequence[AnswerRecord]:
            return [
                AnswerRecord(turn.row_id, turn.message, turn.words, one.text, one.at_limit)
                for turn, one in zip(found.turns, found.answers(model, stages, name), strict=True)
            ]

        return Asked(
            evaluator=self.name,
            why=f"{len(found.turns):,} rows whose answer has a number behind {MARKER} are answered",
            metrics=(EXACT_ANSWER,),
            answer=answer,
            notices=tuple(f"{count:,} rows are not answered: {why}" for why, count in found.left_out.items()),
            facts={
                "answers": len(found.turns),
                "left_out": dict(found.left_out),
                "max_new_tokens": found.max_new_tokens,
                "max_thinking_tokens": found.max_thinking,
            },
        )


def _has_number(words: str) -> bool:
    return final_number(words, marked=True) is not None
