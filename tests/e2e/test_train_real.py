"""The whole main job on real data of every shape: rows in, a selection out, an adapter trained on it."""

from __future__ import annotations

import gzip
import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sage_select.cli import select, train

pytestmark = [pytest.mark.train, pytest.mark.real_data]

Program = Callable[..., dict[str, Any]]

#: Enough rows to select from; the whole files are for hand and for benchmarks.
HEAD = 200


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def programs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> tuple[Program, Program]:
    """Return `sage-select build` and `sage-train`, run in an empty folder, giving their JSON."""
    monkeypatch.chdir(tmp_path)

    def runner(name: str, main: Callable[[], None]) -> Program:
        def run(*arguments: object) -> dict[str, Any]:
            monkeypatch.setattr("sys.argv", [*name.split(), *map(str, arguments), "--json"])
            before = signal.getsignal(signal.SIGTERM)
            try:
                with pytest.raises(SystemExit) as leaving:
                    main()
            finally:
                signal.signal(signal.SIGTERM, before)
            captured = capsys.readouterr()
            assert not leaving.value.code, captured.err
            value: dict[str, Any] = json.loads(captured.out)
            return value

        return run

    return runner("sage-select build", select.main), runner("sage-train", train.main)


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
    programs: tuple[Program, Program],
    shared_data: Path,
    shared_model: Path,
    tmp_path: Path,
    name: str,
    options: tuple[str, ...],
) -> None:
    build, sage_train = programs
    rows = head_of(shared_data / name, tmp_path)
    built = build(rows, "--strategy", "hybrid", "--budget", "10", *options, "-o", "out.arrow")
    result = sage_train(
        *("--selection", "out.arrow", "--model", shared_model, "--max-steps", 2, "--output-dir", tmp_path / "run"),
        *("--batch-size", 2, "--gradient-accumulation", 1, "--lora-r", 4),
    )
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
    programs: tuple[Program, Program], shared_data: Path, shared_model: Path, tmp_path: Path
) -> None:
    build, sage_train = programs
    files = sorted(path for path in (shared_data / "chat_formats").iterdir() if ".json" in path.name)
    assert files
    for number, path in enumerate(files):
        build(path, "--budget", "100%", "-o", f"out{number}.arrow")
        result = sage_train(
            *("--selection", f"out{number}.arrow", "--model", shared_model, "--max-steps", 1),
            *("--output-dir", tmp_path / str(number), "--batch-size", 1, "--gradient-accumulation", 1, "--lora-r", 4),
        )
        assert result["rows"]["rows_trained"] > 0
