"""Vectors by causal language models: hidden states and gradients against slow ones, and against autograd in float64."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch")

from sage_select.encode.examples import VectorRule, embed_examples  # noqa: E402  (these need torch)
from sage_select.encode.gradients import LastLayerGradients, LoraGradients  # noqa: E402
from sage_select.encode.hidden_states import HiddenStates  # noqa: E402
from sage_select.encode.signs import Signs, projected  # noqa: E402
from sage_select.errors import DataError, UsageError  # noqa: E402
from sage_select.render import Conversation, Text  # noqa: E402
from sage_select.render.model_files import load_causal_lm, load_tokenizer  # noqa: E402
from sage_select.render.tokens import IGNORED, Encoded, Renderer  # noqa: E402
from sage_select.score import ScoringModel  # noqa: E402
from sage_select.score.token_rows import TokenRows  # noqa: E402

pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing")]

ROWS = [
    Conversation([{"role": "user", "content": "find hotel"}, {"role": "assistant", "content": "which day"}]),
    Conversation(
        [
            {"role": "user", "content": "weather in paris tomorrow please"},
            {"role": "assistant", "content": "ok"},
            {"role": "user", "content": "sure"},
            {"role": "assistant", "content": "done done done"},
        ]
    ),
    Text("book a table for two at the city"),
    Text(" \n"),
]


def embed(model: Path, rule: VectorRule, rows: Any = ROWS, **options: Any) -> NDArray[np.float32]:
    shown = TokenRows(ScoringModel(str(model), device="cpu"), None, "keep_turns", **options)
    return embed_examples(rows, shown, rule).array


def encoded(model: Path) -> list[Encoded]:
    renderer = Renderer(load_tokenizer(str(model)), max_length=128)
    return [renderer.encode(row) for row in ROWS[:3]]


def unit(values: Any) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.asarray(values, np.float64)
    return found / np.linalg.norm(found)


@pytest.mark.parametrize("layer", [-1, 0, 1, 2, -3])
@pytest.mark.parametrize("pooling", ["mean", "weighted"])
def test_hidden_states(tiny_model: Path, pooling: Any, layer: int) -> None:
    found = embed(tiny_model, HiddenStates(pooling, layer))
    network = load_causal_lm(str(tiny_model), "float32").double()
    for vector, one in zip(found, encoded(tiny_model), strict=False):
        with torch.no_grad():
            states = network(input_ids=torch.tensor([one.input_ids]), output_hidden_states=True).hidden_states[layer][0]
        count = len(states)
        weights = np.arange(1, count + 1) if pooling == "weighted" else np.ones(count)
        np.testing.assert_allclose(vector, unit(weights @ states.numpy()), atol=2e-6)
    assert found[3].tolist() == [1, *([0] * 31)]
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-6)


def loss_of(network: Any, one: Encoded) -> Any:
    logits = network(input_ids=torch.tensor([one.input_ids])).logits[0, :-1]
    return torch.nn.functional.cross_entropy(logits, torch.tensor(one.labels[1:]), ignore_index=IGNORED)


def by_definition(gradient: Any, left: str, right: str, dimensions: int) -> NDArray[np.float64]:
    """Return u' G v of each pair of signs, one by one."""
    u = Signs(left, gradient.shape[0], dimensions, torch.device("cpu")).values.numpy().astype(np.float64)
    v = Signs(right, gradient.shape[1], dimensions, torch.device("cpu")).values.numpy().astype(np.float64)
    values = gradient.detach().numpy()
    return np.array([u[:, k] @ values @ v[:, k] for k in range(dimensions)])


def test_last_layer_gradients_are_those_of_autograd(tiny_model: Path) -> None:
    found = embed(tiny_model, LastLayerGradients(64))
    network = load_causal_lm(str(tiny_model), "float32").double()
    head = network.get_output_embeddings().weight.requires_grad_()
    for vector, one in zip(found, encoded(tiny_model), strict=False):
        (gradient,) = torch.autograd.grad(loss_of(network, one), head)
        np.testing.assert_allclose(vector, unit(by_definition(gradient, "output left", "output right", 64)), atol=2e-6)


