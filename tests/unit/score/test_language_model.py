from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sage_select.errors import DataError, ResourceError, UsageError, Where
from sage_select.render import Conversation, Text, detect_shape, to_example
from sage_select.render.model_files import load_causal_lm, load_tokenizer
from sage_select.render.tokens import IGNORED, Encoded, Renderer
from sage_select.render.truncate import LongRow
from sage_select.score import ScoringModel, language_model, language_model_scores, scoring_model
from sage_select.score.batches import Passes, Work
from sage_select.score.language_model import ScoreResult
from sage_select.score.row_means import RowMeans
from sage_select.score.token_rows import TokenRows

pytestmark = pytest.mark.train

ROWS = [
    Text("Once upon a time, there was a little girl named Lily."),
    Text("zq xv jj zq 9#"),
    Conversation([{"role": "user", "content": "Who was there?"}, {"role": "assistant", "content": "A girl."}]),
    Text(""),
    Conversation([{"role": "user", "content": "Nothing follows."}]),
    Text("She liked to play outside in the park. " * 20),
    Text("b"),
]


def naive(model: Any, rows: list[Encoded]) -> list[float]:
    """Return the loss of each row as transformers computes it, one row at a time."""
    import torch

    losses = []
    for row in rows:
        if not row.trained:
            losses.append(float("nan"))
            continue
        with torch.inference_mode():
            out = model(input_ids=torch.tensor([row.input_ids]), labels=torch.tensor([row.labels]))
        losses.append(float(out.loss))
    return losses


@pytest.fixture(scope="module")
def expected(shared_model: Path) -> list[float]:
    """Return the losses of `ROWS`, one row at a time."""
    renderer = Renderer(load_tokenizer(str(shared_model)), max_length=512)
    return naive(load_causal_lm(str(shared_model), "float32"), [renderer.encode(row) for row in ROWS])


@pytest.mark.parametrize("batch_tokens", [1, 300])
def test_scores_are_the_losses_of_single_rows(shared_model: Path, expected: list[float], batch_tokens: int) -> None:
    seen: list[tuple[int, int]] = []
    result = language_model_scores(
        ROWS,
        ScoringModel(str(shared_model), device="cpu"),
        batch_tokens=batch_tokens,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert result.figures["loss"].dtype == np.float64
    np.testing.assert_allclose(result.figures["loss"], expected, rtol=2e-5)
    assert np.isnan(result.figures["loss"]).tolist() == [False, False, False, True, True, False, False]
    assert (result.untrained, result.cut_rows, result.max_length) == (2, 0, 512)
    assert seen[-1] == (7, 7)
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})
    assert (result.model.place, result.model.dtype) == ("cpu", "float32")
    assert "no chat template" in result.notices[0]
    assert result.revision.startswith("blake2b-256:")


def test_windows_do_not_matter(shared_model: Path, expected: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language_model, "_BLOCK_ROWS", 2)
    result = language_model_scores(ROWS, ScoringModel(str(shared_model), device="cpu"))
    np.testing.assert_allclose(result.figures["loss"], expected, rtol=2e-5)


def test_rows_that_are_cut_are_counted(shared_model: Path) -> None:
    result = language_model_scores(ROWS, ScoringModel(str(shared_model), device="cpu"), max_length=16)
    full = Renderer(load_tokenizer(str(shared_model)), max_length=512)
    lengths = [len(full.encode(row).input_ids) for row in ROWS]
    assert result.max_length == 16
    assert result.cut_rows == sum(length > 16 for length in lengths)
    assert result.cut_tokens >= sum(max(0, length - 16) for length in lengths)


def test_a_story_is_easier_than_noise(expected: list[float]) -> None:
    assert expected[0] < 3 < expected[1]


def test_no_rows(shared_model: Path) -> None:
    assert language_model_scores([], ScoringModel(str(shared_model), device="cpu")).figures["loss"].shape == (0,)


