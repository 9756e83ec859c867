"""Which label a language model gives a text: the likeliest of those that there are, found exactly."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benches.quality_lm.base import ASK

__all__ = ["classified"]

#: Tokens of a batch, with its padding.
_BATCH_TOKENS = 8192


def _prompt_of(text: str) -> str:
    """Return what the model is asked."""
    return f"{text}{ASK}"


class _Trie:
    """The token sequences of labels: which token may come next, and which label is complete."""

    def __init__(self, labels: Sequence[Sequence[int]]) -> None:
        self.label_of = {tuple(tokens): number for number, tokens in enumerate(labels)}
        self.next: dict[tuple[int, ...], list[int]] = {}
        for tokens in labels:
            for end in range(len(tokens)):
                after = self.next.setdefault(tuple(tokens[:end]), [])
                if tokens[end] not in after:
                    after.append(tokens[end])


def classified(model: Any, tokenizer: Any, texts: Sequence[str], labels: Sequence[str]) -> NDArray[np.int64]:
    """Return the number of the likeliest label of each text, int64 (n,).

    The probability of a label is that of its tokens and of the end after them. Prefixes are looked at from the
    likeliest on, and a prefix is never less likely than what it begins, so that the first whole label is the likeliest
    of all: the answer of scoring every label, for a few forward passes a text in place of one for each label.
    """
    import torch

    end = tokenizer.eos_token_id
    trie = _Trie([[*tokenizer(f" {label}", add_special_tokens=False)["input_ids"], end] for label in labels])
    prompts = tokenizer([_prompt_of(text) for text in texts], add_special_tokens=False)["input_ids"]
    found = np.full(len(texts), -1)
    open_prefixes: list[list[tuple[float, tuple[int, ...]]]] = [[(0.0, ())] for _ in texts]
    model.eval()
    with torch.inference_mode():
        while len(left := np.flatnonzero(found < 0)):
            asked = []
            for row in left:
                cost, prefix = heapq.heappop(open_prefixes[row])
                if prefix in trie.label_of:
                    found[row] = trie.label_of[prefix]
                else:
                    asked.append((row, cost, prefix, [*prompts[row], *prefix]))
            asked.sort(key=lambda one: len(one[3]))
            for batch in _batches(asked):
                log_probs = _last(model, [one[3] for one in batch])
                for (row, cost, prefix, _), values in zip(batch, log_probs, strict=True):
                    for token in trie.next[prefix]:
                        heapq.heappush(open_prefixes[row], (cost - float(values[token]), (*prefix, token)))
    return found


def _batches(asked: list[Any]) -> list[list[Any]]:
    """Return sequences, shortest first, in batches."""
    batches: list[list[Any]] = []
    for one in asked:
        if batches and len(one[3]) * (len(batches[-1]) + 1) <= _BATCH_TOKENS:
            batches[-1].append(one)
        else:
            batches.append([one])
    return batches


def _last(model: Any, sequences: list[list[int]]) -> NDArray[np.float64]:
    """Return the log-probabilities of what comes after each sequence, (m, vocabulary)."""
    import torch

    longest = max(map(len, sequences))
    ids = torch.zeros(len(sequences), longest, dtype=torch.long)
    for row, one in enumerate(sequences):
        ids[row, : len(one)] = torch.tensor(one)
    # Padding stands behind, where no earlier token sees it.
    hidden = model(input_ids=ids).logits[
        torch.arange(len(sequences)), torch.tensor([len(one) - 1 for one in sequences])
    ]
    return torch.log_softmax(hidden.double(), -1).numpy()
