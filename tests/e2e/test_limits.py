"""Limits from the command line: files of ids, quotas, tokens and queries, and what is wrong with them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from programs import Program

from sage_select import demo

ROWS = [
    {
        "id": f"q{i}",
        "question": f"what is number {i} of {i % 7}?",
        "answer": "word " * (1 + i % 4),
        "source": ["web", "book", "chat"][i % 3],
        "empty": None if i == 4 else "x",
        "asked": i in (2, 9),
        "loss": i / 3,
    }
    for i in range(30)
]


@pytest.fixture
def rows(folder: Path) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    (folder / "pin.txt").write_text("q3\r\n\nq17\n")
    (folder / "exclude.txt").write_text("q5\nq6")
    return path


def read(path: Path) -> pa.Table:
    return pa.ipc.open_file(path).read_all()


def test_all_limits_at_once(folder: Path, rows: Path, build: Program) -> None:
    done = build(
        *("rows.jsonl", "--id-column", "id", "--score-column", "loss", "--quota", "source=2:4", "--budget", "9"),
        *("--pin", "pin.txt", "--exclude", "exclude.txt", "--json"),
    )
    manifest = done.json["manifest"]
    table = read(folder / "out.arrow")
    ids = table["sage_row_id"].to_pylist()
    assert {"q3", "q17"} <= set(ids)
    assert not {"q5", "q6"} & set(ids)
    sources = table["source"].to_pylist()
    assert all(2 <= sources.count(name) <= 4 for name in ("web", "book", "chat"))
    assert manifest["rows"]["reasons"]["pinned"] == 2
    assert manifest["inputs"].keys() >= {"select.pin", "select.exclude"}
    assert build("rows.jsonl", *done_again(), "--json").json["cached"]
    # A changed list is another input.
    (folder / "pin.txt").write_text("q3\nq18\n")
    assert build("rows.jsonl", *done_again()).code == 4


def done_again() -> list[str]:
    return [
        *("--id-column", "id", "--score-column", "loss", "--quota", "source=2:4", "--budget", "9"),
        *("--pin", "pin.txt", "--exclude", "exclude.txt"),
    ]


def test_balance_is_an_even_quota(folder: Path, rows: Path, build: Program) -> None:
    assert build("rows.jsonl", "--strategy", "random", "--balance", "source", "--budget", "8").code == 0
    sources = read(folder / "out.arrow")["source"].to_pylist()
    assert sorted(sources.count(name) for name in ("web", "book", "chat")) == [2, 3, 3]
    assert "not both" in build("rows.jsonl", "--balance", "source", "--quota", "source").err


def test_a_budget_in_words_says_so(folder: Path, rows: Path, build: Program) -> None:
    done = build("rows.jsonl", "--strategy", "random", "--budget", "60 tokens")
    assert done.code == 0
    assert "counts words" in done.err
    table = read(folder / "out.arrow")
    words = [len(f"{row['question']} {row['answer']}".split()) for row in table.to_pylist()]
    assert 50 < sum(words) <= 60


@pytest.mark.train
def test_a_budget_in_the_tokens_of_a_model(folder: Path, rows: Path, build: Program) -> None:
    from sage_select.render.example import examples
    from sage_select.render.model_files import load_tokenizer
    from sage_select.render.shape import detect_shape
    from sage_select.render.tokens import Renderer

    model = str(demo.model_path())
    done = build("rows.jsonl", "--strategy", "random", "--budget", "400 tokens", "--tokenizer", model)
    assert done.code == 0, done.err
    assert "counts words" not in done.err
    table = read(folder / "out.arrow")
    renderer = Renderer(load_tokenizer(model), max_length=10_000)
    shape = detect_shape(table.schema)
    spent = sum(len(renderer.encode(example).input_ids) for example in examples(table, shape))
    assert 300 < spent <= 400
    assert "no such model folder" in build("rows.jsonl", "--tokenizer", "./nothing", "-o", "b.arrow").err


def test_targets_from_rows_vectors_and_a_column(folder: Path, rows: Path, build: Program) -> None:
    (folder / "queries.jsonl").write_text("".join(json.dumps(ROWS[i]) + "\n" for i in (2, 9)))
    common = ["rows.jsonl", "--strategy", "target", "--budget", "6", "--id-column", "id"]
    assert build(*common, "--queries", "queries.jsonl", "-o", "a.arrow").code == 0
    by_file = read(folder / "a.arrow").sort_by("sage_rank")
    # The rows most like the queries are these themselves, each query in turn.
    assert by_file["sage_row_id"].to_pylist()[:2] == ["q2", "q9"]
    assert by_file["sage_gain"].to_pylist()[:2] == pytest.approx([1, 1], abs=1e-3)
    assert set(by_file["sage_reason"].to_pylist()) == {"target"}
    assert build(*common, "--query-column", "asked", "-o", "b.arrow").code == 0
    by_column = read(folder / "b.arrow").sort_by("sage_rank")["sage_row_id"].to_pylist()
    assert not {"q2", "q9"} & set(by_column)
    assert set(by_column[:4]) == set(by_file["sage_row_id"].to_pylist()[2:])
    np.save(folder / "rows.npy", np.random.default_rng(0).normal(size=(30, 5)).astype(np.float32))
    np.save(folder / "queries.npy", np.ones((1, 5), np.float32))
    done = build(*common, "--embeddings", "rows.npy", "--queries", "queries.npy", "-o", "c.arrow")
    assert done.code == 0, done.err


MISTAKES: dict[str, tuple[list[str], int, list[str]]] = {
    "no such list": (["--pin", "nothing.txt"], 2, ["nothing.txt"]),
    "unknown id": (["--pin", "unknown.txt"], 2, ["unknown.txt, line 2", "'q400'", "did you mean 'q4"]),
    "twice": (["--exclude", "twice.txt"], 3, ["twice.txt, line 3", "'q1' stands twice", "line 1"]),
    "no text": (["--pin", "bytes.bin"], 3, ["bytes.bin, line 1", "UTF-8"]),
    "both": (["--pin", "pin.txt", "--exclude", "pin.txt"], 2, ["pinned and excluded", "'q3'"]),
    "more pins than budget": (["--pin", "pin.txt", "--budget", "1"], 2, ["2 pinned rows", "at least 2"]),
    "nulls": (["--quota", "empty"], 3, ["row 4, line 5, column 'empty'", "1 rows have no value"]),
    "no quota": (["--quota", ""], 2, ["this is no quota: ''"]),
    "no column": (["--quota", "sorce=1:2"], 2, ["no column 'sorce'", "did you mean 'source'"]),
    "wrong column": (["--quota", "loss"], 3, ["counted by these values", "double"]),
    "contradiction": (["--quota", "source=4:", "--budget", "9"], 2, ["at least 12 rows", "9: 0 pinned and 9 more"]),
    "too short": (["--budget", "2 tokens"], 2, ["no row is short enough", "at least 7 tokens", "'q0'"]),
    "no queries": (["--strategy", "target"], 2, ["needs queries", "--queries"]),
    "empty queries": (["--strategy", "target", "--queries", "none.jsonl"], 3, ["none.jsonl", "no rows"]),
    "queries of another width": (
        ["--strategy", "target", "--queries", "wide.npy", "--embeddings", "rows.npy"],
        3,
        ["wide.npy", "5 numbers in each", "got: 7"],
    ),
    "queries of another encoder": (
        ["--strategy", "target", "--queries", "wide.npy"],
        2,
        ["wide.npy", "made from their words", "pass embeddings"],
    ),
    "no query among the rows": (["--strategy", "target", "--query-column", "never"], 3, ["no row is a query", "never"]),
    "a query that is pinned": (
        ["--strategy", "target", "--query-column", "asked", "--pin", "asked.txt"],
        2,
        ["row 2, line 3 (id 'q2')", "pinned and a query", "'asked' true"],
    ),
    "queries without vectors": (
        ["--strategy", "target", "--queries", "rows.jsonl", "--embeddings", "rows.npy"],
        2,
        ["the queries have none", ".npy"],
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes(mistake: str, folder: Path, rows: Path, build: Program) -> None:
    rows.write_text("".join(json.dumps({**row, "never": False}) + "\n" for row in ROWS))
    (folder / "unknown.txt").write_text("q1\nq400\n")
    (folder / "twice.txt").write_text("q1\nq2\nq1\n")
    (folder / "bytes.bin").write_bytes(b"\xff\xfe\n")
    (folder / "none.jsonl").write_text("")
    (folder / "asked.txt").write_text("q2")
    np.save(folder / "wide.npy", np.ones((2, 7), np.float32))
    np.save(folder / "rows.npy", np.ones((30, 5), np.float32))
    arguments, code, words = MISTAKES[mistake]
    done = build("rows.jsonl", "--id-column", "id", "--score-column", "loss", *arguments)
    if "--strategy" in arguments:
        done = build("rows.jsonl", "--id-column", "id", *arguments)
    assert done.code == code, done.err
    for word in words:
        assert word in done.err
    assert not (folder / "out.arrow").exists()


SPEC = """version: 1
steps:
  - source: {path: rows.jsonl, id_column: id}
  - dedup: {mode: near, threshold: 0.9}
  - select: {strategy: loss_topk, budget: 40 tokens, score_mode: band, score_band: "0:0.8", clamp: true,
             quota: "source=1:9", pin: pin.txt, exclude: exclude.txt, tokenizer: nowhere}
  - sink: {path: out.arrow}
