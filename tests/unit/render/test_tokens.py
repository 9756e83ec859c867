"""What of a row is trained: the tokens, their mask and where they are cut."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.trained_tokens import AGENT, WEATHER, Make, consistent, trained_runs

from sage_select.render.chat import choose_templates
from sage_select.render.example import Conversation, Text, to_example
from sage_select.render.shape import detect_shape
from sage_select.render.tokens import IGNORED, Renderer

pytestmark = pytest.mark.train


# A turn that begins and ends with a letter: white space there may share a token with the frame around it.
said = st.builds(
    "{}{}{}".format,
    st.sampled_from("aZé字"),
    st.text(st.characters(codec="utf-8", exclude_characters="<|>"), max_size=12),
    st.sampled_from("bYß🎉"),
)
dialogue = st.lists(
    st.tuples(st.sampled_from(["user", "assistant", "tool"]), said, st.booleans()), min_size=1, max_size=6
)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(dialogue)
@pytest.mark.parametrize("name", ["chatml", "marked", "qwen_like", "typed"])
def test_what_is_trained_is_what_the_assistant_says_and_its_end(
    byte_level: Make, templates: Any, name: str, turns: list[tuple[str, str, bool]]
) -> None:
    tokenizer = byte_level()
    messages = [{"role": "user", "content": "first"}]
    for role, words, trained in turns:
        messages.append({"role": role, "content": words} | ({} if trained or role != "assistant" else {"weight": 0}))
    renderer = Renderer(tokenizer, max_length=4096, chat_template=getattr(templates, name))
    encoded = renderer.encode(Conversation(messages))
    expected = [m["content"] + "<|im_end|>" for m in messages if m["role"] == "assistant" and m.get("weight") != 0]
    assert trained_runs(tokenizer, encoded) == expected
    assert consistent(encoded)
    assert encoded.cut == 0


def test_the_mask_of_markers_is_the_one_of_transformers(byte_level: Make, templates: Any) -> None:
    tokenizer = byte_level()
    messages = [message for message in AGENT.messages if "tool_calls" not in message]
    theirs = tokenizer.apply_chat_template(
        messages, chat_template=templates.marked, return_dict=True, return_assistant_tokens_mask=True
    )
    ours = Renderer(tokenizer, max_length=999, chat_template=templates.marked).encode(Conversation(messages))
    assert ours.input_ids == theirs["input_ids"]
    assert [label != IGNORED for label in ours.labels] == [bool(mask) for mask in theirs["assistant_masks"]]


def test_calls_are_trained_and_results_and_tools_are_not(byte_level: Make, templates: Any) -> None:
    tokenizer = byte_level()
    renderer = Renderer(tokenizer, max_length=999, chat_template=templates.qwen_like)
    encoded = renderer.encode(AGENT)
    assert trained_runs(tokenizer, encoded) == [
        '<tool_call>\n{"name": "weather", "arguments": {"city": "Zürich"}}\n</tool_call><|im_end|>',
        "Yes, 21 degrees.<|im_end|>",
    ]
    assert tokenizer.decode(encoded.input_ids).count("<tool_response>") == 2
    assert renderer.notices == []


@pytest.mark.parametrize("family", ["byte_level", "word_start"])
def test_the_plain_form(request: pytest.FixtureRequest, family: str) -> None:
    tokenizer = request.getfixturevalue(family)()
    renderer = Renderer(tokenizer, max_length=999)
    encoded = renderer.encode(AGENT)
    end = tokenizer.eos_token
    assert [run.lstrip(" ") for run in trained_runs(tokenizer, encoded)] == [
        f'<tool_call>{{"name": "weather", "arguments": {{"city": "Zürich"}}}}</tool_call>{end}',
        f"Yes, 21 degrees.{end}",
    ]
    (notice,) = renderer.notices
    assert "no chat template" in notice
    begin = tokenizer.bos_token or ""
    form = choose_templates(tokenizer, None)["default"]
    text = form.render(AGENT.messages, AGENT.tools)[0]
    assert text == (
        f"{begin}Tools:\n{json.dumps(WEATHER)}\n"
        "System: Be brief.\n"
        "User: Is it warm?\n"
        f'Assistant: <tool_call>{{"name": "weather", "arguments": {{"city": "Zürich"}}}}</tool_call>{end}\n'
        'Tool weather: {"t": 21}\n'
        "Tool weather: sunny 🎉\n"
        f"Assistant: Yes, 21 degrees.{end}\n"
        "User: Thanks\n"
    )
    if begin:
        assert encoded.input_ids[0] == tokenizer.bos_token_id
        assert encoded.input_ids.count(tokenizer.bos_token_id) == 1


def test_the_plain_form_without_an_end_token_ends_turns_with_a_newline(byte_level: Make) -> None:
    tokenizer = byte_level()
    tokenizer.eos_token = None
    encoded = Renderer(tokenizer, max_length=999).encode(Conversation(AGENT.messages[5:6]))
    assert trained_runs(tokenizer, encoded) == [" Yes, 21 degrees.\n"]


def test_the_training_variant_of_a_known_family_is_used(byte_level: Make) -> None:
    trl = pytest.importorskip("trl")
    source = Path(trl.__file__).parent / "chat_templates/qwen2_5.jinja"
    tokenizer = byte_level()
    tokenizer.chat_template = source.read_text("utf-8")
    renderer = Renderer(tokenizer, max_length=999)
    assert "generation" in renderer.chat_template
    runs = [run.strip() for run in trained_runs(tokenizer, renderer.encode(AGENT))]
    assert runs == [
        '<tool_call>\n{"name": "weather", "arguments": {"city": "Zürich"}}\n</tool_call><|im_end|>',
        "Yes, 21 degrees.<|im_end|>",
    ]
    assert tokenizer.chat_template == source.read_text("utf-8")


def test_no_real_template_loses_or_leaks_a_word(byte_level: Make) -> None:
    trl = pytest.importorskip("trl")
    folder = Path(trl.__file__).parent / "chat_templates"
    sources = [file for file in sorted(folder.glob("*.jinja")) if not file.stem.endswith("_training")]
    assert len(sources) > 20
    tool = {
        **WEATHER["function"],
        "description": "Tells it.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string", "description": "Where."}}},
    }
    example = Conversation(AGENT.messages, [{"type": "function", "function": tool}])
    for source in sources:
        tokenizer = byte_level()
        tokenizer.bos_token = "<|end|>"
        tokenizer.chat_template = source.read_text("utf-8")
        encoded = Renderer(tokenizer, max_length=9999).encode(example)
        trained = " ".join(trained_runs(tokenizer, encoded))
        shown = tokenizer.decode(
            [t for t, label in zip(encoded.input_ids, encoded.labels, strict=True) if label == IGNORED]
        )
        for word in ("weather", "Zürich", "Yes, 21 degrees."):
            assert word in trained, source.stem
        for word in ("Be brief.", "Is it warm?", "21}", "sunny 🎉", "Thanks", "Tells it."):
            assert word in shown, source.stem
            assert word not in trained, source.stem


def test_a_conversation_may_begin_with_the_assistant(byte_level: Make, templates: Any) -> None:
    tokenizer = byte_level()
    messages = [{"role": "assistant", "content": "Hello"}, *AGENT.messages[1:2], {"role": "assistant", "content": "Hm"}]
    for template in (templates.chatml, templates.marked, None):
        renderer = Renderer(tokenizer, max_length=99, chat_template=template)
        runs = trained_runs(tokenizer, renderer.encode(Conversation(messages)))
        assert [run.strip() for run in runs] == ["Hello<|im_end|>", "Hm<|im_end|>"]
        assert tokenizer.decode(renderer.predicted(Conversation(messages[:1]))[-1].prompt).endswith(
            "ssistant:" if template is None else "assistant\n"
        )


@pytest.mark.parametrize("length", [2, 5, 20, 60, 999])
def test_a_long_conversation_keeps_its_end_where_that_is_wanted(byte_level: Make, templates: Any, length: int) -> None:
    tokenizer = byte_level()
    full = Renderer(tokenizer, max_length=4096, chat_template=templates.qwen_like).encode(AGENT)
    renderer = Renderer(tokenizer, max_length=length, chat_template=templates.qwen_like, on_long_row="keep_end")
    encoded = renderer.encode(AGENT)
    assert len(encoded.input_ids) + encoded.cut == len(full.input_ids)
    assert len(encoded.input_ids) <= length
    assert consistent(encoded)
    if encoded.cut:
        assert encoded.input_ids[-1] == tokenizer.eos_token_id
        assert encoded.labels[-1] == tokenizer.eos_token_id
        assert encoded.labels[0] == IGNORED
    joined = ",".join(map(str, full.input_ids))
    assert ",".join(map(str, encoded.input_ids)) in joined


def test_text_is_trained_as_a_whole_and_ends(byte_level: Make, word_start: Make) -> None:
    text = Text("The assistant looks for a restaurant")
    tokenizer = word_start()
    encoded = Renderer(tokenizer, max_length=99).encode(text)
    assert encoded.input_ids[0] == tokenizer.bos_token_id
    assert encoded.labels == [IGNORED, *encoded.input_ids[1:]]
    assert tokenizer.decode(encoded.input_ids[1:]) == text.text + "</s>"
    tokenizer = byte_level()
    encoded = Renderer(tokenizer, max_length=99).encode(text)
    assert tokenizer.decode(encoded.input_ids) == text.text + "<|im_end|>"
    assert encoded.trained == len(encoded.input_ids) - 1
    cut = Renderer(tokenizer, max_length=4).encode(text)
    assert cut.input_ids == encoded.input_ids[:4]
    assert cut.cut == len(encoded.input_ids) - 4


def test_a_tokenizer_that_ends_texts_itself_ends_them_once(word_start: Make) -> None:
    from tokenizers import processors

    tokenizer = word_start()
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        "<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    ids = Renderer(tokenizer, max_length=99).encode(Text("find")).input_ids
    assert ids.count(tokenizer.eos_token_id) == 1


@pytest.mark.real_data
def test_real_conversations_on_a_real_tokenizer(shared_data: Path, shared_model: Path) -> None:
    from sage_select.render.model_files import load_tokenizer

    tokenizer = load_tokenizer(str(shared_model))
    renderer = Renderer(tokenizer, max_length=100_000)
    rows = json.loads((shared_data / "chat_formats/glaive_sharegpt.json").read_text("utf-8"))[:40]
    for row in rows:
        example = to_example(row, detect_shape(list(row)), None)
        expected = []
        for turn in example.messages:
            if turn["role"] == "assistant":
                calls = [
                    f"<tool_call>{json.dumps(c['function'], ensure_ascii=False)}</tool_call>"
                    for c in turn.get("tool_calls", [])
                ]
                expected.append("\n".join(filter(None, [turn["content"], *calls])) + "</s>")
        runs = trained_runs(tokenizer, renderer.encode(example))
        assert [run.removeprefix(" ") for run in runs] == expected
