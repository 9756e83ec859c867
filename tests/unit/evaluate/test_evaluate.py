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


def held_out_of(model: Path, rows: Any, *, turns: int | None = None, **settings: Any) -> HeldOut:
    from sage_select.train.base_model import open_renderer
    from sage_select.train.selection import load_selection

    config = TrainConfig(model=str(model), **settings)
    return prepare(load_selection(rows, config), open_renderer(config), turns=turns)


def decoded(model: Path, tokens: list[int]) -> str:
    from transformers import AutoTokenizer

    return str(AutoTokenizer.from_pretrained(model).decode(tokens))


def loaded(model: Path) -> Any:
    from transformers import AutoModelForCausalLM

    with quiet_libraries():
        return AutoModelForCausalLM.from_pretrained(model).eval()


def test_every_trained_turn_is_generated_from_its_own_history(tiny_model: Path) -> None:
    held_out = held_out_of(tiny_model, ROWS, on_long_row="keep_end")
    found = [(question.row, question.message, question.expected) for question in held_out.questions]
    assert found == [
        (0, 1, ("book",)),
        (0, 3, ()),
        (1, 1, ("weather",)),
        (1, 2, ("city",)),
        (2, 1, ()),
        (3, 3, ("day",)),
    ]
    prompts = [decoded(tiny_model, question.prompt) for question in held_out.questions]
    assert prompts[0] == "<|im_start|>user\nbook a table<|im_end|>\n<|im_start|>assistant\n"
    assert '"book", "arguments": {}}</tool_call><|im_end|>\n<|im_start|>tool\nok<|im_end|>\n' in prompts[1]
    assert "city" not in prompts[3]
    assert prompts[5].endswith("which<|im_end|>\n<|im_start|>user\nday<|im_end|>\n<|im_start|>assistant\n")
    assert held_out.row_ids == ("0", "1", "2", "3")
    assert held_out.dropped == ("4",)
    assert (held_out.tools.calling, held_out.tools.other, held_out.tools.no_figure) == (4, 2, None)
    assert held_out.tools.left_out == {}


def test_a_sample_of_turns_is_the_same_for_every_model_and_order(tiny_model: Path) -> None:
    rows = [
        {"messages": [user(f"a {i}"), call("book"), user("b"), says("done")], "sage_row_id": f"r{i}"} for i in range(9)
    ]

    def sampled(rows: list[dict[str, Any]], turns: int | None) -> set[tuple[str, int]]:
        held_out = held_out_of(tiny_model, rows, turns=turns)
        return {(held_out.row_ids[question.row], question.message) for question in held_out.questions}

    few, more = sampled(rows, 3), sampled(rows, 5)
    assert [sum(message == number for _, message in few) for number in (1, 3)] == [3, 3]
    assert few < more < sampled(rows, None)
    assert few == sampled(rows[::-1], 3)
    held_out = held_out_of(tiny_model, rows, turns=3)
    assert (held_out.tools.calling, held_out.tools.other) == (9, 9)
    assert held_out_of(tiny_model, rows, turns=0).tools.no_figure == "no turn is generated"


def test_rows_without_calls_have_no_turns_to_generate(tiny_model: Path) -> None:
    held_out = held_out_of(tiny_model, [{"messages": [user("a"), says("done")]}])
    assert held_out.questions == ()
    assert held_out.tools.no_figure == "no turn of these rows calls a tool"
    assert held_out.notices == ()


def test_calls_that_cannot_be_read_back_give_no_figure(tiny_model: Path) -> None:
    template = (
        "{%- for m in messages %}{{ m.role }}: {{ m.content }}{% for c in m.tool_calls %}"
        "I use {{ c.function.name }} on {{ c.function.arguments.get('key', '') }}{% endfor %}<|im_end|>{% endfor %}"
        "{% if add_generation_prompt %}assistant: {% endif %}"
    )
    path = tiny_model.parent / "words.jinja"
    path.write_text(template)
    held_out = held_out_of(tiny_model, [ROWS[0]], chat_template=path)
    assert held_out.questions == ()
    assert "'I use book on <|im_end|>' should call book" in str(held_out.tools.no_figure)
    assert "row 0, message 1" in held_out.notices[0]
    evaluation = evaluate(tiny_model, None, [ROWS[0]], config=TrainConfig(model="m", chat_template=path))
    assert evaluation.accuracy is evaluation.false_call_rate is None
    assert evaluation.rows == 1


def test_turns_that_are_written_as_several_are_not_judged(tiny_model: Path) -> None:
    template = (
        "{%- for m in messages %}{{ '<|im_start|>' + m.role }}"
        "{% if m.tool_calls and (m.content or m.tool_calls|length > 1) %}"
        "{{ raise_exception('one at a time') }}{% endif %}"
        "{{ m.content }}{% for c in m.tool_calls %}<tool_call>{{ c.function | tojson }}</tool_call>{% endfor %}"
        "<|im_end|>{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant' }}{% endif %}"
    )
    path = tiny_model.parent / "single.jinja"
    path.write_text(template)
    both = {**call("weather"), "content": "sure"}
    rows = [ROWS[0], {"messages": [user("x"), both]}]
    held_out = held_out_of(tiny_model, rows, chat_template=path, on_long_row="keep_end")
    assert [question.expected for question in held_out.questions] == [("book",), ()]
    assert held_out.tools.left_out == {"the chat template writes them as several turns": 1}
    assert held_out.notices[0] == "1 turns are not judged: the chat template writes them as several turns"


