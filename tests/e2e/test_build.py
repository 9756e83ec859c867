"""`sage-select build`, from files to files."""

from __future__ import annotations

import json
from pathlib import Path

import datasets
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet
import pytest
from programs import Program
from rules import options

from sage_select.columns import COLUMNS
from sage_select.strategies import STRATEGIES

TOOLS = [{"type": "function", "function": {"name": "find", "parameters": {"type": "object", "properties": {}}}}]


def chat(i: int) -> dict[str, object]:
    arguments = {"city": f"town {i}"} if i % 2 else {"date": i, "nested": {"deep": [i]}}
    call = {
        "type": "function",
        "function": {"name": "find", "arguments": json.dumps(arguments) if i % 3 else arguments},
    }
    return {
        "id": f"row-{i}",
        "tools": TOOLS,
        "messages": [
            {"role": "user", "content": f"find number {i} in town {i % 4}"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "content": "found"},
            {"role": "assistant", "content": f"here is {i}"},
        ],
    }


@pytest.fixture
def chats(folder: Path) -> Path:
    path = folder / "chats.jsonl"
    path.write_text("".join(json.dumps(chat(i)) + "\n" for i in range(40)))
    return path


def read(path: Path) -> pa.Table:
    return pa.ipc.open_file(path).read_all()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_output_and_manifest(strategy: str, folder: Path, chats: Path, build: Program) -> None:
    (folder / "queries.jsonl").write_text("".join(json.dumps(chat(i)) + "\n" for i in (3, 17)))
    more = options(strategy, "queries.jsonl", folder, 40)
    done = build("chats.jsonl", "--strategy", strategy, "--budget", "25%", "--json", *more)
    assert done.code == 0, done.err
    table = read(folder / "out.arrow")
    assert table.num_rows == 10
    assert table.column_names == ["id", "tools", "messages", *COLUMNS]
    assert table["sage_position"].to_pylist() == list(range(10))
    manifest = json.loads((folder / "out.arrow.manifest.json").read_text())
    assert manifest == done.json["manifest"]
    assert manifest["rows"]["in"] == 40
    assert manifest["rows"]["kept"] == 10
    assert sum(manifest["rows"]["reasons"].values()) == 10
    assert manifest["output"]["rows"] == 10
    assert manifest["shape"]["name"] == "messages"
    report = pyarrow.parquet.read_table(folder / "out.arrow.rows.parquet")
    assert report.num_rows == 40
    kept = report.filter(report["kept"])
    assert set(kept["sage_row_id"].to_pylist()) == set(table["sage_row_id"].to_pylist())


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_selection_is_shown_beside_random_rows(strategy: str, folder: Path, chats: Path, build: Program) -> None:
    (folder / "queries.jsonl").write_text(json.dumps(chat(3)) + "\n")
    more = options(strategy, "queries.jsonl", folder, 40)
    done = build("chats.jsonl", "--strategy", strategy, "--budget", "25%", *more)
    assert done.code == 0, done.err
    metrics = json.loads((folder / "out.arrow.manifest.json").read_text())["metrics"]
    needs = STRATEGIES[strategy].needs_always if strategy != "auto" else {"vectors"}
    assert metrics["random_subsets"] == 5
    assert (metrics["coverage"] is not None) == ("vectors" in needs)
    # The measure of uncertainty is a score, too.
    assert (metrics["scores"] is not None) == ("scores" in needs or strategy == "uncertainty")
    assert metrics["lengths"]["unit"] == "words"
    assert "beside 5 random subsets of equal budget" in done.err
    lines = dict(line.strip().split("  ", 1) for line in done.err.splitlines() if line.startswith("  "))
    assert lines["verdict"].strip().removeprefix("warning: ") == metrics["verdict"]["text"]
    assert lines["verdict"].strip().startswith("warning: ") == metrics["verdict"]["alarm"]
    assert lines["words"].split()[0] == f"{metrics['lengths']['total']['selected']:,.0f}"
    assert ("coverage" in lines) == ("vectors" in needs)
    # A build that is cached shows the same.
    again = build("chats.jsonl", "--strategy", strategy, "--budget", "25%", *more)
    shown = done.err.replace("  ran      ", "  cached   ").splitlines()
    assert again.err.splitlines()[-len(lines) :] == shown[-len(lines) :]


