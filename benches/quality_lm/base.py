"""The base model: 2.6 million parameters in the layout of Llama, pre-trained on the open texts of the data folder."""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from benches.quality.data import file_of

__all__ = ["ASK", "STEPS", "base_model"]

#: Tokens seen in pre-training are steps x batch x length.
STEPS, _BATCH, _LENGTH, _RATE, _WARMUP = 1500, 16, 128, 3e-3, 100
_VOCABULARY: Final = 4096
_SHAPE: Final = {
    "hidden_size": 192,
    "intermediate_size": 512,
    "num_hidden_layers": 4,
    "num_attention_heads": 6,
    "num_key_value_heads": 6,
    "max_position_embeddings": 256,
}
#: Characters of a text that are read: prompts of t0_p3 can be long articles.
_LONGEST: Final = 800
#: What ends a line ends an answer, too: a token that was never seen cannot be learned by an adapter.
_END: Final = "\n"
#: How a text is asked about and answered, in training as in the test.
ASK: Final = "\nintent:"
_TEMPLATE: Final = (
    "{%- for message in messages %}{%- if message.role == 'assistant' %}"
    "{%- generation %}{{- ' ' + message.content + eos_token }}{%- endgeneration %}"
    "{%- else %}{{- message.content + '" + ASK.replace("\n", "\\n") + "' }}{%- endif %}{%- endfor %}"
)


def base_model(folder: Path, steps: int = STEPS) -> Path:
    """Return the folder of the base model, which is trained where it is not there: a function of texts and settings."""
    texts = list(_texts())
    digest = hashlib.blake2b(json.dumps([texts, steps, _BATCH, _LENGTH, _RATE, _WARMUP, _SHAPE, _TEMPLATE]).encode())
    path = folder / f"base-{digest.hexdigest()[:12]}"
    if not (path / "config.json").is_file():
        _train(path, texts, steps)
    return path


def _texts() -> Iterator[str]:
    """Give the texts: dialogues, sums, tasks, queries; none of CLINC150, on which the model is tuned and tested."""
    for row in _rows("sgd_chat/train.jsonl.gz"):
        yield "".join(f"{one['content']}\n" for one in row["messages"] if one["role"] in ("user", "assistant"))
    for row in _rows("gsm8k/train.jsonl.gz"):
        yield f"{row['question']}\n{row['answer']}\n"
    for row in _rows("t0_p3/cap50.jsonl.gz"):
        yield f"{row['prompt'][:_LONGEST]}\n{row['completion'][:_LONGEST]}\n"
    for row in _rows("toolformer/all.jsonl.gz"):
        yield f"{row['instruction']}\n{row['output'][:_LONGEST]}\n"
    for query in pl.read_csv(file_of("metatool/queries.csv"))["Query"]:
        yield f"{query}\n"


def _rows(name: str) -> Iterator[dict[str, Any]]:
    with gzip.open(file_of(name), "rt", encoding="utf-8", newline="\n") as lines:
        for line in lines:
            yield json.loads(line)


def _tokenizer(texts: list[str]) -> Any:
    """Return a byte-level BPE in which a line end is a token of its own."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=_VOCABULARY,
        special_tokens=[_END, "<pad>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=_END, pad_token="<pad>", chat_template=_TEMPLATE
    )


def _train(path: Path, texts: list[str], steps: int) -> None:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = _tokenizer(texts)
    order = np.random.default_rng(0).permutation(len(texts))
    encoded = tokenizer([texts[row] for row in order], add_special_tokens=False)["input_ids"]
    stream = torch.from_numpy(np.concatenate([np.array(one, np.int64) for one in encoded]))
    torch.manual_seed(0)
    config = LlamaConfig(
        **_SHAPE,
        vocab_size=len(tokenizer),
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = LlamaForCausalLM(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=_RATE, betas=(0.9, 0.95), weight_decay=0.1)
    starts = np.random.default_rng(1)
    for step in range(steps):
        share = min(1.0, (step + 1) / _WARMUP)
        for group in optimizer.param_groups:
            group["lr"] = _RATE * share * (0.55 + 0.45 * math.cos(math.pi * step / steps))
        at = starts.integers(0, len(stream) - _LENGTH, _BATCH)
        batch = torch.stack([stream[one : one + _LENGTH] for one in at])
        loss = model(input_ids=batch, labels=batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if step % 100 == 99:
            sys.stdout.write(f"pre-training: {step + 1} of {steps} steps, loss {loss.item():.3f}\n")
            sys.stdout.flush()
    path.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(path)
    model.save_pretrained(path)
