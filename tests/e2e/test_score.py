"""`sage-select score`: a table of what a model says of rows, resumed, shared out, and read back by a build."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pytest
from programs import Done, Program

from sage_select.api import select
from sage_select.cli import select as program
from sage_select.difference import Opened
from sage_select.errors import UsageError
from sage_select.render.model_files import load_causal_lm, load_tokenizer
from sage_select.render.tokens import IGNORED, Renderer
from sage_select.score import language_model

pytestmark = pytest.mark.train

ROWS = [
    {"prompt": f"find {n}", "completion": "hotel city " * (1, 4, 14, 2, 9)[n % 5] + str(n * 37 % 11)} for n in range(12)
]


@pytest.fixture
def score(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    return Program("sage-select score", program.main, capsys, monkeypatch)


@pytest.fixture
def model(folder: Path, tiny_model: Path) -> Path:
    return shutil.copytree(tiny_model, folder / "model")


@pytest.fixture
def rows(folder: Path) -> Path:
    return write_rows(folder / "rows.jsonl", ROWS)


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def table(path: str) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = feather.read_table(path).to_pydict()
    return found


def slow(model: Any, tokenizer: Any) -> Iterator[tuple[float, float]]:
    """Yield the mean loss of each row's trained tokens, with what is before them and without, in float64."""
    import torch

    def losses(ids: list[int], labels: list[int]) -> list[float]:
        with torch.inference_mode():
            logits = model(input_ids=torch.tensor([ids])).logits[0].double()
        return [
            float(-logits[place - 1].log_softmax(-1)[label]) for place, label in enumerate(labels) if label != IGNORED
        ]

    renderer = Renderer(tokenizer, max_length=128)
    for row in ROWS:
        from sage_select.render import Conversation

        turns = [{"role": "user", "content": row["prompt"]}, {"role": "assistant", "content": row["completion"]}]
        one = renderer.encode(Conversation(turns))
        answer = [label for label in one.labels if label != IGNORED]
        # The tiny tokenizer has no BOS token: a text begins behind its EOS token.
        start = tokenizer.eos_token_id
        yield (
            float(np.mean(losses(one.input_ids, one.labels))),
            float(np.mean(losses([start, *answer], [IGNORED, *answer]))),
        )


def test_every_measure_of_real_rows(rows: Path, model: Path, score: Program, folder: Path) -> None:
    other = shutil.copytree(model, folder / "other")
    network = load_causal_lm(str(other), "float32")
    network.get_output_embeddings().weight.data *= 0.5
    network.save_pretrained(other)
    done = score(rows, "--model", model, "--ifd", "--reference-model", other, "--json")
    found = table("scores.arrow")
    assert list(found) == [
        *("sage_row_id", "loss", "perplexity", "entropy", "mnlp", "el2n", "ifd", "learnability"),
        *("answer_loss", "reference_loss", "tokens"),
    ]
    tokenizer = load_tokenizer(str(model))
    here = np.array(list(slow(load_causal_lm(str(model), "float32").double(), tokenizer)))
    there = np.array(list(slow(load_causal_lm(str(other), "float32").double(), tokenizer)))
    np.testing.assert_allclose(found["loss"], here[:, 0], rtol=1e-5)
    np.testing.assert_allclose(found["answer_loss"], here[:, 1], rtol=1e-5)
    np.testing.assert_allclose(found["perplexity"], np.exp(here[:, 0]), rtol=1e-4)
    np.testing.assert_allclose(found["ifd"], np.exp(here[:, 0] - here[:, 1]), rtol=1e-4)
    np.testing.assert_allclose(found["learnability"], here[:, 0] - there[:, 0], rtol=1e-3, atol=1e-5)
    evidence = done.json["manifest"]["evidence"]
    assert (evidence["score_model"]["model"], evidence["reference_model"]["model"]) == (str(model), str(other))
    assert done.json["manifest"]["scores"]["mnlp"]["higher_is_harder"] is False


