"""Augmenters: every one gives texts for drafts, the same whatever the order; models are told and checked early."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from stages import alone
from writers import make_writer

from sage_select.augmenters import AUGMENTERS, Augmenter, Draft
from sage_select.data import Dataset
from sage_select.errors import UsageError
from sage_select.pipeline import Size
from sage_select.stages import Augment

DRAFTS = [
    Draft((f"book a table for {row} please", "..."), (), f"row {row}", 7)
    if row % 2
    else Draft((f"find {row} hotels",), (), f"row {row}", 7)
    for row in range(9)
]


@pytest.fixture(scope="module")
def wanted(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Return what augmenters must be told beside their name."""
    there = make_writer("marian", tiny_model, tmp_path_factory.mktemp("there"))
    back = make_writer("bart", tiny_model, tmp_path_factory.mktemp("back"))
    return {
        "paraphrase": {"model": str(tiny_model), "prompt": "{text}"},
        "back_translation": {"there": str(there), "back": str(back), "temperature": 0.8},
    }


@pytest.fixture(params=AUGMENTERS)
def rule(request: pytest.FixtureRequest, wanted: dict[str, dict[str, Any]]) -> Augmenter:
    return AUGMENTERS[request.param](**wanted.get(request.param, {}))


def test_every_augmenter_gives_a_text_for_each_and_follows_names_alone(rule: Augmenter) -> None:
    run = alone()
    made = [list(texts) for texts in rule.rewrite(DRAFTS, run)]
    assert [len(texts) for texts in made] == [len(draft.texts) for draft in DRAFTS]
    turned = [list(texts) for texts in rule.rewrite(DRAFTS[::-1], run)]
    assert turned[::-1] == made
    if rule.name != "none":
        assert made != [list(draft.texts) for draft in DRAFTS]
        # Another number of the same parent says something else, somewhere.
        others = [Draft(draft.texts, draft.kept, f"{draft.name} again", draft.key) for draft in DRAFTS]
        assert [list(texts) for texts in rule.rewrite(others, run)] != made
    assert all(texts[1] == "..." for texts in made[1::2])


def test_every_augmenter_says_what_it_does_and_costs(rule: Augmenter) -> None:
    assert rule.describe()
    assert "\n" not in rule.describe()
    cost = rule.cost(Size(n=10, input_n=10, row_bytes=100.0, word_bytes=50.0))
    assert cost is None or cost.memory >= 0
    stage = Augment(augment=rule.name, **rule.settings())
    assert type(stage).make(**stage.settings()) == stage


def test_models_are_pinned_in_the_manifest(wanted: dict[str, dict[str, Any]]) -> None:
    run = alone()
    AUGMENTERS["back_translation"](**wanted["back_translation"]).rewrite(DRAFTS[:2], run)
    assert run.told["augment_there"]["model"] == wanted["back_translation"]["there"]
    assert run.told["augment_back"]["revision"].startswith("blake2b-256:")


def test_texts_that_are_not_written_are_told(wanted: dict[str, dict[str, Any]]) -> None:
    run = alone()
    long = Draft(("far too long " * 300,), (), "long", 7)
    AUGMENTERS["paraphrase"](**wanted["paraphrase"]).rewrite([long, DRAFTS[0]], run)
    assert any(notice.startswith("1 of 2 texts are longer than") for notice in run.reporter.notices)


@pytest.mark.parametrize("name", ["paraphrase", "back_translation"])
def test_models_that_are_not_there_are_refused_early(name: str, tmp_path: Path) -> None:
    gone = str(tmp_path / "gone")
    told = {"paraphrase": {"model": gone}, "back_translation": {"there": gone, "back": gone}}[name]
    with pytest.raises(UsageError, match="there is no such model folder"):
        AUGMENTERS[name](**told).check_input(Dataset(n=0))
