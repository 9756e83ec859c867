"""Where turns begin and end in what chat templates write: closing tokens, joined turns, words beside calls, prompts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sage_select.errors import DataError
from sage_select.render.example import Conversation
from sage_select.render.tokens import IGNORED, Renderer

pytestmark = pytest.mark.train

Make = Callable[[], Any]


def said(role: str, content: str, **members: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **members}


def learned(tokenizer: Any, encoded: Any) -> str:
    return str(tokenizer.decode([label for label in encoded.labels if label != IGNORED]))


def renderer_of(make: Make, template: str) -> Renderer:
    return Renderer(make(), max_length=999, chat_template=template)


PHI = (
    "{%- for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{%- else %}{{ '<|end|>' }}{%- endif %}"
)
CHAT = [said("user", "two"), said("assistant", "four"), said("user", "and"), said("assistant", "ten")]


def test_a_token_that_closes_the_text_belongs_to_no_turn(byte_level: Make) -> None:
    tokenizer = byte_level()
    tokenizer.eos_token = "<|end|>"
    renderer = Renderer(tokenizer, max_length=999, chat_template=PHI)
    encoded = renderer.encode(Conversation(CHAT))  # one example, for no turn is written otherwise once others follow
    assert learned(tokenizer, encoded) == "four<|im_end|>ten<|im_end|>"
    assert tokenizer.decode(encoded.input_ids).endswith("ten<|im_end|>\n<|end|>")
    assert renderer.stop_tokens == ["<|im_end|>", "<|end|>"]
    prompts = [tokenizer.decode(one.prompt) for one in renderer.predicted(Conversation(CHAT))]
    assert prompts[1].endswith("four<|im_end|>\n<|im_start|>user\nand<|im_end|>\n<|im_start|>assistant\n")
    assert "<|end|>" not in prompts[1]
    # A template that ends earlier answers by another token closes nothing: each answer ends as it will be generated.
    returns = PHI.replace("'<|im_end|>\n' }}", "('<|end|>' if loop.last else '<|im_end|>') }}").replace("'<|end|>' }}{%- e", "'' }}{%- e")  # noqa: E501  # fmt: skip
    examples = Renderer(byte_level(), max_length=999, chat_template=returns).encode_all(Conversation(CHAT))
    assert [learned(tokenizer, one) for one in examples] == ["four<|end|>", "ten<|end|>"]


def test_an_end_of_turn_that_the_tokenizer_does_not_call_special_stops_all_the_same(byte_level: Make) -> None:
    tokenizer = byte_level()
    tokenizer.add_tokens(["<end_of_turn>"])
    template = PHI.replace("<|im_end|>", "<end_of_turn>").replace("{{ '<|end|>' }}", "{{ '' }}")
    renderer = Renderer(tokenizer, max_length=999, chat_template=template)
    encoded = renderer.encode(Conversation(CHAT))
    assert learned(tokenizer, encoded) == "four<end_of_turn>ten<end_of_turn>"
    assert renderer.stop_tokens == ["<end_of_turn>", "<|im_end|>"]
    assert not any(line.startswith("NO STOP") for line in renderer.notices)


WORDS_LAST = (
    "{%- for m in messages %}{%- if m.role == 'tool' %}{{ '[R]' + m.content + messages[loop.index0 - 1].content }}"
    "{%- elif m.tool_calls %}{{ '<|im_start|>assistant\n' }}{%- for c in m.tool_calls %}{{ c.function | tojson }}"
    "{%- endfor %}{{ '' if loop.nextitem else m.content }}{{ '<|im_end|>' }}"
    "{%- else %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>' }}{%- endif %}{%- endfor %}"
    "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{%- endif %}"
)
EITHER = WORDS_LAST.replace("elif m.tool_calls", "elif m.tool_calls and not m.content").replace(
    " + messages[loop.index0 - 1].content", ""
)
JOINS = (
    "{%- for m in messages %}{%- set same = loop.previtem is defined and loop.previtem.role == m.role %}"
    "{{ '' if same else '<|im_start|>' + m.role + '\n' }}{{ m.content }}"
    "{{ '' if loop.nextitem is defined and loop.nextitem.role == m.role else '<|im_end|>' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{%- endif %}"
)


@pytest.mark.parametrize("template", [WORDS_LAST, EITHER])
def test_words_beside_a_call_are_trained_where_a_template_writes_them_elsewhere_or_not(
    byte_level: Make, template: str
) -> None:
    call = {"type": "function", "function": {"name": "f", "arguments": {"a": 1}}}
    renderer = renderer_of(byte_level, template)
    row = [
        said("user", "go"),
        said("assistant", "words", tool_calls=[call]),
        said("tool", "R"),
        said("assistant", "so"),
    ]
    encoded = renderer.encode(Conversation(row))
    assert learned(renderer.tokenizer, encoded) == (
        'words<|im_end|>{"name": "f", "arguments": {"a": 1}}<|im_end|>so<|im_end|>'
    )
    assert renderer.tokenizer.decode(encoded.input_ids).count("words") == 1
    assert renderer.seen.lost.as_dict() == {}
    assert any("as one turn: such turns are split (1 row)" in line for line in renderer.notices)


def test_answers_that_a_template_joins_are_trained_once(byte_level: Make) -> None:
    renderer = renderer_of(byte_level, JOINS)
    encoded = renderer.encode(Conversation([said("user", "go"), said("assistant", "one "), said("assistant", "two")]))
    assert learned(renderer.tokenizer, encoded) == "one two<|im_end|>"
    assert not any("not trained" in line or "training examples" in line for line in renderer.notices)
    # What must not be trained is not trained with what follows it.
    with pytest.raises(DataError, match="does not tell where message 2 lies"):
        renderer.encode(
            Conversation([said("user", "go"), said("assistant", "one ", weight=0), said("assistant", "two")])
        )


def test_tools_before_the_last_user_turn(byte_level: Make, templates: Any) -> None:
    tokenizer = byte_level()
    tokenizer.bos_token = "<|end|>"
    renderer = Renderer(tokenizer, max_length=9999, chat_template=templates.mistral_like)
    call = {"type": "function", "function": {"name": "f", "arguments": {"a": 1}}}
    row = [
        said("user", "one"), said("assistant", "", tool_calls=[call, call]), said("tool", "R"), said("tool", "S"),
        said("assistant", "two"), said("user", "three"), said("user", "four"), said("assistant", "five"),
    ]  # fmt: skip
    tools = [{"type": "function", "function": {"name": "f", "parameters": {}}}]
    first, second = renderer.encode_all(Conversation(row, tools))
    calls = '{"name": "f", "arguments": {"a": 1}, "id": "call0000'
    assert learned(tokenizer, first) == f'[CALLS] [{calls}0"}}, {calls}1"}}]<|im_end|> two<|im_end|>'
    assert learned(tokenizer, second) == " five<|im_end|>"
    texts = [tokenizer.decode(one.input_ids) for one in (first, second)]
    assert texts[0].startswith("<|end|>[TOOLS]")
    assert "[/TOOLS][INST] three\n\nfour[/INST] five<|im_end|>" in texts[1]
    assert texts[1].count("[TOOLS]") == 1
    # Each is asked for as it is trained.
    prompts = [one.prompt for one in renderer.predicted(Conversation(row, tools))]
    examples = [first, first, second]
    assert all(one.input_ids[: len(prompt)] == prompt for one, prompt in zip(examples, prompts, strict=True))
    assert [len(prompt) for prompt in prompts] == [
        next(place for place, label in enumerate(one.labels) if label != IGNORED and place >= len(prompt))
        for one, prompt in zip(examples, prompts, strict=True)
    ]


def test_a_prompt_ends_before_the_first_token_of_the_answer(word_start: Make) -> None:
    tokenizer = word_start()
    spaced = "{% for m in messages %}{{ m.role + ': ' + m.content + eos_token }}{% endfor %}"
    spaced += "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
    renderer = Renderer(tokenizer, max_length=999, chat_template=spaced)
    chat = Conversation([said("user", "find"), said("assistant", "table two")])
    encoded, (one,) = renderer.encode(chat), renderer.predicted(chat)
    assert encoded.input_ids[: len(one.prompt)] == one.prompt
    assert encoded.labels[len(one.prompt)] == encoded.input_ids[len(one.prompt)]
    assert tokenizer.decode(one.prompt).endswith("assistant:")


def test_values_in_the_quotes_of_python_are_not_taken_for_lost(byte_level: Make) -> None:
    template = "{%- for m in messages %}{{ m.role + m.content }}{%- for c in m.tool_calls %}{{ c.function.arguments }}"
    renderer = renderer_of(byte_level, template + "{%- endfor %}{{ '<|im_end|>' }}{%- endfor %}")
    call = {"type": "function", "function": {"name": "f", "arguments": {"a": 'it\'s "so"\n\tor not'}}}
    template += "{{ c.function.name }}{%- endfor %}{{ '<|im_end|>' }}{%- endfor %}"
    renderer = renderer_of(byte_level, template)
    renderer.encode_all(Conversation([said("user", "go"), said("assistant", "", tool_calls=[call])]))
    assert renderer.seen.lost.as_dict() == {}