def test_a_build_reads_the_table_by_the_ids_of_rows(
    rows: Path, model: Path, score: Program, build: Program, folder: Path
) -> None:
    score(rows, "--model", model)
    scores = table("scores.arrow")
    mixed = random.Random(1).sample(range(12), 12)
    write_rows(rows, [ROWS[place] for place in mixed if place != 3])

    def picked(*options: str) -> tuple[set[str], list[float]]:
        done = build(rows, "--strategy", "loss_topk", "-k", "4", "-o", "out.arrow", "--force", *options)
        assert done.code == 0, done.err
        found = table("out.arrow")
        return set(found["sage_row_id"]), found["sage_score"]

    by_loss = picked("--scores", "scores.arrow", "--scores-column", "loss")
    left = [place for place in np.argsort(scores["loss"])[::-1] if place != 3][:4]
    assert by_loss[0] == {scores["sage_row_id"][place] for place in left}
    # Its lowest value is the hardest: the same rows, unless one says otherwise.
    assert picked("--scores", "scores.arrow", "--scores-column", "mnlp")[0] == by_loss[0]
    assert picked("--scores", "scores.arrow", "--scores-column", "mnlp", "--higher-is-harder")[0] != by_loss[0]
    assert picked("--score-model", str(model), "--score-measure", "mnlp")[0] == by_loss[0]
    assert picked("--score-model", str(model), "--score-measure", "perplexity")[0] == by_loss[0]
    entropy = picked("--score-model", str(model), "--score-measure", "entropy")
    assert entropy[0] == picked("--scores", "scores.arrow", "--scores-column", "entropy")[0]
    write_rows(rows, [*ROWS, {"prompt": "new", "completion": "row"}])
    refused = build(
        *(rows, "--scores", "scores.arrow", "--scores-column", "loss"),
        *("--strategy", "loss_topk", "-k", "2", "-o", "b.arrow"),
    )
    assert refused.code == 3
    assert "1 row of 13 are not in the table of scores" in refused.err
    for name, message in (("los", "did you mean 'loss'?"), (None, "scores-column does not name one of its columns")):
        column = () if name is None else ("--scores-column", name)
        refused = build(
            rows, "--scores", "scores.arrow", *column, "--strategy", "loss_topk", "-k", "2", "-o", "c.arrow"
        )
        assert refused.code == 2
        assert message in refused.err


def test_tables_that_are_none_of_ours(rows: Path, build: Program) -> None:
    def refused(columns: dict[str, Any], name: str = "given.parquet") -> str:
        import pyarrow.parquet as pq

        pq.write_table(pa.table(columns), name)
        done = build(rows, "--scores", name, "--scores-column", "s", "--id-column", "prompt", "-k", "2")
        assert done.code in (2, 3), done.err
        return done.err

    ids = [row["prompt"] for row in ROWS]
    assert "no column with the ids of rows" in refused({"s": [1.0]})
    assert "names a row twice" in refused({"id": [*ids, ids[0]], "s": [1.0] * 13})
    assert "an id is missing" in refused({"id": [*ids[:11], None], "s": [1.0] * 12})
    assert "row 11, column 's': a score must be a finite number" in refused({"id": ids, "s": [*[1.0] * 11, None]})
    pa_ids = pa.table({"id": ids, "s": [float(place) for place in range(12)]})
    feather.write_feather(pa_ids, "given.arrow", compression="uncompressed")
    done = build(
        *(rows, "--scores", "given.arrow", "--scores-column", "s", "--id-column", "prompt"),
        *("--strategy", "loss_topk", "-k", "2"),
    )
    assert done.code == 0, done.err
    assert set(table("out.arrow")["sage_row_id"]) == {"find 10", "find 11"}