def test_chunks_of_logits_do_not_matter(
    shared_model: Path, expected: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    from sage_select.score import token_means

    monkeypatch.setattr(token_means, "_CHUNK_LOGITS", 3 * 512)
    result = language_model_scores(ROWS, ScoringModel(str(shared_model), device="cpu"))
    np.testing.assert_allclose(result.figures["loss"], expected, rtol=2e-5)


@pytest.mark.parametrize("kind", ["gemma2", "gpt2", "cohere"])
def test_models_that_change_their_logits_keep_doing_so(kind: str) -> None:
    """Gemma 2 caps its logits, Cohere scales them; GPT-2 has other names for everything."""
    import torch
    from transformers import AutoModelForCausalLM, CohereConfig, Gemma2Config, GPT2Config

    from sage_select.score.token_means import TokenMeans

    tiny = {"vocab_size": 60, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    wide = {**tiny, "intermediate_size": 32, "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 64}
    config = {
        "gemma2": lambda: Gemma2Config(
            **wide, final_logit_softcapping=0.5, pad_token_id=0, eos_token_id=1, bos_token_id=2
        ),
        "gpt2": lambda: GPT2Config(
            vocab_size=60, n_embd=16, n_layer=2, n_head=2, n_positions=64, eos_token_id=1, bos_token_id=2
        ),
        "cohere": lambda: CohereConfig(**wide, logit_scale=0.05, pad_token_id=0, eos_token_id=1, bos_token_id=2),
    }[kind]()
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config).eval()
    for weight in model.parameters():
        weight.data += 0.3 * torch.randn_like(weight)
    generator = np.random.default_rng(0)
    rows = []
    for length in (9, 4, 12, 2):
        ids = generator.integers(3, 60, length).tolist()
        labels = [IGNORED] * (length // 2) + ids[length // 2 :]
        rows.append(Encoded(ids, labels, length - length // 2, 0))
    loss = TokenMeans(model)
    for _ in range(2):  # the first batch finds out what the model does, the second uses it
        np.testing.assert_allclose(loss(rows)[:, 0], naive(model, rows), rtol=1e-4)
    assert loss._head_is_all is (kind == "gpt2")


def test_memory_that_does_not_suffice_halves_the_batch(shared_model: Path, expected: list[float]) -> None:
    import torch

    renderer = Renderer(load_tokenizer(str(shared_model)), max_length=512)
    rows = [row for row in map(renderer.encode, ROWS) if row.trained]
    longest = max(len(row.input_ids) for row in rows)
    sizes: list[int] = []
    work = Work()
    from sage_select.score.token_means import TokenMeans

    model = TokenMeans(ScoringModel(str(shared_model), device="cpu").load(renderer.tokenizer))

    def means(most: int, error: Exception) -> Passes:
        def short(rows: Sequence[Encoded]) -> Any:
            sizes.append(len(rows))
            if len(rows) > most:
                raise error
            return model(rows)

        return Passes(short, 4096, work)

    cut = means(2, torch.OutOfMemoryError())
    got = cut._values(rows)[:, 0]
    np.testing.assert_allclose(got, [value for value in expected if value == value], rtol=2e-5)
    assert sizes == [5, 2, 3, 1, 2]
    sizes.clear()
    # What did not fit is not tried again: the three with the longest row are as many places.
    cut._values(rows)
    assert sizes == [2, 1, 2]
    assert work.tokens == 2 * sum(len(row.input_ids) for row in rows)
    assert work.places >= work.tokens
    with pytest.raises(ResourceError, match=rf"one row of {longest} tokens does not fit"):
        means(0, RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"))._values(
            [renderer.encode(ROWS[5])]
        )
    with pytest.raises(RuntimeError, match="something else"):
        means(0, RuntimeError("something else"))._values(rows)


def test_a_loss_that_is_not_finite_is_refused_with_its_row(shared_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load = scoring_model.load_causal_lm

    def spoiled(*arguments: Any) -> Any:
        model = load(*arguments)
        model.get_output_embeddings().weight.data[5] = float("nan")
        return model

    monkeypatch.setattr(scoring_model, "load_causal_lm", spoiled)
    with pytest.raises(DataError, match=r"here, row 1: the model's loss on this row is not a finite number"):
        language_model_scores(
            [ROWS[3], ROWS[0]],
            ScoringModel(str(shared_model), device="cpu"),
            where=lambda row: Where(file="here", row=row),
        )


def test_options_that_make_no_sense_are_refused(shared_model: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the model takes 512 tokens, not 513"):
        language_model_scores(ROWS, ScoringModel(str(shared_model), device="cpu"), max_length=513)
    with pytest.raises(UsageError, match="no device 'gpu'"):
        language_model_scores(ROWS, ScoringModel(str(shared_model), device="gpu"))
    with pytest.raises(UsageError, match="holds no model"):
        language_model_scores(ROWS, ScoringModel(str(tmp_path), device="cpu"))


def test_a_missing_gpu_is_said(shared_model: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    assert scoring_model.default_device() == "cpu"
    with pytest.raises(ResourceError, match="'cuda' is not there"):
        language_model_scores(ROWS, ScoringModel(str(shared_model), device="cuda"))


@pytest.mark.real_data
def test_real_conversations(shared_model: Path, shared_data: Path) -> None:
    rows = json.loads((shared_data / "chat_formats/glaive_sharegpt.json").read_text("utf-8"))[:5]
    examples = [to_example(row, detect_shape(list(row)), None) for row in rows]
    renderer = Renderer(load_tokenizer(str(shared_model)), max_length=256, on_long_row="keep_end")
    expected = naive(load_causal_lm(str(shared_model), "float32"), [renderer.encode(example) for example in examples])
    result = language_model_scores(examples, ScoringModel(str(shared_model), device="cpu"), max_length=256)
    np.testing.assert_allclose(result.figures["loss"], expected, rtol=2e-5)
    assert result.cut_rows == 5
    # Their tools alone are longer, so that training leaves them out.
    assert result.left_out_rows == 5


def test_long_rows_are_scored_as_they_are_trained(shared_model: Path) -> None:
    once = {"role": "user", "content": "Once upon a time " * 12}, {"role": "assistant", "content": "there was a cat."}
    chat = Conversation([*once, {"role": "user", "content": "And then?"}, {"role": "assistant", "content": "The end."}])
    hopeless = Conversation([once[0], once[1]])
    network = load_causal_lm(str(shared_model), "float32")

    def scored(policy: LongRow, example: Conversation) -> ScoreResult:
        return language_model_scores(
            [example], ScoringModel(str(shared_model), device="cpu"), max_length=60, on_long_row=policy
        )

    def loss(policy: LongRow, example: Conversation) -> list[float]:
        renderer = Renderer(load_tokenizer(str(shared_model)), max_length=60, on_long_row=policy)
        return naive(network, [renderer.encode(example)])

    alone = language_model_scores([Conversation(chat.messages[2:])], ScoringModel(str(shared_model), device="cpu"))
    kept = scored("keep_turns", chat)
    np.testing.assert_allclose(kept.figures["loss"], loss("keep_turns", chat), rtol=2e-5)
    np.testing.assert_allclose(kept.figures["loss"], alone.figures["loss"], rtol=2e-5)
    assert (kept.cut_rows, kept.left_out_rows) == (1, 0)
    ends = scored("keep_end", chat)
    np.testing.assert_allclose(ends.figures["loss"], loss("keep_end", chat), rtol=2e-5)
    assert abs(ends.figures["loss"][0] - kept.figures["loss"][0]) > 1e-3
    # Training drops what cannot be kept whole; such a row still has a score, and is counted.
    left_out = scored("keep_turns", hopeless)
    np.testing.assert_allclose(left_out.figures["loss"], loss("keep_end", hopeless), rtol=2e-5)
    assert (left_out.left_out_rows, left_out.untrained) == (1, 0)


def test_figures_of_other_settings_are_other_figures(shared_model: Path) -> None:
    name = str(shared_model)

    def identity(model: ScoringModel, over: Any = "rows", policy: Any = "keep_turns") -> Any:
        return RowMeans(TokenRows(model, 60, policy), over).identity()

    model = ScoringModel(name, device="cpu")
    others = [
        identity(model),
        identity(model, policy="keep_end"),
        identity(model, over="answers"),
        identity(ScoringModel(name, device="cpu", precision="bf16")),
        identity(ScoringModel(name, device="cpu", precision="4bit")),
    ]
    assert all(one != other for place, one in enumerate(others) for other in others[:place])
    assert identity(model) == identity(ScoringModel(name, precision="fp32", device="cpu"))
