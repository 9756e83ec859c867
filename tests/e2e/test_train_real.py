"""The whole main job on real data of every shape: rows in, a selection out, an adapter trained on it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from programs import Program

pytestmark = [pytest.mark.train, pytest.mark.real_data]

#: Enough rows to select from; the whole files are for hand and for benchmarks.
HEAD = 200


def head_of(source: Path, folder: Path) -> Path:
    """Copy the first rows of a text file; others are taken whole."""
    if source.suffix == ".parquet":
        return source
    content = source.read_bytes()
    if source.suffix == ".gz":
        content = gzip.decompress(content)
    target = folder / source.name.removesuffix(".gz")
    target.write_bytes(b"".join(content.splitlines(keepends=True)[:HEAD]))
    return target


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("sgd_chat/train.jsonl.gz", ()),
        ("metatool/queries.csv", ("--prompt-column", "Query", "--completion-column", "Tool")),
        ("gsm8k/train.jsonl.gz", ()),
        ("t0_p3/cap50.jsonl.gz", ()),
        ("clinc150/train.parquet", ("--text-column", "text")),
        ("toolformer/all.jsonl.gz", ()),
    ],
)
def test_rows_to_adapter(
    build: Program,
    sage_train: Program,
    shared_data: Path,
    shared_model: Path,
    tmp_path: Path,
    name: str,
    options: tuple[str, ...],
) -> None:
    rows = head_of(shared_data / name, tmp_path)
    built = build(rows, "--strategy", "hybrid", "--budget", "10", *options, "-o", "out.arrow", "--json").json
    result = sage_train(
        *("--selection", "out.arrow", "--model", shared_model, "--max-steps", 2, "--output-dir", tmp_path / "run"),
        *("--batch-size", 2, "--gradient-accumulation", 1, "--lora-r", 4, "--on-long-row", "keep_end", "--json"),
    ).json
    kept = built["manifest"]["rows"]["kept"]
    counts = result["rows"]
    assert counts["rows_in"] == kept == 10
    assert counts["rows_trained"] + len(counts["dropped"]) == 10
    assert 0 < counts["trained_tokens"] <= counts["tokens"]
    assert (counts["truncated_rows"] > 0) == (counts["tokens_cut"] > 0)
    if name.startswith("sgd_chat"):
        assert counts["truncated_rows"] == counts["rows_trained"]  # the tools alone are longer than the context

    import pyarrow as pa

    with pa.ipc.open_file("out.arrow") as file:
        table = file.read_all().sort_by("sage_position")
    dropped = {one["row_id"] for one in counts["dropped"]}
    planned = [row for row in table.column("sage_row_id").to_pylist() if row not in dropped]
    lines = (tmp_path / "run" / "logs" / "consumed.jsonl").read_text().splitlines()
    consumed = [row for line in lines for row in json.loads(line)["rows"]]
    assert consumed == (planned * 4)[: len(consumed)]
    assert len(consumed) == min(4, 2 * len(planned))


def test_every_chat_format(
    build: Program, sage_train: Program, shared_data: Path, shared_model: Path, tmp_path: Path
) -> None:
    files = sorted(path for path in (shared_data / "chat_formats").iterdir() if ".json" in path.name)
    assert files
    for number, path in enumerate(files):
        assert build(path, "--budget", "100%", "-o", f"out{number}.arrow").code == 0
        result = sage_train(
            *("--selection", f"out{number}.arrow", "--model", shared_model, "--max-steps", 1),
            *("--output-dir", tmp_path / str(number), "--batch-size", 1, "--gradient-accumulation", 1, "--lora-r", 4),
            "--json",
        ).json
        assert result["rows"]["rows_trained"] > 0
