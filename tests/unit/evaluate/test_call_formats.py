"""Whatever a chat template writes for calls is read back as the calls of the row, or there is no figure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sage_select.evaluate.held_out import HeldOut, prepare
from sage_select.train import TrainConfig
from sage_select.train.selection import load_selection

pytestmark = pytest.mark.train

DEEP = {"q": {"a": [1, {"b": "}"}], "t": "</tool_call> } ]"}, "s": 'say "hi"\n{x}'}


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "arguments": arguments}}


def turn(content: str, *calls: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": content, **({"tool_calls": list(calls)} if calls else {})}


TURNS = [
    turn("", call("search", q="x", n=2)),
    turn("", call("search", q="x"), call("book_it")),
    turn("Let me see.", call("search", q="it is")),
    turn("", call("search", **DEEP)),
    turn("I would search (for you), ok(1)?"),
    turn('{"name": "John", "age": 3}'),
]


def templates() -> Iterator[Path]:
    import trl

    yield from sorted((Path(trl.__file__).parent / "chat_templates").glob("*.jinja"))


def rows() -> list[dict[str, Any]]:
    schema = {"type": "object", "properties": {"q": {"type": "string"}}}
    tools = [
        {"type": "function", "function": {"name": name, "description": "d", "parameters": schema}}
        for name in ("search", "book_it")
    ]
    return [{"messages": [{"role": "user", "content": "hello"}, one], "tools": tools} for one in TURNS]


def tokenizer(template: str) -> Any:
    """Return one that writes a byte a token."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE(vocab={letter: place for place, letter in enumerate(alphabet)}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    made = PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", eos_token="<|eos|>", pad_token="<|pad|>", model_max_length=10**6
    )
    ends = ("<|im_end|>", "<|eot_id|>", "<|call|>", "<|return|>", "<|eot|>", "<turn|>", "<|tool_response>")
    made.add_special_tokens({"additional_special_tokens": list(ends)})
    made.chat_template = template
    return made


def judged(template: str) -> tuple[HeldOut, list[int]]:
    """Return the prepared rows, and which of the turns above are judged."""
    from sage_select.render.tokens import Renderer

    ordered = load_selection(rows(), TrainConfig(model="m"))
    held_out = prepare(ordered, Renderer(tokenizer(template), max_length=4096), turns=None)
    return held_out, [question.row for question in held_out.questions]


def test_every_template_that_trl_ships_is_read_back_or_has_no_figure() -> None:
    read, silent = [], []
    for path in templates():
        held_out, places = judged(path.read_text(encoding="utf-8"))
        (silent if held_out.tools.no_figure else read).append(path.stem)
        left_out = sum(held_out.tools.left_out.values())
        if held_out.tools.no_figure:
            assert places == []
            assert held_out.notices
        else:
            # What the figures are taken from is what the row calls, no more and no less.
            assert len(places) + left_out == len(TURNS), path.stem
            for question in held_out.questions:
                calls = TURNS[question.row].get("tool_calls", [])
                assert question.expected == tuple(sorted({one["function"]["name"] for one in calls})), path.stem
    assert len(read) >= 70, silent
    # All of these have a style of their own.
    for name in ("qwen3", "qwen3_5_think", "gemma4_v5", "glm4moe", "gptoss", "nemotron_3_nano", "lfm2_2_5", "llama3_1"):
        assert name in read, silent
    for name in ("deepseekv3", "muse_glimmer", "gemma", "phi3_5"):
        assert name in read, silent
