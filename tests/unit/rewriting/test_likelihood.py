"""The mean log-probability of what a model writes, beside a loop that writes a token at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sage_select.errors import DataError, UsageError, Where
from sage_select.render import Conversation, Example, Text
from sage_select.render.model_files import load_causal_lm
from sage_select.rewriting import likelihood
from sage_select.rewriting.likelihood import WrittenLikelihood

pytestmark = pytest.mark.train

MOST = 12
ROWS: list[Example] = [
    Text("Once upon a time, there was a little"),
    Conversation([{"role": "user", "content": "Who was there?"}]),
    Text("zq xv jj zq 9#"),
    Conversation([{"role": "user", "content": "A dog."}, {"role": "assistant", "content": "An answer."}]),
    Text("She liked to play outside in the park with her"),
]


def place(row: int) -> Where:
    return Where(file="rows", row=row)


def of(source: Path, rows: list[Example], most: int = MOST) -> np.ndarray:
    return WrittenLikelihood(str(source), most=most).of(rows, place, lambda done: None)


def slowly(model: Any, prompt: list[int], stops: set[int], most: int) -> float:
    """Write a token at a time, without a cache and without padding, and return the mean of their log-probabilities."""
    import torch

    ids, found = list(prompt), []
    while len(found) < most:
        with torch.inference_mode():
            logs = torch.log_softmax(model(input_ids=torch.tensor([ids])).logits[0, -1].double(), dim=-1)
        token = int(logs.argmax())
        ids.append(token)
        found.append(float(logs[token]))
        if token in stops:
            break
    return float(np.mean(found))


def test_values_are_those_of_a_loop_over_single_tokens(shared_model: Path) -> None:
    written = WrittenLikelihood(str(shared_model), most=MOST)
    found = written.of(ROWS, place, lambda done: None)
    model = load_causal_lm(str(shared_model), "float32")
    prompts = [written._prompt(row, place(0)) for row in ROWS]
    expected = [slowly(model, prompt, set(written._stops), MOST) for prompt in prompts]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    # What it has seen in training it is more sure of than of noise.
    assert found[0] > found[2]
    assert (found < 0).all()


def test_neither_batches_nor_their_padding_change_a_value(shared_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = of(shared_model, ROWS)
    monkeypatch.setattr(likelihood, "_BATCH_TOKENS", {"cpu": 1})
    np.testing.assert_allclose(of(shared_model, ROWS), whole, rtol=1e-5)
    np.testing.assert_allclose(of(shared_model, ROWS[::-1]), whole[::-1], rtol=1e-5)


def test_the_answer_of_a_row_has_no_part_in_its_value(shared_model: Path) -> None:
    turn = {"role": "user", "content": "A dog."}
    rows: list[Example] = [
        Conversation([turn]),
        Conversation([turn, {"role": "assistant", "content": "yes"}]),
        Conversation([turn, {"role": "assistant", "content": ""}]),
    ]
    found = of(shared_model, rows)
    np.testing.assert_allclose(found, found[0], rtol=1e-6)


def test_what_cannot_be_written_on_from_is_refused(shared_model: Path) -> None:
    with pytest.raises(UsageError, match="takes 512 tokens in all, and is to write up to 512"):
        of(shared_model, ROWS, most=512)
    with pytest.raises(UsageError, match="there is no such model folder"):
        of(shared_model / "none", ROWS)


def test_a_prompt_that_is_too_long_keeps_its_end_and_is_counted(shared_model: Path) -> None:
    written = WrittenLikelihood(str(shared_model), most=MOST)
    rows: list[Example] = [Text("once upon a time " * 400), ROWS[0]]
    assert np.isfinite(written.of(rows, place, lambda done: None)).all()
    assert written.shortened == 1


def test_a_damaged_model_is_told_by_the_row(shared_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WrittenLikelihood, "_batch", lambda self, prompts: np.full(len(prompts), np.nan))
    with pytest.raises(DataError, match="no finite probability"):
        of(shared_model, ROWS[:1])
