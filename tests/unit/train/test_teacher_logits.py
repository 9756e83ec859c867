"""What is stored of a teacher: the numbers, the file, how it is gone on with, and who may train on it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from kills import killed_at_each_operation

from sage_select.cli.train_facts import training_facts
from sage_select.errors import DataError, OutputError, ResourceError, UsageError
from sage_select.train import TrainConfig, TrainResult, train

pytestmark = pytest.mark.train

Chats = Callable[..., pa.Table]
SMALL: dict[str, Any] = {
    "batch_size": 2,
    "gradient_accumulation": 2,
    "epochs": 3,
    "max_steps": 2,
    "lora_r": 4,
    "lora_alpha": 8,
    "lora_dropout": 0.0,
    "learning_rate": 1e-3,
    "gradient_checkpointing": False,
    "method": "distillation",
    "distillation_alpha": 0.7,
}


@pytest.fixture(scope="module")
def teacher(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model of another width, whose output layer is wider than its tokens are many."""
    pytest.importorskip("trl")
    import torch
    from transformers import AutoConfig, AutoTokenizer, LlamaForCausalLM

    folder = tmp_path_factory.mktemp("teacher")
    torch.manual_seed(1)
    config = AutoConfig.from_pretrained(tiny_model)
    config.hidden_size, config.vocab_size = 48, config.vocab_size + 9
    LlamaForCausalLM(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_model).save_pretrained(folder)
    return folder


@pytest.fixture
def store(teacher: Path, tmp_path: Path) -> Callable[..., Any]:
    def go(rows: Any, name: str = "teacher.arrow", **options: Any) -> Any:
        from sage_select.train.distilling.write import teacher_logits

        settings = {"model": str(teacher), "batch_size": 3, **options.pop("settings", {})}
        return teacher_logits(rows, tmp_path / name, TrainConfig(**settings), **{"k": 8, **options})

    return go


@pytest.fixture
def run(tiny_model: Path, tmp_path: Path) -> Callable[..., TrainResult]:
    def go(rows: Any, name: str = "run", **settings: Any) -> TrainResult:
        given = {"model": str(tiny_model), "output_dir": tmp_path / name}
        if "teacher" not in settings:
            given["teacher_logits"] = str(tmp_path / "teacher.arrow")
        return train(rows, TrainConfig.of({**SMALL, **given, **settings}))

    return go


def known_tokens(model: Path) -> int:
    from transformers import AutoTokenizer

    return len(AutoTokenizer.from_pretrained(model))


def test_the_most_likely_tokens_and_the_rest_are_those_of_a_plain_softmax() -> None:
    import torch

    from sage_select.train.distilling.log_probs import top_tokens

    logits = torch.randn(5, 40, generator=torch.Generator().manual_seed(0)) * 4
    ids, log_probs, tails = top_tokens(logits, 6, (0.5, 1.0, 3.0))
    for row, values in enumerate(logits.double().numpy()):
        best = np.argsort(-values)[:6]
        p = np.exp(values) / np.exp(values).sum()
        assert ids[row].tolist() == best.tolist()
        assert log_probs[row].numpy() == pytest.approx(np.log(p[best]), rel=1e-5, abs=1e-6)
        for column, temperature in enumerate((0.5, 1.0, 3.0)):
            tempered = np.exp(values / temperature) / np.exp(values / temperature).sum()
            assert tails[row, column].item() == pytest.approx(np.delete(tempered, best).sum(), rel=1e-4)


def bucketed(p: np.ndarray[Any, Any], ids: list[int]) -> np.ndarray[Any, Any]:
    return np.array([*p[ids], np.delete(p, ids).sum()])


