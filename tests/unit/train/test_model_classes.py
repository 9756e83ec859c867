"""Every class of causal language model that transformers makes trains on its own loss, or is refused with a way out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from model_classes import CLASSES, SHAPE, VOCABULARY, make_model
from training_rows import training_rows

from sage_select.errors import UsageError
from sage_select.render.quiet import quiet_libraries
from sage_select.train import TrainConfig
from sage_select.train.schedule import Schedule

pytestmark = pytest.mark.train

LENGTHS = (9, 12, 5, 12)
PROMPT = 3


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    pytest.importorskip("trl")
    with quiet_libraries():
        yield


@pytest.fixture(scope="module")
def rows() -> pa.Table:
    """Return four rows of different lengths, whose first tokens are not trained."""
    import random

    draw = random.Random(1)
    ids = [[draw.randrange(3, VOCABULARY) for _ in range(length)] for length in LENGTHS]
    labels = [[-100] * PROMPT + row[PROMPT:] for row in ids]
    lists = pa.large_list(pa.int32())
    return pa.table({"input_ids": pa.array(ids, lists), "labels": pa.array(labels, lists)})


@pytest.fixture
def tokenizer(tiny_model: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny_model)


def own_loss(model: Any, rows: pa.Table) -> float:
    """Return the mean loss of the trained tokens, row by row and without padding, by the model's own logits."""
    import torch

    total, tokens = 0.0, 0
    for ids, labels in zip(rows["input_ids"].to_pylist(), rows["labels"].to_pylist(), strict=True):
        with torch.no_grad():
            logits = model(
                input_ids=torch.tensor([ids]), attention_mask=torch.ones(1, len(ids)), use_cache=False
            ).logits
        targets = torch.tensor(labels[1:])
        losses = torch.nn.functional.cross_entropy(logits[0, :-1].double(), targets, reduction="sum", ignore_index=-100)
        total += losses.item()
        tokens += int((targets != -100).sum())
    return total / tokens


@pytest.fixture
def step(rows: pa.Table, tokenizer: Any, tmp_path: Path) -> Callable[..., tuple[Any, dict[str, Any], list[str]]]:
    """Return what takes one step with a model: the adapted model, the step as recorded, and the notices."""

    def take(model: Any, **settings: Any) -> tuple[Any, dict[str, Any], list[str]]:
        from sage_select.train.adapter import add_adapter, cast_adapter_to_float32
        from sage_select.train.collate import StepCollator
        from sage_select.train.ledger import Ledger
        from sage_select.train.loop import can_recompute, steps_of, training_arguments
        from sage_select.train.own_loss import plain_objective
        from sage_select.train.separation import layout_rule
        from sage_select.train.trainer import OrderedTrainer

        given = {"lora_r": 4, "batch_size": 2, "gradient_accumulation": 2, "warmup": 0, "max_steps": 1, **settings}
        config = TrainConfig(model="m", logging_steps=1, **given)
        adapted, notices = add_adapter(model, config, rows["input_ids"][0].as_py())
        recompute = can_recompute(adapted, config)
        examples = training_rows(rows)
        schedule = Schedule.of(examples, config)
        layout = layout_rule(adapted, examples, config)(schedule)
        arguments = training_arguments(config, "fp32", schedule, tmp_path, recompute=recompute)
        arguments.save_strategy = "no"
        ledger = Ledger(tmp_path / "consumed.jsonl", list("abcd"), after=0)
        ledger.open()
        trainer = OrderedTrainer(
            ledger=ledger,
            objective=partial(plain_objective, row=rows["input_ids"][0].as_py()),
            row=rows["input_ids"][0].as_py(),
            model=adapted,
            args=arguments,
            train_dataset=steps_of(schedule, "f"),
            processing_class=tokenizer,
            data_collator=StepCollator(rows, schedule, layout, 0),
        )
        cast_adapter_to_float32(adapted)
        trainer.train()
        done = ledger.end_step()
        ledger.close()
        logged = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
        return adapted, {"loss": done.mean_loss, "rows": done.rows, "logged": logged}, notices

    return take


def unmoved(model: Any) -> list[str]:
    """Return the parts of the adapter that a step left at zero."""
    return [name for name, weight in model.named_parameters() if "lora_B" in name and not weight.any()]


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_trains_on_its_own_loss_with_the_default_settings(name: str, rows: pa.Table, step: Any) -> None:
    model = make_model(name)
    expected = own_loss(model.eval(), rows)
    adapted, done, _ = step(model)
    assert done["rows"] == list("abcd")
    assert done["loss"] == pytest.approx(expected, rel=1e-6)
    assert not unmoved(adapted)


@pytest.mark.parametrize("name", ["bert", "xlnet"])
def test_a_model_that_sees_what_it_is_to_predict_is_refused(name: str, step: Any) -> None:
    settings = {"d_model": 16, "n_layer": 2, "n_head": 2, "d_inner": 32, "max_position_embeddings": None}
    with pytest.raises(UsageError, match=r"sees the words(.|\n)*hint: "):
        step(make_model(name, **(settings if name == "xlnet" else {})))


