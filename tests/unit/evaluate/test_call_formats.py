"""Whatever a chat template writes for calls is read back as the calls of the row, or there is no figure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sage_select.evaluate.asked_model import Answer
from sage_select.evaluate.evaluator import Asked
from sage_select.evaluate.figures import figure_of
from sage_select.evaluate.material import Limits, Material
from sage_select.evaluate.tool_turns import ToolQuestions, tool_questions, turn_tokens
from sage_select.evaluators.tool_calls import ToolCalls, judged
from sage_select.train import TrainConfig
from sage_select.train.selection import load_selection

pytestmark = pytest.mark.train

DEEP = {"q": {"a": [1, {"b": "}"}], "t": "</tool_call> } ]"}, "s": 'say "hi"\n{x}'}


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "arguments": arguments}}


def turn(content: str, *calls: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": content, **({"tool_calls": list(calls)} if calls else {})}


TURNS = [
    turn("", call("search", q="x", n=2)),
    turn("", call("search", q="x"), call("book_it")),
    turn("Let me see.", call("search", q="it is", code="0012", exact=True, past=False, below=None)),
    turn("", call("search", **DEEP)),
    turn("", call("search", q="2", n=-1, ratio=0.5, days=[1, 2], words=["a", "b"])),
    turn("I would search (for you), ok(1)?"),
    turn('{"name": "John", "age": 3}'),
]
#: What the values of `search` are, so that those without quotes can be read.
TYPES: dict[str, Any] = {
    "q": {"type": ["string", "object"]},
    "s": {"type": "string"},
    "code": {"type": "string"},
    "n": {"type": "integer"},
    "ratio": {"type": "number"},
    "exact": {"type": "boolean"},
    "past": {"anyOf": [{"type": "boolean"}, {"type": "null"}]},
    "below": {"type": ["number", "null"]},
    "days": {"type": "array", "items": {"type": "integer"}},
    "words": {"type": "array"},
}


def templates() -> Iterator[Path]:
    import trl

    yield from sorted((Path(trl.__file__).parent / "chat_templates").glob("*.jinja"))


def rows(types: dict[str, Any] = TYPES) -> list[dict[str, Any]]:
    schema = {"type": "object", "properties": types}
    tools = [
        {"type": "function", "function": {"name": name, "description": "d", "parameters": schema}}
        for name in ("search", "book_it")
    ]
    return [{"messages": [{"role": "user", "content": "hello"}, one], "tools": tools} for one in TURNS]


def tokenizer(template: str) -> Any:
    """Return one that writes a byte a token."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE(vocab={letter: place for place, letter in enumerate(alphabet)}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    made = PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", eos_token="<|eos|>", pad_token="<|pad|>", model_max_length=10**6
    )
    ends = ("<|im_end|>", "<|eot_id|>", "<|call|>", "<|return|>", "<|eot|>", "<turn|>", "<|tool_response>")
    made.add_special_tokens({"additional_special_tokens": list(ends)})
    made.chat_template = template
    return made


def material(template: str, types: dict[str, Any] = TYPES) -> Material:
    from sage_select.render.tokens import Renderer

    ordered = load_selection(rows(types), TrainConfig(model="m"))
    return Material(ordered, Renderer(tokenizer(template), max_length=4096), Limits(max_turns=None))


def written(made: Material) -> dict[tuple[int, int], str]:
    """Return what the template itself writes for each turn, as tokens of a model would be decoded."""
    found = {}
    for place, row, example in made.measured():
        for one in made.renderer.predicted(example, row.where):
            ids = turn_tokens(made.tokenizer, one.text, made.renderer.special_ids)
            found[place, one.message] = str(made.tokenizer.decode(ids))
    return found


def figures(made: Material, found: ToolQuestions, answers: list[str]) -> dict[str, float | None]:
    """Return the figures of a model that answers so."""
    asked = ToolCalls().prepare(made)
    assert isinstance(asked, Asked)
    records = judged(found, [Answer(one, at_limit=False) for one in answers], made.row_ids)
    return {one.name: figure_of(one, records).value for one in asked.metrics}


def test_every_template_that_trl_ships_is_read_back_or_has_no_figure() -> None:
    read, silent, without_arguments = [], [], []
    for path in templates():
        made = material(path.read_text(encoding="utf-8"))
        found = tool_questions(made)
        (silent if found.turns.no_figure else read).append(path.stem)
        if found.turns.no_figure:
            assert found.questions == ()
            assert found.notices
            continue
        # What the figures are taken from is what the row calls, no more and no less.
        assert len(found.questions) + sum(found.turns.left_out.values()) == len(TURNS), path.stem
        for question in found.questions:
            calls = [one["function"] for one in TURNS[question.row].get("tool_calls", [])]
            assert [call.name for call in question.calls] == [one["name"] for one in calls], path.stem
            if question.with_arguments:
                assert [call.arguments for call in question.calls] == [one["arguments"] for one in calls], path.stem
        # A model that says what the template writes is right in everything; one that never calls in nothing.
        texts = written(made)
        perfect = figures(made, found, [texts[one.row, one.message] for one in found.questions])
        of_arguments = {"calls_exact", "calls_exact_greedy", "call_recall", "parameter_f1", "schema_valid"}
        if found.turns.no_arguments:
            without_arguments.append(path.stem)
            assert not perfect.keys() & of_arguments
        else:
            assert {name: perfect[name] for name in of_arguments} == dict.fromkeys(of_arguments, 1.0), path.stem
        for name in ("tool_accuracy", "tool_f1", "parse_rate", "sequence_exact", "lcs_ratio", "timing_accuracy"):
            assert perfect[name] == 1, (path.stem, name)
        assert perfect["false_calls"] == perfect["hallucinated_tools"] == 0, path.stem
        never = figures(made, found, ["I do not know.<|im_end|>"] * len(found.questions))
        assert never["tool_accuracy"] == never["tool_mrr"] == never["false_calls"] == 0, path.stem
        assert never.get("calls_exact", 0) == never["sequence_exact"] == never["timing_recall"] == 0, path.stem
    assert len(read) >= 70, silent
    assert without_arguments == []
    # All of these have a style of their own.
    for name in ("qwen3", "qwen3_5_think", "gemma4_v5", "glm4moe", "gptoss", "nemotron_3_nano", "lfm2_2_5", "llama3_1"):
        assert name in read, silent
    for name in ("deepseekv3", "muse_glimmer", "gemma", "phi3_5"):
        assert name in read, silent


@pytest.mark.parametrize("name", ["qwen3_5_think", "glm4moe", "muse_glimmer"])
def test_values_that_the_schema_calls_something_else_give_no_figure_of_arguments(name: str) -> None:
    path = next(path for path in templates() if path.stem == name)
    made = material(path.read_text(encoding="utf-8"), {"q": {"type": "string"}, "n": {"type": "string"}})
    found = tool_questions(made)
    assert found.turns.no_figure is None
    assert "cannot be read back as the rows hold them" in str(found.turns.no_arguments)
    assert "row 0, message 1" in str(found.turns.no_arguments)
    assert f"no figures of arguments: {found.turns.no_arguments}" in found.notices
    texts = written(made)
    perfect = figures(made, found, [texts[one.row, one.message] for one in found.questions])
    assert perfect["tool_accuracy"] == 1
    assert "calls_exact" not in perfect
