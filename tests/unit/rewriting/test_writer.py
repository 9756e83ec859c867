"""Models that write texts: the same whatever the order and the others, within what they read."""

from __future__ import annotations

from pathlib import Path

import pytest
from writers import KINDS, make_writer

from sage_select.errors import UsageError
from sage_select.rewriting import writer as writer_module
from sage_select.rewriting.writer import Asked, Writer, Written

TEXTS = [f"book a table for {number} at the hotel {'please ' * (number % 5)}" for number in range(12)]


@pytest.fixture(scope="module", params=["llama", *KINDS])
def model(request: pytest.FixtureRequest, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    if request.param == "llama":
        return str(tiny_model)
    return str(make_writer(request.param, tiny_model, tmp_path_factory.mktemp(request.param)))


def written(model: str, texts: list[str], seeds: list[int] | None = None, temperature: float = 0.8) -> Written:
    asked = [Asked(text, seed) for text, seed in zip(texts, seeds or range(len(texts)), strict=True)]
    return Writer(model, temperature=temperature).write(asked)


@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_neither_the_order_nor_the_batches_change_a_text(
    model: str, temperature: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = written(model, TEXTS, temperature=temperature)
    assert made.endless < len(TEXTS) or temperature == 0
    assert sum(text != other for text, other in zip(made.texts, TEXTS, strict=True)) == len(TEXTS) - made.endless
    turned = written(model, TEXTS[::-1], list(range(len(TEXTS)))[::-1], temperature)
    assert turned.texts[::-1] == made.texts
    monkeypatch.setattr(writer_module, "_BATCH_TOKENS", {"cpu": 100, "cuda": 100})
    assert written(model, TEXTS, temperature=temperature).texts == made.texts


def test_each_draw_is_of_its_seed(model: str) -> None:
    same = written(model, [TEXTS[3]] * 8, [5] * 8, 0.8)
    assert len(set(same.texts)) == 1
    others = written(model, [TEXTS[3]] * 40, temperature=0.8)
    assert len(set(others.texts)) > 2
    likeliest = written(model, [TEXTS[3]] * 4, temperature=0.0)
    assert len(set(likeliest.texts)) == 1


def test_what_is_longer_than_the_model_reads_stays_as_it_is_and_is_counted(model: str) -> None:
    made = written(model, ["x y " * 500, TEXTS[0]])
    assert made.texts[0] == "x y " * 500
    assert made.too_long == 1


def test_the_manifest_is_told_what_pins_the_model(model: str) -> None:
    facts = Writer(model, prompt="Say {text}").facts
    assert facts["model"] == model
    assert facts["revision"].startswith("blake2b-256:")
    assert (facts["prompt"], facts["temperature"], facts["dtype"]) == ("Say {text}", 0.0, "float32")


def test_a_model_with_a_chat_template_is_given_a_turn_of_the_user(tiny_model: Path) -> None:
    writer = Writer(str(tiny_model), prompt="Again: {text}")
    said = writer._tokenizer.decode(writer._tokens("hello"))
    assert said == "<|im_start|>user\nAgain: hello<|im_end|>\n<|im_start|>assistant\n"


def test_what_writes_no_texts_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer, BertConfig, BertModel

    BertModel(BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=1, vocab_size=9)).save_pretrained(
        tmp_path
    )
    AutoTokenizer.from_pretrained(tiny_model).save_pretrained(tmp_path)
    with pytest.raises(UsageError, match="this is not a model that writes texts"):
        Writer(str(tmp_path)).write([Asked("a", 1)])