def test_bert_as_a_decoder_trains_on_the_loss_of_its_own_head(rows: pa.Table, step: Any) -> None:
    model = make_model("bert", is_decoder=True)
    expected = own_loss(model.eval(), rows)
    _, done, _ = step(model)
    assert done["loss"] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("name", "accumulation"),
    [
        ("llama", 2),
        ("mixtral", 1),
        ("mixtral", 2),
        ("qwen3_moe", 1),
        ("qwen3_moe", 2),
        ("olmoe", 2),
        ("granitemoe", 2),
        ("gpt_oss", 2),
    ],
)
@pytest.mark.parametrize("target", ["all-linear", "all-linear,experts"])
def test_a_run_is_that_of_the_plain_trainer(
    name: str, accumulation: int, target: str, rows: pa.Table, step: Any, tokenizer: Any, tmp_path: Path
) -> None:
    import datasets
    import torch
    from trl import SFTConfig, SFTTrainer

    from sage_select.train.adapter import add_adapter

    if name == "llama" and target != "all-linear":
        return
    settings = {"lora_r": 4, "lora_dropout": 0.0, "lora_target": target}
    # The same first weights.
    adapted, _ = add_adapter(make_model(name), TrainConfig(model="m", **settings), rows["input_ids"][0].as_py())
    plain = SFTTrainer(
        model=adapted,
        args=SFTConfig(
            output_dir=str(tmp_path / "plain"),
            per_device_train_batch_size=4 // accumulation,
            gradient_accumulation_steps=accumulation,
            max_steps=3,
            max_length=None,
            learning_rate=1e-2,
            lr_scheduler_type="constant",
            weight_decay=0.0,
            logging_steps=1,
            save_strategy="no",
            train_sampling_strategy="sequential",
            bf16=False,
            use_cpu=True,
            report_to="none",
            disable_tqdm=True,
        ),
        train_dataset=datasets.Dataset(rows.select(["input_ids", "labels"])),
        processing_class=tokenizer,
    )
    plain.train()
    expected = [entry["loss"] for entry in plain.state.log_history if "loss" in entry]
    ours, done, _ = step(
        make_model(name),
        batch_size=4 // accumulation,
        gradient_accumulation=accumulation,
        max_steps=3,
        learning_rate=1e-2,
        lr_schedule="constant",
        **settings,
    )
    assert done["logged"] == pytest.approx(expected, rel=1e-6)
    if name != "llama":
        alone = own_loss(make_model(name).eval(), rows)
        assert done["logged"][0] > alone + 1e-4, "the router's loss is a part of it"
    trained = {part: weight for part, weight in ours.named_parameters() if weight.requires_grad}
    theirs = {part: weight for part, weight in plain.model.named_parameters() if weight.requires_grad}
    assert trained.keys() == theirs.keys()
    for part, weight in trained.items():
        torch.testing.assert_close(weight, theirs[part].float(), rtol=1e-4, atol=1e-6, msg=part)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("mamba", "no adapter on dt_proj, out_proj, x_proj: kernels"),
        ("falcon_h1", "no adapter on out_proj: kernels"),
        ("phimoe", "no adapter on router"),
        ("gpt_oss", "no adapter on the experts, which hold"),
        ("llama", None),
        ("recurrent_gemma", None),
    ],
)
def test_what_gets_no_adapter_is_told(name: str, told: str | None) -> None:
    from sage_select.train.targets import find_targets

    notices = find_targets(make_model(name), ("all-linear",)).notices
    assert notices == () if told is None else any(told in notice for notice in notices)


@pytest.mark.parametrize("name", ["mixtral", "gpt_oss", "granitemoe", "deepseek_v3"])
def test_experts_that_are_named_are_trained_saved_and_loaded(
    name: str, rows: pa.Table, step: Any, tmp_path: Path
) -> None:
    import torch

    from sage_select.render.adapted import load_adapter
    from sage_select.train.adapter import save_adapter

    adapted, _, notices = step(make_model(name), lora_target="all-linear,experts", learning_rate=1e-2)
    assert any("no dropout" in notice for notice in notices)
    assert any("experts" in part for part, weight in adapted.named_parameters() if "lora_B" in part and weight.any())
    (tmp_path / "saved").mkdir()
    save_adapter(adapted, tmp_path / "saved")
    settings = json.loads((tmp_path / "saved" / "adapter_config.json").read_text())
    for key in ("target_modules", "target_parameters"):
        assert settings[key] == sorted(settings[key])
    again = load_adapter(make_model(name), tmp_path / "saved")
    ids = torch.tensor([rows["input_ids"][1].as_py()])
    with torch.no_grad():
        before, after = (model.eval()(input_ids=ids, use_cache=False).logits for model in (adapted, again))
        plain = make_model(name).eval()(input_ids=ids, use_cache=False).logits
    assert torch.equal(before, after)
    assert not torch.allclose(plain, after, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "target", "says"),
    [
        ("llama", "experts", "no such layers"),
        ("llama", "q_prj", "did you mean 'q_proj'"),
        ("llama", "lm_head", "no such layers"),
        ("mamba", "out_proj", "out_proj cannot be adapted: kernels"),
        ("deepseek_v3", "gate_proj", "gate_proj cannot be adapted: PEFT"),
    ],
)
def test_a_target_that_cannot_be_is_refused(name: str, target: str, says: str) -> None:
    from sage_select.train.targets import find_targets

    with pytest.raises(UsageError, match=says):
        find_targets(make_model(name), (target,))


def test_a_model_of_text_and_images_gets_its_adapter_where_it_reads(rows: pa.Table, step: Any) -> None:
    model = make_model(
        "gemma3",
        text_config=SHAPE,
        vision_config={
            "hidden_size": 16,
            "intermediate_size": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "image_size": 28,
            "patch_size": 14,
        },
        mm_tokens_per_image=4,
    )
    expected = own_loss(model.eval(), rows)
    adapted, done, _ = step(model)
    assert done["loss"] == pytest.approx(expected, rel=1e-6)
    assert not unmoved(adapted)
    assert not [name for name, _ in adapted.named_parameters() if "lora" in name and "vision" in name]
