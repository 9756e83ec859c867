"""Turns that a template rewrites, rows of several examples, and the prompt before the last trained turn."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.trained_tokens import AGENT, THOUGHTFUL, Make, trained_runs

from sage_select.errors import DataError, Where
from sage_select.render.example import Conversation, Text
from sage_select.render.tokens import Renderer

pytestmark = pytest.mark.train


def test_turns_that_a_template_rewrites_are_trained_as_it_wrote_them_last(byte_level: Make, templates: Any) -> None:
    tokenizer = byte_level()
    renderer = Renderer(tokenizer, max_length=999, chat_template=templates.forgetful)
    assert len(renderer.encode_all(Conversation(THOUGHTFUL[:2]))) == 1
    first, second = renderer.encode_all(Conversation(THOUGHTFUL))
    assert trained_runs(tokenizer, first) == ["<think>first</think>b<|im_end|>"]
    assert trained_runs(tokenizer, second) == ["<think>second</think>d<|im_end|>"]
    history = tokenizer.decode(second.input_ids)
    assert "<|im_start|>assistant\nb<|im_end|>" in history
    assert "first" not in history
    assert any("1 row became 2 training examples" in line for line in renderer.notices)
    assert renderer.seen.lost.as_dict() == {}
    for part, predicted in zip((first, second), renderer.predicted(Conversation(THOUGHTFUL)), strict=True):
        assert part.input_ids[: len(predicted.prompt)] == predicted.prompt
        assert trained_runs(tokenizer, part) == [predicted.text.rstrip()]


def test_only_the_last_turns_are_trained_on_demand_and_the_rest_is_told(byte_level: Make, templates: Any) -> None:
    tokenizer = byte_level()
    renderer = Renderer(tokenizer, max_length=999, chat_template=templates.forgetful, history="last")
    (only,) = renderer.encode_all(Conversation(THOUGHTFUL))
    assert trained_runs(tokenizer, only) == ["<think>second</think>d<|im_end|>"]
    assert any("1 answers are not trained" in line for line in renderer.notices)
    assert renderer.seen.lost.as_dict()["thoughts"]["messages"] == 1
    silent = [{**turn, "weight": 0} if index == 3 else turn for index, turn in enumerate(THOUGHTFUL)]
    (only,) = renderer.encode_all(Conversation(silent))
    assert trained_runs(tokenizer, only) == ["<think>first</think>b<|im_end|>"]


def test_a_row_of_several_examples_is_no_single_one(byte_level: Make, templates: Any) -> None:
    renderer = Renderer(byte_level(), max_length=999, chat_template=templates.forgetful)
    with pytest.raises(DataError, match="row 4: the row makes 2 training examples"):
        renderer.encode(Conversation(THOUGHTFUL), Where(row=4))


def test_a_prompt_is_what_stands_before_the_last_trained_turn(byte_level: Make, templates: Any) -> None:
    tokenizer = byte_level()
    for template in (templates.qwen_like, None):
        renderer = Renderer(tokenizer, max_length=999, chat_template=template)
        encoded, prompt = renderer.encode(AGENT), renderer.predicted(AGENT)[-1].prompt
        assert encoded.input_ids[: len(prompt)] == prompt
        rest = tokenizer.decode(encoded.input_ids[len(prompt) :])
        assert rest.lstrip(" ").startswith("Yes, 21 degrees.<|im_end|>")
        ignored = [*AGENT.messages, {"role": "assistant", "content": "x", "weight": 0}]
        assert renderer.predicted(Conversation(ignored, AGENT.tools))[-1].prompt == prompt


@pytest.mark.parametrize("example", [Text("x"), Conversation([]), Conversation(AGENT.messages[:2])])
def test_a_row_without_a_trained_turn_has_none_to_generate(byte_level: Make, example: Any) -> None:
    assert Renderer(byte_level(), max_length=99).predicted(example) == []
