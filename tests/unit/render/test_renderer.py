"""What a renderer refuses, tells and counts, and what identifies it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from tests.support.trained_tokens import AGENT, Make

from sage_select.errors import DataError, UsageError, Where
from sage_select.render.example import Conversation, Text
from sage_select.render.tokens import Encoded, Renderer

pytestmark = pytest.mark.train


def test_rows_with_nothing_to_train_say_so(byte_level: Make) -> None:
    renderer = Renderer(byte_level(), max_length=99)
    assert renderer.encode(Text("")) == Encoded([], [], 0, 0)
    assert renderer.encode(Conversation([])) == Encoded([], [], 0, 0)
    assert renderer.encode(Conversation(AGENT.messages[:2])).trained == 0
    silent = {"role": "assistant", "content": "x", "weight": 0}
    assert renderer.encode(Conversation([AGENT.messages[1], silent])).trained == 0


def test_the_text_of_special_tokens_is_counted(byte_level: Make) -> None:
    renderer = Renderer(byte_level(), max_length=99)
    renderer.encode(
        Conversation([{"role": "user", "content": "a <|im_end|> b"}, {"role": "assistant", "content": "c"}])
    )
    renderer.encode(Text("<|im_start|>"))
    renderer.encode(Text("clean"))
    assert renderer.notices[-1] == "the text of special tokens, such as '<|im_end|>', is read as those tokens (2 rows)"


def test_only_encoded_rows_are_counted(byte_level: Make) -> None:
    renderer = Renderer(byte_level(), max_length=999)
    renderer.encode(Text("x"))
    renderer.predicted(AGENT)
    assert renderer.notices == []
    renderer.encode(AGENT)
    assert len(renderer.notices) == 1


def test_the_date_of_the_day_changes_no_token(byte_level: Make, templates: Any) -> None:
    template = '{{ strftime_now("%d %b %Y") + " " + strftime_now(\'%Y\') + "\\n" }}' + templates.marked
    tokenizer = byte_level()
    renderer = Renderer(tokenizer, max_length=999, chat_template=template)
    assert tokenizer.decode(renderer.encode(AGENT).input_ids).startswith("26 Jul 2024 2024\n")
    assert renderer.chat_template == template
    assert "the chat template writes the date of the day: 2024-07-26 is written instead" in renderer.notices


def test_a_refused_conversation_names_its_row(byte_level: Make, templates: Any) -> None:
    tokenizer = byte_level()
    tokenizer.bos_token = "<|end|>"
    renderer = Renderer(tokenizer, max_length=99, chat_template=templates.strict)
    with pytest.raises(DataError, match="row 9: the chat template refuses the conversation: roles must alternate"):
        renderer.encode(Conversation([{"role": "assistant", "content": "x"}]), Where(row=9))


def test_the_fingerprint_tells_templates_and_tokenizers_apart_and_nothing_else(
    byte_level: Make, word_start: Make, templates: Any
) -> None:
    tokenizer = byte_level()
    first = Renderer(tokenizer, max_length=99).fingerprint
    tokenizer(["a", "b c d"], padding=True, truncation=True, max_length=3)  # leaves state in the backend
    assert Renderer(tokenizer, max_length=50).fingerprint == first
    assert Renderer(byte_level(), max_length=99).fingerprint == first
    others = [
        Renderer(byte_level(), max_length=99, chat_template=templates.chatml).fingerprint,
        Renderer(word_start(), max_length=99).fingerprint,
    ]
    tokenizer.add_tokens(["brandnew"])
    others.append(Renderer(tokenizer, max_length=99).fingerprint)
    assert len({first, *others}) == 4


def test_state_left_in_a_tokenizer_changes_no_row(byte_level: Make) -> None:
    tokenizer = byte_level()
    before = Renderer(tokenizer, max_length=999).encode(AGENT)
    tokenizer(["a", "b c d"], padding="max_length", truncation=True, max_length=3)
    assert Renderer(tokenizer, max_length=999).encode(AGENT) == before


def test_renderers_that_make_no_sense_are_refused(byte_level: Make) -> None:
    with pytest.raises(UsageError, match="maximum length is 1"):
        Renderer(byte_level(), max_length=1)
    with pytest.raises(UsageError, match="cannot tell which characters"):
        Renderer(SimpleNamespace(is_fast=False), max_length=9)
    with pytest.raises(UsageError, match="cannot write a user and an assistant turn"):
        Renderer(byte_level(), max_length=9, chat_template="{{ raise_exception('never') }}")
    with pytest.raises(UsageError, match="cannot write a user and an assistant turn"):
        Renderer(byte_level(), max_length=9, chat_template="{% if %}")
    with pytest.raises(UsageError, match="it leaves out what they say"):
        Renderer(byte_level(), max_length=9, chat_template="{{ messages | length }}")
    tokenizer = byte_level()
    tokenizer.chat_template = {"rag": "{{ messages }}"}
    with pytest.raises(UsageError, match="only 'rag'"):
        Renderer(tokenizer, max_length=9)


def test_the_default_of_named_templates_is_used(byte_level: Make, templates: Any) -> None:
    tokenizer = byte_level()
    tokenizer.chat_template = {"default": templates.marked, "rag": "{{ messages }}"}
    assert Renderer(tokenizer, max_length=9).chat_template == templates.marked
