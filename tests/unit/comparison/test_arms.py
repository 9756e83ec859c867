"""Which arms a comparison has: controls are there unasked, and what is the same is there once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sage_select.comparison.arms import Arm, arms_of
from sage_select.errors import UsageError
from sage_select.methods import MethodSpec, known_methods, named_methods

KNOWN = known_methods()


def arms(*names: str, **options: object) -> dict[str, Arm]:
    return {arm.name: arm for arm in arms_of(named_methods(names, KNOWN), KNOWN, **options)}


def test_controls_are_added() -> None:
    found = arms("B3", "E")
    assert {name: arm.control for name, arm in found.items()} == {
        "random_subset": None,
        "random_order": None,
        "B3_coreset_hybrid": "random_subset",
        "E_curriculum": "random_order",
    }


def test_a_method_that_was_asked_for_is_the_control_of_others_where_it_does_the_same() -> None:
    found = arms("B1", "B3", "E", "H", "B4", "A")
    assert list(found) == [
        "B1_coreset_loss",
        "B3_coreset_hybrid",
        "E_curriculum",
        "H_lora_plus",
        "B4_coreset_random",
        "A_baseline",
    ]
    assert [arm.control for arm in found.values()] == ["B4_coreset_random"] * 2 + ["A_baseline"] * 2 + [None] * 2


def test_controls_of_different_sizes_have_names_of_their_own() -> None:
    found = arms("B3", "D")
    assert [name for name in found if name.startswith("random_subset")] == [
        "random_subset",
        "random_subset of D_combined",
    ]
    assert found["D_combined"].control == "random_subset of D_combined"
    assert found["random_subset of D_combined"].method.steps[0].settings()["budget"] == "1500"
    assert list(arms("B3", "D", budget="5%")) == ["random_subset", "B3_coreset_hybrid", "D_combined"]


def test_an_arm_that_teaches_comes_before_the_one_that_it_teaches() -> None:
    found = arms("G")
    assert list(found) == ["A_baseline", "G_knowledge_distillation"]
    assert found["G_knowledge_distillation"].teacher in found
    assert arms("G", has_teacher=True)["G_knowledge_distillation"].teacher is None


def test_rows_drawn_evenly_are_one_more_control() -> None:
    found = arms("B3", balance="intent")
    drawn = found["random_stratified"].method.steps[0].settings()
    assert (drawn["strategy"], drawn["budget"], drawn["quota"]) == ("random", "1000", "intent")
    assert "random_stratified" not in arms("A", "E", balance="intent")


def test_a_method_that_teaches_itself_is_refused() -> None:
    own = MethodSpec.of("own", {"summary": "x", "teacher": "own", "train": {"method": "distillation"}})
    with pytest.raises(UsageError, match="taught by own"):
        arms_of([own], {**KNOWN, "own": own})
    lost = MethodSpec.of("lost", {"summary": "x", "teacher": "nobody", "train": {"method": "distillation"}})
    with pytest.raises(UsageError, match="which is no method"):
        arms_of([lost], KNOWN)


def test_the_control_of_a_method_is_not_that_of_a_selection_of_another_size(tmp_path: Path) -> None:
    drawn = KNOWN["B4_coreset_random"].with_budget("7")
    control = Arm("random_subset", replace(drawn, name="random_subset"), None)
    own = Arm("selection", MethodSpec("selection", "x", control="none"), control.name, selection=tmp_path / "out.arrow")
    found = arms("A", "B3", beside=[control, own])
    assert list(found) == [
        "random_subset",
        "selection",
        "random_subset of B3_coreset_hybrid",
        "A_baseline",
        "B3_coreset_hybrid",
    ]
    assert found["selection"].control == "random_subset"
    assert found["B3_coreset_hybrid"].control == "random_subset of B3_coreset_hybrid"
    same = arms("B3", beside=[control, own], budget="7")
    assert list(same) == ["random_subset", "selection", "B3_coreset_hybrid"]
    assert same["B3_coreset_hybrid"].control == "random_subset"
