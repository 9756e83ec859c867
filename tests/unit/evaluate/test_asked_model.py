"""What a model is asked: likelihoods are those of each completion alone, and a thought takes nothing from an answer."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sage_select.evaluate.asked_model import AskedModel, Question
from sage_select.evaluate.thinking import begins_thought, thought_end
from sage_select.render.quiet import quiet_libraries

pytestmark = pytest.mark.train


def loaded(folder: Path) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with quiet_libraries():
        return AutoModelForCausalLM.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)


def silent(_done: int, _total: int) -> None:
    """Tell nobody."""


def test_likelihoods_are_those_of_each_completion_alone(tiny_model: Path) -> None:
    import torch

    model, tokenizer = loaded(tiny_model)
    prompts = [tokenizer(text)["input_ids"] for text in ("book a table", "weather", "book a hotel", "find")]
    completions = [
        tokenizer(text)["input_ids"] for text in ("paris", "paris tomorrow please", "done", "paris tomorrow")
    ]

    def alone(prompt: list[int], completion: list[int]) -> float:
        with torch.no_grad():
            logits = model(torch.tensor([prompt + completion]), use_cache=False).logits[0].double().log_softmax(-1)
        places = range(len(prompt) - 1, len(prompt) + len(completion) - 1)
        return float(sum(logits[at, token] for at, token in zip(places, completion, strict=True)))

    expected = [[alone(prompt, one) for one in completions] for prompt in prompts]
    for batch_tokens in (1, 40, 10_000):
        asked = AskedModel(model, tokenizer, batch_tokens=batch_tokens)
        shared = asked.likelihoods(prompts, completions, lambda _done, _total: None)
        assert asked._likelihoods.shares
        # Where the likeliest alone is wanted, it is found, and so is the one that is asked for.
        some = asked.likelihoods(prompts, completions, lambda _done, _total: None, [2, 1, 0, 3])
        for own, true, wanted in zip(some, expected, [2, 1, 0, 3], strict=True):
            assert max(own) == pytest.approx(max(true), abs=1e-4)
            assert own.index(max(own)) == true.index(max(true))
            assert own[wanted] == pytest.approx(true[wanted], abs=1e-4)
            assert all(
                one == -math.inf or one == pytest.approx(other, abs=1e-4) for one, other in zip(own, true, strict=True)
            )
        asked._likelihoods.shares = False
        apart = asked.likelihoods(prompts, completions, lambda _done, _total: None)
        for one, other, true in zip(shared, apart, expected, strict=True):
            assert one == pytest.approx(true, abs=1e-4)
            assert other == pytest.approx(true, abs=1e-4)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A model of 12 tokens, of which 5 and 6 are as likely as each other wherever they are."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=12,
            hidden_size=16,
            intermediate_size=24,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=64,
            tie_word_embeddings=True,
        )
    ).eval()
    with torch.no_grad():
        model.get_input_embeddings().weight.mul_(40)  # far from equally likely
        model.get_input_embeddings().weight[5] = model.get_input_embeddings().weight[6]
    return model


@settings(max_examples=25, deadline=None)
@given(
    prompts=st.lists(st.lists(st.integers(0, 11), min_size=1, max_size=6), min_size=1, max_size=5),
    completions=st.lists(st.lists(st.integers(5, 8), min_size=1, max_size=4), min_size=1, max_size=7),
    batch_tokens=st.sampled_from([1, 9, 1000]),
    data=st.data(),
)
def test_the_likeliest_and_its_ties_are_those_of_scoring_all(
    small: Any, prompts: Any, completions: Any, batch_tokens: int, data: Any
) -> None:
    wanted = [data.draw(st.integers(0, len(completions) - 1)) for _ in prompts]
    asked = AskedModel(small, None, batch_tokens=batch_tokens)
    some = asked.likelihoods(prompts, completions, silent, wanted)
    assert asked._likelihoods.shares
    every = asked.likelihoods(prompts, completions, silent)
    asked._likelihoods.shares = False
    alone = asked.likelihoods(prompts, completions, silent)
    for own, whole, true, one in zip(some, every, alone, wanted, strict=True):
        assert whole == pytest.approx(true, abs=1e-4)
        assert own[one] == pytest.approx(true[one], abs=1e-4)
        assert max(own) == pytest.approx(max(true), abs=1e-4)
        # None is out that may be the likeliest, and of what is known nothing is false.
        assert all(
            value == pytest.approx(exact, abs=1e-4) or (value == -math.inf and exact < max(true) + 1e-4)
            for value, exact in zip(own, true, strict=True)
        )
        # Equal completions, and those that differ in a last token that is as likely, are as likely to the last bit.
        best = completions[own.index(max(own))]
        alike = [[*best[:-1], token] for token in ((5, 6) if best[-1] in (5, 6) else best[-1:])]
        assert all(value == max(own) for value, tokens in zip(own, completions, strict=True) if tokens in alike)


def convolving() -> Any:
    """Return a model part of whose layers keep a state in place of keys and values."""
    from transformers import Lfm2Config, Lfm2ForCausalLM

    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_attention_heads": 2, "num_key_value_heads": 2}
    layers = ["conv", "full_attention"]
    return Lfm2ForCausalLM(
        Lfm2Config(vocab_size=12, num_hidden_layers=2, layer_types=layers, pad_token_id=0, **sizes)
    ).eval()


def test_likelihoods_in_few_bits_and_without_a_cache_are_those_of_each_alone(small: Any) -> None:
    import torch

    class Forgetful(torch.nn.Module):
        """A model that gives nothing back by which a prompt could be shared."""

        device, get_output_embeddings = small.device, small.get_output_embeddings

        def forward(self, input_ids: Any, attention_mask: Any = None, **_: Any) -> Any:
            return SimpleNamespace(logits=small(input_ids, attention_mask, use_cache=False).logits)

    prompts, completions = [[1, 2, 3], [4], [1, 2, 4]], [[5], [5, 7], [6], [8, 7, 6, 5], [8, 7], [8, 7]]
    for model, shares, apart in (
        (Forgetful(), False, 1e-4),
        (convolving(), True, 1e-4),
        (copy.deepcopy(small).bfloat16(), True, 0.2),
    ):
        asked = AskedModel(model, None, batch_tokens=100)
        found = asked.likelihoods(prompts, completions, silent, [0, 3, 5])
        assert asked._likelihoods.shares == shares
        asked._likelihoods.shares = False
        for own, true, one in zip(found, asked.likelihoods(prompts, completions, silent), [0, 3, 5], strict=True):
            assert max(own) == pytest.approx(max(true), abs=apart)
            assert own[one] == pytest.approx(true[one], abs=apart)
            assert own[4] == own[5]  # equal completions


def test_most_prefixes_are_not_asked_of_where_one_label_is_by_far_the_likeliest(small: Any) -> None:
    asked = AskedModel(small, None, batch_tokens=1000)
    completions = [[one, two, three] for one in range(8) for two in range(8) for three in range(8)]
    (true,) = asked.likelihoods([[1, 2, 3]], completions, silent)
    best = true.index(max(true))
    places: list[int] = []
    hook = small.register_forward_pre_hook(
        lambda _module, _args, inputs: places.append(inputs["input_ids"].numel()), with_kwargs=True
    )
    try:
        (own,) = asked.likelihoods([[1, 2, 3]], completions, silent, [best])
    finally:
        hook.remove()
    assert own.index(max(own)) == best
    assert sum(places) < 30


class Scripted:
    """A model that says what it is told to, token by token, and a tokenizer whose tokens are characters."""

    generation_config = SimpleNamespace(eos_token_id=ord("."))
    device = "cpu"
    eos_token_id, pad_token_id = ord("."), 0

    def __init__(self, *scripts: str) -> None:
        self.scripts, self.passes = scripts, 0

    def eval(self) -> Scripted:
        return self

    def decode(self, tokens: list[int], **_: Any) -> str:
        return "".join(map(chr, tokens))

    def __call__(self, text: str, **_: Any) -> dict[str, list[int]]:
        return {"input_ids": list(map(ord, text))}

    def generate(self, input_ids: Any, attention_mask: Any, generation_config: Any, logits_processor: Any) -> Any:
        import torch

        self.passes += 1
        found = []
        for ids, mask in zip(input_ids.tolist(), attention_mask.tolist(), strict=True):
            text = self.decode([token for token, there in zip(ids, mask, strict=True) if there])
            script = next(one for one in self.scripts if one.startswith(text))
            rest = list(map(ord, script[len(text) :]))[: generation_config.max_new_tokens]
            found.append(ids + rest + [0] * (generation_config.max_new_tokens - len(rest)))
        return torch.tensor(found)


def answers(
    *scripts: str, prompts: list[str], thinking: int = 100, context: int | None = None
) -> list[tuple[str, bool]]:
    model = Scripted(*scripts)
    asked = AskedModel(model, model, batch_tokens=1000, context=context)
    questions = [Question(list(map(ord, one)), one) for one in prompts]
    found = asked.answers(questions, most=8, ends=(), inside=(), thinking=thinking, progress=lambda _done, _total: None)
    return [(one.text, one.at_limit) for one in found]


def test_a_thought_takes_nothing_from_the_room_of_an_answer() -> None:
    long = "<think>" + "so " * 20 + "</think>"
    assert answers(f"a:{long}right.", prompts=["a:"]) == [(f"{long}right.", False)]
    # Behind the thought an answer may be as long as any other, and no longer.
    assert answers(f"a:{long}right and more.", prompts=["a:"]) == [(f"{long}right an", True)]
    assert answers("a:right and more.", prompts=["a:"]) == [("right an", True)]
    # A thought that the prompt has begun.
    assert answers("a:<think>so and so it is</think>yes.", prompts=["a:<think>"]) == [
        ("so and so it is</think>yes.", False)
    ]
    # One that comes to no end, or for which there is no room.
    assert answers("a:<think>" + "so " * 90, prompts=["a:"])[0][1]
    assert answers(f"a:{long}right.", prompts=["a:"], thinking=0) == [("<think>s", True)]


def test_answers_of_one_batch_think_or_not() -> None:
    long = "<think>" + "so " * 9 + "</think>"
    found = answers(f"a:{long}yes.", "b:no.", f"c:{long}never.", prompts=["a:", "b:", "c:"])
    assert found == [(f"{long}yes.", False), ("no.", False), (f"{long}never.", False)]


def test_no_more_is_thought_than_the_model_takes() -> None:
    long = "<think>" + "so " * 9 + "</think>"
    ((text, at_limit),) = answers(f"a:{long}yes.", prompts=["a:"], context=20)
    assert at_limit
    assert len("a:" + text) <= 20


@pytest.mark.parametrize(
    ("begin", "end"),
    [("<think>", "</think>"), ("<|channel|>analysis<|message|>", "<|end|>"), ("[THINK]", "[/THINK]")],
)
def test_marks(begin: str, end: str) -> None:
    assert begins_thought(f" {begin}so", "")
    assert not begins_thought("so", f"{begin}{end}")
    assert thought_end(f"{begin}so{end}yes", "") == len(f"{begin}so{end}")
    assert thought_end(f"{begin}so", "") is None
    assert thought_end("yes", "") == 0
