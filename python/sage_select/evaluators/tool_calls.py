"""Which tools a model calls, with which arguments, in which order, and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated

from sage_select.declare import Option
from sage_select.errors import UsageError
from sage_select.evaluate.asked_model import Answer, AskedModel
from sage_select.evaluate.asked_model import Question as Prompt
from sage_select.evaluate.bfcl import COLUMN, accepted_in
from sage_select.evaluate.evaluator import Asked, Evaluator, NotHere, evaluator
from sage_select.evaluate.material import Material
from sage_select.evaluate.metrics import Accepted, Metric, ToolRecord, offered_in, tool_metrics
from sage_select.evaluate.tool_turns import Question, ToolQuestions, tool_questions
from sage_select.render import Conversation
from sage_select.train.stages import Stages

__all__ = ["ToolCalls", "judged"]


@evaluator("tool_calls", place=20)
class ToolCalls(Evaluator):
    """Which tools are called at each turn given its true history, with what, in which order, or none."""

    ranks: Annotated[
        str, Option("up to which predicted tool hits and recall are looked for", flag="--tool-ranks", metavar="K,...")
    ] = "1,3"

    def prepare(self, material: Material) -> Asked | NotHere:
        """Return the turns to generate, where some of them call tools.

        Raises
        ------
        UsageError
            If the ranks are no numbers above 0.
        """
        metrics = tool_metrics(_ranks(self.ranks))
        found = tool_questions(material)
        if found.turns.no_figure is not None:
            return NotHere(found.turns.no_figure)
        accepted = _accepted(material, found)
        if found.turns.no_arguments is not None:
            metrics = tuple(one for one in metrics if one.group != "arguments")

        def answer(model: AskedModel, stages: Stages, name: str) -> Sequence[ToolRecord]:
            with stages(f"answers of {name}") as progress:
                answers = model.answers(
                    [Prompt(one.prompt, one.prompt_end) for one in found.questions],
                    most=found.max_new_tokens,
                    ends=found.stops,
                    inside=found.inside,
                    thinking=material.limits.max_thinking,
                    progress=progress,
                )
            return judged(found, answers, material.row_ids, accepted)

        calling = sum(bool(one.calls) for one in found.questions)
        return Asked(
            evaluator=self.name,
            why=f"{found.turns.calling:,} turns call tools, {found.turns.other:,} do not; {calling:,} and "
            f"{len(found.questions) - calling:,} of them are generated",
            metrics=_restricted(metrics, found, material.row_ids),
            answer=answer,
            notices=found.notices,
            facts={
                "turns_calling": found.turns.calling,
                "turns_other": found.turns.other,
                "turns_left_out": dict(found.turns.left_out),
                "turns_history_cut": found.turns.history_cut,
                "no_arguments": found.turns.no_arguments,
                "max_new_tokens": found.max_new_tokens,
                "max_thinking_tokens": material.limits.max_thinking,
                "reader": found.reader.name,
            },
        )


def judged(
    found: ToolQuestions,
    answers: Sequence[Answer],
    row_ids: Sequence[str],
    accepted: Mapping[int, tuple[Accepted, ...]] | None = None,
) -> list[ToolRecord]:
    """Return a record for each turn, with the calls that are read in what a model wrote.

    A call whose arguments are no object counts as an unreadable place, where those of the row are one. `accepted` are
    the possible answers of turns that have several, by the number of the question.
    """
    return [
        _record(one, answer, found, row_ids[one.row], (accepted or {}).get(number))
        for number, (one, answer) in enumerate(zip(found.questions, answers, strict=True))
    ]


def _record(
    question: Question, answer: Answer, found: ToolQuestions, row_id: str, accepted: tuple[Accepted, ...] | None
) -> ToolRecord:
    parsed = found.reader.calls(answer.text, question.prompt_end, question.tools)
    torn = sum(call.torn for call in parsed.calls) if question.with_arguments else 0
    return ToolRecord(
        row_id=row_id,
        message=question.message,
        expected=question.calls,
        predicted=parsed.calls,
        failures=parsed.failures + torn,
        offered=offered_in(question.tools),
        accepted=accepted,
        text=answer.text,
        at_limit=answer.at_limit,
    )


def _accepted(material: Material, found: ToolQuestions) -> dict[int, tuple[Accepted, ...]]:
    """Return the possible answers of rows made from BFCL cases, by the number of the question about their last turn."""
    if COLUMN not in material.rows.rows.table.column_names:
        return {}
    held = material.column(COLUMN)
    last = {one.row: number for number, one in enumerate(found.questions)}  # questions stand in the order of rows
    accepted = {}
    for place, row, example in material.measured([place for place in sorted(last) if held[place] is not None]):
        question = found.questions[last[place]]
        if isinstance(example, Conversation) and question.message == len(example.messages) - 1:
            answers = accepted_in(held[place], [call.name for call in question.calls], row.where)
            if answers is not None:
                accepted[last[place]] = answers
    return accepted


def _restricted(
    metrics: Sequence[Metric[ToolRecord]], found: ToolQuestions, row_ids: Sequence[str]
) -> tuple[Metric[ToolRecord], ...]:
    """Return the metrics, those of arguments over turns alone whose arguments are read back from the template."""
    unread = {(row_ids[one.row], one.message) for one in found.questions if not one.with_arguments}
    if not unread:
        return tuple(metrics)

    def read(metric: Metric[ToolRecord]) -> Metric[ToolRecord]:
        return replace(metric, among=lambda one: (one.row_id, one.message) not in unread and metric.among(one))

    return tuple(read(one) if one.group == "arguments" else one for one in metrics)


def _ranks(text: str) -> tuple[int, ...]:
    parts = [one.strip() for one in text.split(",")]
    if not all(one.isdecimal() and int(one) > 0 for one in parts):
        raise UsageError("--tool-ranks are no ranks", expected="whole numbers above 0 with commas between", got=text)
    return tuple(dict.fromkeys(map(int, parts)))
