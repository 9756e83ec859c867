"""Held-out rows, ready to measure: tokens with the mask of the loss, and what evaluators ask about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sage_select.evaluate.evaluator import Asked, Evaluator, chosen_evaluators, prepared
from sage_select.evaluate.material import DEFAULT_TURNS, Limits, Material
from sage_select.evaluate.readers import Reader
from sage_select.evaluate.tool_turns import (
    Question,
    ToolTurns,
    ends_of_turns,
    tool_questions,
    turn_tokens,
    unasked,
)
from sage_select.render.tokens import Encoded, Renderer
from sage_select.train.selection import OrderedRows

__all__ = ["DEFAULT_TURNS", "HeldOut", "Question", "ToolTurns", "ends_of_turns", "prepare", "turn_tokens"]

#: Who asks where nobody is named.
_USUAL = ("loss", "tool_calls")


@dataclass(frozen=True)
class HeldOut:
    """Rows to measure a model on.

    Parameters
    ----------
    row_ids
        Ids of the rows that have a trained token.
    examples, owners
        Training examples of these rows, and for each the index of its row.
    questions
        Turns to generate, in the order of the rows.
    tools
        What the turns are a sample of.
    reader
        How calls are read from a turn.
    stops
        Tokens that end a generated turn: those that end expected turns, and the tokenizer's own.
    inside
        Tokens that stand inside of expected turns, and so never end one.
    max_new_tokens
        How far a turn is generated.
    dropped
        Ids of rows without a trained token, that the chat template refuses, or that are too long.
    tokenizer
        Of the model.
    notices
        What the user should know, one line each.
    asked
        What each evaluator asks.
    without
        Evaluators that do not apply to the rows -> why.
    """

    row_ids: tuple[str, ...]
    examples: tuple[Encoded, ...]
    owners: tuple[int, ...]
    questions: tuple[Question, ...]
    tools: ToolTurns
    reader: Reader
    stops: frozenset[int]
    inside: frozenset[int]
    max_new_tokens: int
    dropped: tuple[str, ...]
    tokenizer: Any
    notices: tuple[str, ...]
    asked: tuple[Asked, ...] = ()
    without: Mapping[str, str] = field(default_factory=dict)


def prepare(
    ordered: OrderedRows,
    renderer: Renderer,
    *,
    turns: int | None = DEFAULT_TURNS,
    limits: Limits | None = None,
    evaluators: Sequence[Evaluator] | None = None,
    automatic: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> HeldOut:
    """Tokenise held-out rows and find what evaluators ask about them.

    Parameters
    ----------
    ordered, renderer
        The rows, and how they are written.
    turns
        The most turns of each kind that are generated; None for all, 0 for none.
    limits
        All limits, in place of `turns`.
    evaluators, automatic
        Who asks, and whether one that does not apply is left out; None: `loss` and `tool_calls`.
    progress
        Called with (rows done, rows).

    Raises
    ------
    DataError
        If a row cannot be read, none has a trained token, or no evaluator applies.
    """
    material = Material(ordered, renderer, limits or Limits(max_turns=turns), progress)
    if evaluators is None:
        evaluators = chosen_evaluators(_USUAL)
    asked, without = prepared(evaluators, material, automatic=automatic)
    tools = tool_questions(material) if "tool_calls" in {one.name for one in evaluators} else unasked(material)
    # Why there is no figure of tools is told, too, where nothing is asked about them for that.
    notices = dict.fromkeys([*tools.notices, *(notice for one in asked for notice in one.notices)])
    return HeldOut(
        row_ids=material.row_ids,
        examples=material.examples,
        owners=material.owners,
        questions=tools.questions,
        tools=tools.turns,
        reader=tools.reader,
        stops=tools.stops,
        inside=tools.inside,
        max_new_tokens=tools.max_new_tokens,
        dropped=material.dropped,
        tokenizer=renderer.tokenizer,
        notices=tuple(notices),
        asked=tuple(asked),
        without=without,
    )
