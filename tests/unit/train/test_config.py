"""Settings: every one is checked, and every fault says which one it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sage_select.errors import UsageError
from sage_select.train import TrainConfig


def test_defaults_are_those_of_the_origin() -> None:
    config = TrainConfig(model="m")
    assert (config.lora_r, config.lora_alpha, config.lora_target) == (64, 128, ("all-linear",))
    assert config.gradient_checkpointing
    assert config.output_dir == Path("~/.sage/agent_training")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_length", 1),
        ("epochs", 0),
        ("epochs", float("nan")),
        ("max_steps", 0),
        ("max_steps", 2.5),
        ("learning_rate", 0),
        ("learning_rate", float("inf")),
        ("batch_size", -1),
        ("gradient_accumulation", 0),
        ("warmup", -0.1),
        ("lr_schedule", "cosin"),
        ("weight_decay", -1),
        ("max_grad_norm", -1),
        ("lora_r", 0),
        ("lora_alpha", 0),
        ("lora_dropout", 1.0),
        ("lora_target", ()),
        ("precision", "fp8"),
        ("seed", -1),
        ("seed", 2**32),
        ("save_steps", 0),
        ("keep_checkpoints", 0),
        ("logging_steps", 0),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(UsageError) as raised:
        TrainConfig(**{"model": "m", name: value})
    assert raised.value.got is not None
    assert raised.value.got.startswith(f"{name}")


def test_all_faults_are_named_at_once() -> None:
    with pytest.raises(UsageError) as raised:
        TrainConfig(model="m", lora_r=0, epochs=-1)
    assert "lora_r" in str(raised.value)
    assert "epochs" in str(raised.value)


def test_an_unknown_setting_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'learning_rate'"):
        TrainConfig(model="m", learning_rat=1.0)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"load_in_4bit": True, "load_in_8bit": True}, "give at most one of load_in_4bit and load_in_8bit"),
        ({"resume": True, "force": True}, "choose one of the two"),
        ({"lora_target": ("q_proj", "re:(")}, "no regular expression"),
        ({"min_lr_share": 0.2}, "with lr_schedule 'cosine' does not use min_lr_share"),
        ({"warmup": 1.5}, "a whole number"),
    ],
)
def test_contradictions_are_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        TrainConfig(model="m", **settings)


def test_a_path_is_a_model_too() -> None:
    assert TrainConfig(model=Path("a/b")).model == "a/b"


@pytest.mark.parametrize(
    "given", ["q_proj,v_proj", "q_proj, v_proj,", ["q_proj", "v_proj"], ("q_proj,v_proj",), {"v_proj", "q_proj"}]
)
def test_targets_come_as_a_list_in_any_form(given: Any) -> None:
    assert TrainConfig(model="m", lora_target=given).lora_target == ("q_proj", "v_proj")


def test_faults_are_told_in_plain_words() -> None:
    with pytest.raises(UsageError) as raised:
        TrainConfig(
            model="m",
            lora_r="x",
            epochs=-1,
            lr_schedule="step",
            lora_target=5,
            resume="perhaps",
            save_steps=1.5,
            seed=2**32,
        )  # type: ignore[arg-type]
    for words in (
        "lora_r: expected a whole number, got 'x'",
        "epochs: expected more than 0, got -1",
        "lr_schedule: expected 'cosine', 'linear', 'constant'",
        "lora_target: expected a list, got 5",
        "resume: expected true or false, got 'perhaps'",
        "save_steps: expected a whole number, got 1.5",
        "seed: expected less than 4294967296",
    ):
        assert words in str(raised.value)
    with pytest.raises(UsageError, match="model: expected a value"):
        TrainConfig()  # type: ignore[call-arg]


def test_all_settings_are_told_in_the_docstring_and_read_again_from_what_is_saved(tmp_path: Path) -> None:
    from sage_select.cli.train_file import read_train_file

    for name in TrainConfig.options():
        assert f"\n    {name}\n" in (TrainConfig.__doc__ or ""), name
    config = TrainConfig(
        model="some/model", lora_target="q_proj,re:a,b", epochs=2, output_dir=tmp_path, max_bad="2%", template="{a}\n"
    )
    file = tmp_path / "settings.yaml"
    file.write_text(config.to_yaml({"epochs": "command line"}))
    assert "epochs: 2.0  # command line" in file.read_text()
    read = read_train_file(file)
    assert TrainConfig.of(read.values).settings() == config.settings()
    assert not read.notices


@pytest.mark.parametrize("given", ["enable_thinking=false, n=2", '{"enable_thinking": false, "n": 2}'])
def test_what_a_chat_template_is_told_is_json_or_pairs(given: str) -> None:
    assert TrainConfig(model="m", chat_template_kwargs=given).chat_template_kwargs == {"enable_thinking": False, "n": 2}


@pytest.mark.parametrize("given", ["messages=3", "nonsense", "{bad", 5, {"a b": 1}])
def test_what_it_cannot_be_told_is_refused(given: Any) -> None:
    with pytest.raises(UsageError, match="chat_template_kwargs"):
        TrainConfig(model="m", chat_template_kwargs=given)


def test_a_chat_template_is_told_and_what_none_reads_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    from sage_select.render import Conversation
    from sage_select.train.base_model import open_renderer

    template = tmp_path / "t.jinja"
    template.write_text(
        "{% for m in messages %}{{ m.role }}{% if loud %} SHOUTS{% endif %}: {{ m.content }}\n{% endfor %}"
    )
    row = Conversation([{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}])
    texts, digests = [], []
    for variables in ({}, {"loud": True}):
        config = TrainConfig(model=str(tiny_model), chat_template=template, chat_template_kwargs=variables)
        renderer = open_renderer(config)
        texts.append(renderer.tokenizer.decode(renderer.encode(row).input_ids))
        digests.append(renderer.fingerprint)
    assert ["SHOUTS" in text for text in texts] == [False, True]
    assert digests[0] != digests[1]
    with pytest.raises(UsageError, match="the chat template reads no quiet"):
        open_renderer(TrainConfig(model=str(tiny_model), chat_template=template, chat_template_kwargs="quiet=true"))