@pytest.mark.parametrize("divergence", ["forward_kl", "reverse_kl", "js"])
@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_the_divergence_of_what_is_stored_is_that_of_a_plain_twin(divergence: str, temperature: float) -> None:
    import torch

    from sage_select.train.distilling.divergences import DIVERGENCES
    from sage_select.train.distilling.log_probs import top_tokens
    from sage_select.train.distilling.stored_teacher import StoredTeacher

    draws = torch.Generator().manual_seed(0)
    theirs, ours = torch.randn(7, 30, generator=draws) * 3, torch.randn(7, 33, generator=draws)
    distance = DIVERGENCES[divergence](0.3)

    def softmax(values: Any) -> np.ndarray[Any, Any]:
        whole = np.exp(values / temperature)
        return np.asarray(whole / whole.sum())

    for k in (1, 5, 30):
        ids, log_probs, tails = top_tokens(theirs, k, (temperature,))
        source = StoredTeacher(lambda _: None, [], known=30, temperature=temperature)
        pair = source.pair((ids, log_probs, tails[:, 0]), ours)
        got = distance(*pair)
        for row in range(7):
            p, q = (softmax(one[row, :30].double().numpy()) for one in (theirs, ours))
            if k < 30:
                p, q = (bucketed(one, ids[row].tolist()) for one in (p, q))
            m = 0.3 * p + 0.7 * q
            expected = {
                "forward_kl": (p * np.log(p / q)).sum(),
                "reverse_kl": (q * np.log(q / p)).sum(),
                "js": 0.3 * (p * np.log(p / m)).sum() + 0.7 * (q * np.log(q / m)).sum(),
            }[divergence]
            assert got[row].item() == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_the_file_holds_what_the_teacher_says_row_by_row(
    store: Callable[..., Any], chats: Chats, teacher: Path, tmp_path: Path
) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    from sage_select.train.distilling.stored import open_rows

    notices: list[str] = []
    result = store(chats(7), notice=notices.append)
    assert (result.examples, result.cached) == (7, False)
    assert any("56 bytes each: the file will take about" in text for text in notices)
    table = pa.ipc.open_stream(pa.memory_map(str(tmp_path / "teacher.arrow"))).read_all()
    assert table["row_id"].to_pylist() == [f"row-{number}" for number in range(7)]
    assert abs(result.bytes - 56 * result.trained_tokens - 96 * 7) < 4096
    model = AutoModelForCausalLM.from_pretrained(teacher)
    from sage_select.train.base_model import open_renderer
    from sage_select.train.data import tokenise
    from sage_select.train.distilling.examples import examples_of
    from sage_select.train.selection import load_selection

    config = TrainConfig(model=str(teacher))
    rows = tokenise(load_selection(chats(7), config), open_renderer(config))
    stored = open_rows(tmp_path / "teacher.arrow")
    for example in examples_of(rows):
        place = stored.place(example)
        assert place is not None
        ids, log_probs, tails = stored.values(place)
        assert ids.shape == log_probs.shape == (example.trained, 8)
        with torch.no_grad():
            logits = model(torch.from_numpy(example.ids.astype(np.int64))[None]).logits[0, :-1, : known_tokens(teacher)]
        whole = logits[torch.from_numpy(example.labels[1:] != -100)].log_softmax(-1)
        assert log_probs.astype(np.float32) == pytest.approx(whole.topk(8).values.numpy(), rel=1e-3, abs=1e-3)
        assert log_probs.astype(np.float32) == pytest.approx(
            whole.gather(1, torch.tensor(ids.tolist())).numpy(), rel=1e-3
        )
        assert tails[:, 0] == pytest.approx(1 - whole.topk(8).values.exp().sum(-1).numpy(), abs=1e-5)