def test_groups_of_a_quota_are_in_the_summary(folder: Path, build: Program) -> None:
    (folder / "rows.csv").write_text("text,kind\n" + "".join(f"row {i},{'ab'[i % 2]}\n" for i in range(100)))
    done = build("rows.csv", "--strategy", "random", "--quota", "kind", "-k", "10")
    assert done.code == 0, done.err
    assert "groups   2, of which 0 have no row selected" in done.err


def test_a_selection_no_better_than_random_is_said_to_be_none(folder: Path, build: Program) -> None:
    random = np.random.default_rng(0)
    vectors = np.repeat(random.normal(size=(20, 8)), 20, axis=0) + 0.05 * random.normal(size=(400, 8))
    np.save(folder / "v.npy", vectors)
    (folder / "rows.csv").write_text("text,loss\n" + "".join(f"row {i},{400 - i}\n" for i in range(400)))
    options = ["--embeddings", "v.npy", "--score-column", "loss", "-k", "20"]
    # The hardest rows are all of one cluster.
    hard = build("rows.csv", *options, "--strategy", "hybrid", "--score-share", "1", "--score-mode", "top")
    assert "verdict" in hard.err
    assert "verdict          warning: worse than random rows: coverage" in hard.err
    spread = build("rows.csv", "--embeddings", "v.npy", "-k", "20", "--strategy", "diversity", "-o", "o.arrow")
    assert "better than random rows on coverage" in spread.err
    assert "warning" not in spread.err
    assert "more is better: mean similarity of all rows to their nearest pick" in spread.err


def test_tool_calls_survive(folder: Path, chats: Path, build: Program) -> None:
    assert build("chats.jsonl", "--budget", "100%", "--id-column", "id", "-o", "out.jsonl").code == 0
    found = {row["id"]: row for row in map(json.loads, (folder / "out.jsonl").read_text().splitlines())}
    assert len(found) == 40
    for i in range(40):
        messages = found[f"row-{i}"]["messages"]
        expected = chat(i)
        call = expected["messages"][1]["tool_calls"][0]["function"]  # type: ignore[index]
        if isinstance(call["arguments"], str):
            call["arguments"] = json.loads(call["arguments"])
        assert messages == expected["messages"]
        assert found[f"row-{i}"]["tools"] == TOOLS
        assert found[f"row-{i}"]["sage_row_id"] == f"row-{i}"


def test_runs_are_repeated_bit_for_bit(folder: Path, chats: Path, build: Program) -> None:
    names = ["a.arrow", "b.arrow"]
    for name, threads in zip(names, (1, 2), strict=True):
        assert build("chats.jsonl", "-o", name, "--threads", threads).code == 0
    first, second = ((folder / name).read_bytes() for name in names)
    assert first == second


def test_the_same_run_again_is_cached(folder: Path, chats: Path, build: Program) -> None:
    assert build("chats.jsonl", "--json").json["cached"] is False
    stamp = (folder / "out.arrow").stat().st_mtime_ns
    again = build("chats.jsonl", "--json")
    assert again.code == 0
    assert again.json["cached"] is True
    assert (folder / "out.arrow").stat().st_mtime_ns == stamp


@pytest.mark.parametrize("name", ["o.arrow", "o.arrows", "o.parquet", "o.jsonl", "o"])
def test_every_output_format_says_the_same(name: str, folder: Path, chats: Path, build: Program) -> None:
    assert build("chats.jsonl", "--strategy", "random", "-o", name).code == 0
    path = folder / name
    readers = {
        "o.arrow": lambda: pl.from_arrow(read(path)),
        "o.arrows": lambda: pl.from_arrow(datasets.Dataset.from_file(str(path)).data.table),
        "o.parquet": lambda: pl.read_parquet(path),
        "o.jsonl": lambda: pl.DataFrame([json.loads(line) for line in path.read_text().splitlines()], strict=False),
        "o": lambda: pl.from_arrow(datasets.load_from_disk(str(path)).data.table),
    }
    frame = readers[name]()
    assert frame["sage_position"].to_list() == [0, 1, 2, 3]
    expected = build("chats.jsonl", "--strategy", "random", "-o", "other.arrow")
    assert expected.code == 0
    assert frame["id"].to_list() == read(folder / "other.arrow")["id"].to_pylist()


def test_no_rows_leaves_the_report_out(folder: Path, chats: Path, build: Program) -> None:
    assert build("chats.jsonl", "--no-rows").code == 0
    names = {path.name for path in folder.iterdir() if not path.name.endswith(".lock")}
    assert names == {"chats.jsonl", "out.arrow", "out.arrow.manifest.json"}
    # An output without the report is none with it.
    assert build("chats.jsonl").code == 4
    assert build("chats.jsonl", "--force").code == 0
    assert (folder / "out.arrow.rows.parquet").exists()


