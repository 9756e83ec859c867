"""Pre-training of the demo model on composed dialogues; the demo's tools serve only to keep their names out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from .composed_tools import composed_tools
from .dialogues import TASKS, Dialogue, Dialogues
from .manners import PRETRAINING_MANNERS
from .rows import DEMO_TOOLS

__all__ = ["Example", "Settings", "encode", "new_model", "pretrain", "pretraining_dialogues"]

_TASK_SHARES: Final = dict(zip(TASKS, (0.4, 0.3, 0.3), strict=True))
_LONGEST: Final = 320
_SAME_TOOLS: Final = 400
_DEMO_NAMES: Final = frozenset(tool.name for tool in DEMO_TOOLS)


@dataclass(frozen=True)
class Settings:
    """How to pre-train."""

    dialogues: int = 20_000
    batch_tokens: int = 2048
    learning_rate: float = 8e-3
    weight_decay: float = 0.05
    warmup_share: float = 0.03
    context_weight: float = 0.2
    seed: int = 0


@dataclass(frozen=True)
class Example:
    """A rendered dialogue: tokens, and 1 where the assistant speaks."""

    tokens: list[int]
    spoken: list[int]


def pretraining_dialogues(count: int, seed: int) -> Iterator[Dialogue]:
    """Yield `count` dialogues, the tools of which change every few hundred."""
    chance = Random(f"{seed}/pre-training")
    for start in range(0, count, _SAME_TOOLS):
        source = Dialogues(composed_tools(chance, _DEMO_NAMES), PRETRAINING_MANNERS, chance)
        for _ in range(min(_SAME_TOOLS, count - start)):
            yield source.draw(chance.choices(list(_TASK_SHARES), list(_TASK_SHARES.values()))[0])


def encode(tokenizer: PreTrainedTokenizerFast, dialogue: Dialogue) -> Example:
    """Return `dialogue` as tokens with the assistant's marked."""
    rendered = tokenizer.apply_chat_template(
        dialogue.messages, tools=dialogue.tools, return_dict=True, return_assistant_tokens_mask=True
    )
    return Example(rendered["input_ids"], rendered["assistant_masks"])


def new_model(tokenizer: PreTrainedTokenizerFast, seed: int) -> LlamaForCausalLM:
    """Return an untrained model of about 1.24 million parameters."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=384,
        num_hidden_layers=5,
        num_attention_heads=4,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config)


def pretrain(
    model: LlamaForCausalLM, examples: Sequence[Example], settings: Settings, report: Callable[[int, int, float], None]
) -> None:
    """Train `model` in place for one pass over `examples`, in random batches of rows of similar length.

    `report` is told the step, the number of steps, and the loss of the assistant's tokens.
    """
    batches = _batches(examples, settings.batch_tokens, Random(f"{settings.seed}/batches"))
    optimizers = _optimizers(model, settings)
    schedules = [
        torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: _rate((step + 1) / len(batches), settings.warmup_share)
        )
        for optimizer in optimizers
    ]
    model.train()
    for step, batch in enumerate(batches):
        spoken_loss, context_loss = _losses(model, batch)
        torch.autograd.backward(spoken_loss + settings.context_weight * context_loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer, schedule in zip(optimizers, schedules, strict=True):
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
        report(step, len(batches), spoken_loss.item())


def _optimizers(model: LlamaForCausalLM, settings: Settings) -> list[torch.optim.Optimizer]:
    """Return Muon for the matrices inside the layers and AdamW for the embeddings and norms."""
    inner: list[torch.nn.Parameter] = []
    outer: list[torch.nn.Parameter] = []
    for name, weight in model.named_parameters():
        (inner if weight.dim() == 2 and "embed" not in name else outer).append(weight)
    return [
        torch.optim.Muon(
            inner, lr=settings.learning_rate, weight_decay=settings.weight_decay, adjust_lr_fn="match_rms_adamw"
        ),
        torch.optim.AdamW(outer, lr=settings.learning_rate, betas=(0.9, 0.98), weight_decay=0.0, fused=True),
    ]


def _rate(done: float, warmup: float) -> float:
    """Return the share of the top learning rate: linear warm-up, then a cosine down to a twentieth."""
    if done < warmup:
        return done / warmup
    return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * (done - warmup) / (1 - warmup)))


def _batches(examples: Sequence[Example], tokens: int, rng: Random) -> list[list[Example]]:
    """Return all examples that are short enough in batches of at most `tokens`, padding included."""
    batches: list[list[Example]] = [[]]
    for example in sorted(examples, key=lambda each: len(each.tokens)):
        if len(example.tokens) > _LONGEST:
            continue
        if (len(batches[-1]) + 1) * len(example.tokens) > tokens:
            batches.append([])
        batches[-1].append(example)
    rng.shuffle(batches)
    return batches


def _losses(model: LlamaForCausalLM, batch: list[Example]) -> tuple[Tensor, Tensor]:
    """Return the mean loss of the assistant's tokens and of all others."""
    longest = max(len(example.tokens) for example in batch)
    padding = model.config.pad_token_id
    tokens = torch.tensor([each.tokens + [padding] * (longest - len(each.tokens)) for each in batch])
    spoken = torch.tensor([each.spoken + [0] * (longest - len(each.spoken)) for each in batch])
    # Rows are padded on the right and attention is causal, so no attention mask is needed.
    logits = model(input_ids=tokens, use_cache=False).logits[:, :-1]
    losses = torch.nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten(), reduction="none")
    by_assistant = spoken[:, 1:].flatten().bool()
    by_others = (tokens[:, 1:].flatten() != padding) & ~by_assistant
    return losses[by_assistant].mean(), losses[by_others].mean()
