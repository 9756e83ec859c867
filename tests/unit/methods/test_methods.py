"""Methods as values and files: what they say, what they are compared with, and what is wrong with them."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from sage_select.declare import others
from sage_select.errors import ResourceError, UsageError
from sage_select.methods import CONTROLS, MethodSpec, known, known_methods, load_method, named_methods

#: The methods of SAGE's comparison, by its names, and what it says of them.
ORIGIN = {
    "A_baseline": {},
    "B1_coreset_loss": {"budget": "1000", "strategy": "loss_topk"},
    "B2_coreset_diversity": {"budget": "1000", "strategy": "diversity"},
    "B3_coreset_hybrid": {"budget": "1000", "strategy": "hybrid"},
    "B4_coreset_random": {"budget": "1000", "strategy": "random"},
    "C_continual": {"capacity": 2048, "replay_ratio": 0.25},
    "D_combined": {"budget": "1500", "strategy": "hybrid", "capacity": 2048, "replay_ratio": 0.2},
    "E_curriculum": {"order": "easy_to_hard"},
    "F_data_augmentation": {"augment": "rules"},
    "G_knowledge_distillation": {"method": "distillation"},
    "H_lora_plus": {"loraplus_ratio": 16},
    "I_dora": {"adapter": "dora"},
    "K_dora_coreset": {"adapter": "dora", "budget": "1000"},
    "L_lora_plus_continual": {"loraplus_ratio": 16, "replay_ratio": 0.25, "capacity": 2048},
}


@pytest.mark.parametrize("name", ORIGIN)
def test_the_methods_of_the_origin_are_there(name: str) -> None:
    method = known_methods()[name]
    said = {**method.train, **(method.buffer or {})}
    for step in method.steps:
        said |= step.settings()
    assert {key: said[key] for key in ORIGIN[name]} == ORIGIN[name]


def test_every_method_is_compared_with_something_or_is_what_others_are_compared_with() -> None:
    free = {name for name, one in known_methods().items() if one.control == "none"}
    assert free == {"A_baseline", "B4_coreset_random"}
    assert {one.control for one in known_methods().values()} == set(CONTROLS)


def test_a_control_is_the_method_without_what_it_adds() -> None:
    methods = known_methods()
    assert methods["B3_coreset_hybrid"].controlled_by().identity == methods["B4_coreset_random"].identity
    for name in ("E_curriculum", "F_data_augmentation", "G_knowledge_distillation", "H_lora_plus", "I_dora"):
        assert methods[name].controlled_by().identity == methods["A_baseline"].identity
    control = methods["L_lora_plus_continual"].controlled_by()
    assert (control.sequence, control.buffer, dict(control.train)) == (True, None, {"loraplus_ratio": 16})
    sized = methods["D_combined"].with_budget("10%").controlled_by()
    assert sized.steps[0].settings() == {"strategy": "random", "budget": "10%", "clamp": True}
    assert not sized.train


def test_short_names_stand_for_long_ones_and_unknown_ones_are_told_the_nearest() -> None:
    methods = known_methods()
    assert [one.name for one in named_methods(["B3", "A_baseline", "B3_coreset_hybrid"], methods)] == [
        "B3_coreset_hybrid",
        "A_baseline",
    ]
    with pytest.raises(UsageError, match="did you mean 'B3_coreset_hybrid'"):
        named_methods(["B3_coreset_hybird"], methods)


def test_a_method_is_written_as_the_file_that_it_is_read_from(tmp_path: Path) -> None:
    from ruamel.yaml import YAML

    for method in known_methods().values():
        path = tmp_path / f"{method.name}.yaml"
        with path.open("w") as file:
            YAML().dump(method.as_dict(), file)
        assert load_method(path).identity == method.identity


def test_paths_of_a_file_are_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("summary: mine\nsteps:\n  - score: {scorer: file, file: losses.npy}\n  - select: {budget: 3}\n")
    assert load_method(path).steps[0].settings()["file"] == str(tmp_path / "losses.npy")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- 1", "expected the keys summary"),
        ("summary: x\nstep: []", "unknown key 'step', did you mean 'steps'"),
        ("steps: []", "mine.yaml: summary: expected what the method is"),
        (
            "summary: x\nsteps:\n  - selct: {}",
            "mine.yaml:3:5: steps.0.selct: unknown step 'selct', did you mean 'select'",
        ),
        ("summary: x\nsteps:\n  - select: {budgt: 3}", "mine.yaml:3:14: steps.0.select.budgt: unknown key"),
        ("summary: x\nsteps:\n  - source: {demo: true}", "the source is the comparison's"),
        ("summary: x\ncontrol: rnd", "unknown control 'rnd'"),
        ("summary: x\ncontrol: random_subset", "random_subset is for methods that select"),
        ("summary: x\ntrain: {lr: 3}", "lr"),
        ("summary: x\ntrain: {learning_rate: -1}", "train.learning_rate: expected more than 0"),
        ("summary: x\ntrain: {epochs: 2}", "mine.yaml:2:9: train.epochs: epochs is the comparison's to say"),
        ("summary: x\ntrain: {replay_ratio: 0.5}", "settings of replay are for a sequence with a buffer"),
        ("summary: x\nbuffer: {capacity: 3}", "add `sequence: true`"),
        ("summary: x\nsequence: true\nbuffer: {capacity: 0}", "capacity"),
        ("summary: x\nsequence: 3", "expected true or false, got 3"),
        ("summary: x\nteacher: [1]", "expected the name of a method"),
        ("summary: x\nsteps: 3", "expected a list of steps"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match="method") as caught:
        load_method(path)
    assert said in str(caught.value)


def test_a_file_may_not_have_the_name_of_a_method_that_there_is(tmp_path: Path) -> None:
    path = tmp_path / "A_baseline.yaml"
    path.write_text("summary: mine\n")
    with pytest.raises(UsageError, match="there is a method 'A_baseline' already"):
        known_methods([path])


MINE = MethodSpec.of("mine", {"summary": "mine"})
OTHER = "no method"


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (EntryPoint("mine", f"{__name__}:MINE", "sage_select.methods"), None),
        (EntryPoint("yours", f"{__name__}:MINE", "sage_select.methods"), "it is called 'mine'"),
        (EntryPoint("other", f"{__name__}:OTHER", "sage_select.methods"), "it is no MethodSpec"),
        (EntryPoint("gone", "no_such_module:X", "sage_select.methods"), "No module named 'no_such_module'"),
    ],
)
def test_other_packages_add_methods(entry: EntryPoint, said: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__) or _this())
    monkeypatch.setattr(known, "entries", lambda: {"sage_select.methods": [entry]})
    known._installed.cache_clear()
    try:
        if said is None:
            assert known_methods()[entry.name] == MINE
        else:
            with pytest.raises(ResourceError, match="was left out") as caught:
                named_methods([entry.name], known_methods())
            assert said in str(caught.value)
    finally:
        known._installed.cache_clear()


def test_the_group_of_methods_is_one_that_there_is() -> None:
    assert "sage_select.methods" in others.VALUE_GROUPS


def _this() -> object:
    import types

    module = types.ModuleType(__name__)
    module.__dict__.update(MINE=MINE, OTHER=OTHER)
    return module
