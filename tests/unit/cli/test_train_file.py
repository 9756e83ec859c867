"""Settings from a file: our names, those of other trainers, and every fault with its place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sage_select.cli.train_file import TrainFile, read_train_file
from sage_select.cli.train_settings import GivenSettings
from sage_select.errors import UsageError
from sage_select.train import TrainConfig

Read = Callable[[str], TrainFile]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def written(text: str, name: str = "train.yaml") -> TrainFile:
        file = tmp_path / name
        file.write_text(text)
        return read_train_file(file)

    return written


def test_our_names_and_those_of_trl_are_taken_as_they_are(read: Read) -> None:
    file = read("model_name_or_path: a/b\nepochs: 2\nper_device_train_batch_size: 3\nlora_target_modules: [q_proj]\n")
    assert file.values == {"model": "a/b", "epochs": 2, "batch_size": 3, "lora_target": ["q_proj"]}
    assert file.sources["batch_size"].endswith("train.yaml:3")
    assert file.notices == []


def test_names_of_other_trainers_are_translated_and_told(read: Read) -> None:
    llama_factory = read(
        """
stage: sft
do_train: true
finetuning_type: lora
lora_target: all
lora_rank: 8
dataset: rows.arrow
template: qwen
cutoff_len: 1024
num_train_epochs: 3.0
lr_scheduler_type: cosine
warmup_ratio: 0.1
quantization_bit: 4
bf16: true
overwrite_cache: true
plot_loss: true
"""
    )
    assert llama_factory.values == {
        "adapter": "lora",
        "lora_target": "all-linear",
        "lora_r": 8,
        "selection": llama_factory.values["selection"],
        "max_length": 1024,
        "epochs": 3.0,
        "lr_schedule": "cosine",
        "warmup": 0.1,
        "load_in_4bit": True,
        "precision": "bf16",
    }
    told = "\n".join(llama_factory.notices)
    for words in ("lora_rank is lora_r, ", "cutoff_len is max_length", "taken as load_in_4bit true: quantization_bit"):
        assert words in told
    axolotl = read(
        "base_model: a/b\nmicro_batch_size: 2\nlora_target_linear: true\nbf16: auto\nflash_attention: true\n"
        "datasets:\n  - path: rows.arrow\n    type: chat_template\nsequence_len: 512\nnum_epochs: 1\n"
    )
    assert axolotl.values["attn_implementation"] == "flash_attention_2"
    assert "precision" not in axolotl.values
    config = TrainConfig.of({name: one for name, one in axolotl.values.items() if name != "selection"})
    assert (config.batch_size, config.max_length) == (2, 512)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("lora_r: 8\nlora_rank: 9\n", "2:1: lora_rank: says lora_r again"),
        ("model: m\nlearning_rat: 1\n", "2:1: learning_rat: there is no such setting, did you mean 'learning_rate'?"),
        ("stage: dpo\n", "only supervised fine-tuning"),
        ("shuffle: true\n", "rows are trained in the order of the selection"),
        ("- model\n", "expected settings by their names, got a list"),
        ("bf16: 3\n", "expected true or false, got 3"),
        ("datasets: [{path: a}, {path: b}]\n", "makes one of several files"),
        ("model: [\n", "not well-formed YAML"),
        ("model: !!python/object:os.system x\n", "model"),
    ],
)
def test_faults_have_places(read: Read, text: str, says: str) -> None:
    with pytest.raises(UsageError) as raised:
        read(text)
    assert says in str(raised.value)
    assert "train.yaml" in str(raised.value)


def test_all_faults_are_told_at_once(read: Read) -> None:
    with pytest.raises(UsageError, match="2 problems in the file of settings"):
        read("one: 1\nmodel: m\nother: 2\n")


def test_what_is_off_needs_no_place_here(read: Read) -> None:
    file = read("packing_strategy: null\nshuffle: false\nwandb_project:\nspecial_tokens: {}\n")
    assert file.values == {}
    assert len(file.notices) == 1
    assert "left out, since it is off: packing_strategy, shuffle, wandb_project, special_tokens" in file.notices[0]


def test_what_is_said_twice_alike_is_said_once(read: Read) -> None:
    assert read("load_in_4bit: true\nadapter: qlora\nload_in_8bit: false\n").values["load_in_4bit"] is True


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("pissa_init: true\npissa_iter: 16\npissa_convert: true\n", {"init_lora_weights": "pissa_niter_16"}),
        ("pissa_init: true\npissa_iter: -1\n", {"init_lora_weights": "pissa"}),
        ("chat_template: gemma3\neot_tokens: [<end_of_turn>]\n", {}),
        ("optimizer: adamw_bnb_8bit\ntf32: true\n", {"optimizer": "adamw_8bit"}),
        ("dtype: bfloat16\nuse_liger_kernel: true\ntrust_remote_code: true\n", {"precision": "bf16"}),
        ("model_type: AutoModelForCausalLM\ntokenizer_type: AutoTokenizer\n", {}),
        ("dataset_text_field: body\n", {"text_column": "body"}),
        ("val_size: 0.1\neval_strategy: steps\neval_steps: 500\n", {"eval_split": 0.1, "eval_steps": 500}),
        ('eval_strategy: "no"\neval_steps: 500\n', {}),
    ],
)
def test_keys_of_their_examples_are_understood(read: Read, text: str, values: dict[str, Any]) -> None:
    assert read(text).values == values


def test_data_sets_that_are_several_are_no_selection(read: Read) -> None:
    with pytest.raises(UsageError, match="makes one of several files"):
        read("dataset: identity,alpaca_en_demo\n")


def test_paths_are_beside_the_file(read: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "base").mkdir()
    file = read("model: base\noutput_dir: runs/a\neval_data: none\nchat_template: ~/t.jinja\n")
    assert file.values["model"] == str(tmp_path / "base")
    assert file.values["output_dir"] == str(tmp_path / "runs/a")
    assert file.values["eval_data"] == "none"
    assert file.values["chat_template"] == str(Path.home() / "t.jinja")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "rows.jsonl").write_text("")
    monkeypatch.chdir(elsewhere)
    with pytest.raises(UsageError, match="relative paths in a file are relative to its own folder"):
        read("selection: rows.jsonl\n")


def test_the_command_line_wins_and_errors_name_who_said_it(tmp_path: Path) -> None:
    file = tmp_path / "train.yaml"
    file.write_text("model: a/b\nlora_r: 0\nepochs: 2\nload_in_8bit: true\nprecision: bf16\n")
    told = GivenSettings()
    told.add_file(file)
    given: dict[str, dict[str, Any]] = {"Any": {"epochs": 1.0, "load_in_4bit": True, "seed": None}}
    told.add_command_line(given, ["fp32"])
    assert told.values["epochs"] == 1.0
    assert (told.values["precision"], told.sources["precision"]) == ("fp32", "command line")
    assert "load_in_8bit" not in told.values
    assert "seed" not in told.values
    with pytest.raises(UsageError, match=r"train.yaml:2: lora_r: expected at least 1, got 0"):
        TrainConfig.of(told.values, told.names())
    told.add({"lora_r": 4, "epochs": -1.0}, "command line")
    with pytest.raises(UsageError, match=r"--epochs: expected more than 0, got -1"):
        TrainConfig.of(told.values, told.names())
    told.add({"epochs": 1.0}, "command line")
    facts = told.facts(TrainConfig.of(told.values, told.names()))
    assert facts["epochs"] == "1.0  (command line)"
    assert facts["load_in_4bit"] == "true  (command line)"
    assert str(facts["model"]).endswith("train.yaml:1)")


def test_kinds_of_adapters_and_optimizers_are_known_by_their_names_elsewhere(read: Read) -> None:
    assert read("adapter: qlora\noptim: paged_adamw_32bit\n").values == {
        "adapter": "lora",
        "load_in_4bit": True,
        "optimizer": "paged_adamw",
    }
    assert read("peft_use_dora: true\noptim: adamw_torch\n").values == {"adapter": "dora", "optimizer": "adamw"}
    assert read("use_dora: false\nfinetuning_type: full\n").values == {"adapter": "full"}
    with pytest.raises(UsageError, match="finetuning_type: expected lora or full, got 'freeze'"):
        read("finetuning_type: freeze\n")
