"""Training on rows of mixed lengths, beside TRL's SFTTrainer on the same model, tokens and settings.

The rows are problems of GSM8K. Both train a LoRA of rank 16 on the CPU in steps of 16 rows, keep two checkpoints and
log to TensorBoard; TRL is handed the tokens that ours made, and told to keep the order.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benches.data import ROOT
from benches.measure import measure

DATA = Path(os.environ.get("SAGE_DATA") or ROOT.parent / "shared" / "data") / "gsm8k" / "train.jsonl.gz"
MODEL = Path(os.environ.get("SAGE_MODELS") or ROOT.parent / "shared" / "models") / "stories260k"
STEPS, ROWS = 3, 16
#: Times that all train, in turn: what else the machine does then bears on all of them.
_TURNS = 3
#: How many times the tokens of TRL, of the same seconds of the processor, ours are to train at least, and the better of
#: sorted and packed.
_LEAST, _BEST = 1.0, 1.15
#: How many times what TRL takes to its first step ours may take.
_START = 1.2

Trained = tuple[float, list[float]]


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    if not DATA.is_file():
        pytest.skip(f"the problems are not here ({DATA})")
    with gzip.open(DATA, "rt", encoding="utf-8") as lines:
        problems = [json.loads(line) for line, _ in zip(lines, range(STEPS * ROWS), strict=False)]
    return [{"prompt": one["question"], "completion": one["answer"]} for one in problems]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return a trained model of 0.3 M parameters, and a random Llama of 5 M that reads the same tokens."""
    pytest.importorskip("trl")
    if not MODEL.is_dir():
        pytest.skip(f"the model is not here ({MODEL})")
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    folder = tmp_path_factory.mktemp("llama")
    tokenizer = AutoTokenizer.from_pretrained(MODEL)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=256,
        intermediate_size=688,
        num_hidden_layers=6,
        num_attention_heads=8,
        max_position_embeddings=1024,
        bos_token_id=1,
        eos_token_id=2,
        tie_word_embeddings=True,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return {"stories260k": MODEL, "Llama of 5 M": folder}


class Training:
    """What trains a model by each of the methods, and returns its seconds of the processor and its losses."""

    def __init__(self, rows: list[dict[str, str]], model: Path, folder: Path) -> None:
        self._rows, self._model, self._folder = rows, str(model), folder
        self.notes: dict[str, str] = {}
        self.tokens = 0
        self._tokenised: Any = None

    def ours(self, **settings: Any) -> Trained:
        from sage_select.train import TrainConfig, data, train

        seconds = {}

        @contextmanager
        def stages(label: str) -> Iterator[Callable[..., None]]:
            begun = time.process_time()
            yield lambda *_: None
            seconds[label] = time.process_time() - begun

        tokenise = data.tokenise

        def noted(*arguments: Any, **options: Any) -> Any:
            self._tokenised = tokenise(*arguments, **options)
            return self._tokenised

        config = TrainConfig(
            model=self._model,
            output_dir=self._folder / "ours",
            lora_r=16,
            lora_alpha=32,
            lora_dropout=0.0,
            gradient_checkpointing=False,
            warmup=0,
            max_steps=STEPS,
            max_length=512,
            logging_steps=1,
            **settings,
        )
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(data, "tokenise", noted)
            result = train(self._rows, config, stages=stages)
        schedule = result.schedule
        self.tokens = schedule["tokens"]
        method = "ours: --packing" if settings else "ours"
        self.notes[method] = f"{100 * schedule['padding_share']:.0f} % padding"
        self.notes["TRL SFTTrainer"] = f"{100 * schedule['padding_share_in_order']:.0f} % padding"
        state = self._folder / "ours" / "checkpoints" / f"checkpoint-{STEPS}" / "trainer_state.json"
        losses = [one["loss"] for one in json.loads(state.read_text())["log_history"] if "loss" in one]
        shutil.rmtree(self._folder / "ours")
        return seconds["training"], losses

    def trl(self) -> Trained:
        import datasets
        from peft import LoraConfig
        from transformers import AutoModelForCausalLM, AutoTokenizer
        from trl import SFTConfig, SFTTrainer

        from sage_select.render.quiet import quiet_libraries

        with quiet_libraries():
            model = AutoModelForCausalLM.from_pretrained(self._model)
            tokenizer = AutoTokenizer.from_pretrained(self._model)
            tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
            arguments = SFTConfig(
                output_dir=str(self._folder / "trl"),
                per_device_train_batch_size=4,
                gradient_accumulation_steps=4,
                max_steps=STEPS,
                max_length=None,
                learning_rate=2e-4,
                lr_scheduler_type="cosine",
                bf16=False,
                use_cpu=True,
                activation_checkpointing=False,
                train_sampling_strategy="sequential",
                save_steps=1,
                save_total_limit=2,
                logging_steps=1,
                report_to="tensorboard",
                disable_tqdm=True,
            )
            begun = time.process_time()
            trainer = SFTTrainer(
                model=model,
                args=arguments,
                train_dataset=datasets.Dataset(self._tokenised.table.select(["input_ids", "labels"])),
                processing_class=tokenizer,
                peft_config=LoraConfig(
                    r=16, lora_alpha=32, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM"
                ),
            )
            trainer.train()
            seconds = time.process_time() - begun
        shutil.rmtree(self._folder / "trl")
        return seconds, [one["loss"] for one in trainer.state.log_history if "loss" in one]

    def by(self, method: str) -> Trained:
        return {"ours": self.ours, "ours: --packing": lambda: self.ours(packing=True), "TRL SFTTrainer": self.trl}[
            method
        ]()