def test_the_demo_data_without_an_input(folder: Path, build: Program) -> None:
    done = build("--json", "--budget", "5%")
    assert done.code == 0, done.err
    assert "built-in demo data" in done.err
    manifest = done.json["manifest"]
    assert manifest["source"]["demo"] is True
    assert manifest["rows"]["in"] >= 300


def test_a_selection_can_be_selected_from(folder: Path, chats: Path, build: Program) -> None:
    assert build("chats.jsonl", "--budget", "50%").code == 0
    assert build("out.arrow", "--budget", "4", "-o", "fewer.arrow").code == 0
    fewer, more = read(folder / "fewer.arrow"), read(folder / "out.arrow")
    assert fewer.column_names == more.column_names
    assert set(fewer["sage_row_id"].to_pylist()) < set(more["sage_row_id"].to_pylist())


def test_budget_zero_gives_an_empty_valid_output(folder: Path, chats: Path, build: Program) -> None:
    assert build("chats.jsonl", "--budget", "0").code == 0
    assert read(folder / "out.arrow").num_rows == 0


def test_scores_of_every_origin(folder: Path, chats: Path, build: Program) -> None:
    scores = np.arange(40.0)[::-1]
    np.save(folder / "s.npy", scores)
    assert build("chats.jsonl", "--scores", "s.npy", "--strategy", "loss_topk", "--budget", "3").code == 0
    table = read(folder / "out.arrow").sort_by("sage_rank")
    assert table["id"].to_pylist() == ["row-0", "row-1", "row-2"]
    assert table["sage_score"].to_pylist() == [39.0, 38.0, 37.0]
    done = build("chats.jsonl", "--scores", "s.npy", "--lower-is-harder", "--strategy", "loss_topk", "-k", 3, "--force")
    assert done.code == 0
    assert read(folder / "out.arrow").sort_by("sage_rank")["id"].to_pylist() == ["row-39", "row-38", "row-37"]


def test_the_folder_s_spec_is_run_and_options_win(folder: Path, chats: Path, build: Program) -> None:
    (folder / "sage.toml").write_text(
        'version = 1\n[[steps]]\nsource = {path = "chats.jsonl"}\n[[steps]]\n'
        'select = {strategy = "random", budget = "8"}\n[[steps]]\nsink = {path = "spec.arrow"}\n'
    )
    done = build()
    assert done.code == 0, done.err
    assert "sage.toml" in done.err
    assert read(folder / "spec.arrow").num_rows == 8
    assert build("--budget", "5", "-o", "other.arrow").code == 0
    assert read(folder / "other.arrow").num_rows == 5


REAL: dict[str, list[str]] = {
    "sgd_chat/dev.jsonl.gz": ["--budget", "10%"],
    "metatool/queries.csv": ["--prompt-column", "Query", "--completion-column", "Tool", "--budget", "100"],
    "gsm8k/train.jsonl.gz": ["--budget", "100"],
    "t0_p3/cap50.jsonl.gz": ["--budget", "100", "--strategy", "loss_topk"],
    "clinc150/validation.parquet": ["--text-column", "text", "--budget", "10%"],
    "toolformer/similarity_0.6.jsonl.gz": ["--budget", "10%"],
    "chat_formats/glaive_sharegpt.json": [],
    "chat_formats/v1_messages.jsonl": [],
}


@pytest.mark.real_data
@pytest.mark.parametrize("name", REAL)
def test_real_data(name: str, folder: Path, shared_data: Path, build: Program) -> None:
    done = build(shared_data / name, *REAL[name], "--json")
    assert done.code == 0, done.err
    assert read(folder / "out.arrow").num_rows == done.json["manifest"]["rows"]["kept"] > 0


@pytest.mark.real_data
def test_real_vectors(folder: Path, shared_data: Path, build: Program) -> None:
    rows, vectors = shared_data / "clinc150" / "test.parquet", shared_data / "clinc150" / "test.minilm.npy"
    done = build(rows, "--text-column", "text", "--embeddings", vectors, "--strategy", "diversity", "-k", 150, "--json")
    assert done.code == 0, done.err
    chosen = read(folder / "out.arrow")
    # Rows that represent all others cover most of the 150 intents; 150 random rows cover about 63 %.
    assert len(set(chosen["intent"].to_pylist())) > 120
