"""Scores of a language model on rows of mixed lengths, beside plain loops over the same rows and the same model.

Three of four rows are requests of CLINC150 with their intents, some tens of tokens, and one of four is a problem of
GSM8K with its solution, some hundreds. The rivals find the loss alone, as transformers computes it from all logits;
ours finds loss, entropy and error norm in its pass. All render the rows. One of the models has a vocabulary of 512 and
spends its time in attention, which is the same for all; of the other, as of small models in use, most weights are the
vocabulary's.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

from benches.data import ROOT, SCALE
from benches.measure import measure

SHARED = Path(os.environ.get("SAGE_DATA") or ROOT.parent / "shared" / "data")
LONG, SHORT = "gsm8k/train.jsonl.gz", "clinc150/train.parquet"
MODEL = Path(os.environ.get("SAGE_MODELS") or ROOT.parent / "shared" / "models") / "stories260k"
ROWS = max(32, int(120 * SCALE))
#: How many times our seconds the rivals take at least: one row at a time, and batches of rows as they come.
_ONE_BY_ONE, _BATCHES = {"stories260k": 1.2, "Llama of 3 M": 1.5}, 1.0
#: Times that all run, in turn.
_TURNS = 2

Scores = NDArray[np.float64]


@pytest.fixture(scope="module")
def pairs() -> list[tuple[str, str]]:
    """Return prompts and their answers."""
    pytest.importorskip("transformers")
    for path in (SHARED / LONG, SHARED / SHORT, MODEL):
        if not path.exists():
            pytest.skip(f"{path} is not here")
    with gzip.open(SHARED / LONG, "rt", encoding="utf-8") as lines:
        problems = [json.loads(line) for line, _ in zip(lines, range(ROWS // 4), strict=False)]
    found = [(one["question"], one["answer"]) for one in problems]
    asked = pq.read_table(SHARED / SHORT).slice(0, ROWS - len(found))
    found += zip(asked["text"].to_pylist(), map(str, asked["intent"].to_pylist()), strict=True)
    random.Random(0).shuffle(found)
    return found


@pytest.fixture(scope="module")
def models(pairs: list[tuple[str, str]], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return a trained model of 0.3 M parameters, and a random one of 3 M of which 2 M are the vocabulary's."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=16_384, special_tokens=["</s>"], initial_alphabet=alphabet, show_progress=False
    )
    backend.train_from_iterator((text for pair in pairs for text in pair), trainer)
    folder = tmp_path_factory.mktemp("llama")
    PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="</s>").save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=16_384,
        hidden_size=128,
        intermediate_size=352,
        num_hidden_layers=4,
        num_attention_heads=4,
        max_position_embeddings=512,
        bos_token_id=None,
        eos_token_id=0,
        tie_word_embeddings=True,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return {"stories260k": MODEL, "Llama of 3 M": folder}


def methods(model_folder: Path, pairs: list[tuple[str, str]]) -> dict[str, Callable[[], Scores]]:
    """Return what scores the rows by each method."""
    import torch

    from sage_select.errors import Where
    from sage_select.render.example import Conversation
    from sage_select.render.model_files import load_causal_lm, load_tokenizer
    from sage_select.render.tokens import IGNORED, Encoded, Renderer
    from sage_select.score import ScoringModel
    from sage_select.score.row_means import RowMeans
    from sage_select.score.token_rows import TokenRows

    name = str(model_folder)
    rows = [
        Conversation([{"role": "user", "content": question}, {"role": "assistant", "content": answer}])
        for question, answer in pairs
    ]
    renderer = Renderer(load_tokenizer(name), max_length=512)
    rows = [row for row in rows if not renderer.encode(row).cut]
    model = load_causal_lm(name, "float32")
    ours = RowMeans(TokenRows(ScoringModel(name, device="cpu"), None, "keep_turns"), "rows")
    ours.load()

    def losses(batch: list[Encoded]) -> Iterator[float]:
        longest = max(len(one.input_ids) for one in batch)
        ids = torch.tensor([one.input_ids + [0] * (longest - len(one.input_ids)) for one in batch])
        labels = torch.tensor([one.labels + [IGNORED] * (longest - len(one.labels)) for one in batch])
        mask = torch.tensor([[1] * len(one.input_ids) + [0] * (longest - len(one.input_ids)) for one in batch])
        with torch.inference_mode():
            logits = model(input_ids=ids, attention_mask=mask).logits[:, :-1]
            found = torch.nn.functional.cross_entropy(
                logits.transpose(1, 2), labels[:, 1:], ignore_index=IGNORED, reduction="none"
            )
        counts = (labels[:, 1:] != IGNORED).sum(1)
        yield from (found.sum(1) / counts).tolist()

    def batches(size: int) -> Scores:
        encoded = [renderer.encode(row) for row in rows]
        return np.array([loss for start in range(0, len(rows), size) for loss in losses(encoded[start : start + size])])

    return {
        "ours": lambda: ours.of(rows, lambda row: Where(row=row), lambda _done: None)["loss"],
        "one row at a time": lambda: batches(1),
        "batches of 8": lambda: batches(8),
        "batches of 16": lambda: batches(16),
    }


@pytest.fixture(scope="module")
def timed(models: dict[str, Path], pairs: list[tuple[str, str]]) -> Callable[[str], tuple[Any, dict[str, list[float]]]]:
    """Return the methods on a model, and their seconds of the processor, all in turn, once their answers are equal."""
    known: dict[str, tuple[Any, dict[str, list[float]]]] = {}

    def of(model: str) -> tuple[Any, dict[str, list[float]]]:
        if model not in known:
            case = methods(models[model], pairs)
            expected = case["one row at a time"]()
            for scores in case.values():
                np.testing.assert_allclose(scores(), expected, rtol=1e-4)
            seconds: dict[str, list[float]] = {name: [] for name in case}
            for _ in range(_TURNS):
                for name, scores in case.items():
                    begun = time.process_time()
                    scores()
                    seconds[name].append(time.process_time() - begun)
            known[model] = case, seconds
        return known[model]

    return of


@pytest.mark.parametrize("model", ["stories260k", "Llama of 3 M"])
@pytest.mark.parametrize("method", ["ours", "one row at a time", "batches of 8", "batches of 16"])
def test_score(benchmark: BenchmarkFixture, timed: Any, model: str, method: str) -> None:
    case, seconds = timed(model)
    ratio = min(seconds[method]) / min(seconds["ours"])
    note = "loss, entropy and error norm" if method == "ours" else f"loss alone; {ratio:.2f}x the CPU of ours"
    measure(benchmark, case[method], group="language-model scores", method=method, case=model, rounds=2, note=note)
    least = _ONE_BY_ONE[model] if method == "one row at a time" else _BATCHES
    if SCALE == 1 and method != "ours":
        assert ratio >= least, f"{method} takes {ratio:.2f} times the seconds of ours, not {least}"
