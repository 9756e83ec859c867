"""Turns of long conversations are found without rendering each prefix, and lie where their prefixes say."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sage_select.render import chat, sequences
from sage_select.render.chat import ChatTemplate
from sage_select.render.example import Conversation
from sage_select.render.marks import words_in
from sage_select.render.tokens import Renderer

pytestmark = pytest.mark.train

Make = Callable[[], Any]

ASK = "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"


def written(turn: str) -> str:
    """Return a template that writes each turn so."""
    return "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}" + turn + "{% endfor %}" + ASK


#: Templates with habits that the likeness of turns must not hide.
ODD = {
    "the tenth ends otherwise": written("{{ m.content + ('<|end|>' if loop.index == 10 else '<|im_end|>') }}"),
    "every third begins otherwise": written("{{ 'so ' if loop.index % 3 == 0 else '' }}{{ m.content + '<|im_end|>' }}"),
    "old turns are left out": written("{% if loop.revindex < 20 %}{{ m.content + '<|im_end|>' }}{% endif %}"),
    "words are trimmed": written("{{ m.content | trim + '<|im_end|>' }}"),
    "words are written twice": written("{{ m.content + m.content + '<|im_end|>' }}"),
    "long words end otherwise": written("{{ m.content + ('!' if m.content | length > 9 else '') + '<|im_end|>' }}"),
    "nothing is asked": "{% for m in messages %}{{ m.role + ': ' + m.content + eos_token }}{% endfor %}",
}


def conversation(seed: int, turns: int = 24) -> Conversation:
    drawn = random.Random(seed)
    messages: list[dict[str, Any]] = [{"role": "system", "content": "be kind"}] if seed % 2 else []
    for number in range(turns):
        messages.append({"role": "user", "content": drawn.choice(["yes", "and then?", f"word {number}"])})
        words = drawn.choice(["yes", "no", f"word {number}", " spaced\n", "yes <|im_end|>", "a longer answer"])
        answer: dict[str, Any] = {"role": "assistant", "content": words}
        if seed % 3 == 0 and drawn.random() < 0.3:
            answer["reasoning_content"] = drawn.choice(["hm", "yes"])
        if seed % 4 == 0 and drawn.random() < 0.3:
            call = {"type": "function", "function": {"name": "f", "arguments": {"a": drawn.randint(0, 9)}}}
            answer |= {"tool_calls": [call], "content": drawn.choice(["", "yes"])}
            messages += [answer, {"role": "tool", "name": "f", "content": "found"}]
            answer = {"role": "assistant", "content": "so", **({"weight": 0} if drawn.random() < 0.3 else {})}
        messages.append(answer)
    return Conversation(messages)


def corpus() -> list[str]:
    trl = pytest.importorskip("trl")
    names = ("qwen2_5", "phi3", "glm4moe", "deepseekv3", "smolvlm", "gptoss")
    folder = Path(trl.__file__).parent / "chat_templates"
    return [(folder / f"{name}.jinja").read_text("utf-8") for name in names] + list(ODD.values())


def test_turns_lie_where_their_prefixes_say(byte_level: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat, "_training_variants", dict)
    found_alike = 0
    by_likeness = sequences.Writer._by_likeness

    def counted(self: Any, *arguments: Any) -> Any:
        nonlocal found_alike
        found = by_likeness(self, *arguments)
        found_alike += len(found)
        return found

    for template in corpus():
        for seed in (0, 1):
            row = conversation(seed)
            encoded = []
            for few in (10**9, 12):
                monkeypatch.setattr(sequences, "_FEW", few)
                monkeypatch.setattr(sequences.Writer, "_by_likeness", counted)
                renderer = Renderer(byte_level(), max_length=99_999, chat_template=template)
                try:
                    encoded.append(renderer.encode_all(row))
                except Exception as error:  # whatever a template refuses, it refuses either way
                    encoded.append(str(error))
            assert encoded[0] == encoded[1], template
    assert found_alike > 200


def test_a_long_conversation_takes_few_renderings(
    byte_level: Make, templates: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    renderings = 0
    render = ChatTemplate.render

    def counted(self: Any, *arguments: Any, **options: Any) -> Any:
        nonlocal renderings
        renderings += 1
        return render(self, *arguments, **options)

    renderer = Renderer(byte_level(), max_length=99_999, chat_template=templates.chatml)
    monkeypatch.setattr(ChatTemplate, "render", counted)
    for turns in (50, 200):
        renderings = 0
        renderer.encode_all(conversation(1, turns))
        assert renderings < 120


def test_words_are_found_by_marks(templates: Any) -> None:
    template = ChatTemplate(templates.chatml, {}, marked=False)
    turns = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": " a b\n"},
        {"role": "user", "content": ""},
    ]
    text = template.render(turns, [])[0]
    found = words_in(text, template, turns, [], [0, 1, 2])
    assert {index: text[start:end] for index, (start, end) in found.items()} == {0: "a", 1: "a b"}
    assert text[: found[1][0]].endswith("assistant\n ")
    assert words_in(text + "!", template, turns, [], [0]) == {}
