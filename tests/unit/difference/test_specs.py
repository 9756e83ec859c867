"""What differs between two specs, and which part of it makes a result another one."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from sage_select.difference import Cause, causes, compare_specs
from sage_select.difference.specs import _moved
from sage_select.pipeline import Pipeline, Stage
from sage_select.pipeline.plan import resolve
from sage_select.stages import Dedup, Order, Score, Select, Sink, Source

PLAIN = (Source(path="a.jsonl"), Score(column="loss"), Select(strategy="hybrid"), Sink())


def spec(*steps: Stage, seed: int = 0) -> dict[str, Any]:
    return resolve(Pipeline(seed=seed, steps=steps)).to_dict()


def manifest(**changed: Any) -> dict[str, Any]:
    return {"program": {"version": "1"}, "inputs": {"source": "x"}, "fingerprint": "f", **changed}


def test_what_holds_where_nothing_is_said_is_no_difference() -> None:
    said = spec(
        Source(path="a.jsonl"), Dedup(mode="exact"), Score(column="loss"), Select(strategy="hybrid", budget="10%")
    )
    found = compare_specs(spec(*PLAIN), said)
    assert found.same
    assert causes(found) == []
    assert causes(found, manifest(), manifest()) == []


def test_keys_that_differ_are_named_in_the_order_of_the_pipeline() -> None:
    other = (
        Source(path="a.jsonl"),
        Score(column="loss"),
        Select(strategy="hybrid", budget=5, objective="kcenter"),
        Sink(path="b.arrow"),
    )
    found = compare_specs(spec(*PLAIN), spec(*other, seed=7))
    assert [(one.stage, one.key, one.a, one.b) for one in found.changes][:3] == [
        ("", "seed", 0, 7),
        ("select", "objective", "facility", "kcenter"),
        ("select", "k_nn", 64, None),
    ]
    budget = next(one for one in found.changes if one.key == "budget")
    assert (budget.a, budget.b, budget.counts) == ("10%", "5", True)
    assert [one.counts for one in found.changes if one.stage == "sink"] == [False]
    why = causes(found)
    assert why[0] == Cause("", "seed", "seed", 0, 7)
    assert {one.stage for one in why} == {"", "select"}


def test_stages_that_come_go_and_stand_elsewhere() -> None:
    two = (
        Source(path="a"),
        Select(strategy="random", budget="50%"),
        Dedup(),
        Select(strategy="random", budget=3),
        Sink(),
    )
    one = (Source(path="a"), Dedup(), Score(column="x"), Select(strategy="loss_topk", budget="50%"), Sink())
    found = compare_specs(spec(*one), spec(*two))
    assert found.removed == ["score"]
    assert found.added == ["select 2"]
    assert len(found.moved) == 1
    assert found.moved[0] in ("dedup", "select")
    places = {(cause.stage, cause.component) for cause in causes(found) if cause.component != "settings"}
    assert places == {("score", "removed"), (found.moved[0], "moved"), ("select 2", "added")}
    order = [cause.stage for cause in causes(found)]
    assert order == sorted(order, key=found.stages.index)


@pytest.mark.parametrize("after", list(itertools.permutations("abcd")))
def test_no_fewer_stages_could_have_moved(after: tuple[str, ...]) -> None:
    moved = _moved("abcd", after)
    assert [name for name in "abcd" if name not in moved] == [name for name in after if name not in moved]
    for count in range(len(moved)):
        for fewer in itertools.combinations("abcd", count):
            assert [name for name in "abcd" if name not in fewer] != [name for name in after if name not in fewer]


def test_inputs_versions_and_code_are_causes_as_well() -> None:
    same = compare_specs(spec(*PLAIN), spec(*PLAIN))
    other = manifest(inputs={"source": "y", "score.file": "z"}, fingerprint="g")
    assert causes(same, manifest(), other) == [
        Cause("source", "input", "source", "x", "y"),
        Cause("score", "input", "score.file", None, "z"),
    ]
    newer = manifest(program={"version": "2"}, fingerprint="g")
    assert causes(same, manifest(), newer) == [Cause("", "version", "", "1", "2")]
    assert causes(same, manifest(), manifest(fingerprint="g"))[0].component == "meaning"
    packages = [{"kind": "strategy", "name": "mine", "package": "p", "version": version} for version in ("1", "2")]
    found = causes(same, manifest(packages=packages[:1]), manifest(packages=packages[1:], fingerprint="g"))
    assert found == [Cause("", "meaning", "strategy mine", "p 1", "p 2")]


def test_what_is_not_installed_is_compared_as_it_is_written() -> None:
    one = {"version": 1, "seed": 0, "steps": [{"source": {"path": "a"}}, {"mine": {"power": 1}}]}
    two = {"version": 1, "seed": 0, "steps": [{"source": {"path": "a"}}, {"mine": {"power": 2}}]}
    (change,) = compare_specs(one, two).changes
    assert (change.stage, change.key, change.a, change.b, change.counts) == ("mine", "power", 1, 2, None)
    assert [cause.name for cause in causes(compare_specs(one, two))] == ["power"]


def test_orders_are_told_by_their_rule() -> None:
    found = compare_specs(spec(*PLAIN), spec(*PLAIN[:-1], Order(order="easy_to_hard"), Sink()))
    assert [(one.key, one.a, one.b, one.counts) for one in found.changes] == [("order", "random", "easy_to_hard", True)]