METHODS = ("ours", "ours: --packing", "TRL SFTTrainer")


@pytest.fixture(scope="module")
def trained(
    models: dict[str, Path], rows: list[dict[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], tuple[Training, dict[str, str]]]:
    """Return what trains a model in turns, with what to note of each method."""
    known: dict[str, tuple[Training, dict[str, str]]] = {}

    def turns(case: str) -> tuple[Training, dict[str, str]]:
        if case not in known:
            training = Training(rows, models[case], tmp_path_factory.mktemp("trained"))
            seconds: dict[str, list[float]] = {method: [] for method in METHODS}
            for _ in range(_TURNS):
                losses = {}
                for method in METHODS:
                    took, losses[method] = training.by(method)
                    seconds[method].append(took)
                # The first weights of the adapters are others, and do nothing until a step has been taken.
                assert losses["ours"][0] == pytest.approx(losses["TRL SFTTrainer"][0], rel=1e-5)
                assert losses["ours: --packing"] == pytest.approx(losses["ours"], rel=1e-5)
            theirs = seconds["TRL SFTTrainer"]
            times = {
                method: statistics.median(one / own for one, own in zip(theirs, seconds[method], strict=True))
                for method in METHODS
            }
            assert min(times.values()) >= _LEAST, times
            assert max(times.values()) >= _BEST, times
            notes = {
                method: f"{training.notes[method]}; {training.tokens / statistics.median(seconds[method]):,.0f} tokens "
                f"a second of the processor, {times[method]:.2f} x TRL's (medians of {_TURNS} runs in turn)"
                for method in METHODS
            }
            known[case] = training, notes
        return known[case]

    return turns


@pytest.mark.parametrize("case", ["stories260k", "Llama of 5 M"])
@pytest.mark.parametrize("method", METHODS)
def test_training(method: str, case: str, trained: Any, benchmark: BenchmarkFixture) -> None:
    training, notes = trained(case)
    group = f"training {STEPS} steps of {ROWS} problems of GSM8K"
    measure(benchmark, lambda: training.by(method), group=group, method=method, case=case, rounds=1, note=notes[method])


#: How often a run is trained with its ledger and without, in turn: the difference is far below what runs differ by.
_LEDGER_TURNS = 7
LEDGERS = ("ours", "ours without a ledger")


@contextmanager
def without_ledger() -> Iterator[None]:
    """Leave out what the ledger of losses costs: reading them back from each step, their record, and the file of them.

    Which rows a step consumed is noted all the same, as every run proves at its end that they are the planned ones.
    """
    import torch

    from sage_select.train import losses_file, own_loss, trainer

    def note(self: Any, loss: Any) -> None:
        del loss
        slots, places, *_ = (torch.cat(parts) for parts in zip(*self._done, strict=True))
        noted = places[slots.argsort()].tolist()
        self._ledger.add(noted, [0.0] * len(noted), [1] * len(noted))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer.OrderedTrainer, "_note", note)
        patch.setattr(own_loss, "replace", lambda one, **_: one)
        patch.setattr(losses_file, "write_losses", lambda path, *_: path.touch())
        yield


