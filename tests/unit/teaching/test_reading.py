"""Turns read back: the message that the chat template writes as the teacher did, whichever template it is."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from sage_select.render import Conversation

TOOLS = [{"type": "function", "function": {"name": "search", "parameters": {"type": "object", "properties": {}}}}]
CALL = {"type": "function", "function": {"name": "search", "arguments": {"city": "Zürich", "day": "today"}}}
SECOND = {"type": "function", "function": {"name": "search", "arguments": {"city": "Rome"}}}
ANSWERS: dict[str, dict[str, Any]] = {
    "words": {"content": "Two tables, then."},
    "indented": {"content": "  x = 1\n\n  y = [2]"},
    "json": {"content": '{"a": 1}'},
    "call": {"content": "", "tool_calls": [CALL]},
    "call and words": {"content": "Let me see.", "tool_calls": [CALL]},
    "two calls": {"content": "", "tool_calls": [CALL, SECOND]},
    "thought": {"content": "Yes.", "reasoning_content": "Is it?"},
    "thought and call": {"content": "", "reasoning_content": "Is it?", "tool_calls": [CALL]},
}
EVERY = set(ANSWERS)
#: Template -> which of these answers are read back; Llama's writes the others as several turns.
READ = {
    "cohere": EVERY - {"indented"},
    "gemma3": EVERY - {"indented"},
    "glm4moe": EVERY - {"indented"},
    "lfm2": EVERY,
    "llama3_2": {"words", "json", "call", "thought"},
    "phi3": EVERY,
    "qwen2_5": EVERY,
    "qwen3": EVERY - {"indented"},
    "qwen3_5_think": EVERY - {"indented"},
    "qwen3_instruct_2507": EVERY,
}


@pytest.fixture(scope="module")
def tokenizer(tiny_model: Path) -> Any:
    pytest.importorskip("trl")
    from transformers import AutoTokenizer

    found = AutoTokenizer.from_pretrained(tiny_model)
    ends = ["<|eot_id|>", "<|start_header_id|>", "<|end|>", "<|END_OF_TURN_TOKEN|>", "<end_of_turn>", "<|user|>"]
    found.add_special_tokens({"additional_special_tokens": ends})
    return found


def read(
    tokenizer: Any, template: str, answer: dict[str, Any], *, said: str | None = None, holds_calls: bool = True
) -> Any:
    """Return what is read of a turn that the template writes, or that says something else."""
    from sage_select.evaluate.held_out import turn_tokens
    from sage_select.evaluate.readers import choose_reader, readers_of
    from sage_select.render.tokens import Renderer
    from sage_select.teaching.prompts import Prompt, predicted_turn
    from sage_select.teaching.reading import Reading

    tokenizer.chat_template = files("trl").joinpath("chat_templates", f"{template}.jinja").read_text()
    renderer = Renderer(tokenizer, max_length=4096)
    turns = [{"role": "user", "content": "Where?"}, {"role": "assistant", **answer}]
    turn = predicted_turn(renderer, Conversation(turns, TOOLS), 1)
    assert turn is not None
    tokens = turn_tokens(tokenizer, turn.text, renderer.special_ids)
    if tokens[-1] in renderer.special_ids:  # where the teacher stops
        tokens = tokens[: tokens.index(tokens[-1]) + 1]
    reader = choose_reader(readers_of(tokenizer, renderer.chat_template), []).reader
    before = Conversation([turns[0], {"role": "assistant", "content": "old"}], TOOLS)
    written = tokens if said is None else [*tokenizer(said, add_special_tokens=False)["input_ids"], tokens[-1]]
    reading = Reading(renderer, reader, {tokens[-1]})
    return reading.read(before, Prompt(0, "a", 1, turn.prompt), written, holds_calls=holds_calls)


@pytest.mark.parametrize("template", READ)
def test_messages_are_read_back_as_templates_write_them(template: str, tokenizer: Any) -> None:
    found = {name: read(tokenizer, template, answer) for name, answer in ANSWERS.items()}
    assert {name for name, message in found.items() if message == ANSWERS[name]} == READ[template]
    # Of indented words white space is lost by the template itself.
    words = found["indented"]["content"]
    assert words.split() == ANSWERS["indented"]["content"].split()


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("", "says nothing"),
        (" \n", "says nothing"),
        ("hotel <|im_start|>user\nMore?", "hold special tokens"),
        ('<tool_call>{"name": "sea', "cannot be read"),
        ('<tool_call>\n{"name": "book", "arguments": {}}\n</tool_call>', "does not offer"),
        ('<tool_call>\n{"name": "search", "arguments": {}}\n</tool_call> And so?', "does not write"),
        ('<tool_call>\n{"arguments": {}, "name": "search"}\n</tool_call>', "does not write"),
    ],
)
def test_what_is_no_message_has_a_reason(said: str, reason: str, tokenizer: Any) -> None:
    found = read(tokenizer, "qwen2_5", ANSWERS["words"], said=said)
    assert isinstance(found, str)
    assert reason in found


def test_an_answer_that_is_a_text_holds_words_alone(tokenizer: Any) -> None:
    assert read(tokenizer, "qwen2_5", ANSWERS["words"], holds_calls=False) == ANSWERS["words"]
    assert "cannot hold" in read(tokenizer, "qwen2_5", ANSWERS["call"], holds_calls=False)
    thought = read(tokenizer, "qwen3", ANSWERS["thought"], holds_calls=False)
    assert thought == {"content": "<think>\nIs it?\n</think>\n\nYes."}


def test_bytes_that_are_no_text_are_none(tokenizer: Any) -> None:
    from sage_select.teaching.reading import Reading

    ids = tokenizer("é", add_special_tokens=False)["input_ids"]
    reading = Reading.__new__(Reading)
    reading._tokenizer, reading._stops = tokenizer, frozenset({2})
    example, prompt = Conversation([]), None
    assert "no text" in reading.read(example, prompt, [ids[0], 2], holds_calls=True)  # type: ignore[arg-type]