def test_tables_from_python(rows: Path, build: Program) -> None:
    feather.write_feather(
        pa.table({"id": [row["prompt"] for row in ROWS], "mnlp": [-1.0 * n for n in range(12)]}), "t.arrow"
    )
    options: dict[str, Any] = {"k": 2, "strategy": "loss_topk", "id_column": "prompt"}
    found = select(rows, scores=Path("t.arrow"), scores_column="mnlp", **options)
    assert sorted(found.indices.tolist()) == [10, 11]
    found = select(rows, scores=Path("t.arrow"), scores_column="mnlp", higher_is_harder=True, **options)
    assert sorted(found.indices.tolist()) == [0, 1]
    with pytest.raises(UsageError, match="the scores are values"):
        select(scores=[1.0, 2.0], scores_column="mnlp", k=1, strategy="loss_topk")
    with pytest.raises(UsageError, match="knows rows by their ids"):
        select(
            embeddings=np.eye(12, dtype=np.float32),
            scores=Path("t.arrow"),
            scores_column="mnlp",
            k=2,
            strategy="loss_topk",
        )


def test_another_measure_does_not_run_the_model(rows: Path, model: Path, score: Program, build: Program) -> None:
    assert "a second," in score(rows, "--model", model).err
    said = build(rows, "--score-model", model, "--score-measure", "el2n", "--strategy", "loss_topk", "-k", "3").err
    assert "score    cached" in said
    assert "a second," not in said
    again = score(rows, "--model", model)
    assert again.err.count("cached: made before") == 1
    other = score(rows, "--model", model, "--measure", "entropy", "--measure", "loss", "-o", "two.parquet", "--json")
    assert other.json["rates"] == []
    assert set(other.json["manifest"]["scores"]) == {"loss", "entropy"}


def test_an_output_of_something_else_stays(rows: Path, model: Path, score: Program) -> None:
    assert score(rows, "--model", model).code == 0
    before = Path("scores.arrow").read_bytes()
    with pytest.raises(UsageError, match="is no selection"):
        Opened.read(Path("scores.arrow"))
    refused = score(rows, "--model", model, "--ifd")
    assert (refused.code, Path("scores.arrow").read_bytes()) == (4, before)
    assert score(rows, "--model", model, "--ifd", "--force").code == 0
    Path("mine.arrow").write_text("mine")
    refused = score(rows, "--model", model, "-o", "mine.arrow", "--force")
    assert (refused.code, Path("mine.arrow").read_text()) == (4, "mine")
    assert score(rows, "--model", model, "-o", "rows.jsonl", "--force", "--overwrite-foreign").code == 2


def test_batches_and_padding_change_no_score(
    rows: Path, model: Path, score: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sage_select.score import token_rows

    assert score(rows, "--model", model, "--ifd", "-o", "a.arrow").code == 0
    monkeypatch.setattr(token_rows, "_BATCH_TOKENS", {"cpu": 1})
    monkeypatch.setattr(language_model, "_BLOCK_ROWS", 5)
    assert score(rows, "--model", model, "--ifd", "-o", "b.arrow", "--no-cache").code == 0
    found, other = table("a.arrow"), table("b.arrow")
    for name in found.keys() - {"sage_row_id"}:
        np.testing.assert_allclose(found[name], other[name], rtol=1e-5)


#: Rows of a block where there are to be several.
FEW = 48


def one_thread() -> dict[str, str]:
    """Return the environment of a process that computes as this one does: sums of more threads round otherwise."""
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def launched(arguments: list[str], *before: str) -> list[str]:
    code = f"from sage_select.score import language_model\nlanguage_model._BLOCK_ROWS = {FEW}\n"
    Path("launched.py").write_text(code + "from sage_select.cli.select import main\nmain()\n")
    return [sys.executable, *before, "launched.py", "score", *arguments]


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language_model, "_BLOCK_ROWS", FEW)


MANY = [{"prompt": f"find {n}", "completion": f"hotel {n}"} for n in range(10 * FEW + 7)]


