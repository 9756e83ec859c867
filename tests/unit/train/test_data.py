"""Tokenising: in order, nothing lost without being counted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sage_select.errors import DataError
from sage_select.train import TrainConfig
from sage_select.train.data import TrainingRows, tokenise
from sage_select.train.selection import load_selection

pytestmark = pytest.mark.train

Chats = Callable[..., pa.Table]


def tokenised(table: pa.Table, model: Path, max_length: int | None = None, **settings: Any) -> TrainingRows:
    from sage_select.train.base_model import open_renderer

    config = TrainConfig(model=str(model), max_length=max_length, **settings)
    return tokenise(load_selection(table, config), open_renderer(config))


def test_rows_become_tokens_in_training_order(tiny_model: Path, chats: Chats) -> None:
    rows = tokenised(chats(4, sage_position=[3, 1, 0, 2]), tiny_model)
    assert rows.row_ids == ["row-2", "row-1", "row-3", "row-0"]
    assert rows.lengths.tolist() == [len(ids) for ids in rows.table["input_ids"].to_pylist()]
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    first = rows.table.slice(0, 1).to_pylist()[0]
    text = tokenizer.decode(first["input_ids"])
    question, answer = "<|im_start|>user\nfind city 2<|im_end|>\n", "weather weather weather 2<|im_end|>"
    assert text == f"{question}<|im_start|>assistant\n{answer}\n"
    learned = tokenizer.decode([label for label in first["labels"] if label != -100])
    assert learned == answer


def test_every_row_is_accounted_for(tiny_model: Path) -> None:
    table = pa.table(
        {
            "prompt": ["hi", "book " * 200, "day", "x"],
            "completion": ["sure", "done", None, "none " * 200],
            "sage_row_id": ["short", "long-prompt", "no-answer", "long-answer"],
        }
    )
    rows = tokenised(table, tiny_model, max_length=40, on_long_row="keep_end")
    summary = rows.summary
    assert rows.row_ids == ["short", "long-prompt", "long-answer"]
    assert (summary.rows_in, summary.rows_trained, summary.truncated_rows) == (4, 3, 2)
    assert [(one.row, one.row_id) for one in summary.dropped] == [(2, "no-answer")]
    lengths = [len(ids) for ids in rows.table.column("input_ids").to_pylist()]
    assert summary.tokens == sum(lengths)
    assert lengths[1:] == [40, 40]
    learned = [sum(label != -100 for label in labels) for labels in rows.table.column("labels").to_pylist()]
    assert summary.trained_tokens == sum(learned)
    whole = tokenised(table, tiny_model, max_length=128).summary
    assert summary.tokens + summary.tokens_cut == whole.tokens + whole.tokens_cut


def test_nothing_to_train_is_refused_with_the_reason(tiny_model: Path) -> None:
    table = pa.table({"prompt": ["a", "b"], "completion": pa.array([None, None], pa.string())})
    with pytest.raises(DataError, match=r"no row has anything to train(.|\n)*row 0 \(id 0\): nothing to train"):
        tokenised(table, tiny_model)


def test_the_digest_sees_order_tokens_and_weights(tiny_model: Path, chats: Chats) -> None:
    digests = {
        tokenised(table, tiny_model, length, on_long_row="keep_end").digest
        for table, length in (
            (chats(4), 60),
            (chats(4, sage_position=[1, 0, 2, 3]), 60),
            (chats(5), 60),
            (chats(4), 12),
            (chats(4, sage_weight=[1.0, 1.0, 1.0, 0.5]), 60),
        )
    }
    assert len(digests) == 5
    assert (
        tokenised(chats(4), tiny_model, 60).digest == tokenised(chats(4, sage_weight=[1.0] * 4), tiny_model, 60).digest
    )


def test_the_order_digest_sees_ids(tiny_model: Path, chats: Chats) -> None:
    table = chats(2)
    renamed = table.set_column(1, "sage_row_id", pa.array(["x", "y"]))
    assert tokenised(table, tiny_model).digest == tokenised(renamed, tiny_model).digest
    assert tokenised(table, tiny_model).order_digest != tokenised(renamed, tiny_model).order_digest


def test_progress_ends_at_the_total(tiny_model: Path, chats: Chats) -> None:
    from sage_select.train.base_model import open_renderer

    config = TrainConfig(model=str(tiny_model))
    calls: list[tuple[int, int]] = []
    tokenise(
        load_selection(chats(70), config),
        open_renderer(config),
        progress=lambda done, total: calls.append((done, total)),
    )
    assert calls == [(64, 70), (70, 70)]


def test_rows_longer_than_the_context_are_not_promised(tiny_model: Path, chats: Chats) -> None:
    from sage_select.errors import UsageError

    with pytest.raises(UsageError, match="at most 128 tokens"):
        tokenised(chats(1), tiny_model, max_length=129)


FORGETFUL = (
    "{%- for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}"
    "{{ m.content if m.role != 'assistant' or loop.last else m.content.split('</think>')[-1] }}{{ '<|im_end|>\n' }}"
    "{%- endfor %}{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{%- endif %}"
)
TWO_THOUGHTS = [
    {"role": "user", "content": "find a table"},
    {"role": "assistant", "content": "<think>weather first</think>day"},
    {"role": "user", "content": "and a hotel"},
    {"role": "assistant", "content": "<think>city then</think>paris"},
]


def template(folder: Path, text: str) -> Path:
    file = folder / "t.jinja"
    file.write_text(text, "utf-8")
    return file


def test_a_row_may_become_several_examples_that_follow_each_other(tiny_model: Path, tmp_path: Path) -> None:
    table = pa.table(
        {"messages": [TWO_THOUGHTS, TWO_THOUGHTS[:2]], "sage_row_id": ["a", "b"], "sage_weight": [0.5, 1.0]}
    )
    rows = tokenised(table, tiny_model, chat_template=template(tmp_path, FORGETFUL))
    assert rows.row_ids == ["a", "a", "b"]
    assert rows.table.column("weight").to_pylist() == [0.5, 0.5, 1.0]
    assert (rows.summary.rows_trained, rows.summary.examples) == (2, 3)
    last = tokenised(table, tiny_model, chat_template=template(tmp_path, FORGETFUL), thinking_history="last")
    assert last.row_ids == ["a", "b"]
    assert last.digest != rows.digest


def test_rows_that_the_template_refuses_leave_and_are_told(tiny_model: Path, tmp_path: Path) -> None:
    refuses = "{%- if 'hotel' in messages[0].content %}{{ raise_exception('no hotels') }}{%- endif %}" + FORGETFUL
    chats = [
        [{"role": "user", "content": text}, *TWO_THOUGHTS[1:2]] for text in ("day", "hotel one", "city", "hotel two")
    ]
    settings = {"chat_template": template(tmp_path, refuses)}
    rows = tokenised(pa.table({"messages": chats}), tiny_model, **settings)
    assert rows.row_ids == ["0", "2"]
    (line,) = rows.summary.lines
    assert line == ("not trained: 2 rows of 4: 2 x the chat template refuses the conversation: no hotels (rows 1, 3)")
    with pytest.raises(DataError, match="2 rows of 4 cannot be trained"):
        tokenise_with(pa.table({"messages": chats}), tiny_model, on_bad_row="error", **settings)
    with pytest.raises(DataError, match="more than the 1 % that may be dropped"):
        tokenise_with(pa.table({"messages": chats}), tiny_model, on_bad_row="drop", **settings)


def tokenise_with(table: pa.Table, model: Path, **settings: Any) -> TrainingRows:
    from sage_select.train.base_model import open_renderer

    config = TrainConfig(model=str(model), **settings)
    return tokenise(
        load_selection(table, config),
        open_renderer(config),
        on_bad_row=config.on_bad_row,
        max_bad=config.max_bad,
        on_lost_words=config.on_lost_words,
    )


def test_all_rows_that_cannot_be_read_are_counted_before_the_run_is_refused(tiny_model: Path) -> None:
    picture = json.dumps([{"role": "user", "content": [{"type": "image"}]}, {"role": "assistant", "content": "day"}])
    fine = json.dumps(TWO_THOUGHTS)
    table = pa.table({"messages": [picture, fine, picture]})
    with pytest.raises(DataError, match="2 rows of 3 cannot be trained: 2 x message # ") as refused:
        tokenise_with(table, tiny_model)
    assert "row 0 (id 0): message 0 (user)" in str(refused.value)
    assert "--on-bad-row drop" in str(refused.value)
    assert tokenise_with(table, tiny_model, on_bad_row="drop", max_bad="70%").row_ids == ["1"]


def test_words_lost_are_an_error_on_demand(tiny_model: Path, tmp_path: Path) -> None:
    # Words that are written twice have no place of their own, in which thoughts could be written.
    cut = "m.content.split('</think>')[-1]"
    cuts = FORGETFUL.replace("m.content if m.role != 'assistant' or loop.last else ", "").replace(cut, f"{cut} ~ {cut}")
    settings = {"chat_template": template(tmp_path, cuts)}
    table = pa.table({"messages": [TWO_THOUGHTS]})
    lost = tokenise_with(table, tiny_model, **settings).summary.lost_words
    assert lost["thoughts"]["messages"] == 2
    with pytest.raises(DataError, match="leaves out words") as refused:
        tokenise_with(table, tiny_model, on_lost_words="error", **settings)
    assert "row 0, message 1" in str(refused.value)


def test_a_large_cut_is_an_alarm(tiny_model: Path) -> None:
    table = pa.table({"prompt": ["table " * 90, "hi"], "completion": ["day", "day"]})
    (line,) = tokenised(table, tiny_model, max_length=20, on_long_row="keep_end").summary.lines
    assert line.startswith("CUT: ")
    assert "of all tokens" in line
    assert "2 of 2 rows are longer than --max-length 20" in line
    assert tokenised(table.slice(1), tiny_model, max_length=128).summary.lines == []


def chat(*words: str) -> list[dict[str, str]]:
    return [{"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(words)]


LONG_CHATS = pa.table(
    {
        "messages": [
            chat("hi", "day"),
            chat("weather " * 9, "day " * 9, "city", "paris"),
            chat("city", "book " * 40),
            chat("find " * 9, "hotel"),
        ],
        "sage_row_id": list("abcd"),
    }
)


def test_rows_that_are_too_long_lose_whole_turns_or_are_dropped_and_told(tiny_model: Path) -> None:
    rows = tokenised(LONG_CHATS, tiny_model, max_length=40)
    whole = tokenised(LONG_CHATS, tiny_model, max_length=128, on_long_row="keep_end")
    alone = tokenised(pa.table({"messages": [chat("city", "paris")]}), tiny_model)
    assert rows.row_ids == ["a", "b", "d"]
    assert (
        rows.table.slice(1, 1).select(["input_ids", "labels"]).to_pylist()
        == alone.table.select(["input_ids", "labels"]).to_pylist()
    )
    summary = rows.summary
    assert [str(one) for one in summary.dropped] == ["row 2 (id c): too long (101 tokens, of which 40 may stay)"]
    assert (summary.truncated_rows, summary.long_rows_dropped) == (1, 1)
    assert summary.tokens + summary.tokens_cut == whole.summary.tokens + whole.summary.tokens_cut
    assert (
        summary.trained_tokens + summary.trained_tokens_cut
        == whole.summary.trained_tokens + whole.summary.trained_tokens_cut
    )
    share = 100 * summary.tokens_cut / (summary.tokens + summary.tokens_cut)
    trained = 100 * summary.trained_tokens_cut / (summary.trained_tokens + summary.trained_tokens_cut)
    _, line = summary.lines
    assert line == (
        "CUT: 2 of 4 rows are longer than --max-length 40: 1 row (25 %) without whole turns, the oldest ones, or the "
        f"end of a text, 1 row (25 %) dropped; {share:.0f} % of all tokens ({summary.tokens_cut:,}) and "
        f"{trained:.0f} % of those to train ({summary.trained_tokens_cut:,}) are cut; --on-long-row keep_end keeps the "
        "last tokens of the dropped ones"
    )


def test_rows_that_are_too_long_are_dropped_or_refused_on_demand(tiny_model: Path) -> None:
    assert tokenised(LONG_CHATS, tiny_model, max_length=40, on_long_row="drop").row_ids == ["a", "d"]
    assert tokenised(LONG_CHATS, tiny_model, max_length=40, on_long_row="keep_start").row_ids == ["a", "b", "c", "d"]
    with pytest.raises(DataError, match="2 rows of 4 are too long") as refused:
        tokenised(LONG_CHATS, tiny_model, max_length=40, on_long_row="error")
    assert "row 1 (id b): 74 tokens; row 2 (id c): 101 tokens" in str(refused.value)
    assert "--on-long-row (keep_turns, " in str(refused.value)
    assert tokenised(LONG_CHATS.slice(3), tiny_model, max_length=40, on_long_row="error").row_ids == ["d"]


def test_each_example_of_a_row_is_judged_alone(tiny_model: Path, tmp_path: Path) -> None:
    long = [
        {**turn, "content": turn["content"] + " table" * 20 * (place == 3)} for place, turn in enumerate(TWO_THOUGHTS)
    ]
    settings = {"chat_template": template(tmp_path, FORGETFUL)}
    rows = tokenised(pa.table({"messages": [long]}), tiny_model, max_length=64, **settings)
    assert rows.summary.examples == 1
    assert (rows.summary.long_examples_dropped, rows.summary.long_rows_dropped) == (1, 0)
    assert "1 example of these dropped" in rows.summary.lines[0]
    learned = tokenised(pa.table({"messages": [TWO_THOUGHTS[:2]]}), tiny_model, **settings)
    assert rows.table.select(["input_ids", "labels"]).equals(learned.table.select(["input_ids", "labels"]))
