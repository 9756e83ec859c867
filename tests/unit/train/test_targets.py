"""What the setting `lora_target` names: layers, paths, experts and expressions; every process writes it alike."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import model_classes
import pytest
from model_classes import make_model

from sage_select.errors import UsageError
from sage_select.render.quiet import quiet_libraries
from sage_select.train import TrainConfig

pytestmark = pytest.mark.train

MIXTURES = ["mixtral", "qwen3_moe", "olmoe", "granitemoe", "gpt_oss", "deepseek_v3", "jetmoe", "llama4_text", "phimoe"]


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    pytest.importorskip("trl")
    with quiet_libraries():
        yield


def adapted(name: str, target: str | list[str], **settings: Any) -> set[str]:
    """Return the paths of what a model has an adapter on, as it is trained."""
    from sage_select.train.adapter import add_adapter

    config = TrainConfig(model="m", lora_r=2, lora_target=target)
    model, _ = add_adapter(make_model(name, **settings), config, [5, 6, 7, 8])
    paths = set()
    for part, module in model.get_base_model().named_modules():
        if hasattr(module, "lora_A") and len(module.lora_A):
            weight = getattr(module, "parameter_name", "")
            base = part.replace(".base_layer", "")
            paths.add(base if weight in ("", "weight") else f"{base}.{weight}")
    return paths


def of(parts: list[str], layers: tuple[int, ...] = (0, 1)) -> set[str]:
    return {f"model.layers.{layer}.{part}" for layer in layers for part in parts}


ATTENTION = [f"self_attn.{part}_proj" for part in "qkvo"]
EXPERTS = ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"]


@pytest.mark.parametrize(
    ("name", "target", "expected"),
    [
        ("mixtral", "all-linear", of(ATTENTION)),
        ("mixtral", "experts", of(EXPERTS)),
        ("mixtral", "q_proj,experts", of(["self_attn.q_proj", *EXPERTS])),
        ("mixtral", "all-linear,experts", of([*ATTENTION, *EXPERTS])),
        ("mixtral", "all-linear,down_proj", of([*ATTENTION, "mlp.experts.down_proj"])),
        ("qwen3_moe", "layers.1.mlp.experts", of(EXPERTS, (1,))),
        ("gpt_oss", "model.layers.0.mlp.experts.gate_up_proj", of(EXPERTS[:1], (0,))),
        ("gpt_oss", r"re:.*\.(q_proj|down_proj)", of(["self_attn.q_proj", "mlp.experts.down_proj"])),
        ("jetmoe", r"re:.*\.mlp\.input_linear", of(["mlp.input_linear"])),
        ("llama", "self_attn", of(ATTENTION)),
        ("llama", "layers.1.self_attn", of(ATTENTION, (1,))),
        ("llama", ["v_proj", r"re:model\.layers\.[0-9]{1,2}\.mlp\.up_proj"], of(["self_attn.v_proj", "mlp.up_proj"])),
        ("llama", r"q_proj,re:.*\.1\..*\.[kv]{1,1}_proj", {*of(["self_attn.q_proj"]), *of(ATTENTION[1:3], (1,))}),
        (
            "llama",
            r"layers.0.mlp.up_proj, layers.1.self_attn.q_proj",
            {*of(["mlp.up_proj"], (0,)), *of(["self_attn.q_proj"], (1,))},
        ),
        (
            "llama4_text",
            "shared_expert",
            of([f"feed_forward.shared_expert.{part}_proj" for part in ("gate", "up", "down")]),
        ),
        (
            "jetmoe",
            "self_attention.experts",
            of(["self_attention.experts.input_linear", "self_attention.experts.output_linear"]),
        ),
        (
            "jetmoe",
            "kv_proj,self_attention.experts.router.layer",
            of(["self_attention.kv_proj", "self_attention.experts.router.layer"]),
        ),
    ],
)
def test_a_target_is_a_layer_a_path_the_experts_or_an_expression(name: str, target: Any, expected: set[str]) -> None:
    assert adapted(name, target) == expected


@pytest.mark.parametrize("name", MIXTURES)
@pytest.mark.parametrize("target", ["all-linear", "all-linear,experts"])
def test_a_router_is_adapted_only_where_it_is_named(name: str, target: str) -> None:
    assert not [path for path in adapted(name, target) if {"gate", "router"} & set(path.split("."))]


def test_a_router_that_is_a_linear_layer_is_told() -> None:
    from sage_select.train.targets import find_targets

    notices = find_targets(make_model("jetmoe"), ("all-linear",)).notices
    assert "no adapter on layer: routers, which choose the experts, stay as they are" in notices


def test_experts_that_are_linear_layers_are_experts_too() -> None:
    import torch

    from sage_select.train.targets import find_targets

    model = make_model("llama")
    for layer in model.model.layers:
        layer.mlp.experts = torch.nn.ModuleList(torch.nn.Linear(16, 16) for _ in range(2))
    assert find_targets(model, ("experts",)).modules == tuple(sorted(of(["mlp.experts.0", "mlp.experts.1"])))


@pytest.mark.parametrize("name", [name for name in MIXTURES if name != "deepseek_v3"])
def test_experts_that_are_left_out_are_told_with_the_way_to_include_them(name: str) -> None:
    from sage_select.train.targets import find_targets

    model = make_model(name)
    (told,) = [text for text in find_targets(model, ("all-linear",)).notices if "experts, which hold" in text]
    assert "all-linear,experts" in told
    assert not [text for text in find_targets(model, ("all-linear", "experts")).notices if "which hold" in text]


@pytest.mark.parametrize(
    ("name", "target", "says"),
    [
        ("llama", "self_atn", "did you mean 'self_attn'"),
        (
            "llama",
            "wqkv",
            r"expected: all-linear, or some of down_proj, gate_proj(.|\n)*paths are such as model\.layers\.0",
        ),
        ("llama", "layers.7.self_attn", "no such layers"),
        ("llama", "proj", "no such layers"),
        ("llama", ".*q_proj", "a regular expression begins with re:"),
        ("llama", "re:q_proj", r"matches no layer(.|\n)*whole paths, such as model\.layers\.0"),
        ("llama", "all-linear,q_proj", "all-linear already names q_proj"),
        ("llama", "q_proj,x_proj", "got: x_proj"),
        ("mixtral", "expert", "did you mean 'experts'"),
        ("mixtral", "x", "some of down_proj, experts, gate_up_proj, k_proj"),
        ("mixtral", "gate", "no such layers"),
        ("phimoe", "router", "router cannot be adapted"),
    ],
)
def test_an_unknown_target_is_refused_with_what_there_is(name: str, target: str, says: str) -> None:
    from sage_select.train.targets import find_targets

    with pytest.raises(UsageError, match=says):
        find_targets(make_model(name), TrainConfig(model="m", lora_target=target).lora_target)


def test_an_expression_that_is_none_is_refused_before_anything_is_loaded() -> None:
    with pytest.raises(UsageError, match=r"re:\( is no regular expression"):
        TrainConfig(model="m", lora_target="re:(")


WRITER = """
    import sys
    from pathlib import Path
    from model_classes import make_model
    from sage_select.train import TrainConfig
    from sage_select.train.adapter import add_adapter, save_adapter

    for name in ("mixtral", "qwen3_moe", "gpt_oss"):
        for target in ("all-linear", "all-linear,experts"):
            config = TrainConfig(model="m", lora_r=2, lora_target=target)
            model, _ = add_adapter(make_model(name), config, [5, 6, 7, 8])
            for which in ("lora_weights", "checkpoint"):
                folder = Path(sys.argv[1], name, target, which)
                folder.mkdir(parents=True)
                if which == "lora_weights":
                    save_adapter(model, folder)
                else:  # as the trainer writes it
                    model.save_pretrained(folder, save_embedding_layers=False)
"""


def test_two_processes_write_the_same_bytes(tmp_path: Path) -> None:
    written = []
    for seed in ("1", "2"):
        folder = tmp_path / seed
        support = str(Path(model_classes.__file__).parent)
        path = os.pathsep.join([support, *filter(None, [os.environ.get("PYTHONPATH")])])
        subprocess.run(
            [sys.executable, "-c", textwrap.dedent(WRITER), str(folder)],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": path},
            capture_output=True,
            check=True,
        )
        written.append(
            {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
        )
    assert len(written[0]) >= 2 * 3 * 2 * 2
    assert written[0] == written[1]


def test_all_unknown_targets_are_named() -> None:
    from sage_select.train.targets import find_targets

    with pytest.raises(UsageError, match=r"q_prj, v_prj(.|\n)*did you mean 'q_proj'"):
        find_targets(make_model("llama"), ("q_prj", "k_proj", "v_prj"))
