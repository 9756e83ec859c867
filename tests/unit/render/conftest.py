"""Tokenizers made on the spot: two families, no download."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

CORPUS = [
    "The assistant looks for a restaurant in San Jose and books a table for two people.",
    "user assistant system tool function name arguments call result find book weather city",
    "Wörter, 数字 and émojis 🎉 are made of several bytes; numbers like 123 or 4.5 are not.",
]


@pytest.fixture(scope="session")
def byte_level() -> Callable[[], Any]:
    """Return a maker of byte-level tokenizers, like those of GPT-2, Llama 3 and Qwen."""
    pytest.importorskip("transformers")
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<|end|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(CORPUS, trainer)
    text = backend.to_str()

    def make() -> Any:
        return PreTrainedTokenizerFast(
            tokenizer_object=Tokenizer.from_str(text), eos_token="<|im_end|>", pad_token="<|end|>"
        )

    return make


@pytest.fixture(scope="session")
def word_start() -> Callable[[], Any]:
    """Return a maker of tokenizers with word-start marks and byte fallback, like those of Llama 2 and Mistral."""
    pytest.importorskip("transformers")
    from tokenizers import Tokenizer, decoders, models, normalizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    backend.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        special_tokens=["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))],
        show_progress=False,
    )
    backend.train_from_iterator(CORPUS[:2], trainer)
    backend.post_processor = processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", 1)])
    text = backend.to_str()

    def make() -> Any:
        return PreTrainedTokenizerFast(
            tokenizer_object=Tokenizer.from_str(text), bos_token="<s>", eos_token="</s>", unk_token="<unk>"
        )

    return make


@pytest.fixture(scope="session")
def templates() -> SimpleNamespace:
    """Return small chat templates by name, each with one habit of the real ones."""
    folder = Path(__file__).with_name("templates")
    return SimpleNamespace(**{file.stem: file.read_text("utf-8") for file in sorted(folder.glob("*.jinja"))})