def test_texts_have_a_loss_and_no_question(tiny_model: Path) -> None:
    held_out = held_out_of(tiny_model, [{"text": "book a table"}])
    assert held_out.questions == ()
    evaluation = evaluate(tiny_model, None, [{"text": "book a table"}])
    assert evaluation.accuracy is None
    assert evaluation.rows == 1


def test_generation_ends_with_the_tokens_that_end_turns_and_only_there(tiny_model: Path) -> None:
    held_out = held_out_of(tiny_model, ROWS)
    assert [decoded(tiny_model, [token]) for token in held_out.stops] == ["<|im_end|>"]
    assert not held_out.stops & held_out.inside


def test_no_answers_at_all_is_refused(tiny_model: Path) -> None:
    with pytest.raises(DataError, match="no held-out row has an answer"):
        held_out_of(tiny_model, [{"messages": [user("a")]}])


def test_the_loss_is_the_mean_over_all_trained_tokens(tiny_model: Path) -> None:
    import torch

    held_out = held_out_of(tiny_model, ROWS)
    model = loaded(tiny_model)
    total, tokens = 0.0, 0
    for row in held_out.examples:
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
        lr_schedule="constant",
    )
    result = train(rows, config)
    # A prompt shares the 128 tokens with what is generated.
    whole = TrainConfig(model=str(tiny_model), on_long_row="keep_end")
    base, tuned = evaluate_tuned(tiny_model, result.lora_weights, rows, config=whole)
    assert [prediction.predicted for prediction in tuned.predictions] == [("book",), (), ("weather",), ()]
    assert tuned.predictions[3].text == "find which hotel<|im_end|>"
    assert (tuned.accuracy, tuned.false_call_rate, tuned.at_limit) == (1, 0, 0)
    # A model that never calls is right in no turn that calls, and calls falsely in none.
    assert (base.accuracy, base.false_call_rate) == (0, 0)
    assert base.at_limit > 0
    comparison = compare(base, tuned)
    assert comparison["loss_difference"] < -1
    assert comparison["accuracy_difference"] == 1
    alone = evaluate(tiny_model, None, rows, config=whole)
    assert alone.predictions == base.predictions
    assert evaluate(tiny_model, result.lora_weights, rows, config=whole).predictions == tuned.predictions


def test_a_row_cut_to_fit_is_counted(tiny_model: Path) -> None:
    rows = [{"messages": [user("book " * 200), call("book")]}]
    cutting = TrainConfig(model=str(tiny_model), on_long_row="keep_end")
    evaluation: Evaluation = evaluate(tiny_model, None, rows, config=cutting)
    assert evaluation.held_out.examples[0].cut > 0
    held_out = held_out_of(tiny_model, rows, on_long_row="keep_end")
    assert len(held_out.questions[0].prompt) + held_out.max_new_tokens <= 128
    assert "1 turns are generated from a part of their history, which is too long" in held_out.notices
    with pytest.raises(DataError, match="no held-out row has an answer to measure"):
        held_out_of(tiny_model, rows)
    assert held_out_of(tiny_model, [*rows, ROWS[0]]).dropped == ("0",)


def test_a_history_that_is_too_long_loses_whole_turns(tiny_model: Path) -> None:
    chat = [user("find"), says("which hotel"), user("a day"), says("day " * 9), user("book"), call("book")]
    held_out = held_out_of(tiny_model, [{"messages": chat}])
    asked = {question.message: decoded(tiny_model, question.prompt) for question in held_out.questions}
    begins = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n".format
    assert asked[5] == f"{begins('a day')}{'day ' * 9}<|im_end|>\n{begins('book')}"
    assert asked[1] == begins("find")
    assert held_out.tools.history_cut == 1


def test_a_turn_whose_results_do_not_fit_is_not_generated(tiny_model: Path) -> None:
    held_out = held_out_of(tiny_model, ROWS[:1])
    assert [question.message for question in held_out.questions] == [1]
    assert "1 turns are not judged: what has to come before them is too long" in held_out.notices


def test_what_is_no_adapter_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no adapter"):
        evaluate(tiny_model, tmp_path, ROWS)
    (tmp_path / "adapter_config.json").write_text("{}")
    (tmp_path / "adapter_model.safetensors").write_text("")
    with pytest.raises(DataError, match="cannot be loaded"):
        evaluate(tiny_model, tmp_path, ROWS)


def test_a_batch_holds_something(tiny_model: Path) -> None:
    with pytest.raises(UsageError, match="1 token or more"):
        evaluate(tiny_model, None, ROWS, batch_tokens=0)