"""


def explained(build: Program, *options: str) -> str:
    done = build("--spec", "sage.yaml", "--explain", *options)
    assert done.code == 0, done.err
    return done.out


def test_what_a_spec_asks_for_can_be_switched_off(folder: Path, rows: Path, build: Program) -> None:
    (folder / "sage.yaml").write_text(SPEC)
    asked = {
        "--quota": "at least 1 and at most 9 rows of each 'source'",
        "--pin": "with the rows of pin.txt",
        "--exclude": "without those of exclude.txt",
        "--tokenizer": "40 tokens of nowhere",
        "--dedup": "or whose cosine similarity to it is 0.9 or more",
    }
    for option, words in asked.items():
        assert words in explained(build)
        assert words not in explained(build, option, "none")
    assert "40 tokens (words)" in explained(build, "--tokenizer", "none")
    assert "dedup    none: copies" in explained(build, "--dedup", "none")
    assert "or what there is" in explained(build)
    assert "or what there is" not in explained(build, "--no-clamp")


def test_another_way_brings_its_own_settings(folder: Path, rows: Path, build: Program) -> None:
    (folder / "sage.yaml").write_text(SPEC)
    assert "(top: the hardest rows)" in explained(build, "--score-mode", "top")
    # The same way keeps those of the spec.
    assert "band 0:0.8" in explained(build, "--score-mode", "band", "--dedup", "near")
    assert "is 0.9 or more" in explained(build, "--score-mode", "band", "--dedup", "near")
    assert "cosine similarity" not in explained(build, "--dedup", "exact")
    text = SPEC.replace("strategy: loss_topk", "strategy: target").replace(
        'score_mode: band, score_band: "0:0.8"', "query_column: asked"
    )
    (folder / "sage.yaml").write_text(text)
    assert "nearest to column 'asked'" in explained(build)
    assert "nearest to q.npy" in explained(build, "--queries", "q.npy")


def test_the_summary_counts_pinned_rows(folder: Path, rows: Path, build: Program) -> None:
    done = build("rows.jsonl", "--id-column", "id", "--pin", "pin.txt", "-k", "5", "--strategy", "random")
    assert "kept      5 rows: 2 pinned, 3 by random" in done.err
