"""A case: what is asked, the functions there are, and the calls that are right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sage_select.evaluate.metrics import OMITTED, Accepted
from sage_select.evaluate.metrics.schema import kinds_of, resolved
from sage_select.evaluate.tool_calls import ToolCall

__all__ = ["CATEGORIES", "Case", "category_of", "is_answer", "is_function"]

#: Categories of cases, by which ids begin, the longer names first.
CATEGORIES: Final = ("parallel_multiple", "irrelevance", "parallel", "multiple", "simple")
_LIVE: Final = "live_"
#: Categories that begin as others do and are judged by other rules: values are those of another language.
_OTHER_LANGUAGES: Final = ("simple_java", "simple_javascript")


@dataclass(frozen=True)
class Case:
    """A case of BFCL with one turn to judge.

    Parameters
    ----------
    id
        Its name, which begins with its category.
    messages
        What is said before the turn: `role` and `content` of each message.
    functions
        The functions there are: `name`, `description`, and `parameters` as a JSON schema with BFCL's names of types.
    ground_truth
        The calls that are right, in any order: function -> parameter -> possible answers, `""` among them where the
        parameter may be left out. Empty where none should be called.
    """

    id: str
    messages: tuple[Mapping[str, Any], ...]
    functions: tuple[Mapping[str, Any], ...]
    ground_truth: tuple[Mapping[str, Mapping[str, list[Any]]], ...] = ()

    @property
    def category(self) -> str | None:
        """The category that the id begins with, None of one that is not known."""
        return category_of(self.id)

    @property
    def offered(self) -> dict[str, Mapping[str, Any] | None]:
        """The functions by name, each with the schema of its parameters."""
        return {one["name"]: one.get("parameters") for one in self.functions}

    @property
    def accepted(self) -> tuple[Accepted, ...]:
        """Of each call that is right, its parameters and their possible answers."""
        return tuple(answers for call in self.ground_truth for answers in call.values())

    @property
    def expected(self) -> tuple[ToolCall, ...]:
        """The calls that are right, each value the first of its possible answers."""
        return tuple(
            ToolCall(name, _first_answers(answers, self.offered.get(name)))
            for call in self.ground_truth
            for name, answers in call.items()
        )


def category_of(name: str) -> str | None:
    """Return the category that the id of a case begins with, None where it is none of `CATEGORIES`.

    Examples
    --------
    >>> category_of("live_parallel_multiple_3-1-0"), category_of("simple_python_7"), category_of("multi_turn_base_0")
    ('parallel_multiple', 'simple', None)
    """
    name = name.removeprefix(_LIVE)
    if name.startswith(_OTHER_LANGUAGES):
        return None
    return next((one for one in CATEGORIES if name.startswith(f"{one}_")), None)


def is_function(value: Any) -> bool:
    """Return whether a value is a function with a name, its parameters an object where it has any."""
    return (
        isinstance(value, dict) and isinstance(value.get("name"), str) and isinstance(value.get("parameters", {}), dict)
    )


def is_answer(value: Any) -> bool:
    """Return whether a value is one function with a list of possible answers for each parameter."""
    return (
        isinstance(value, dict)
        and len(value) == 1
        and all(
            isinstance(one, dict) and all(isinstance(several, list) for several in one.values())
            for one in value.values()
        )
    )


def _first_answers(answers: Mapping[str, list[Any]], schema: Any) -> dict[str, Any]:
    """Return the parameters of a call, without those that may only be left out."""
    properties = resolved(schema, schema).get("properties")
    rules = properties if isinstance(properties, Mapping) else {}
    found = {name: _first(several, rules.get(name), schema) for name, several in answers.items()}
    return {name: value for name, value in found.items() if value != OMITTED or answers[name] != [OMITTED]}


def _first(answers: list[Any], rule: Any, root: Any) -> Any:
    """Return the first answer that is none that stands for leaving out; dictionaries have answers for each key."""
    answer = next((one for one in answers if one != OMITTED), OMITTED)
    kinds = kinds_of(rule, root)
    if isinstance(answer, Mapping) and (not kinds or "object" in kinds):
        return _first_of_keys(answer)
    if isinstance(answer, list) and "object" in kinds_of(resolved(rule, root).get("items"), root):
        return [_first_of_keys(one) if isinstance(one, Mapping) else one for one in answer]
    return answer


def _first_of_keys(answer: Mapping[str, Any]) -> dict[str, Any]:
    firsts = {
        key: next((one for one in several if one != OMITTED), OMITTED) if isinstance(several, list) else several
        for key, several in answer.items()
    }
    return {key: value for key, value in firsts.items() if value != OMITTED or answer[key] != [OMITTED]}
