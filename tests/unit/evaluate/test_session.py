"""One base in memory for many adapters: each is measured as alone, and only as what was trained."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from sage_select.errors import DataError, UsageError
from sage_select.evaluate import EvaluationSession, HeldOut, evaluate, evaluate_adapters, prepare_held_out
from sage_select.evaluate.records_table import records_table
from sage_select.render.adapter_files import adapter_digest
from sage_select.render.quiet import quiet_libraries
from sage_select.train import TrainConfig

pytestmark = pytest.mark.train

ROWS: list[dict[str, Any]] = [
    {
        "messages": [
            {"role": "user", "content": f"book a table {i}"},
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [{"function": {"name": "book", "arguments": {"n": i}}}],
            },
        ]
    }
    for i in range(2)
] + [{"messages": [{"role": "user", "content": "which"}, {"role": "assistant", "content": "done"}]}]


def adapter(model: Path, folder: Path, seed: int, **settings: Any) -> Path:
    """Write an adapter whose weights are drawn, far from none."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    with quiet_libraries():
        base = AutoModelForCausalLM.from_pretrained(model)
        made = get_peft_model(base, LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM", **settings))
        for name, weight in made.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weight, std=0.3)
        made.save_pretrained(str(folder))
    return folder


@pytest.fixture(scope="module")
def adapters(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("adapters")
    return {
        "one": adapter(tiny_model, folder / "one", 1),
        "other": adapter(tiny_model, folder / "other", 2, use_dora=True),
    }


@pytest.fixture(scope="module")
def held_out(tiny_model: Path) -> HeldOut:
    return prepare_held_out(ROWS, TrainConfig(model=str(tiny_model)))


def losses(found: Any) -> Any:
    return pytest.approx(found.row_losses, rel=1e-6)


def test_each_adapter_is_measured_as_if_it_were_alone(
    tiny_model: Path, adapters: dict[str, Path], held_out: HeldOut
) -> None:
    wanted = {"base": None, **adapters, "again": None}
    found = dict(evaluate_adapters(tiny_model, wanted, held_out))
    for name, folder in wanted.items():
        alone = evaluate(tiny_model, folder, held_out)
        assert found[name].row_losses == losses(alone)
        assert [one.text for one in found[name].predictions] == [one.text for one in alone.predictions]
        assert found[name].adapter_digest == (None if folder is None else adapter_digest(folder))
    assert found["one"].loss != pytest.approx(found["base"].loss)
    assert found["one"].loss != pytest.approx(found["other"].loss)


def test_an_adapter_whose_file_was_changed_is_refused(
    tiny_model: Path, adapters: dict[str, Path], held_out: HeldOut, tmp_path: Path
) -> None:
    digest = adapter_digest(adapters["one"])
    changed = shutil.copytree(adapters["one"], tmp_path / "changed")
    shutil.copy(adapters["other"] / "adapter_model.safetensors", changed)
    with pytest.raises(DataError, match="the adapter is not the one that was trained") as error:
        dict(evaluate_adapters(tiny_model, {"a": changed}, held_out, digests={"a": digest}))
    assert digest in str(error.value)


def test_an_adapter_that_changes_while_it_is_measured_is_noticed(
    tiny_model: Path, adapters: dict[str, Path], held_out: HeldOut, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changing = shutil.copytree(adapters["one"], tmp_path / "changing")
    measured = EvaluationSession._measured

    def meanwhile(*arguments: Any) -> Any:
        shutil.copy(adapters["other"] / "adapter_model.safetensors", changing)
        return measured(*arguments)

    monkeypatch.setattr(EvaluationSession, "_measured", meanwhile)
    with pytest.raises(DataError, match="the adapter was changed while it was measured"):
        evaluate(tiny_model, changing, held_out)


def test_one_that_cannot_be_loaded_spoils_no_other(
    tiny_model: Path, adapters: dict[str, Path], held_out: HeldOut, tmp_path: Path
) -> None:
    damaged = shutil.copytree(adapters["one"], tmp_path / "damaged")
    (damaged / "adapter_model.safetensors").write_bytes(b"\0" * 100)
    with EvaluationSession(TrainConfig(model=str(tiny_model))) as session:
        with pytest.raises(DataError):
            session.measure(held_out, damaged)
        assert session.measure(held_out, adapters["one"]).row_losses == losses(
            evaluate(tiny_model, adapters["one"], held_out)
        )


def test_an_adapter_of_another_base_is_refused(
    tiny_model: Path, adapters: dict[str, Path], held_out: HeldOut, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(adapters["one"], run / "lora_weights")
    (run / "run.json").write_text(json.dumps({"identity": {"model": "blake2b-256:0"}, "result": {}}))
    for folder in (run, run / "lora_weights"):
        with pytest.raises(UsageError, match="trained on another base model"):
            evaluate(tiny_model, folder, held_out)


def test_a_whole_model_is_measured_in_the_place_of_its_base(
    tiny_model: Path, held_out: HeldOut, tmp_path: Path
) -> None:
    shutil.copytree(tiny_model, tmp_path / "run" / "tuned_model")
    found = dict(evaluate_adapters(tiny_model, {"base": None, "whole": tmp_path / "run"}, held_out))
    assert found["whole"].row_losses == losses(found["base"])
    assert str(found["whole"].adapter_digest).startswith("blake2b-256:")


def test_records_are_a_table_of_what_was_asked_expected_and_answered(tiny_model: Path, held_out: HeldOut) -> None:
    base = evaluate(tiny_model, None, held_out)
    table = records_table({"base": base, "tuned": base})
    assert table.num_rows == 2 * (3 + 3)
    rows = [row for row in table.to_pylist() if row["model"] == "tuned"]
    assert [row["loss"] for row in rows if row["evaluator"] == "loss"] == list(base.row_losses)
    calls = [row for row in rows if row["evaluator"] == "tool_calls"]
    assert [(row["row_id"], row["message"]) for row in calls] == [("0", 1), ("1", 1), ("2", 1)]
    assert [json.loads(row["expected"]) for row in calls] == [
        [{"name": "book", "arguments": {"n": 0}}],
        [{"name": "book", "arguments": {"n": 1}}],
        [],
    ]
    assert [row["text"] for row in calls] == [one.text for one in base.predictions]
    assert {row["correct"] for row in calls[:2]} == {False}