@pytest.mark.usefixtures("few")
def test_killed_it_goes_on_and_damage_is_computed_anew(model: Path, score: Program, folder: Path) -> None:
    rows, held = write_rows(folder / "many.jsonl", MANY), Path(os.environ["SAGE_CACHE_DIR"])
    running = subprocess.Popen(
        launched([str(rows), "--model", str(model)]),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=one_thread(),
    )
    while running.poll() is None and not any(held.rglob("*.arrow")):
        time.sleep(0.005)
    running.send_signal(signal.SIGKILL)
    assert running.wait() in (-signal.SIGKILL, 0)
    killed = not Path("scores.arrow").exists()
    done = score(rows, "--model", model)
    assert done.code == 0, done.err
    if killed:
        assert "rows in passes whose values were in the cache" in done.err
    straight = score(rows, "--model", model, "-o", "straight.arrow", "--no-cache")
    assert straight.code == 0, straight.err
    assert Path("scores.arrow").read_bytes() == Path("straight.arrow").read_bytes()
    block = max(held.rglob("*.arrow"), key=lambda path: path.stat().st_size)
    data = bytearray(block.read_bytes())
    data[len(data) // 2] ^= 0xFF
    block.write_bytes(bytes(data))
    mended = score(rows, "--model", model, "-o", "mended.arrow")
    assert f"{9 * FEW + 7:,} rows in passes" in mended.err
    assert Path("mended.arrow").read_bytes() == Path("straight.arrow").read_bytes()


@pytest.mark.usefixtures("few")
def test_processes_share_the_blocks(model: Path, score: Program, folder: Path) -> None:
    rows = write_rows(folder / "many.jsonl", MANY)
    arguments = [str(rows), "--model", str(model), "-o", "two.arrow"]
    command = launched(arguments, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")
    done = subprocess.run(command, capture_output=True, text=True, env=one_thread())
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("scored\n") == 1
    # All blocks are held by now.
    alone = score(rows, "--model", model, "-o", "one.arrow", "--json")
    assert alone.json["rates"] == []
    assert Path("one.arrow").read_bytes() == Path("two.arrow").read_bytes()
    assert score(rows, "--model", model, "-o", "two.arrow", "--json").json["cached"] is True


def test_adapters_score(rows: Path, model: Path, score: Program, folder: Path) -> None:
    import torch
    from peft import LoraConfig, get_peft_model

    from sage_select.render.quiet import quiet_libraries

    with quiet_libraries():
        network = load_causal_lm(str(model), "float32")
        adapted = get_peft_model(network, LoraConfig(r=2, target_modules=["q_proj", "v_proj"]))
    torch.manual_seed(0)
    for name, weight in adapted.named_parameters():
        if "lora_B" in name:
            weight.data = torch.randn_like(weight)
    with quiet_libraries():
        adapted.save_pretrained(folder / "adapter")
    assert score(rows, "--model", model, "--adapter", "adapter", "--reference-adapter", "adapter").code == 0
    found = table("scores.arrow")
    expected = np.array(list(slow(adapted.eval().double(), load_tokenizer(str(model)))))[:, 0]
    np.testing.assert_allclose(found["loss"], expected, rtol=1e-5)
    assert found["learnability"] == [0.0] * 12
    assert score(rows, "--model", model, "-o", "plain.arrow").code == 0
    assert np.abs(np.array(table("plain.arrow")["loss"]) - expected).max() > 1e-3
    refused = score(rows, "--model", model, "--adapter", "model", "-o", "b.arrow")
    assert (refused.code, "the folder holds no adapter" in refused.err) == (2, True)


def test_models_in_fewer_bits_score(rows: Path, model: Path, score: Program) -> None:
    pytest.importorskip("bitsandbytes")
    assert score(rows, "--model", model, "-o", "full.arrow").code == 0
    full = np.array(table("full.arrow")["loss"])
    for precision in ("bf16", "8bit", "4bit"):
        done = score(rows, "--model", model, "--precision", precision, "-o", f"{precision}.arrow", "--json")
        assert done.json["manifest"]["evidence"]["score_model"]["held"] == precision.replace("bf16", "bfloat16")
        found = np.array(table(f"{precision}.arrow")["loss"])
        assert 0 < np.abs(found / full - 1).max() < 0.5, precision


def test_what_cannot_be_scored_is_said(rows: Path, model: Path, score: Program, folder: Path) -> None:
    def refused(*arguments: object, code: int = 2) -> str:
        done: Done = score(*arguments)
        assert (done.code, Path("scores.arrow").exists()) == (code, False), done.err
        assert "Traceback" not in done.err
        return done.err

    assert "no model is named" in refused(rows)
    assert "no model repository of this name could be read" in refused(rows, "--model", "nobody/nothing")
    assert "did you mean 'loss'?" in refused(rows, "--model", model, "--measure", "los")
    assert "--reference-model" in refused(rows, "--model", model, "--measure", "learnability")
    assert "no device 'gpu'" in refused(rows, "--model", model, "--device", "gpu")
    import torch

    if not torch.cuda.is_available():
        said = refused(rows, "--model", model, "--device", "cuda:1", code=5)
        assert "'cuda:1' is not there" in said
        assert "fp16 needs a GPU" in refused(rows, "--model", model, "--precision", "fp16")
    text = write_rows(folder / "text.jsonl", [{"text": "a b"}])
    assert "rows of plain text have no prompt" in refused(text, "--model", model, "--ifd")
    classifier = shutil.copytree(model, folder / "classifier")
    config = json.loads((classifier / "config.json").read_text())
    (classifier / "config.json").write_text(json.dumps({**config, "architectures": ["BertForSequenceClassification"]}))
    assert "not a causal language model" in refused(rows, "--model", classifier)
    # As long a prompt as the model takes leaves nothing of the answer.
    masked = write_rows(folder / "masked.jsonl", [{"messages": [{"role": "user", "content": "a"}]}])
    assert "no row has anything to train" in refused(masked, "--model", model, code=3)
    network = load_causal_lm(str(model), "float32")
    network.resize_token_embeddings(100)
    network.save_pretrained(folder / "model")
    assert "the tokenizer has 320 tokens and the model only 100 embeddings" in refused(rows, "--model", model)


def test_models_of_other_tokens_are_no_reference(rows: Path, model: Path, score: Program, shared_model: Path) -> None:
    done = score(rows, "--model", model, "--reference-model", shared_model)
    assert done.code == 2
    assert "another tokenizer or chat template" in done.err


def test_the_demo(score: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither rows nor a model need to be named."""
    from sage_select.score.row_means import RowMeans

    def quick(self: RowMeans, examples: Any, place: Any, progress: Any) -> dict[str, Any]:
        count = len(list(examples))
        return {name: np.ones(count, kind) for name, kind in self.columns.items()}

    monkeypatch.setattr(RowMeans, "of", quick)
    done = score("--no-cache")
    assert done.code == 0, done.err
    assert "using the built-in demo model" in done.err
    assert len(table("scores.arrow")["loss"]) == 900


def test_a_small_model_scores_and_another_is_trained(
    rows: Path, model: Path, build: Program, sage_train: Program, folder: Path
) -> None:
    larger = shutil.copytree(model, folder / "larger")
    trained = load_causal_lm(str(larger), dtype="float32")
    trained.lm_head.weight.data.mul_(1.5)
    trained.save_pretrained(larger)
    scoring = ("--strategy", "loss_topk", "--scorer", "model", "--score-model", model)
    assert build("rows.jsonl", "-k", 4, *scoring, "-o", "out.arrow").code == 0
    scored = json.loads((folder / "out.arrow.manifest.json").read_text())["evidence"]["score_model"]
    run = ("--model", larger, "--max-steps", 1, "--lora-r", 4)
    assert sage_train("--selection", "out.arrow", *run, "--output-dir", "run").code == 0
    ran = json.loads((folder / "run" / "run.json").read_text())
    assert (ran["about"]["model"], ran["about"]["scored_by"]["model"]) == (str(larger), str(model))
    assert ran["about"]["scored_by"]["revision"] == scored["revision"] != ran["identity"]["model"]
    assert sage_train("--selection", rows, *run, "--output-dir", "other").code == 0
    assert json.loads((folder / "other" / "run.json").read_text())["about"]["scored_by"] is None
