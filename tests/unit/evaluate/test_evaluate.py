"""Measuring real models: the loss is the loss, the answers are what the model says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from sage_select.errors import DataError, UsageError
from sage_select.evaluate import Evaluation, compare, evaluate, evaluate_tuned
from sage_select.evaluate.held_out import HeldOut, prepare
from sage_select.render import Conversation
from sage_select.render.quiet import quiet_libraries
from sage_select.train import TrainConfig, train

pytestmark = pytest.mark.train


def call(name: str) -> dict[str, Any]:
    return {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": name, "arguments": {}}}]}


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def says(text: str, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": text, **more}


ROWS: list[dict[str, Any]] = [
    {"messages": [user("book a table"), call("book"), {"role": "tool", "content": "ok"}, says("done")]},
    {"messages": [user("weather in paris tomorrow please"), call("weather"), call("city")]},
    {"messages": [user("find"), says("find which hotel")]},
    {"messages": [user("a"), says("which", weight=0), user("day"), call("day")]},
    {"messages": [user("nobody answers")]},
]


def held_out_of(model: Path, rows: Any, **settings: Any) -> HeldOut:
    from sage_select.train.base_model import open_renderer
    from sage_select.train.selection import load_selection

    config = TrainConfig(model=str(model), **settings)
    return prepare(load_selection(rows, config), open_renderer(config))


def decoded(model: Path, tokens: list[int]) -> str:
    from transformers import AutoTokenizer

    return str(AutoTokenizer.from_pretrained(model).decode(tokens))


def loaded(model: Path) -> Any:
    from transformers import AutoModelForCausalLM

    with quiet_libraries():
        return AutoModelForCausalLM.from_pretrained(model).eval()


def test_the_prediction_point_is_the_first_trained_assistant_turn(tiny_model: Path) -> None:
    held_out = held_out_of(tiny_model, ROWS)
    assert [question.expected for question in held_out.questions] == [("book",), ("weather",), (), ("day",)]
    prompts = [decoded(tiny_model, question.prompt) for question in held_out.questions]
    assert prompts[0] == "<|im_start|>user\nbook a table<|im_end|>\n<|im_start|>assistant\n"
    assert prompts[3].endswith("which<|im_end|>\n<|im_start|>user\nday<|im_end|>\n<|im_start|>assistant\n")
    assert held_out.row_ids == ("0", "1", "2", "3")
    assert held_out.dropped == ("4",)


def test_a_turn_that_calls_several_tools_expects_all_of_them(tiny_model: Path) -> None:
    both = {**call("b"), "tool_calls": [*call("b")["tool_calls"], *call("a")["tool_calls"], *call("b")["tool_calls"]]}
    held_out = held_out_of(tiny_model, [{"messages": [user("x"), both]}])
    assert held_out.questions[0].expected == ("a", "b")


def test_texts_have_a_loss_and_no_question(tiny_model: Path) -> None:
    held_out = held_out_of(tiny_model, [{"text": "book a table"}])
    assert held_out.questions == ()
    evaluation = evaluate(tiny_model, None, [{"text": "book a table"}])
    assert evaluation.accuracy is None
    assert evaluation.rows == 1


def test_generation_ends_with_the_token_that_ends_every_turn_and_only_there(tiny_model: Path) -> None:
    held_out = held_out_of(tiny_model, ROWS)
    assert decoded(tiny_model, [held_out.end_token or 0]) == "<|im_end|>"
    plain = "{%- for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% endgeneration %}"
    plain += "{% else %}{{ m.content }}{% endif %}{% endfor %}"
    path = tiny_model.parent / "no_end.jinja"
    path.write_text(plain)
    rows = [{"messages": [user("a"), says("919")]}, {"messages": [user("a"), says("99")]}]
    assert held_out_of(tiny_model, rows, chat_template=path).end_token is None


def test_no_answers_at_all_is_refused(tiny_model: Path) -> None:
    with pytest.raises(DataError, match="no held-out row has an answer"):
        held_out_of(tiny_model, [{"messages": [user("a")]}])


def test_the_loss_is_the_mean_over_all_trained_tokens(tiny_model: Path) -> None:
    import torch

    held_out = held_out_of(tiny_model, ROWS)
    model = loaded(tiny_model)
    total, tokens = 0.0, 0
    for row in held_out.rows:
        with torch.no_grad():
            logits = model(torch.tensor([row.input_ids])).logits[0, :-1]
        labels = torch.tensor(row.labels[1:])
        total += float(torch.nn.functional.cross_entropy(logits, labels, reduction="sum", ignore_index=-100).double())
        tokens += int((labels != -100).sum())
    for batch_tokens in (1, 100, 10_000):
        evaluation = evaluate(tiny_model, None, ROWS, batch_tokens=batch_tokens)
        assert evaluation.tokens == tokens
        assert evaluation.loss == pytest.approx(total / tokens, rel=1e-5)


def test_answers_are_what_the_model_says_word_by_word(tiny_model: Path) -> None:
    import torch
    from transformers import AutoTokenizer

    held_out = held_out_of(tiny_model, ROWS)
    model, tokenizer = loaded(tiny_model), AutoTokenizer.from_pretrained(tiny_model)
    expected = []
    for question in held_out.questions:
        ids = list(question.prompt)
        for _ in range(held_out.max_new_tokens):
            with torch.no_grad():
                ids.append(int(model(torch.tensor([ids]), use_cache=False).logits[0, -1].argmax()))
            if ids[-1] == tokenizer.eos_token_id:
                ids.pop()
                break
        expected.append(tokenizer.decode(ids[len(question.prompt) :]))
    for batch_tokens in (1, 10_000):
        found = evaluate(tiny_model, None, ROWS, batch_tokens=batch_tokens)
        assert [prediction.text for prediction in found.predictions] == expected


def test_the_model_s_own_way_to_generate_changes_no_answer(tiny_model: Path, tmp_path: Path) -> None:
    odd = tmp_path / "odd"
    shutil.copytree(tiny_model, odd)
    settings = json.loads((odd / "generation_config.json").read_text())
    changed = {
        "do_sample": True,
        "temperature": 3.0,
        "repetition_penalty": 3.0,
        "no_repeat_ngram_size": 1,
        "num_beams": 2,
    }
    (odd / "generation_config.json").write_text(json.dumps({**settings, **changed}))
    assert evaluate(odd, None, ROWS).predictions == evaluate(tiny_model, None, ROWS).predictions


def test_an_adapter_that_learned_the_answers_is_right(tiny_model: Path, tmp_path: Path) -> None:
    rows = [ROWS[0], {"messages": [user("weather"), call("weather")]}, ROWS[2]]
    config = TrainConfig(
        model=str(tiny_model),
        output_dir=tmp_path / "run",
        max_steps=60,
        batch_size=3,
        gradient_accumulation=1,
        learning_rate=1e-2,
        lora_dropout=0,
        gradient_checkpointing=False,
        schedule="constant",
    )
    result = train(rows, config)
    base, tuned = evaluate_tuned(tiny_model, result.lora_weights, rows)
    assert [prediction.predicted for prediction in tuned.predictions] == [("book",), ("weather",), ()]
    assert tuned.predictions[2].text == "find which hotel"
    assert tuned.accuracy == 1
    comparison = compare(base, tuned)
    assert comparison["loss_difference"] < -1
    assert comparison["accuracy_base"] == pytest.approx(1 / 3)  # words that call nothing suit the last row
    alone = evaluate(tiny_model, None, rows)
    assert alone == base
    assert evaluate(tiny_model, result.lora_weights, rows) == tuned


def test_a_row_cut_to_fit_is_counted(tiny_model: Path) -> None:
    rows = [{"messages": [user("book " * 200), call("book")]}]
    evaluation: Evaluation = evaluate(tiny_model, None, rows)
    assert evaluation.truncated_rows == 1
    assert evaluation.tokens_cut > 0
    held_out = held_out_of(tiny_model, rows)
    assert len(held_out.questions[0].prompt) + held_out.max_new_tokens <= 128


def test_what_is_no_adapter_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no adapter"):
        evaluate(tiny_model, tmp_path, ROWS)
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(DataError, match="cannot be loaded"):
        evaluate(tiny_model, tmp_path, ROWS)


def test_a_batch_holds_something(tiny_model: Path) -> None:
    with pytest.raises(UsageError, match="1 token or more"):
        evaluate(tiny_model, None, ROWS, batch_tokens=0)


def test_what_nobody_answers_has_no_prediction_point() -> None:
    from sage_select.evaluate.held_out import opening_of
    from sage_select.render import Text

    assert opening_of(Text("x")) is None
    assert opening_of(Conversation([user("x")])) is None
