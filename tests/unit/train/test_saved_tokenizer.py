"""The tokenizer beside an adapter: the model's own, file for file, with the template that those who run it expect."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from tiny_model import TEMPLATE

from sage_select.render.quiet import quiet_libraries
from sage_select.train import TrainConfig, train
from sage_select.train.saved_tokenizer import without_marks

pytestmark = pytest.mark.train

PLAIN = TEMPLATE.replace("{% generation %}", "").replace("{% endgeneration %}", "")
CALL = {"type": "function", "function": {"name": "find", "arguments": {"city": "paris"}}}
TOOL = {"type": "function", "function": {"name": "find", "description": "finds", "parameters": {"type": "object"}}}
CONVERSATIONS: list[list[dict[str, Any]]] = [
    [{"role": "user", "content": "find a hotel"}, {"role": "assistant", "content": "which city"}],
    [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "weather in paris"},
        {"role": "assistant", "content": "", "tool_calls": [CALL]},
        {"role": "tool", "content": "sun", "name": "find"},
        {"role": "assistant", "content": "sun all day"},
    ],
]
ROWS = [
    {"messages": [{"role": "user", "content": f"find {n}"}, {"role": "assistant", "content": "ok"}]} for n in range(4)
]


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    pytest.importorskip("trl")
    with quiet_libraries():
        yield


@pytest.fixture
def model(tiny_model: Path, tmp_path: Path) -> Callable[..., Path]:
    """Return a maker of a model with a template, or none, and settings as another program writes them."""

    def make(template: str | Mapping[str, str] | None, *, within: bool = False, **settings: Any) -> Path:
        folder = tmp_path / "model"
        shutil.copytree(tiny_model, folder)
        (folder / "chat_template.jinja").unlink(missing_ok=True)
        path = folder / "tokenizer_config.json"
        content = {**json.loads(path.read_text()), "made_by": "another program", **settings}
        if within:
            content["chat_template"] = template
        elif isinstance(template, str):
            (folder / "chat_template.jinja").write_text(template)
        elif template is not None:
            (folder / "additional_chat_templates").mkdir()
            for name, text in template.items():
                place = "chat_template" if name == "default" else f"additional_chat_templates/{name}"
                (folder / f"{place}.jinja").write_text(text)
        path.write_text(json.dumps(content, indent=4))
        return folder

    return make


@pytest.fixture
def trained(tmp_path: Path) -> Callable[..., tuple[Path, list[str]]]:
    """Return what trains a model for one step and returns the folder of the adapter, and the notices."""

    def run(folder: Path, **settings: Any) -> tuple[Path, list[str]]:
        config = TrainConfig(
            model=str(folder), output_dir=tmp_path / "run", max_steps=1, lora_r=2, lora_target="q_proj", **settings
        )
        result = train(ROWS, config)
        return result.lora_weights, list(result.notices)

    return run


def tokenizer_at(folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


def rendered(tokenizer: Any) -> list[str]:
    return [
        tokenizer.apply_chat_template(one, tools=tools, tokenize=False, add_generation_prompt=ask)
        for one in CONVERSATIONS
        for tools in (None, [TOOL])
        for ask in (False, True)
    ]


def of_tokenizer(folder: Path) -> dict[str, bytes]:
    model = ("model", "adapter", "config.json", "generation_config.json", "README.md")
    found = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(model))
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def families() -> dict[str, str]:
    """Return templates that TRL trains with a variant with marks."""
    folder = files("trl").joinpath("chat_templates")
    return {name: folder.joinpath(f"{name}.jinja").read_text(encoding="utf-8") for name in ("qwen2_5", "qwen3")}


@pytest.mark.parametrize("within", [False, True])
@pytest.mark.parametrize("name", ["qwen2_5", "qwen3", "plain", "marked"])
def test_the_files_of_the_tokenizer_are_the_model_s_own(name: str, within: bool, model: Any, trained: Any) -> None:
    from sage_select.render.tokens import Renderer

    template = {**families(), "plain": PLAIN, "marked": TEMPLATE}[name]
    base = model(template, within=within)
    if name in families():
        used = Renderer(tokenizer_at(base), max_length=64).chat_template
        assert "endgeneration" in used, "it is trained with a variant"
    adapter, _ = trained(base)
    assert of_tokenizer(adapter) == of_tokenizer(base)
    assert tokenizer_at(adapter).chat_template == template
    assert rendered(tokenizer_at(adapter)) == rendered(tokenizer_at(base))


def test_named_templates_are_all_there(model: Any, trained: Any) -> None:
    base = model({"default": families()["qwen3"], "tool_use": PLAIN, "rag": TEMPLATE})
    adapter, _ = trained(base)
    assert of_tokenizer(adapter) == of_tokenizer(base)
    assert set(tokenizer_at(adapter).chat_template) == {"default", "tool_use", "rag"}


@pytest.mark.parametrize("within", [False, True])
@pytest.mark.parametrize("given", ["marked", "qwen2_5"])
def test_a_template_that_was_given_stands_there_without_marks(
    given: str, within: bool, model: Any, trained: Any, tmp_path: Path
) -> None:
    given = {**families(), "marked": TEMPLATE}[given]
    base = model(PLAIN.replace("im_start|>' +", "im_start|>says ' +"), within=within)
    (tmp_path / "given.jinja").write_text(given)
    adapter, _ = trained(base, chat_template=tmp_path / "given.jinja")
    there = tokenizer_at(adapter)
    assert "generation %}" not in there.chat_template.replace("add_generation", "")
    settings = json.loads((adapter / "tokenizer_config.json").read_text())
    assert settings["made_by"] == "another program"
    assert settings.get("chat_template", there.chat_template) == there.chat_template
    expected = tokenizer_at(base)
    expected.chat_template = given
    assert rendered(there) == rendered(expected)
    assert (adapter / "tokenizer.json").read_bytes() == (base / "tokenizer.json").read_bytes()


def test_a_tokenizer_without_a_template_gets_ours_without_marks(model: Any, trained: Any) -> None:
    adapter, _ = trained(model(None))
    there = tokenizer_at(adapter)
    assert "endgeneration" not in there.chat_template
    assert "Assistant: which city" in rendered(there)[0]


def test_an_end_token_that_turns_do_not_end_by_is_set_and_nothing_else(model: Any, trained: Any) -> None:
    base = model(PLAIN, eos_token="<|pad|>")
    adapter, notices = trained(base)
    ours, theirs = of_tokenizer(adapter), of_tokenizer(base)
    settings, before = (json.loads(one.pop("tokenizer_config.json")) for one in (ours, theirs))
    assert ours == theirs
    assert settings == {**before, "eos_token": "<|im_end|>"}
    assert tokenizer_at(adapter).eos_token == "<|im_end|>"
    assert rendered(tokenizer_at(adapter)) == rendered(tokenizer_at(base))
    assert any("ends with '<|im_end|>'" in notice for notice in notices)
    stops = json.loads((adapter / "generation_config.json").read_text())["eos_token_id"]
    assert tokenizer_at(adapter).convert_ids_to_tokens(stops)[0] == "<|im_end|>"


def test_an_end_token_that_the_template_writes_stays_and_is_told(model: Any, trained: Any) -> None:
    base = model("{{ eos_token }}" + PLAIN, eos_token="<|pad|>")
    adapter, notices = trained(base)
    assert of_tokenizer(adapter) == of_tokenizer(base)
    assert rendered(tokenizer_at(adapter)) == rendered(tokenizer_at(base))
    assert any("generation_config.json says where to stop: '<|im_end|>'" in notice for notice in notices)


def test_files_that_do_not_say_whose_they_are_are_written_anew(model: Any, trained: Any) -> None:
    base = model(families()["qwen3"])
    path = base / "tokenizer_config.json"
    settings = json.loads(path.read_text())
    del settings["tokenizer_class"]
    path.write_text(json.dumps(settings))
    adapter, _ = trained(base)
    assert tokenizer_at(adapter).chat_template == families()["qwen3"]
    assert rendered(tokenizer_at(adapter)) == rendered(tokenizer_at(base))


def test_a_tokenizer_of_a_repository_is_taken_from_the_cache(
    model: Any, trained: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = model(families()["qwen3"])
    cache = tmp_path / "hub" / "models--org--tiny"
    (cache / "refs").mkdir(parents=True)
    (cache / "refs" / "main").write_text("a" * 40)
    shutil.copytree(base, cache / "snapshots" / ("a" * 40))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    adapter, _ = trained(Path("org/tiny"))
    assert of_tokenizer(adapter) == of_tokenizer(base)


@pytest.mark.parametrize(
    "marked",
    [
        "a {%- generation -%} b {% endgeneration %} c",
        "a {% generation %}\n b {%- endgeneration -%}\n c",
        "{%+ generation %}x{% endgeneration +%}\n",
        "{%generation%}{% if true %}x{% endif %}{%endgeneration%}",
    ],
)
def test_a_template_without_marks_writes_the_same(marked: str, tiny_model: Path) -> None:
    tokenizer = tokenizer_at(tiny_model)
    texts = []
    for template in (marked, without_marks(marked)):
        tokenizer.chat_template = template
        texts.append(tokenizer.apply_chat_template(CONVERSATIONS[0], tokenize=False))
    assert texts[0] == texts[1]
    assert "generation" not in without_marks(marked)