@pytest.fixture(scope="module")
def ledgers(
    models: dict[str, Path], rows: list[dict[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], tuple[Callable[[str], Trained], str]]:
    """Return what trains a model with its ledger or without, and what to note: the difference, and its spread."""
    known: dict[str, tuple[Callable[[str], Trained], str]] = {}

    def turns(case: str) -> tuple[Callable[[str], Trained], str]:
        if case not in known:
            training = Training(rows, models[case], tmp_path_factory.mktemp("ledgers"))

            def by(method: str) -> Trained:
                with nullcontext() if method == "ours" else without_ledger():
                    return training.ours()

            shares = []
            for turn in range(_LEDGER_TURNS + 1):
                order = LEDGERS if turn % 2 else LEDGERS[::-1]
                found = {method: by(method) for method in order}
                assert found["ours"][1] == found[LEDGERS[1]][1]
                if turn:  # the first warms up
                    shares.append(100 * (found["ours"][0] / found[LEDGERS[1]][0] - 1))
            note = (
                f"{statistics.median(shares):+.1f} % seconds of the processor with a ledger (median of "
                f"{_LEDGER_TURNS} runs in turn, {min(shares):+.1f} to {max(shares):+.1f} %)"
            )
            known[case] = by, note
        return known[case]

    return turns


@pytest.mark.parametrize("case", ["stories260k"])
@pytest.mark.parametrize("method", LEDGERS)
def test_ledger(method: str, case: str, ledgers: Any, benchmark: BenchmarkFixture) -> None:
    by, note = ledgers(case)
    group = f"the ledger of {STEPS} steps of {ROWS} problems of GSM8K"
    own = note if method == "ours" else ""
    measure(benchmark, lambda: by(method), group=group, method=method, case=case, rounds=1, note=own)


#: Each says, as it ends, after how many seconds its first step had been taken.
_OURS = """
import sys, time
begun = time.perf_counter()
from contextlib import contextmanager
from sage_select.train import TrainConfig, train
@contextmanager
def stages(label):
    yield lambda done, *_: label == "training" and (print(time.perf_counter() - begun, time.process_time()), sys.exit())
settings = dict(lora_r=16, lora_alpha=32, lora_dropout=0.0, gradient_checkpointing=False, max_steps=3, max_length=512)
train(sys.argv[1], TrainConfig(model=sys.argv[2], output_dir=sys.argv[3], **settings), stages=stages)
"""
_TRL = """
import sys, time
begun = time.perf_counter()
from datasets import load_dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
from trl import SFTConfig, SFTTrainer
class First(TrainerCallback):
    def on_step_end(self, *_, **__):
        print(time.perf_counter() - begun, time.process_time())
        sys.exit()
tokenizer = AutoTokenizer.from_pretrained(sys.argv[2])
tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
SFTTrainer(
    model=AutoModelForCausalLM.from_pretrained(sys.argv[2]),
    args=SFTConfig(
        output_dir=sys.argv[3], per_device_train_batch_size=4, gradient_accumulation_steps=4, max_steps=3,
        max_length=512, bf16=False, use_cpu=True, activation_checkpointing=False, report_to="tensorboard",
        train_sampling_strategy="sequential",
    ),
    train_dataset=load_dataset("json", data_files=sys.argv[1], split="train", cache_dir=sys.argv[3] + ".cache"),
    processing_class=tokenizer,
    peft_config=LoraConfig(r=16, lora_alpha=32, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM"),
    callbacks=[First()],
).train()
"""
STARTS = {"ours": _OURS, "TRL SFTTrainer": _TRL}


def first_step(code: str, *arguments: str) -> tuple[float, float]:
    """Run a fresh interpreter; return the seconds to the end of its first step, and those of the processor."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, env=environment)
    said = [line.split() for line in done.stdout.splitlines() if line[:1].isdigit()]
    assert said, done.stderr[-2000:]
    return float(said[-1][0]), float(said[-1][1])


@pytest.fixture(scope="module")
def starts_rows(rows: list[dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("starts") / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def processor(starts_rows: Path) -> dict[str, list[float]]:
    """Return the seconds of the processor to the first step of each, in turn, after one start that nobody counts."""
    pytest.importorskip("trl")
    found: dict[str, list[float]] = {method: [] for method in STARTS}
    for turn in range(_TURNS + 1):
        for number, (method, code) in enumerate(STARTS.items()):
            folder = starts_rows.with_name(f"{turn}-{number}")
            took = first_step(code, str(starts_rows), str(MODEL), str(folder))[1]
            if turn:
                found[method].append(took)
    return found


@pytest.mark.parametrize("method", STARTS)
def test_first_step(
    method: str, processor: dict[str, list[float]], starts_rows: Path, tmp_path: Path, benchmark: BenchmarkFixture
) -> None:
    ratio = statistics.median(
        ours / other for ours, other in zip(processor["ours"], processor["TRL SFTTrainer"], strict=True)
    )
    assert ratio <= _START
    note = f"{statistics.median(processor[method]):.1f} s of the processor"
    if method == "ours":
        note += f", {ratio:.2f} x TRL's (medians of {_TURNS} starts in turn)"
    work = [STARTS[method], str(starts_rows), str(MODEL), str(tmp_path / "run")]
    group = "from the start of a process to the end of the first step"
    measure(benchmark, lambda: first_step(*work), group=group, method=method, case="stories260k", rounds=1, note=note)
