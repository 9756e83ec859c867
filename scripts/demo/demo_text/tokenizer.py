"""The demo model's tokenizer: byte-level BPE, digits one by one, a token for each role."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

__all__ = ["CHAT_TEMPLATE", "train_tokenizer", "wrap"]

CHAT_TEMPLATE: Final = Path(__file__).with_name("chat_template.jinja")

_PAD: Final = "<|pad|>"
_END: Final = "<|end|>"
_CONTROL: Final = (_PAD, _END, "<|system|>", "<|user|>", "<|assistant|>", "<|tool|>")
# Not special, so that they survive decoding and a reader of the answer finds the call.
_CALL: Final = ("<tool_call>", "</tool_call>")
_MARKS: Final = re.compile("|".join(re.escape(mark) for mark in (*_CONTROL, *_CALL)))


def train_tokenizer(texts: Iterable[str], size: int) -> Tokenizer:
    """Return a tokenizer of `size` tokens, control tokens included, learned from rendered `texts`."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[*_CONTROL, *_CALL],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_without_marks(texts), trainer)
    tokenizer.add_special_tokens([AddedToken(mark, special=True, normalized=False) for mark in _CONTROL])
    tokenizer.add_tokens([AddedToken(mark, special=False, normalized=False) for mark in _CALL])
    return tokenizer


def wrap(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    """Return `tokenizer` with the chat template and the roles of its control tokens."""
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=_END,
        pad_token=_PAD,
        padding_side="right",
        clean_up_tokenization_spaces=False,
        model_max_length=512,
        chat_template=CHAT_TEMPLATE.read_text(encoding="utf-8"),
    )


def _without_marks(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        yield from filter(None, _MARKS.split(text))
