"""What tools are called with: whole calls, their parameters, and whether calls can be read and fit their schemas."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from sage_select.evaluate.metrics.bfcl_rules import OMITTED, call_matches, parameter, value_matches
from sage_select.evaluate.metrics.metric import Floats, Metric
from sage_select.evaluate.metrics.pairing import greedy_pairs, most_pairs
from sage_select.evaluate.metrics.record import ToolRecord, accepted_of
from sage_select.evaluate.metrics.schema import fits
from sage_select.evaluate.metrics.selection import CALLING, NO_CALLING, calls

__all__ = ["ARGUMENTS"]

_GROUP: Final = "arguments"
_Pairing = Callable[[Sequence[Sequence[bool]]], list[int | None]]


def _matches(record: ToolRecord) -> list[list[bool]]:
    """Return for each expected call whether each predicted one is right for it."""
    return [
        [call_matches(call, expected, accepted, record.offered.get(expected.name)) for call in record.predicted]
        for expected, accepted in zip(record.expected, accepted_of(record), strict=True)
    ]


def _all_right(record: ToolRecord, pairing: _Pairing) -> bool:
    if record.failures or len(record.expected) != len(record.predicted):
        return False
    return None not in pairing(_matches(record))


def _right_calls(record: ToolRecord) -> int:
    return sum(place is not None for place in most_pairs(_matches(record)))


def _parameters(record: ToolRecord) -> tuple[int, int, int]:
    """Return how many parameters are right, given and expected.

    Of each parameter of each tool, the values given are paired with those expected. One that may be left out is
    expected where it is there and right.
    """
    wanted: dict[tuple[str, str], list[Sequence[Any]]] = defaultdict(list)
    given: dict[tuple[str, str], list[tuple[Any, bool]]] = defaultdict(list)
    for expected, accepted in zip(record.expected, accepted_of(record), strict=True):
        for name, answers in accepted.items():
            wanted[expected.name, name].append(answers)
    for call in record.predicted:
        for name, value in call.arguments.items():
            given[call.name, name].append((value, call.as_text))
    right = expected_ones = 0
    for (tool, name), several in wanted.items():
        root = record.offered.get(tool)
        schema = parameter(root, name)
        ordered = sorted(several, key=lambda answers: OMITTED in answers)  # those that have to be there come first
        pairs = most_pairs(
            [
                [value_matches(value, answers, schema, root, as_text=as_text) for value, as_text in given[tool, name]]
                for answers in ordered
            ]
        )
        right += sum(place is not None for place in pairs)
        expected_ones += sum(
            place is not None or OMITTED not in answers for place, answers in zip(pairs, ordered, strict=True)
        )
    return right, sum(map(len, given.values())), expected_ones


def _f1(sums: Floats) -> Floats:
    return np.asarray(2 * sums[..., 0] / sums[..., 1])


def _schema_valid(record: ToolRecord) -> tuple[int, int]:
    found = [
        fits(call.arguments, schema, as_text=call.as_text)
        for call in record.predicted
        if (schema := record.offered.get(call.name)) is not None
    ]
    return sum(found), len(found)


#: All metrics of arguments.
ARGUMENTS: Final[tuple[Metric[ToolRecord], ...]] = (
    Metric(
        name="calls_exact",
        group=_GROUP,
        definition="Share in which there are as many calls as expected, each expected call has one of its own that is "
        "right by the rules of BFCL, paired so that as many as can be are, and nothing is unreadable.",
        over=CALLING,
        among=calls,
        contribution=lambda one: (_all_right(one, most_pairs), 1),
        parts=("right", "turns"),
        needs={"turns": NO_CALLING},
    ),
    Metric(
        name="calls_exact_greedy",
        group=_GROUP,
        definition="As calls_exact, each expected call paired with the first that is right and not yet taken, as "
        "BFCL's own checker does, which may find no pairs where there are some.",
        over=CALLING,
        among=calls,
        contribution=lambda one: (_all_right(one, greedy_pairs), 1),
        parts=("right", "turns"),
        needs={"turns": NO_CALLING},
    ),
    Metric(
        name="call_recall",
        group=_GROUP,
        definition="Share of expected calls that have a call of their own that is right by the rules of BFCL.",
        over="expected calls",
        among=calls,
        contribution=lambda one: (_right_calls(one), len(one.expected)),
        parts=("right", "calls"),
        needs={"calls": NO_CALLING},
    ),
    Metric(
        name="parameter_precision",
        group=_GROUP,
        definition="Share of the parameters given that have an expected value, paired by tool, name and value by the "
        "rules of BFCL.",
        over="parameters given in turns with a call",
        among=calls,
        contribution=lambda one: _parameters(one)[:2],
        parts=("right", "given"),
        needs={"given": "no parameter is given in a turn with a call"},
    ),
    Metric(
        name="parameter_recall",
        group=_GROUP,
        definition="Share of the parameters expected that are given with an expected value; one that may be left out "
        "counts where it is right.",
        over="parameters expected in turns with a call",
        among=calls,
        contribution=lambda one: _parameters(one)[::2],
        parts=("right", "expected"),
        needs={"expected": "no turn with a call is judged that has parameters"},
    ),
    Metric(
        name="parameter_f1",
        group=_GROUP,
        definition="2 x the parameters that are right / (those given + those expected), as parameter_precision and "
        "parameter_recall count them.",
        over="parameters given or expected in turns with a call",
        among=calls,
        contribution=lambda one: (_parameters(one)[0], sum(_parameters(one)[1:])),
        parts=("right", "given and expected"),
        needs={"given and expected": "no turn with a call is judged that has parameters"},
        value=_f1,
    ),
    Metric(
        name="schema_valid",
        group=_GROUP,
        definition="Share of calls whose arguments fit the JSON schema of the tool (types, enum, const, required, "
        "bounds, items, combinations, references within it; no patterns, formats, conditions); a parameter that it "
        "does not name is a fault unless it allows for more.",
        over="calls of tools that are offered with a schema",
        among=lambda one: any(one.offered.get(call.name) is not None for call in one.predicted),
        contribution=_schema_valid,
        parts=("fitting", "calls"),
        needs={"calls": "no tool that is offered with a schema is called"},
    ),
    Metric(
        name="parse_rate",
        group=_GROUP,
        definition="Share in which all that looks like a call can be read.",
        over="turns in which something looks like a call",
        among=lambda one: one.attempts,
        contribution=lambda one: (not one.failures, 1),
        parts=("read", "turns"),
        needs={"turns": "no generated turn has anything that looks like a call"},
    ),
)
