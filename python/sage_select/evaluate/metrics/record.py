"""What was asked of a model once, what was expected and what came: what every metric is computed from."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from sage_select.evaluate.tool_calls import ToolCall

__all__ = [
    "Accepted",
    "AnswerRecord",
    "ToolRecord",
    "accepted_of",
    "exactly",
    "joined_by_row",
    "offered_in",
    "possible_answer",
]

#: Of an expected call: parameter -> the values that count as right; `""` among them where it may be left out.
Accepted: TypeAlias = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class ToolRecord:
    """A turn in which a model could call tools, judged.

    Parameters
    ----------
    row_id, message
        The row, and the number of the message in it, from 0.
    expected, predicted
        The calls of the row's own turn, and those of the generated one, in order and with their arguments.
    failures
        Places in the generated turn that looked like a call and could not be read.
    offered
        The tools that the row offers: name -> JSON schema of the parameters, None where the tool has none.
    accepted
        Of each expected call, in order, which values of which parameters are right (the possible answers of BFCL); None
        where those of the expected call alone are.
    text
        The generated turn.
    at_limit
        Whether the turn was cut off because it had become too long.
    """

    row_id: str
    message: int
    expected: tuple[ToolCall, ...] = ()
    predicted: tuple[ToolCall, ...] = ()
    failures: int = 0
    offered: Mapping[str, Mapping[str, Any] | None] = field(default_factory=dict)
    accepted: tuple[Accepted, ...] | None = None
    text: str = ""
    at_limit: bool = False

    @property
    def expected_names(self) -> tuple[str, ...]:
        """Names of the tools that should be called, each once, as they come."""
        return tuple(dict.fromkeys(call.name for call in self.expected))

    @property
    def predicted_names(self) -> tuple[str, ...]:
        """Names of the tools that are called, each once, as they come."""
        return tuple(dict.fromkeys(call.name for call in self.predicted))

    @property
    def correct(self) -> bool:
        """True where exactly the expected tools are called and nothing was unreadable."""
        return exactly(self.expected_names, self.predicted_names, self.failures)

    @property
    def attempts(self) -> bool:
        """True where a tool is called, or something unreadable is."""
        return bool(self.predicted) or self.failures > 0


@dataclass(frozen=True)
class AnswerRecord:
    """A question with one right answer, and what a model said.

    Parameters
    ----------
    row_id, message
        The row, and the number of the message in it, from 0.
    expected, predicted
        The right answer and the model's: whole texts where an answer stands in them, labels where labels are scored.
    at_limit
        Whether what was said was cut off because it had become too long.
    """

    row_id: str
    message: int
    expected: str
    predicted: str
    at_limit: bool = False


def exactly(expected: Collection[str], predicted: Collection[str], failures: int) -> bool:
    """Return whether exactly the expected tools are called, in whatever order and number, and nothing was unreadable.

    Examples
    --------
    >>> exactly(["search", "book"], ["book", "search", "search"], 0), exactly([], [], 1)
    (True, False)
    """
    return set(expected) == set(predicted) and not failures


def offered_in(tools: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any] | None]:
    """Return the tools that a row offers by name, each with the JSON schema of its parameters, None where it has none.

    Parameters
    ----------
    tools
        The row's tools as `sage_select.render` has them: `{"type": "function", "function": {"name": ...}}`.

    Examples
    --------
    >>> offered_in([{"type": "function", "function": {"name": "search", "parameters": {"type": "object"}}}])
    {'search': {'type': 'object'}}
    """
    found: dict[str, Mapping[str, Any] | None] = {}
    for tool in tools:
        function = tool.get("function", tool)
        if isinstance(function, Mapping) and isinstance(function.get("name"), str):
            schema = function.get("parameters")
            found[function["name"]] = schema if isinstance(schema, Mapping) else None
    return found


def joined_by_row(records: Iterable[ToolRecord]) -> list[ToolRecord]:
    """Return one record a row, with the calls of all its turns one after the other, for metrics of a whole plan.

    A row whose turns were not all judged has those that were. Messages are taken in the order of their numbers.
    """
    rows: dict[str, list[ToolRecord]] = {}
    for one in records:
        rows.setdefault(one.row_id, []).append(one)
    return [_joined(sorted(turns, key=lambda turn: turn.message)) for turns in rows.values()]


def _joined(turns: Sequence[ToolRecord]) -> ToolRecord:
    accepted = None
    if any(turn.accepted is not None for turn in turns):
        accepted = tuple(one for turn in turns for one in accepted_of(turn))
    return ToolRecord(
        row_id=turns[0].row_id,
        message=turns[0].message,
        expected=tuple(call for turn in turns for call in turn.expected),
        predicted=tuple(call for turn in turns for call in turn.predicted),
        failures=sum(turn.failures for turn in turns),
        offered={name: schema for turn in turns for name, schema in turn.offered.items()},
        accepted=accepted,
        text="\n".join(turn.text for turn in turns),
        at_limit=any(turn.at_limit for turn in turns),
    )


def accepted_of(record: ToolRecord) -> tuple[Accepted, ...]:
    """Return of each expected call which values are right: those of the call, where the record says nothing else."""
    if record.accepted is not None:
        return record.accepted
    return tuple(
        {name: (possible_answer(value),) for name, value in call.arguments.items()} for call in record.expected
    )


def possible_answer(value: Any) -> Any:
    """Return a value as BFCL writes it among possible answers: of a dictionary, each key has a list of them."""
    if isinstance(value, dict):
        return {key: [one] for key, one in value.items()}
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        return [possible_answer(one) for one in value]
    return value
