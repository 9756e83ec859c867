"""A merged model does what base and adapter do, appears whole, and takes nobody's place; `info` tells of all of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sage_select.errors import DataError, OutputError, UsageError
from sage_select.render.quiet import quiet_libraries
from sage_select.train import TrainConfig, TrainResult, train
from sage_select.train.describe import describe
from sage_select.train.merge import MERGE_RECORD, merge

pytestmark = pytest.mark.train

Chats = Callable[..., pa.Table]

SMALL: dict[str, Any] = {
    "batch_size": 2,
    "gradient_accumulation": 1,
    "max_steps": 3,
    "lora_r": 4,
    "lora_alpha": 8,
    "learning_rate": 1e-2,
    "gradient_checkpointing": False,
}


@pytest.fixture
def run(tiny_model: Path, tmp_path: Path, chats: Chats) -> Callable[..., TrainResult]:
    def go(name: str = "run", **settings: Any) -> TrainResult:
        given = {"model": str(tiny_model), "output_dir": tmp_path / name, **SMALL, **settings}
        return train(chats(6), TrainConfig(**given))

    return go


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with quiet_libraries():
        yield


def logits(model: Any) -> Any:
    import torch

    with torch.no_grad():
        return model.eval()(torch.arange(3, 67).reshape(2, 32), use_cache=False).logits.float()


@pytest.mark.parametrize(
    "settings",
    [
        {"adapter": "dora", "load_in_4bit": True},
        {"load_in_8bit": True, "use_rslora": True},
        {"init_lora_weights": "pissa"},
        {"init_lora_weights": "eva"},
    ],
)
def test_the_merged_model_is_base_and_adapter_in_whole_weights(
    run: Callable[..., TrainResult], tiny_model: Path, tmp_path: Path, settings: dict[str, Any]
) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    result = run(**settings)
    merged = merge(result.output_dir, tmp_path / "merged")
    base = AutoModelForCausalLM.from_pretrained(tiny_model)
    pair = logits(PeftModel.from_pretrained(base, result.lora_weights))
    alone = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    assert (logits(alone) - pair).abs().max() < 1e-4
    assert (logits(AutoModelForCausalLM.from_pretrained(tiny_model)) - pair).abs().max() > 1e-2
    assert merged.difference < 1e-4 < 1e-2 < merged.largest
    assert (merged.dtype, merged.same_words) == ("fp32", 1.0)
    assert "quantization_config" not in json.loads((tmp_path / "merged" / "config.json").read_text())


def test_the_tokenizer_lies_in_the_merged_model_as_beside_the_adapter(
    run: Callable[..., TrainResult], tiny_model: Path, tmp_path: Path, chats: Chats
) -> None:
    result = run()
    merge(result.lora_weights, tmp_path / "merged", dtype="bf16")
    for path in result.lora_weights.iterdir():
        if not path.name.startswith("adapter_"):
            assert (tmp_path / "merged" / path.name).read_bytes() == path.read_bytes(), path.name
    assert "bfloat16" in (tmp_path / "merged" / "config.json").read_text()
    assert describe(tmp_path / "merged")["what"] == "model"
    on = train(chats(4), TrainConfig(model=str(tmp_path / "merged"), output_dir=tmp_path / "on", **SMALL))
    assert on.loss_first < result.loss_first
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        shutil.copy(result.lora_weights / name, bare)
    told: list[str] = []
    merge(bare, tmp_path / "again", notice=told.append)
    assert told == ["no tokenizer lies beside the adapter: the base model's is written"]
    assert (tmp_path / "again" / "tokenizer.json").read_bytes() == (tiny_model / "tokenizer.json").read_bytes()


def test_bf16_says_how_much_it_rounds(run: Callable[..., TrainResult], tmp_path: Path) -> None:
    merged = merge(run().output_dir, tmp_path / "merged", dtype="bf16")
    assert 1e-4 < merged.difference < 0.05 * merged.largest
    record = json.loads((tmp_path / "merged" / MERGE_RECORD).read_text())
    assert record == merged.as_dict()


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_is_there_already_stays(
    run: Callable[..., TrainResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run()
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "config.json").write_text("{}")
    (tmp_path / "file").write_text("")
    for force in (False, True):
        for place in (theirs, tmp_path / "file"):
            with pytest.raises(OutputError, match="was not merged here"):
                merge(result.output_dir, place, force=force)
    assert contents(theirs) == {"config.json": b"{}"}
    (tmp_path / "merged").mkdir()
    merge(result.output_dir, tmp_path / "merged")
    with pytest.raises(OutputError, match="--force"):
        merge(result.output_dir, tmp_path / "merged")
    before = contents(tmp_path / "merged")

    def failing(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("sage_select.train.merge._Merge._write_tokenizer", failing)
        with pytest.raises(Exception, match=r"No space|full"):
            merge(result.output_dir, tmp_path / "merged", force=True)
    assert contents(tmp_path / "merged") == before
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".merged")]
    # As a merge leaves it that is killed between its last two renames.
    (tmp_path / "merged").rename(tmp_path / ".merged.old")
    with pytest.raises(OutputError, match="--force"):
        merge(result.output_dir, tmp_path / "merged")
    assert contents(tmp_path / "merged") == before
    merge(result.output_dir, tmp_path / "merged", force=True, dtype="bf16")
    assert contents(tmp_path / "merged") != before
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".merged")]


def test_what_cannot_be_merged_is_refused(
    run: Callable[..., TrainResult], tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from peft import PeftModel

    result = run()
    for place in (result.output_dir, result.lora_weights, tiny_model):
        with pytest.raises((OutputError, UsageError)):
            merge(result.output_dir, place, force=True)
    other = shutil.copytree(tiny_model, tmp_path / "other")
    (other / "config.json").write_text((other / "config.json").read_text() + "\n")
    with pytest.raises(UsageError, match="another base model"):
        merge(result.output_dir, tmp_path / "merged", model=str(other))
    with pytest.raises(UsageError, match="holds no adapter"):
        merge(tiny_model, tmp_path / "merged")
    moved = shutil.copytree(result.lora_weights, tmp_path / "moved")
    settings = json.loads((moved / "adapter_config.json").read_text())
    for base, said in (("/no/such/model", "is not there"), (None, "names no base model"), (7, "names no base model")):
        (moved / "adapter_config.json").write_text(json.dumps({**settings, "base_model_name_or_path": base}))
        with pytest.raises(UsageError, match=said):
            merge(moved, tmp_path / "merged")
    assert merge(moved, tmp_path / "again", model=str(tiny_model)).same_words == 1.0
    with pytest.raises(UsageError, match="loftq"):
        merge(run("loftq", init_lora_weights="loftq", load_in_4bit=True).output_dir, tmp_path / "merged")
    monkeypatch.setattr(PeftModel, "merge_and_unload", lambda self, **_: self.get_base_model(), raising=False)
    monkeypatch.setattr(
        "sage_select.train.merge._logits", lambda model: logits(model) + (0 if isinstance(model, PeftModel) else 1)
    )
    with pytest.raises(DataError, match="does not do what base and adapter do"):
        merge(result.output_dir, tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_a_folder_says_what_it_is(run: Callable[..., TrainResult], tiny_model: Path, tmp_path: Path) -> None:
    result = run(adapter="dora", loraplus_ratio=4, load_in_4bit=True)
    said = describe(result.output_dir)
    assert said["what"] == "run"
    assert said["finished"]
    assert (said["adapter"], said["rank"], said["alpha"], said["held_in"]) == ("dora", 4, 8, "4 bits")
    assert said["targets"]["layers"] == 14
    assert said["parameters"] == dict(result.parameters)
    assert said["loss"] == {"first": result.loss_first, "last": result.loss_last, "of": "negative log-likelihood"}
    assert (said["steps"], said["goes_on_from"], said["checkpoints"][-1]) == (3, 3, 3)
    assert said["selection"]["rows"] == said["selection"]["trained"] == 6
    assert said["bytes"] == (result.lora_weights / "adapter_model.safetensors").stat().st_size
    inside = describe(result.lora_weights)
    assert (inside["what"], inside["run"]) == ("adapter", str(result.output_dir))
    assert inside["parameters"]["trained"] == result.parameters["trained"]
    assert describe(tiny_model)["parameters"] == {"trained": None, "total": 39072}

    record = result.output_dir / "run.json"
    content = json.loads(record.read_text())
    del content["result"]
    record.write_text(json.dumps({**content, "finished": False}))
    shutil.rmtree(result.lora_weights)
    (result.output_dir / "checkpoints" / "checkpoint-3" / "sage.json").unlink()
    cut = describe(result.output_dir)
    assert (cut["finished"], cut["steps"], cut["goes_on_from"], cut["rank"]) == (False, 3, 2, 4)
    assert cut["parameters"] == dict(result.parameters)
    for text in ("{", "[]", '{"finished": true}', '{"finished": true, "identity": {"adapter": "x"}}'):
        record.write_text(text)
        with pytest.raises(DataError, match="no record of a run"):
            describe(result.output_dir)
    with pytest.raises(UsageError, match="no run, no adapter and no model"):
        describe(tmp_path)
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "config.json").write_text("{}")
    (tmp_path / "torn" / "model.safetensors").write_bytes(b"\xff" * 20)
    with pytest.raises(DataError, match="weights cannot be read"):
        describe(tmp_path / "torn")
