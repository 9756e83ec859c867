from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sage_select.errors import DataError, UsageError, Where
from sage_select.render.chat import choose_templates
from sage_select.render.example import Conversation, Text, to_example
from sage_select.render.shape import detect_shape
from sage_select.render.tokens import IGNORED, Encoded, Renderer
from sage_select.render.truncate import context_length

pytestmark = pytest.mark.train

Make = Callable[[], Any]
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
CALL = {"type": "function", "function": {"name": "weather", "arguments": {"city": "Zürich"}}}
AGENT = Conversation(
    [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Is it warm?"},
        {"role": "assistant", "content": "", "tool_calls": [CALL]},
        {"role": "tool", "name": "weather", "content": '{"t": 21}'},
        {"role": "tool", "name": "weather", "content": "sunny 🎉"},
        {"role": "assistant", "content": "Yes, 21 degrees."},
        {"role": "user", "content": "Thanks"},
    ],
    [WEATHER],
)


def trained_runs(tokenizer: Any, encoded: Encoded) -> list[str]:
    """Return the text of each unbroken run of trained tokens."""
    runs: list[list[int]] = []
    before = IGNORED
    for label in encoded.labels:
        if label != IGNORED:
            if before == IGNORED:
                runs.append([])
            runs[-1].append(label)
        before = label
    return [tokenizer.decode(run) for run in runs]


def consistent(encoded: Encoded) -> bool:
    pairs = zip(encoded.input_ids, encoded.labels, strict=True)
    return all(label in (token, IGNORED) for token, label in pairs) and encoded.trained == sum(
        label != IGNORED for label in encoded.labels
    )


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


THOUGHTFUL = [
    {"role": "user", "content": "a"},
    {"role": "assistant", "content": "<think>first</think>b"},
    {"role": "user", "content": "c"},
    {"role": "assistant", "content": "<think>second</think>d"},
]


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


def test_a_conversation_may_begin_with_the_assistant(byte_level: Make, templates: Any) -> None:
    tokenizer = byte_level()
    messages = [{"role": "assistant", "content": "Hello"}, *AGENT.messages[1:2], {"role": "assistant", "content": "Hm"}]
    for template in (templates.chatml, templates.marked, None):
        renderer = Renderer(tokenizer, max_length=99, chat_template=template)
        runs = trained_runs(tokenizer, renderer.encode(Conversation(messages)))
        assert [run.strip() for run in runs] == ["Hello<|im_end|>", "Hm<|im_end|>"]
        assert tokenizer.decode(renderer.prompt(Conversation(messages[:1]))).endswith(
            "ssistant:" if template is None else "assistant\n"
        )


@pytest.mark.parametrize("length", [2, 5, 20, 60, 999])
def test_a_long_conversation_keeps_its_end(byte_level: Make, templates: Any, length: int) -> None:
    tokenizer = byte_level()
    full = Renderer(tokenizer, max_length=4096, chat_template=templates.qwen_like).encode(AGENT)
    renderer = Renderer(tokenizer, max_length=length, chat_template=templates.qwen_like)
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


def test_rows_with_nothing_to_train_say_so(byte_level: Make) -> None:
    renderer = Renderer(byte_level(), max_length=99)
    assert renderer.encode(Text("")) == Encoded([], [], 0, 0)
    assert renderer.encode(Conversation([])) == Encoded([], [], 0, 0)
    assert renderer.encode(Conversation(AGENT.messages[:2])).trained == 0
    silent = {"role": "assistant", "content": "x", "weight": 0}
    assert renderer.encode(Conversation([AGENT.messages[1], silent])).trained == 0


def test_a_prompt_is_what_stands_before_the_last_trained_turn(byte_level: Make, templates: Any) -> None:
    tokenizer = byte_level()
    for template in (templates.qwen_like, None):
        renderer = Renderer(tokenizer, max_length=999, chat_template=template)
        encoded, prompt = renderer.encode(AGENT), renderer.prompt(AGENT)
        assert encoded.input_ids[: len(prompt)] == prompt
        rest = tokenizer.decode(encoded.input_ids[len(prompt) :])
        assert rest.lstrip(" ").startswith("Yes, 21 degrees.<|im_end|>")
        assert renderer.prompt(AGENT, room=990) == prompt[-9:]
        ignored = [*AGENT.messages, {"role": "assistant", "content": "x", "weight": 0}]
        assert renderer.prompt(Conversation(ignored, AGENT.tools)) == prompt


@pytest.mark.parametrize("example", [Text("x"), Conversation([]), Conversation(AGENT.messages[:2])])
def test_a_prompt_needs_a_trained_turn(byte_level: Make, example: Any) -> None:
    with pytest.raises(DataError, match="row 2: the row has no assistant turn to generate"):
        Renderer(byte_level(), max_length=99).prompt(example, Where(row=2))


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
    renderer.prompt(AGENT)
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


def test_context_length() -> None:
    config = SimpleNamespace(max_position_embeddings=512)
    assert context_length(config) == 512
    assert context_length(config, SimpleNamespace(model_max_length=128)) == 128
    assert context_length(config, SimpleNamespace(model_max_length=10**30)) == 512
    assert context_length(SimpleNamespace(n_positions=1024)) == 1024
    assert context_length(SimpleNamespace(get_text_config=lambda: config)) == 512
    assert context_length(SimpleNamespace(), SimpleNamespace(model_max_length=10**30)) is None


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
