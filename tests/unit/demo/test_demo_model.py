"""The shipped model loads like any other, and its template marks what is trained."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sage_select import demo

pytestmark = pytest.mark.train

Row = dict[str, Any]
MOST_BYTES = 3_000_000


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    transformers = pytest.importorskip("transformers")
    return transformers.AutoTokenizer.from_pretrained(demo.model_path())


@pytest.fixture(scope="module")
def model() -> Any:
    transformers = pytest.importorskip("transformers")
    return transformers.AutoModelForCausalLM.from_pretrained(demo.model_path()).eval()


def render(tokenizer: Any, row: Row, **options: Any) -> Any:
    return tokenizer.apply_chat_template(row["messages"], tools=row.get("tools"), **options)


def marked(tokenizer: Any, row: Row) -> tuple[list[int], list[int]]:
    made = render(tokenizer, row, return_dict=True, return_assistant_tokens_mask=True)
    return made["input_ids"], made["assistant_masks"]


def test_size_and_layout(model: Any) -> None:
    assert sum(file.stat().st_size for file in demo.model_path().iterdir()) <= MOST_BYTES
    assert type(model).__name__ == "LlamaForCausalLM"
    assert str(model.dtype) == "torch.float32"
    assert model.config.max_position_embeddings == 512
    assert model.get_input_embeddings().weight is model.get_output_embeddings().weight


def test_model_and_tokenizer_agree(model: Any, tokenizer: Any) -> None:
    assert len(tokenizer) == model.config.vocab_size
    for settings_ in (model.config, model.generation_config):
        assert settings_.eos_token_id == tokenizer.eos_token_id
        assert settings_.pad_token_id == tokenizer.pad_token_id
    assert tokenizer.eos_token_id != tokenizer.pad_token_id


def test_rows_are_short(tokenizer: Any, train_rows: list[Row], heldout_rows: list[Row]) -> None:
    lengths = sorted(len(render(tokenizer, row)["input_ids"]) for row in train_rows + heldout_rows)
    assert lengths[-1] <= 400
    assert lengths[int(0.97 * len(lengths))] <= 300


@given(st.text())
@settings(deadline=None)
def test_text_survives_the_tokenizer(tokenizer: Any, text: str) -> None:
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_calls_survive_decoding_without_control_tokens(tokenizer: Any, heldout_rows: list[Row]) -> None:
    tokens = render(tokenizer, heldout_rows[0])["input_ids"]
    text = tokenizer.decode(tokens, skip_special_tokens=True)
    assert "<tool_call>" in text
    assert "<|" not in text


def test_template_marks_the_assistants_turns_and_nothing_else(tokenizer: Any, heldout_rows: list[Row]) -> None:
    for row in heldout_rows:
        tokens, mask = marked(tokenizer, row)
        assert len(tokens) == len(mask)
        spans, inside = [], False
        for token, mark in zip(tokens, mask, strict=True):
            if mark and not inside:
                spans.append([])
            if mark:
                spans[-1].append(token)
            inside = bool(mark)
        expected = []
        for message in row["messages"]:
            if message["role"] == "assistant":
                text = message["content"] or ""
                for call in message.get("tool_calls", []):
                    function = call["function"]
                    name = json.dumps(function["name"])
                    text += f'<tool_call>{{"name": {name}, "arguments": {function["arguments"]}}}</tool_call>'
                expected.append(text + "<|end|>")
        assert [tokenizer.decode(span) for span in spans] == expected


def test_arguments_as_object_or_text_render_alike(tokenizer: Any, heldout_rows: list[Row]) -> None:
    for row in heldout_rows[:40]:
        parsed = json.loads(json.dumps(row))
        for message in parsed["messages"]:
            for call in message.get("tool_calls", []):
                call["function"]["arguments"] = json.loads(call["function"]["arguments"])
        assert render(tokenizer, parsed, tokenize=False) == render(tokenizer, row, tokenize=False)


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"messages": [{"role": "user", "content": "hi"}]}, "<|user|>hi<|end|>"),
        (
            {"messages": [{"role": "system", "content": "Be kind."}, {"role": "assistant", "content": None}]},
            "<|system|>Be kind.<|end|><|assistant|><|end|>",
        ),
        (
            {
                "messages": [{"role": "assistant", "content": "", "tool_calls": [{"name": "now", "arguments": {}}]}],
                "tools": [{"name": "now"}],
            },
            '<|system|>\nnow()<|end|><|assistant|><tool_call>{"name": "now", "arguments": {}}</tool_call><|end|>',
        ),
    ],
    ids=["no tools", "system turn and empty content", "bare function"],
)
def test_template_renders_what_may_be_absent(tokenizer: Any, row: Row, text: str) -> None:
    assert render(tokenizer, row, tokenize=False) == text


def test_generation_prompt_opens_the_assistants_turn(tokenizer: Any) -> None:
    row = {"messages": [{"role": "user", "content": "hi"}]}
    assert render(tokenizer, row, tokenize=False, add_generation_prompt=True) == "<|user|>hi<|end|><|assistant|>"


def test_model_knows_the_format_before_any_tuning(model: Any, tokenizer: Any, heldout_rows: list[Row]) -> None:
    """It ends its turns, and what it calls can mostly be read, if it is not often the right tool."""
    import torch

    from sage_select.evaluate import parse_tool_calls

    ended = called = readable = 0
    for row in heldout_rows[:24]:
        prompt = {"messages": row["messages"][:1], "tools": row["tools"]}
        inputs = render(tokenizer, prompt, add_generation_prompt=True, return_tensors="pt", return_dict=True)
        with torch.no_grad():
            made = model.generate(**inputs, max_new_tokens=80, do_sample=False)[0, inputs["input_ids"].shape[1] :]
        ended += tokenizer.eos_token_id in made.tolist()
        text = tokenizer.decode(made, skip_special_tokens=True)
        if text.startswith("<tool_call>"):
            called += 1
            readable += parse_tool_calls(text).failures == 0
    assert ended >= 20
    assert called >= 12
    assert readable >= 0.7 * called