@pytest.mark.parametrize("about", [{}, {"packing": True}, {"batch_size": 1, "gradient_accumulation": 4}])
def test_training_on_all_tokens_stored_is_training_beside_the_teacher(
    about: dict[str, Any],
    store: Callable[..., Any],
    run: Callable[..., TrainResult],
    mixed: Callable[[int], pa.Table],
    teacher: Path,
) -> None:
    store(mixed(9), k=known_tokens(teacher))
    stored = run(mixed(9), "stored", **about)
    beside = run(mixed(9), "beside", teacher=str(teacher), **about)
    assert stored.loss_first == pytest.approx(beside.loss_first, rel=1e-3)
    assert stored.loss_last == pytest.approx(beside.loss_last, rel=1e-3)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Cut the file into blocks of a few rows; return what stops the teacher after so many of them, -1 never."""
    pytest.importorskip("trl")
    from sage_select.train.distilling import examples, log_probs

    monkeypatch.setattr(examples, "_BLOCK", 60)
    own = log_probs.LogProbs.__call__

    def stop_after(blocks: int) -> None:
        left = iter(range(blocks))

        def asked(self: Any, examples: Any) -> Any:
            if blocks >= 0 and next(left, None) is None:
                raise KeyboardInterrupt
            return own(self, examples)

        monkeypatch.setattr(log_probs.LogProbs, "__call__", asked)

    return stop_after


def test_rows_without_a_teacher_are_trained_plainly_where_that_is_said(
    store: Callable[..., Any], run: Callable[..., TrainResult], chats: Chats, tmp_path: Path
) -> None:
    rows = chats(6)
    store(rows.slice(0, 3))

    def losses(name: str, selection: Any, **settings: Any) -> dict[str, float]:
        run(selection, name, **{"batch_size": 6, "gradient_accumulation": 1, "max_steps": 1, **settings})
        step = json.loads((tmp_path / name / "logs" / "consumed.jsonl").read_text().splitlines()[0])
        return dict(zip(step["rows"], step["losses"], strict=True))

    with pytest.raises(UsageError, match=r"nothing of 3 of 6 examples[\s\S]*--untaught plain"):
        run(rows, "refused")
    with pytest.raises(UsageError, match="nothing of 3 of 3 examples"):
        run(rows.slice(3), "none", untaught="plain")
    for alpha in (0.7, 1.0):
        both = losses(f"both{alpha}", rows, untaught="plain", distillation_alpha=alpha)
        taught = losses(f"taught{alpha}", rows.slice(0, 3), distillation_alpha=alpha)
        plain = losses(f"plain{alpha}", rows.slice(3), method="sft", teacher_logits=None, distillation_alpha=None)
        assert both == pytest.approx({**taught, **plain}, rel=1e-5)
    assert set(taught) | set(plain) == set(both)


def test_what_was_stopped_goes_on_and_ends_with_the_same_bytes(
    store: Callable[..., Any], chats: Chats, small_blocks: Callable[[int], None], tmp_path: Path
) -> None:
    store(chats(20), "whole.arrow")
    whole = (tmp_path / "whole.arrow").read_bytes()
    assert len(list(pa.ipc.open_stream(whole))) > 4
    notices: list[str] = []
    for blocks in (0, 1, 2):
        small_blocks(blocks)
        with pytest.raises(KeyboardInterrupt):
            store(chats(20), notice=notices.append)
        assert "the same call goes on" in notices[-1]
        assert not (tmp_path / "teacher.arrow").exists()
    small_blocks(-1)
    # What a process wrote that was killed in the middle of a block.
    with (tmp_path / ".teacher.arrow.part").open("ab") as part:
        part.write(b"\xff\xff\xff\xff half of a message")
    result = store(chats(20), notice=notices.append)
    assert result.resumed_from > 0
    assert any("going on after" in text for text in notices)
    assert (tmp_path / "teacher.arrow").read_bytes() == whole
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]
    assert store(chats(20)).cached
    small_blocks(2)
    with pytest.raises(KeyboardInterrupt):
        store(chats(20), "other.arrow", k=5)
    small_blocks(-1)
    assert store(chats(20), "other.arrow", notice=notices.append).resumed_from == 0
    assert any("with other settings" in text for text in notices)
    assert (tmp_path / "other.arrow").read_bytes() == whole


def batches(schema: pa.Schema) -> list[pa.RecordBatch]:
    return [pa.record_batch([pa.array([number] * 3)], schema=schema) for number in range(3)]


def grow(folder: Path) -> None:
    from sage_select.train.distilling.growing import GrowingStream, held

    schema = pa.schema([("n", pa.int64())], metadata={"of": "this"})
    with held(folder / "out.arrow"):
        stream = GrowingStream(folder / "out.arrow", schema)
        stream.open()
        for batch in batches(schema)[stream.rows // 3 :]:
            stream.append(batch)
        stream.finish()


def test_a_stream_that_is_killed_at_any_moment_goes_on(tmp_path: Path) -> None:
    def folders() -> Iterator[Path]:
        for number in range(1000):
            folder = tmp_path / f"{number}"
            folder.mkdir()
            yield folder

    (tmp_path / "whole").mkdir()
    grow(tmp_path / "whole")
    whole = (tmp_path / "whole" / "out.arrow").read_bytes()
    assert pa.ipc.open_stream(whole).read_all()["n"].to_pylist() == [0] * 3 + [1] * 3 + [2] * 3
    killed = 0
    for folder in killed_at_each_operation(grow, folders(), named=str(tmp_path)):
        killed += 1
        out = folder / "out.arrow"
        assert not out.exists() or out.read_bytes() == whole
        grow(folder)
        assert out.read_bytes() == whole
        assert [path.name for path in folder.iterdir()] == ["out.arrow"]
    assert killed > 15


def test_other_files_are_never_replaced(store: Callable[..., Any], chats: Chats, tmp_path: Path) -> None:
    rows = tmp_path / "rows.parquet"
    pa.parquet.write_table(chats(3), rows)
    before = rows.read_bytes()
    for force in (False, True):
        with pytest.raises(OutputError, match="something else than teacher logits"):
            store(chats(3), "rows.parquet", force=force)
        with pytest.raises(UsageError, match="take the place of an input"):
            store(rows, "rows.parquet", force=force)
    assert rows.read_bytes() == before
    store(chats(3))
    with pytest.raises(OutputError, match=r"teacher logits of something else(.|\n)*k: 8 there, 4 asked for"):
        store(chats(3), k=4)
    assert store(chats(3), k=4, force=True).bytes < 8_000


def test_what_cannot_be_stored_is_refused(
    store: Callable[..., Any], chats: Chats, teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    with pytest.raises(UsageError, match=r"there are only \d+ tokens"):
        store(chats(3), k=10_000)
    usage = type("Usage", (), {"free": 10})
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: usage)
        with pytest.raises(ResourceError, match=r"disk is too small(.|\n)*store fewer tokens with --k"):
            store(chats(3))
    with pytest.raises(UsageError, match="the folder holds no adapter"):
        store(chats(3), adapter=teacher)
    assert not list(tmp_path.iterdir())


def test_training_refuses_what_was_stored_of_something_else(
    store: Callable[..., Any], run: Callable[..., TrainResult], chats: Chats, tmp_path: Path
) -> None:
    file = tmp_path / "teacher.arrow"
    with pytest.raises(UsageError, match="no such file of teacher logits"):
        run(chats(6))
    store(chats(6))
    assert run(chats(4)).steps == 2, "a file of more rows serves"
    with pytest.raises(UsageError, match=r"nothing of 2 of 8 examples(.|\n)*row 'row-6'"):
        run(chats(8))
    with pytest.raises(UsageError, match=r"nothing for this temperature(.|\n)*1 or 2(.|\n)*--temperature 3"):
        run(chats(6), distillation_temperature=3)
    with pytest.raises(
        UsageError, match=r"other tokens than the teacher(.|\n)*row 'row-\d'(.|\n)*: 128 there, 16 here"
    ):
        run(chats(6), max_length=16, on_long_row="keep_end")
    changed = chats(6).to_pylist()
    changed[2]["messages"][1]["content"] = "weather"
    with pytest.raises(UsageError, match=r"1 examples have other tokens(.|\n)*'row-2'; the rows themselves differ"):
        run(pa.Table.from_pylist(changed))
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="damaged"):
        run(chats(6))
    file.write_text("something else")
    with pytest.raises(UsageError, match="holds no teacher logits"):
        run(chats(6))
    with pa.ipc.new_stream(file, chats(3).schema) as writer:
        writer.write_table(chats(3))
    with pytest.raises(UsageError, match="holds no teacher logits"):
        run(chats(6))
    file.unlink()
    file.mkdir()
    with pytest.raises(UsageError, match="no such file of teacher logits"):
        run(chats(6))


def test_held_out_rows_are_evaluated_on_their_own_loss(
    store: Callable[..., Any], run: Callable[..., TrainResult], chats: Chats
) -> None:
    store(chats(12))
    about = {"eval_split": 0.25, "eval_steps": 1, "warmup": 0, "learning_rate": 1e-7, "max_steps": 1}
    taught = run(chats(12), "taught", **about)
    given = {"teacher": None, "teacher_logits": None, "distillation_alpha": None}
    plain = run(chats(12), "plain", method="sft", **given, **about)
    assert taught.loss_first != plain.loss_first
    assert (taught.loss_of, plain.loss_of) == ("distillation", "negative log-likelihood")
    said, usual = training_facts(taught), training_facts(plain)
    assert str(said["loss"]).endswith("before it changed anything: that of distillation")
    assert str(usual["loss"]).endswith("before it changed anything")
    assert str(said["held out"]).startswith("negative log-likelihood ")
    assert str(usual["held out"]).startswith("loss ")
    again = TrainResult.from_dict(json.loads(json.dumps(taught.as_dict())), taught.output_dir)
    assert (again.method, again.loss_of) == ("distillation", "distillation")
    assert taught.held_out is not None
    assert plain.held_out is not None
    assert taught.held_out["last"]["loss"] == pytest.approx(plain.held_out["last"]["loss"], rel=1e-4)