def test_lora_gradients_are_those_of_autograd(tiny_model: Path) -> None:
    """Of a new LoRA of PEFT with B zero and our A: its B has this gradient, and its A none."""
    peft = pytest.importorskip("peft")
    found = embed(tiny_model, LoraGradients(32))
    network = load_causal_lm(str(tiny_model), "float32").double()
    settings = peft.LoraConfig(r=8, lora_alpha=8, target_modules="all-linear", lora_dropout=0.0)
    adapted = peft.get_peft_model(network, settings).double()
    layers: dict[str, Any] = {}
    for name, module in network.named_modules():
        if hasattr(module, "lora_B") and "default" in module.lora_B:
            down = Signs(f"{name} A", 8, module.in_features, torch.device("cpu")).values.double()
            module.lora_A["default"].weight.data = down / math.sqrt(module.in_features)
            layers[name] = module
    assert len(layers) == 14
    for vector, one in zip(found, encoded(tiny_model), strict=False):
        adapted.zero_grad()
        loss_of(network, one).backward()
        total = np.zeros(32)
        for name, module in layers.items():
            assert not module.lora_A["default"].weight.grad.any()
            total += by_definition(module.lora_B["default"].weight.grad, f"{name} left", f"{name} right", 32)
        np.testing.assert_allclose(vector, unit(total), atol=5e-6)


def test_gradients_of_an_adapter_are_those_of_all_its_weights(tiny_model: Path, tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    torch.manual_seed(1)
    network = load_causal_lm(str(tiny_model), "float32")
    settings = peft.LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "down_proj"], init_lora_weights=False)
    peft.get_peft_model(network, settings).save_pretrained(tmp_path)
    shown = TokenRows(ScoringModel(str(tiny_model), str(tmp_path), device="cpu"), None, "keep_turns")
    found = embed_examples(ROWS[:3], shown, LoraGradients(32))
    assert found.name == f"{tiny_model} with {tmp_path}"
    network.double()
    names = [name for name, _ in network.named_modules() if name.endswith((".lora_A.default", ".lora_B.default"))]
    assert len(names) == 8
    for vector, one in zip(found.array, encoded(tiny_model), strict=False):
        network.zero_grad()
        loss_of(network, one).backward()
        total = np.zeros(32)
        for name in names:
            total += by_definition(network.get_submodule(name).weight.grad, f"{name} left", f"{name} right", 32)
        np.testing.assert_allclose(vector, unit(total), atol=5e-6)


def test_projections_keep_angles() -> None:
    generator = torch.Generator().manual_seed(0)
    gradients = torch.randn((6, 40, 12), generator=generator)
    gradients[1] += 2 * gradients[0]
    gradients[3] -= gradients[2]
    signs = (Signs("a", 40, 8192, torch.device("cpu")), Signs("b", 12, 8192, torch.device("cpu")))
    found = projected(gradients, *signs) / math.sqrt(8192)
    flat = gradients.flatten(1)
    np.testing.assert_allclose(
        torch.cosine_similarity(found[:, None], found[None], dim=-1),
        torch.cosine_similarity(flat[:, None], flat[None], dim=-1),
        atol=0.06,
    )
    assert set(signs[0].values.unique().tolist()) == {-1, 1}
    assert not torch.equal(signs[0].values, Signs("c", 40, 8192, torch.device("cpu")).values)


@pytest.mark.parametrize("rule", [HiddenStates(), LastLayerGradients(64), LoraGradients(64)])
def test_batches_and_blocks_change_nothing(tiny_model: Path, rule: VectorRule, monkeypatch: pytest.MonkeyPatch) -> None:
    from sage_select.encode import examples

    together = embed(tiny_model, rule)
    monkeypatch.setattr(examples, "_BLOCK_ROWS", 3)
    np.testing.assert_allclose(embed(tiny_model, rule, batch_tokens=1), together, atol=2e-6)
    assert embed(tiny_model, rule, rows=[]).shape == (0, together.shape[1])


def test_rows_without_trained_tokens_have_no_gradient(tiny_model: Path) -> None:
    rows = [Conversation([{"role": "user", "content": "find"}]), ROWS[0]]
    shown = TokenRows(ScoringModel(str(tiny_model), device="cpu"), None, "keep_turns")
    found = embed_examples(rows, shown, LastLayerGradients(16))
    assert (found.empty_rows, found.empty_text.tolist()) == (1, [0])
    assert embed_examples(rows, shown, HiddenStates()).empty_rows == 0


