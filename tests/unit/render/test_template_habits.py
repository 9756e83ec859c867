"""Habits of chat templates that lose words, stops or rows unless they are looked after."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sage_select.render.example import Conversation, Text
from sage_select.render.tokens import IGNORED, Renderer

pytestmark = pytest.mark.train

Make = Callable[[], Any]

FIRST_SYSTEM = (
    "{%- if messages[0].role == 'system' %}{%- set rest = messages[1:] %}{{ '<|im_start|>' + messages[0].content }}"
    "{%- else %}{%- set rest = messages %}{%- endif %}{%- for m in rest %}{%- if m.role in ['user', 'assistant'] %}"
    "{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>' }}{%- endif %}{%- endfor %}"
    "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{%- endif %}"
)
RAISES = (
    "{%- for m in messages %}{%- if m.role == 'system' and not loop.first %}{{ raise_exception('first') }}{%- endif %}"
    "{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{%- endif %}"
)
THOUGHTLESS = (
    "{%- for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content.split('</think>')[-1] + '<|im_end|>' }}"
    "{%- endfor %}{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{%- endif %}"
)
NO_STOP = (
    "{%- for m in messages %}{{ ('<|im_start|>' if m.role == 'user' else '<|end|>') + '\n' + m.content }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{ '<|end|>\n' }}{%- endif %}"
)
BEGINS = (
    "{{ bos_token }}{% for m in messages %}{{ '[' + m.role + ']' + m.content + eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '[assistant]' }}{% endif %}"
)


def said(role: str, content: str, **members: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **members}


def learned(tokenizer: Any, encoded: Any) -> str:
    return str(tokenizer.decode([label for label in encoded.labels if label != IGNORED]))


@pytest.mark.parametrize("template", [FIRST_SYSTEM, RAISES])
def test_a_later_system_turn_is_moved_and_told(byte_level: Make, template: str) -> None:
    tokenizer = byte_level()
    renderer = Renderer(tokenizer, max_length=999, chat_template=template)
    encoded = renderer.encode(
        Conversation(
            [said("system", "be kind"), said("user", "hi"), said("assistant", "hello"), said("system", "say BLUE"),
             said("user", "sky"), said("assistant", "BLUE"), said("system", "and go"), said("assistant", "bye")]
        )
    )  # fmt: skip
    text = tokenizer.decode(encoded.input_ids)
    assert "<|im_start|>user\nsay BLUE\n\nsky<|im_end|>" in text
    assert "<|im_start|>user\nand go<|im_end|>" in text
    assert text.startswith("<|im_start|>be kind" if template == FIRST_SYSTEM else "<|im_start|>system\nbe kind")
    assert any("no system turn after others" in line and "(1 row)" in line for line in renderer.notices)
    assert renderer.seen.lost.as_dict() == {}


CUTS_AND_ASKS = THOUGHTLESS.replace("'<|im_start|>assistant\n' }}", "'<|im_start|>assistant\n<think>\n' }}")
MARKED_CUTS = (
    "{%- for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}{%- if m.role == 'assistant' %}{% generation %}"
    "{{ m.content.split('</think>')[-1] + '<|im_end|>' }}{% endgeneration %}{%- else %}{{ m.content + '<|im_end|>' }}"
    "{%- endif %}{%- endfor %}{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n<think>\n' }}{%- endif %}"
)


def renderer_of(make: Make, template: str) -> Renderer:
    return Renderer(make(), max_length=999, chat_template=template)


@pytest.mark.parametrize("template", [THOUGHTLESS, CUTS_AND_ASKS, MARKED_CUTS])
@pytest.mark.parametrize("form", ["inline", "member"])
def test_thoughts_that_a_template_cuts_are_trained_where_their_turn_is(
    byte_level: Make, template: str, form: str
) -> None:
    def thinking(thought: str, words: str) -> dict[str, Any]:
        if form == "inline":
            return said("assistant", f"<think>{thought}</think>{words}")
        return said("assistant", words, reasoning=thought)

    renderer = renderer_of(byte_level, template)
    chat = [said("user", "two"), thinking("fingers", "four"), said("user", "and"), thinking("toes", "ten")]
    first, second = renderer.encode_all(Conversation(chat))
    asked = "<|im_start|>assistant\n"
    begun = "" if template == CUTS_AND_ASKS else "<think>\n"
    assert learned(renderer.tokenizer, first) == begun + "fingers\n</think>\n\nfour<|im_end|>"
    assert learned(renderer.tokenizer, second) == begun + "toes\n</think>\n\nten<|im_end|>"
    # Earlier thoughts are left out of the history, as the template will leave them out when it asks for the next turn.
    assert renderer.tokenizer.decode(second.input_ids) == (
        f"<|im_start|>user\ntwo<|im_end|>{asked}four<|im_end|><|im_start|>user\nand<|im_end|>"
        f"{asked}<think>\ntoes\n</think>\n\nten<|im_end|>"
    )
    for one, prompt in zip(
        (first, second), (one.prompt for one in renderer.predicted(Conversation(chat))), strict=True
    ):
        assert one.input_ids[: len(prompt)] == prompt
    assert renderer.seen.lost.as_dict() == {}
    assert any(
        "leaves out thoughts, those of the last turn too" in line and "(1 row)" in line for line in renderer.notices
    )
    assert not any(line.startswith("PROMPT") for line in renderer.notices)


def test_a_thought_before_a_call_is_trained_where_the_template_cuts_thoughts(byte_level: Make) -> None:
    renderer = renderer_of(byte_level, CUTS_AND_ASKS)
    call = {"type": "function", "function": {"name": "f", "arguments": {"a": 1}}}
    chat = [said("user", "go"), said("assistant", "", tool_calls=[call], reasoning="hm"), said("assistant", "so")]
    text = "".join(learned(renderer.tokenizer, one) for one in renderer.encode_all(Conversation(chat)))
    assert 'hm\n</think>\n\n<tool_call>{"name": "f", "arguments": {"a": 1}}</tool_call><|im_end|>' in text


def test_thoughts_that_cannot_be_written_are_counted_and_named(byte_level: Make) -> None:
    from sage_select.errors import Where

    # Where words are written more than once, none of the places is the turn.
    cut = "m.content.split('</think>')[-1]"
    renderer = renderer_of(byte_level, THOUGHTLESS.replace(cut, f"{cut} + ', ' + {cut}"))
    inline, by_field = said("assistant", "<think>fingers</think>four"), said("assistant", "four", reasoning="fingers")
    for row, answer in enumerate([said("assistant", "four"), inline, by_field]):
        renderer.encode(Conversation([said("user", "two and"), answer]), Where(row=row))
    lost = renderer.seen.lost.as_dict()
    assert lost["thoughts"] == {"rows": 2, "messages": 2, "first_row": "row 1", "first_message": 1}
    assert any(
        line.startswith("LOST: the chat template leaves out thoughts of 2 turns in 2 rows, first row 1, message 1")
        for line in renderer.notices
    )
    assert renderer.notices[-1].endswith(
        "--on-lost-words error refuses such rows, --chat-template names another template"
    )


ASKS = (
    "{%- for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}{%- if m.reasoning_content %}"
    "{{ '<think>\n' + m.reasoning_content + '\n</think>\n\n' }}{%- endif %}{{ m.content + '<|im_end|>' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
    "{%- if enable_thinking is not defined or enable_thinking %}{{ '<think>\n' }}{%- endif %}{%- endif %}"
)
ASKS_WITHOUT_SWITCH = ASKS.replace("{%- if enable_thinking is not defined or enable_thinking %}", "{%- if true %}")
ASKS_FOR_NONE = ASKS.replace("{{ '<think>\n' }}", "{{ '<think>\n\n</think>\n\n' }}")


@pytest.mark.parametrize(
    ("template", "thought", "told"),
    [
        (ASKS, "", "generate with enable_thinking=False"),
        (ASKS, "hm", None),
        (ASKS_WITHOUT_SWITCH, "", "give these answers thoughts (reasoning_content), or name a template"),
        (ASKS_WITHOUT_SWITCH, "hm", None),
        (ASKS_FOR_NONE, "hm", "generate with enable_thinking=False"),
        (ASKS_FOR_NONE.replace("enable_thinking", "whatever"), "hm", "give these answers no thoughts, or name"),
        (ASKS_FOR_NONE.replace("defined or enable_thinking", "defined"), "hm", "generate with enable_thinking=True"),
        (THOUGHTLESS, "", None),
    ],
)
def test_turns_that_begin_otherwise_than_they_are_asked_for_are_told(
    byte_level: Make, template: str, thought: str, told: str | None
) -> None:
    renderer = renderer_of(byte_level, template)
    answer = said("assistant", "four", **({"reasoning_content": thought} if thought else {}))
    for _ in range(3):
        renderer.encode_all(Conversation([said("user", "two"), answer, said("user", "and"), answer]))
    lines = [line for line in renderer.notices if line.startswith("PROMPT: ")]
    if told is None:
        assert lines == []
    else:
        [line] = lines
        assert "6 trained turns in 3 rows do not begin so" in line
        assert told in line


def test_thoughts_in_words_take_the_form_that_the_template_has_for_them(byte_level: Make) -> None:
    channels = ASKS.replace("'<think>\n' + m.reasoning_content + '\n</think>\n\n'", "'[' + m.reasoning_content + ']'")
    renderer = renderer_of(byte_level, channels)
    encoded = renderer.encode(Conversation([said("user", "two"), said("assistant", "<think>\nhm\n</think>\n\nfour")]))
    assert "assistant\n[hm]four<|im_end|>" in renderer.tokenizer.decode(encoded.input_ids)
    assert any("has a form of its own for thoughts" in line for line in renderer.notices)


def test_thoughts_are_written_as_the_template_reads_them(byte_level: Make, templates: Any) -> None:
    tokenizer = byte_level()
    renderer = Renderer(tokenizer, max_length=999, chat_template=templates.chatml)
    answer = said("assistant", "four", reasoning_content="fingers")
    encoded = renderer.encode(Conversation([said("user", "two"), answer]))
    assert learned(tokenizer, encoded) == "<think>\nfingers\n</think>\n\nfour<|im_end|>"
    reads = templates.chatml.replace("m.content", "(m.reasoning_content or '') + m.content.split('</think>')[-1]")
    renderer = Renderer(tokenizer, max_length=999, chat_template=reads)
    answer = said("assistant", "<think>fingers</think>four")
    assert learned(tokenizer, renderer.encode(Conversation([said("user", "two"), answer]))) == "fingersfour<|im_end|>"


def test_a_turn_without_an_end_gets_one(byte_level: Make) -> None:
    tokenizer = byte_level()
    renderer = Renderer(tokenizer, max_length=999, chat_template=NO_STOP)
    chat = [said("user", "a"), said("assistant", "b"), said("user", "c"), said("assistant", "d")]
    assert learned(tokenizer, renderer.encode(Conversation(chat))) == "b<|im_start|>d<|im_end|>"
    assert renderer.stop_tokens == ["<|im_end|>", "<|im_start|>"]
    assert any(line.startswith("the chat template ends no turn") for line in renderer.notices)
    tokenizer.eos_token = None
    renderer = Renderer(tokenizer, max_length=999, chat_template=NO_STOP)
    renderer.encode(Conversation(chat))
    assert any(line.startswith("NO STOP: after 1 trained turns") for line in renderer.notices)


def test_an_end_token_may_be_a_line_break(byte_level: Make) -> None:
    tokenizer = byte_level()
    tokenizer.eos_token = "\n"
    asks = "{%- for m in messages %}{{ m.content + ('\\nsaid:' if m.role == 'user' else eos_token) }}{%- endfor %}"
    renderer = Renderer(tokenizer, max_length=999, chat_template=asks)
    encoded = renderer.encode(Conversation([said("user", "two"), said("assistant", "four")]))
    assert learned(tokenizer, encoded) == "four\n"
    assert renderer.stop_tokens == ["\n"]
    assert not any(line.startswith(("NO STOP", "the chat template ends no turn")) for line in renderer.notices)
    tokenizer.chat_template = None
    renderer = Renderer(tokenizer, max_length=999)
    encoded = renderer.encode(Conversation([said("user", "two"), said("assistant", "four")]))
    assert learned(tokenizer, encoded) == " four\n"
    assert not any(line.startswith("NO STOP") for line in renderer.notices)


def test_the_end_of_turns_is_told_where_it_is_not_the_end_token(byte_level: Make, templates: Any) -> None:
    tokenizer = byte_level()
    tokenizer.eos_token = "<|end|>"
    renderer = Renderer(tokenizer, max_length=999, chat_template=templates.chatml)
    renderer.encode(Conversation([said("user", "a"), said("assistant", "b")]))
    assert renderer.stop_tokens == ["<|im_end|>", "<|end|>"]
    assert any("ends turns with '<|im_end|>'" in line for line in renderer.notices)


def test_texts_begin_and_end_once_whoever_writes_it(word_start: Make) -> None:
    tokenizer = word_start()
    renderer = Renderer(tokenizer, max_length=999, chat_template=BEGINS)
    plain = Conversation([said("user", "find"), said("assistant", " book ")])
    spelled = Conversation([said("user", "<s>find"), said("assistant", " book </s>")])
    rows = [Text("find"), Text("<s>find</s>"), Text("<s>find </s>\n"), plain, spelled]
    encoded = [renderer.encode(row) for row in rows]
    for one in encoded:
        assert one.input_ids.count(tokenizer.bos_token_id) == 1
        assert one.input_ids[0] == tokenizer.bos_token_id
        assert one.input_ids[-2:].count(tokenizer.eos_token_id) == 1
        assert one.labels[-1] == tokenizer.eos_token_id
    assert encoded[3] == encoded[4]
    assert encoded[0] == encoded[1]
    assert renderer.seen.lost.as_dict() == {}


def test_rows_with_tools_are_written_by_the_template_for_tools(byte_level: Make, templates: Any) -> None:
    tokenizer = byte_level()
    tokenizer.chat_template = {"default": templates.chatml, "tool_use": templates.qwen_like}
    renderer = Renderer(tokenizer, max_length=999)
    tool = {"type": "function", "function": {"name": "price", "parameters": {"type": "object", "properties": {}}}}
    chat = [said("user", "a"), said("assistant", "b")]
    assert "# Tools" in tokenizer.decode(renderer.encode(Conversation(chat, [tool])).input_ids)
    assert "# Tools" not in tokenizer.decode(renderer.encode(Conversation(chat)).input_ids)
    assert renderer.chat_template == {"default": templates.chatml, "tool_use": templates.qwen_like}


def test_what_is_cut_of_a_chat_is_named(byte_level: Make, templates: Any) -> None:
    cutting = {"max_length": 40, "on_long_row": "keep_end"}
    renderer = Renderer(byte_level(), chat_template=templates.chatml, **cutting)
    chat = [said("system", "never say lamp"), said("user", "river " * 60), said("assistant", "so")]
    assert renderer.encode(Conversation(chat)).cut_parts == ("system turn",)
    assert renderer.encode(Conversation(chat[1:])).cut_parts == ()
    tokenizer = byte_level()
    tokenizer.bos_token = "<|end|>"
    renderer = Renderer(tokenizer, chat_template="{{ bos_token }}" + templates.chatml, **cutting)
    encoded = renderer.encode(Conversation(chat))
    assert encoded.input_ids[0] == tokenizer.bos_token_id
    assert len(encoded.input_ids) == len(encoded.labels) == 40