def test_layers_that_are_not_there(tiny_model: Path) -> None:
    with pytest.raises(UsageError, match="no layer 3"):
        embed(tiny_model, HiddenStates(layer=3))
    with pytest.raises(UsageError, match="no layer -4"):
        embed(tiny_model, HiddenStates(layer=-4))


def test_models_that_change_their_logits_have_another_last_layer() -> None:
    from transformers import AutoModelForCausalLM, Gemma2Config

    tiny = {"vocab_size": 60, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    wide = {**tiny, "intermediate_size": 32, "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 64}
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(
        Gemma2Config(**wide, final_logit_softcapping=0.5, pad_token_id=0, eos_token_id=1, bos_token_id=2)
    ).eval()
    rows = [Encoded([3, 4, 5, 6], [IGNORED, 4, 5, 6], 3, 0), Encoded([7, 8], [IGNORED, 8], 1, 0)]
    with pytest.raises(UsageError, match="more to its logits"):
        LastLayerGradients(16).of(model)(rows)
    both = LoraGradients(16).of(model)(rows)
    np.testing.assert_allclose(LoraGradients(16).of(model)(rows[1:])[0], both[1], atol=1e-6)


def test_linear_layers_of_another_name() -> None:
    from transformers import AutoModelForCausalLM, GPT2Config

    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(
        GPT2Config(vocab_size=60, n_embd=16, n_layer=1, n_head=2, n_positions=64, eos_token_id=1, bos_token_id=2)
    ).eval()
    rule = LoraGradients(16)
    assert np.abs(rule.of(model)([Encoded([3, 4, 5], [IGNORED, 4, 5], 2, 0)])).max() > 0
    assert sum(name.endswith(" A") for name in rule._signs) == 4


def test_vectors_that_are_not_finite_are_refused_with_their_row(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sage_select.score import scoring_model

    load = scoring_model.load_causal_lm

    def damaged(*args: Any, **options: Any) -> Any:
        model = load(*args, **options)
        model.get_input_embeddings().weight.data[:] = float("nan")
        return model

    monkeypatch.setattr(scoring_model, "load_causal_lm", damaged)
    with pytest.raises(DataError, match="not finite"):
        embed(tiny_model, HiddenStates())


def test_the_output_layer_may_see_other_widths_than_the_blocks_give() -> None:
    from transformers import AutoModelForCausalLM, OPTConfig

    torch.manual_seed(0)
    config = OPTConfig(
        vocab_size=60, hidden_size=16, ffn_dim=32, num_hidden_layers=2, num_attention_heads=2, word_embed_proj_dim=8
    )
    model = AutoModelForCausalLM.from_config(config).eval()
    for layer, width in ((-1, 8), (2, 8), (1, 16), (0, 16)):
        rule = HiddenStates("mean", layer)
        assert rule.width(model) == rule.of(model)([Encoded([3, 4], [IGNORED, 4], 1, 0)]).shape[1] == width


def test_rows_that_the_template_refuses_are_told_and_have_the_reserved_vector(tiny_model: Path) -> None:
    """Their block is computed anew each time, so that they are told each time."""
    from sage_select.cache import Blocks, Computed

    lasting = []

    def blocks(_identity: Any, of: Any, compute: Any) -> Any:
        for span in of:
            found: Computed = compute(*span)
            lasting.append(found.lasting)
            yield found.table

    template = "{% for m in messages %}{{ raise_exception('no') if m.content == 'no' }}{{ m.content }}{% endfor %}"
    rows = [ROWS[0], Conversation([{"role": "user", "content": "no"}, {"role": "assistant", "content": "ok"}])]
    given: Blocks = blocks
    for some, held in ((rows, False), (rows[:1], True)):
        model = ScoringModel(str(tiny_model), device="cpu")
        shown = TokenRows(model, None, "keep_turns", chat_template=template)
        found = embed_examples(some, shown, HiddenStates(), blocks=given)
        assert found.empty_rows == len(some) - 1
        assert any("the chat template refuses 1 row" in line for line in found.notices) is not held
        assert lasting.pop() is held
